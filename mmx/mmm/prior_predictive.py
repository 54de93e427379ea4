"""What the priors say before any data: draws of the prior, and the effects and the KPI that they imply."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd

from mmx.data.cells import listed
from mmx.data.checks import CheckResult
from mmx.data.panel import Floats, Panel
from mmx.mmm import evaluate, evaluate_jax, kernel_codes, predict
from mmx.mmm.inputs import STEP, prepare
from mmx.mmm.parameters import constrained, prior_vectors, scales, unsigned
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import window_spend
from mmx.mmm.resolve import resolve
from mmx.mmm.structure import Structure
from mmx.spec import Spec

DRAWS = 500
WIDE = 100.0  # Times the observed range from which on a prior is called too wide.


def prior_draws(spec: Spec, panel: Panel, *, count: int, rng: np.random.Generator) -> Posterior:
    """Draws of the prior, as a posterior.

    Parameters
    ----------
    spec : Spec
        Resolved.
    panel : Panel
    count : int
    rng : Generator

    Returns
    -------
    Posterior
        Its coefficients are NaN in draws that ask of a medium for more than the whole KPI of a multiplicative model.
    """
    structure, inputs, _ = prepare(spec, panel)
    params = constrained(structure, inputs, unsigned(structure, prior_vectors(structure, inputs, count, rng)))
    found = scales(structure, inputs, params)
    gamma = found["prior_sd"] * rng.standard_normal(found["prior_sd"].shape)
    own = np.zeros((count, *inputs["local_w"].shape))
    if structure.geos > 1:
        own = inputs["local_sd"][:, None] * rng.standard_normal(own.shape)
    nothing = {"shared_noise": np.zeros_like(gamma), "geo_noise": np.zeros_like(own)}
    solver = _ready(kernel_codes.has_coefficients(structure))
    beta, _, _ = solver.coefficients(structure, inputs, params, {**found, **nothing})
    own[:, 0] -= (own * inputs["local_middle"]).sum(axis=1)  # From columns that are measured from a geo's mean.
    return Posterior(spec, panel, structure, panel.window.astype(float), params, beta, gamma, own, chains=1)


def prior_predictive(spec: Spec, panel: Panel, *, seed: int) -> CheckResult:
    """Share of the KPI, ROAS and marginal ROAS of every medium, and the KPI itself, by the priors alone.

    Parameters
    ----------
    spec : Spec
        Resolved here unless it already is.
    panel : Panel
    seed : int
        Fixes the draws.

    Returns
    -------
    CheckResult
        Failed where the priors put almost all of the KPI far outside of what was observed.
    """
    resolved = resolve(spec, panel)
    rng = np.random.default_rng([seed, 19])
    drawn = prior_draws(resolved, panel, count=DRAWS, rng=rng)
    inside, step, kpi = _implied(drawn, rng)
    valid = np.isfinite(inside + step).all(axis=1)
    if not valid.any():
        text = "Every draw of the priors asks of some medium for more than the whole KPI: lower the effect priors."
        return CheckResult("prior predictive", False, None, text)
    table = _table(drawn, inside[valid], step[valid])
    worth = (panel.array("kpi") * panel.array("unit_value"))[:, panel.window].sum()
    share = np.quantile(inside[valid].sum(axis=1) / worth, [0.05, 0.5, 0.95])
    observed = panel.array("kpi")[:, panel.window].sum(axis=0)
    low, high = np.quantile(kpi[valid], [0.05, 0.95])
    said = [
        f"Of {DRAWS} draws of the priors: media bring {100 * share[1]:.3g} % of the KPI (90 % interval {100 * share[0]:.3g} to "
        f"{100 * share[2]:.3g} %), and the KPI of a period lies between {low:,.4g} and {high:,.4g}, where "
        f"{observed.min():,.4g} to {observed.max():,.4g} was observed."
    ]
    if not valid.all():
        said.append(
            f"{100 * (1 - valid.mean()):.2g} % ask of a medium for more than the whole KPI, which no coefficient of a "
            "multiplicative model gives: lower the prior on its ROAS."
        )
    span = np.ptp(observed) or abs(float(observed.mean()))
    wide = bool(high - low > WIDE * span or low > observed.max() or high < observed.min())
    if wide:
        said.append("That has little to do with the observed KPI: look at model.baseline, model.shapes and the effect priors.")
    return CheckResult("prior predictive", not wide, table, " ".join(said))


def national_media(panel: Panel) -> CheckResult | None:
    """Media that move alike in all geos, so that geos tell nothing about them; None for a national table."""
    if panel.data.sizes["geo"] == 1:
        return None
    exposure = np.concatenate([panel.array("exposure"), panel.array("organic")], axis=2)[:, panel.window]
    mean = exposure.mean(axis=1, keepdims=True)
    scaled = exposure / np.where(mean > 0, mean, 1.0)
    apart, along = scaled.std(axis=0).mean(axis=0), scaled.mean(axis=0).std(axis=0)
    names = [*panel.names("channel"), *panel.names("organic")]
    table = pd.DataFrame({"medium": names, "between_geos": apart, "over_time": along})
    alike = [name for name, value, moves in zip(names, apart, along, strict=True) if value < 1e-6 and moves > 0]
    text = "Spread of each medium's exposure over its geo's mean: between geos in the same period, and over time. "
    if alike:
        text += (
            f"{listed(alike)}: the same course in every geo, as of national media that were split over geos. Only time tells "
            "their effect, as in a national model, and what differs by geo is their prior."
        )
    else:
        text += "Every medium differs between geos."
    return CheckResult("national media", not alike, table, text)


def _ready(known: bool) -> ModuleType:
    """Compiled code where it lies on disk already, else JAX: a check should not wait for minutes of compiling."""
    return evaluate if known and evaluate.SOURCE.complete else evaluate_jax


def _cells(posterior: Posterior, geo: int, x: Floats) -> Floats:
    """Effect of each medium in one geo on the scaled KPI or its logarithm, (sample, time, media)."""
    structure: Structure = posterior.structure
    module, at = _ready(kernel_codes.has_curves(structure)), slice(geo, geo + 1)
    found: Floats = module.levels(structure, posterior.params, posterior.beta[:, at], x[:, at], np.ones((len(x), 1)))
    varied = posterior.varied(len(x))
    return found if varied is None else found * varied


def _implied(posterior: Posterior, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """KPI money of each medium in the window and of 1 % more, (sample, media) each; KPI by period, (sample, window)."""
    structure, rows = posterior.structure, np.flatnonzero(posterior.window)
    inside, step = np.zeros((2, posterior.samples, structure.media))
    kpi, design = np.zeros((posterior.samples, len(rows))), posterior.design
    more = posterior.exposure.copy()
    more[rows, :, : structure.media] *= 1.0 + STEP
    for g in range(structure.geos):
        money = posterior.money[rows, g, None]
        actual, none, moved = (_cells(posterior, g, x)[:, rows] for x in (posterior.exposure, posterior.zeroed, more))
        if structure.multiplicative:
            with np.errstate(over="ignore", invalid="ignore"):  # Coefficients of goals that cannot be reached.
                inside -= (money * np.expm1(none - actual)).sum(axis=1)
                step += (money * np.expm1(moved - actual)).sum(axis=1)
        else:
            inside += (money * (actual - none)).sum(axis=1)
            step += (money * (moved - actual)).sum(axis=1)
        level = actual.sum(axis=2) + posterior.gamma @ design.z[rows, g].T + posterior.constants.kpi_center
        level += posterior.local[:, :, g] @ design.local[:, rows]
        if structure.signed:
            level += posterior.params["control"] @ design.signed[rows, g].T
        finite = np.clip(np.nan_to_num(level), -50.0, 50.0) if structure.multiplicative else np.nan_to_num(level)
        kpi += predict.draws(posterior, finite.T, g, rng).T
    return inside, step, kpi


def _table(posterior: Posterior, inside: Floats, step: Floats) -> pd.DataFrame:
    """Quantiles of share, ROAS and marginal ROAS of each medium, one row each."""
    panel, spend = posterior.panel, window_spend(posterior)
    worth = (panel.array("kpi") * panel.array("unit_value"))[:, panel.window].sum()
    paid = 0 if panel.target_kind == "index" else len(spend)
    rows = []
    for m, name in enumerate(posterior.media):
        found = {"share of KPI": inside[:, m] / worth}
        if m < paid and spend[m] > 0:
            found |= {"ROAS": inside[:, m] / spend[m], "mROAS": step[:, m] / (STEP * spend[m])}
        rows += [(name, of, *np.quantile(values, [0.5, 0.05, 0.95])) for of, values in found.items()]
    return pd.DataFrame(rows, columns=["medium", "of", "median", "q05", "q95"])
