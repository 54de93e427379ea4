"""Turn everything that a specification derives from data into explicit numbers, from the training rows only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats, Panel
from mmx.mmm.design import BOUNDARY
from mmx.mmm.lift_prior import informed
from mmx.priors import Prior
from mmx.spec import MONEY_KINDS, Constants, EffectKind, Spec


def resolve(spec: Spec, panel: Panel, rows: npt.NDArray[np.bool_] | None = None) -> Spec:
    """Fill in the constants of a specification.

    Parameters
    ----------
    spec : Spec
    panel : Panel
    rows : array of bool, (time,), optional
        Training rows; the KPI window by default. Nothing outside them is looked at, except dates and, for spend, what
        a plan can be made of.

    Returns
    -------
    Spec
        The same specification with ``constants`` set. One that has them is returned unchanged: constants are resolved
        once.
    """
    if spec.constants is not None:
        return spec
    spec = _present(spec, panel)
    train = panel.window if rows is None else np.asarray(rows, dtype=bool) & panel.window
    spec = informed(spec, panel, train)
    kpi = panel.array("kpi")[:, train]
    geo_scale = _geo_scale(panel, kpi)
    per_head = kpi / geo_scale[:, None]
    kpi_scale = float(np.abs(per_head).mean())
    scaled = per_head / kpi_scale
    x = panel.media_exposure[:, train] / geo_scale[:, None, None]
    active = np.where(x > 0, x, np.nan)
    has_any = np.isfinite(active).any(axis=(0, 1))
    media_scale = np.where(has_any, np.nanmean(np.where(has_any, active, 1.0), axis=(0, 1)), 1.0)
    often = panel.media_frequency[:, train]
    kind, numerator = _effects(spec, panel, train, has_any)
    columns = np.concatenate([panel.array("treatment"), panel.array("control")], axis=2)[:, train]
    treatments = len(panel.names("treatment"))
    centre = columns.mean(axis=(0, 1))
    centre[:treatments] = columns[..., :treatments].min(axis=(0, 1), initial=math.inf)
    spread = columns.std(axis=(0, 1))
    demand = (x / media_scale)[..., list(spec.follows_demand)]
    inside = np.flatnonzero(train)
    half_range = max((len(train) - 1) / 2, 1.0)
    return spec.model_copy(
        update={
            "constants": Constants(
                kpi_scale=kpi_scale,
                **_kpi(spec, scaled),
                geo_scale=tuple(geo_scale.tolist()),
                media_scale=tuple(media_scale.tolist()),
                frequency_scale=tuple(float(f[f > 0].mean()) if (f > 0).any() else 1.0 for f in np.moveaxis(often, 2, 0)),
                kind=kind,
                numerator=numerator,
                column_mean=tuple(centre.tolist()),
                column_sd=tuple(np.where(spread > 0, spread, 1.0).tolist()),
                demand_mean=tuple(demand.mean(axis=(0, 1)).tolist()),
                demand_sd=tuple(float(sd) or 1.0 for sd in demand.std(axis=(0, 1))),
                drift_terms=_drift_terms(spec, half_range / panel.periods_per_year),
                effectiveness_terms=_smooth_terms(
                    spec.model.baseline.effectiveness_length, half_range / panel.periods_per_year
                ),
                drift_center=(len(train) - 1) / 2,
                drift_half_range=BOUNDARY * half_range,
                periods_per_year=panel.periods_per_year,
                time_center=float(inside.mean()),
                time_range=float(max(inside[-1] - inside[0], 1)),
            )
        }
    )


def _kpi(spec: Spec, scaled: Floats) -> dict[str, float]:
    """Mean, prior mean of the baseline, and standard deviation within geos of what media and baseline add up to.

    Where they add up to a logarithm: that of the KPI, or for counts, which may be zero, its standard deviation over its mean.
    """
    share = 1.0 - spec.model.baseline.media_share
    if spec.model.likelihood == "lognormal":
        scaled = np.log(np.where(scaled > 0, scaled, 1.0))
    mean = float(scaled.mean())
    sd = float(np.sqrt(((scaled - scaled.mean(axis=1, keepdims=True)) ** 2).mean()))
    if spec.model.likelihood == "lognormal":
        return {"kpi_mean": mean, "kpi_center": mean + math.log(share), "kpi_sd": sd}
    if spec.model.link == "log":
        return {"kpi_mean": math.log(mean), "kpi_center": math.log(mean * share), "kpi_sd": sd / mean}
    return {"kpi_mean": mean, "kpi_center": mean * share, "kpi_sd": sd}


def _present(spec: Spec, panel: Panel) -> Spec:
    """Leave out media that a data policy has dropped from the panel."""
    paid, organic = panel.names("channel"), panel.names("organic")
    return spec.model_copy(
        update={
            "channels": {name: spec.channels[name] for name in paid},
            "organic": {name: spec.organic[name] for name in organic},
        }
    )


def _geo_scale(panel: Panel, kpi: Floats) -> Floats:
    """Size of each geo over the mean size: its population, or its mean KPI where no population is known."""
    if panel.data.sizes["geo"] == 1:
        return np.ones(1)
    size = panel.array("population") if panel.has_population else np.abs(kpi).mean(axis=1)
    scale: Floats = size / size.mean()
    return scale


def _effects(
    spec: Spec, panel: Panel, train: npt.NDArray[np.bool_], active: npt.NDArray[np.bool_]
) -> tuple[tuple[EffectKind, ...], tuple[float, ...]]:
    """Meaning of each medium's effect, and the KPI money of one unit of it; without spend, a coefficient."""
    spend = panel.array("spend")[:, train].sum(axis=(0, 1))
    money = float((panel.array("kpi") * panel.array("unit_value"))[:, train].sum())
    kinds: list[EffectKind] = []
    numerators = []
    for i, medium in enumerate([*spec.channels.values(), *spec.organic.values()]):
        kind: EffectKind = medium.priors.kind
        if not active[i] or (kind in MONEY_KINDS and not spend[i] > 0):
            kind = "coefficient"
        elif kind == "contribution" and i < len(spec.channels) and not medium.own_prior:
            kind = "total"
        kinds.append(kind)
        numerators.append(float(spend[i]) if kind in MONEY_KINDS else 1.0 if kind == "coefficient" else money)
    return tuple(kinds), tuple(numerators)


def _drift_terms(spec: Spec, half_range_years: float) -> int:
    """Number of knots, or of basis functions."""
    if not spec.model.drift:
        return 0
    if spec.model.drift == "knots":
        return int(np.clip(math.ceil(2 * half_range_years / spec.model.drift_spacing) + 2, 4, 200))
    return _smooth_terms(spec.model.baseline.drift_length, half_range_years)


def _smooth_terms(length: Prior, half_range_years: float) -> int:
    """Number of basis functions for the short end of a length prior; Riutort-Mayol et al. (2023), Matern 5/2."""
    mu, sigma = length.location_scale()
    short = math.exp(mu - 1.2816 * sigma)
    return int(np.clip(math.ceil(2.65 * BOUNDARY * half_range_years / short), 5, 40))
