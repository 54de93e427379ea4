"""Stored specifications of earlier formats, said in today's words: what did not exist then is what it is without."""

from __future__ import annotations

from typing import Any

OLDEST = 2  # Format 1 was of another model: without the geos' own trends.
_LOGNORMAL, _BETA = {"family": "lognormal"}, {"family": "beta"}
# Priors of families that format 2 did not know: nothing of a stored fit depends on them.
_SHAPES = {
    "half_life": {**_LOGNORMAL, "median": 0.8, "q90": 2.5},
    "weibull_shape": {**_LOGNORMAL, "median": 1.5, "q90": 4.0},
    "weibull_scale": {**_LOGNORMAL, "median": 2.0, "q90": 6.0},
    "exponent": {**_BETA, "a": 3.0, "b": 3.0},
}
_BASELINE = {
    "trend_change": 0.5,
    "sparse": 0.05,
    "degrees": {**_LOGNORMAL, "median": 4.0, "q90": 30.0},
    "autocorrelation": {**_BETA, "a": 2.0, "b": 2.0},
    "effectiveness": 0.2,
    "effectiveness_length": {**_LOGNORMAL, "median": 1.0, "q90": 2.0},
    "group_effect": 0.3,
}
_MEDIUM = {"adstock_first": True, "effectiveness": "constant"}
_MODEL = {
    **_MEDIUM,
    "link": None,
    "noise": "shared",
    "autocorrelation": False,
    "trend_knots": 5,
    "drift_spacing": 0.25,
    "controls": {},
}


def upgraded(spec: dict[str, Any], found: int) -> dict[str, Any]:
    """The JSON of a stored specification of format ``found``, as today's format holds it."""
    if found > OLDEST:
        return spec
    model = spec["model"]
    shapes = {**_SHAPES, **model["shapes"]}
    whole = {
        **_MODEL,
        **model,
        "shapes": shapes,
        "baseline": {**_BASELINE, **model["baseline"]},
        "seasonality": {"monthly": 0, "weekly": 0, **model["seasonality"]},
    }
    media = {
        kind: {name: {**_MEDIUM, "shapes": shapes, **medium} for name, medium in spec[kind].items()}
        for kind in ("channels", "organic")
    }
    constants = {"frequency_scale": [], "effectiveness_terms": 1, **spec["constants"]}
    return {**spec, **media, "model": whole, "constants": constants}
