"""Models of the small shop that together hold every adstock, saturation and meaning of an effect, nationally and by geo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from mmx.data.panel import Panel
from mmx.jax_setup import jax
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.mmm.structure import Structure
from mmx.mmm.target import log_density_of
from mmx.response.registry import ADSTOCKS, SATURATIONS
from mmx.spec import LiftTest, Spec

from ..oracle import Oracle
from ..panels import CHANNELS, changed, shop_config, shop_panel

OWN: dict[str, dict[str, Any]] = {
    "roas": {"kind": "roas", "family": "lognormal", "median": 1.2, "q90": 3.9},
    "mroas": {"kind": "mroas", "family": "lognormal", "median": 0.8, "q90": 2.0},
    "coefficient": {"kind": "coefficient", "family": "normal", "mean": 0.05, "sd": 0.1},
    "contribution": {"kind": "contribution", "family": "lognormal", "mu": -3.0, "sigma": 0.8},
    "total": {},
}
TOTAL = {"kind": "contribution", "family": "lognormal", "median": 0.2, "q90": 0.5}
COMBINATIONS = tuple(  # Every pair of families; meanings of the effect and orders in turn.
    (adstock, saturation, tuple(OWN)[(i + j) % len(OWN)], (i + j // 2) % 2 == 0)
    for (i, adstock), (j, saturation) in product(enumerate(ADSTOCKS), enumerate(SATURATIONS))
)


@dataclass(frozen=True)
class Case:
    """A model with its data, its compiled density and its oracle."""

    structure: Structure
    inputs: dict[str, Any]
    oracle: Oracle

    def density(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient of the package's log density."""
        value, slope = gradient_of(self.structure)(q, self.inputs)
        return float(value), np.asarray(slope)

    def points(self, count: int, seed: int = 0) -> np.ndarray:
        """Unconstrained vectors as the priors draw them, roughly."""
        return np.random.default_rng(seed).normal(0.0, 0.7, (count, self.structure.dim))


@cache
def gradient_of(structure: Structure) -> Any:
    """Jitted value and gradient."""
    return jax.jit(jax.value_and_grad(log_density_of(structure)))


@cache
def every(geos: int) -> Case:
    """One paid channel for each pair of adstock and saturation; rows in the middle held out."""
    names = tuple(f"{a}_{s}_{k}_{first}" for a, s, k, first in COMBINATIONS)
    channels = {
        name: {"spend": name, "adstock": a, "saturation": s, "adstock_first": first, **({"priors": OWN[k]} if OWN[k] else {})}
        for name, (a, s, k, first) in zip(names, COMBINATIONS, strict=True)
    }
    kind = {"target_kind": "count", "unit_value": "worth"} if geos == 1 else {}
    config = shop_config({"data": {**kind, "channels": channels}, "model": {"priors": TOTAL}}, channels=names)
    panel = shop_panel(geos, channels=names, target_kind=kind.get("target_kind", "money"), weeks=40)
    weights = panel.window.astype(float)
    weights[15:19] = 0.0
    return make(config.spec, panel, weights)


@cache
def plain(geos: int) -> Case:
    """One family for all channels and no drift: ROAS nationally with unequal row weights, coefficients by geo."""
    if geos == 1:
        model: dict[str, Any] = {"adstock": "geometric", "saturation": "hill"}
    else:
        model = {"adstock": "delayed", "saturation": "logistic", "trend": "none"}
        model |= dict.fromkeys(("priors", "organic_priors"), OWN["coefficient"])
    panel = shop_panel(geos, population=False, weeks=40)
    config = shop_config({"model": {**model, "drift": False}}, mixed=False)
    weights = panel.window * np.resize([1.0, 0.5, 1.0, 0.0, 2.0], 40)
    return make(config.spec, panel, weights)


@cache
def rich(geos: int, likelihood: str = "normal") -> Case:
    """Reach and frequency, demand, controls with a sign and sparse ones, a piecewise trend, a season by month and knots."""
    known = {"weather": {"sign": "positive"}, "rain": {"sparse": True}, "wind": {"sign": "negative"}, "sun": {"sparse": True}}
    controls = ("weather", "hail", "rain", "wind", "sun")
    model = {"trend": "piecewise", "trend_knots": 2, "drift": "knots", "seasonality": {"monthly": 1}, "controls": known}
    channels = {"tv": {"reach": "tv_reach", "frequency": "tv_frequency"}, "search": {"follows_demand": True}}
    model |= LIKELIHOODS.get(likelihood, {})
    config = shop_config({"model": model, "data": {"controls": list(controls), "channels": channels}})
    panel = shop_panel(geos, weeks=40, reach=("tv",), controls=controls)
    return make(config.spec, panel, panel.window.astype(float))


LIKELIHOODS: dict[str, dict[str, Any]] = {
    "student_t": {"likelihood": "student_t"},
    "student_t by geo": {"likelihood": "student_t", "noise": "geo"},
    "lognormal": {"likelihood": "lognormal"},
    "counts": {"likelihood": "negative_binomial", "link": "log"},
    "additive counts": {"likelihood": "negative_binomial", "link": "identity"},
    "noise by geo": {"noise": "geo"},
    "autocorrelated": {"autocorrelation": True},
    "autocorrelated lognormal by geo": {"likelihood": "lognormal", "noise": "geo", "autocorrelation": True},
}


@cache
def other(likelihood: str, geos: int) -> Case:
    """Another likelihood, with effects of every meaning; the KPI in whole numbers. Noise by geo is one noise nationally."""
    channels = {
        name: {"priors": OWN[kind]} for name, kind in zip(CHANNELS, ("roas", "mroas", "coefficient", "total"), strict=True)
    }
    channels["social"] = {}
    model = {key: value for key, value in LIKELIHOODS[likelihood].items() if geos > 1 or key != "noise"}
    data = {"channels": channels, "target_kind": "count", "unit_value": 1.0, "geo": "city" if geos > 1 else None}
    config = shop_config({"model": {**model, "priors": TOTAL}, "data": data})
    panel = shop_panel(geos, weeks=40)
    panel = changed(panel, kpi=np.round(panel.array("kpi")))
    return make(config.spec, panel, panel.window.astype(float))


@cache
def lifted(geos: int, likelihood: str = "normal") -> Case:
    """Experiments: by KPI and by ROAS, of all spend and of a part, one after the last training row."""
    config = shop_config({"model": LIKELIHOODS.get(likelihood, {})})
    panel = shop_panel(geos, weeks=40)
    weights = panel.window.astype(float)
    weights[30:] = 0.0
    some = panel.names("geo")[1:] if geos > 1 else ()
    whole = {
        "test": "dark",
        "channel": "tv",
        "start": "2022-03-14",
        "end": "2022-04-10",
        "metric": "kpi",
        "value": 3000,
        "se": 500,
    }
    part = {"test": "more", "channel": "search", "start": "2022-05-02", "end": "2022-05-08", "metric": "roas", "value": 1.5}
    part |= {"se": 0.4, "geos": some, "delta_spend": 40.0, "inflation": 2.0}
    late = whole | {"test": "late", "start": "2022-08-15", "end": "2022-08-28", "value": 9e9, "se": 1.0}
    tests = tuple(LiftTest.model_validate(test) for test in (whole, part, late))
    return make(config.spec.model_copy(update={"lift_tests": tests}), panel, weights)


@cache
def grouped() -> Case:
    """Geos in two groups, one of them of a single geo."""
    panel = replace(shop_panel(4, weeks=40), groups=("north", "south", "north", "north"))
    return make(shop_config().spec, panel, panel.window.astype(float))


@cache
def varying(geos: int) -> Case:
    """Effectiveness that changes over time, shared by two channels, of its own for one and for the organic medium."""
    kinds = {"tv": "shared", "search": "own", "social": "shared"}
    channels = {
        name: {"effectiveness": kind, "priors": OWN["mroas" if name == "tv" else "roas"]} for name, kind in kinds.items()
    }
    config = shop_config({"data": {"channels": channels, "organic": {"mail": {"effectiveness": "own"}}}})
    panel = shop_panel(geos, weeks=40)
    weights = panel.window.astype(float)
    weights[15:19] = 0.0
    test = {
        "test": "dark",
        "channel": "search",
        "start": "2022-03-14",
        "end": "2022-04-03",
        "metric": "kpi",
        "value": 3000,
        "se": 500,
    }
    return make(config.spec.model_copy(update={"lift_tests": (LiftTest.model_validate(test),)}), panel, weights)


def make(spec: Spec, panel: Panel, weights: np.ndarray) -> Case:
    """Resolve on the rows of positive weight and prepare."""
    resolved = resolve(spec, panel, weights > 0)
    structure, inputs, _ = prepare(resolved, panel, weights)
    return Case(structure, inputs, Oracle(resolved, panel, weights, structure, inputs["geo_basis"]))
