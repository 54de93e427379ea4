"""Draw parameters and data from the model's own prior, and the quantities whose ranks are looked at.

The data come from the model before the baseline is integrated out: parameters from their priors, baseline coefficients from
their Gaussian priors, then the KPI from its law around ``media + Z gamma``, and what experiments measure. Constants that were
derived from data stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Panel
from mmx.mmm import predict
from mmx.mmm.decomposition import decompose
from mmx.mmm.design import Design
from mmx.mmm.inputs import prepare
from mmx.mmm.lift_predictive import predicted
from mmx.mmm.log_likelihoods import pointwise
from mmx.mmm.posterior import Posterior
from mmx.mmm.prior_predictive import prior_draws
from mmx.mmm.quantities import effects, window_spend
from mmx.mmm.structure import Structure
from mmx.mmm.target import coordinate_names
from mmx.spec import Spec

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A resolved specification with the panel that gives its media; the panel's KPI is not looked at again."""

    spec: Spec
    panel: Panel
    structure: Structure
    inputs: dict[str, Any]
    design: Design


def model_of(spec: Spec, panel: Panel) -> Model:
    """Arrays of a resolved specification."""
    return Model(spec, panel, *prepare(spec, panel))


def in_units(panel: Panel, unit: float) -> Panel:
    """The panel with its KPI in whole units worth so much money each; as it is for a unit of 1."""
    if unit == 1.0:
        return panel
    kpi, worth = np.round(panel.array("kpi") / unit), np.full(panel.array("kpi").shape, unit)
    data = panel.data.assign(kpi=(("geo", "time"), kpi), unit_value=(("geo", "time"), worth))
    return replace(panel, data=data, target_kind="count")


def from_prior(model: Model, count: int, rng: np.random.Generator) -> tuple[Posterior, Floats]:
    """Parameters and baseline coefficients from the prior, and the expected scaled KPI.

    Returns
    -------
    Posterior
        Its draws are draws of the prior.
    array, (count, time, geo)
        Media plus baseline on the scaled KPI, less ``kpi_center``.
    """
    drawn = prior_draws(model.spec, model.panel, count=count, rng=rng)
    x, rows = predict.whole_exposure(drawn), np.arange(model.panel.data.sizes["time"])
    level = [predict.level(drawn, g, x, rows) for g in range(model.structure.geos)]
    return drawn, np.stack(level, axis=2) - drawn.constants.kpi_center


def simulate(model: Model, rng: np.random.Generator) -> Posterior:
    """Draw one truth and its data: a posterior of a single draw, on a panel with the simulated KPI."""
    truth, expected = from_prior(model, 1, rng)
    level = truth.constants.kpi_center + expected[0]
    cells = [noisy(truth, level[:, g], g, rng) for g in range(truth.structure.geos)]
    kpi = np.where(model.panel.window, np.stack(cells), np.nan)
    data = model.panel.data.assign(kpi=(("geo", "time"), kpi))
    return replace(truth, panel=replace(model.panel, data=data), spec=measured(truth, rng))


def noisy(truth: Posterior, level: Floats, geo: int, rng: np.random.Generator) -> Floats:
    """KPI (time,) of one geo, given what media and baseline add up to."""
    if not truth.structure.autocorrelated:
        return predict.draws(truth, level[:, None], geo, rng)[:, 0]
    sd, rho, state = predict.noise(truth, geo)[0], truth.params["autocorrelation"][0, 0], rng.standard_normal()
    error = np.empty(len(level))
    for t in range(len(level)):
        error[t] = sd * state
        state = rho * state + np.sqrt(1.0 - rho**2) * rng.standard_normal()
    whole = level + error
    return truth.size[geo] * (np.exp(whole) if truth.structure.multiplicative else whole)


def measured(truth: Posterior, rng: np.random.Generator) -> Spec:
    """The specification with its experiments' values drawn from what they would measure."""
    brought = predicted(truth)[0] if truth.spec.lift_tests else ()
    tests = tuple(
        test.model_copy(update={"value": float(value + test.se * test.inflation * rng.standard_normal())})
        for test, value in zip(truth.spec.lift_tests, brought, strict=True)
    )
    return truth.spec.model_copy(update={"lift_tests": tests})


def thinned(posterior: Posterior, count: int) -> Posterior:
    """Draws evenly spaced over all chains laid end to end."""
    kept = np.linspace(0, posterior.samples - 1, count).round().astype(int)
    params = {name: value[kept] for name, value in posterior.params.items()}
    draws = {name: getattr(posterior, name)[kept] for name in ("beta", "gamma", "local")}
    return replace(posterior, params=params, chains=1, **draws)


def quantities(posterior: Posterior) -> dict[str, Floats]:
    """What is ranked, (sample,) each: the quantities that are judged, then the other sampled parameters.

    ROAS per channel; contribution of all media and the baseline, treatments in it, KPI money over the window; noise; and the
    log likelihood of the KPI given parameters and baseline coefficients, which looks at parameters and data at once. The
    coordinates of a sampled baseline are left out: they are measured from the data, and a draw of the prior has none.
    """
    inside = effects(posterior).inside
    parts = decompose(posterior)
    baseline = parts.treatments.sum(axis=(0, 1)) + sum(value.sum(axis=0) for value in parts.baseline.values())
    log_likelihood = pointwise(posterior).sum(axis=(1, 2))
    spend, channels = window_spend(posterior), posterior.panel.names("channel")
    named = {f"roas[{name}]": inside[:, c] / spend[c] for c, name in enumerate(channels) if spend[c] > 0}
    named |= {"contribution": inside.sum(axis=1), "baseline": baseline}
    named |= {"noise": posterior.params["noise"].mean(axis=1), "log likelihood": log_likelihood}
    if posterior.spec.lift_tests:
        measured = predicted(posterior)
        named |= {f"lift[{test.test}]": measured[:, k] for k, test in enumerate(posterior.spec.lift_tests)}
    names = coordinate_names(posterior.structure, posterior.media)
    columns = np.concatenate([posterior.params[b.name] for b in posterior.structure.blocks], axis=1)
    again = {*named, *(name.replace("roas[", "effect[") for name in named), *(n for n in names if n.startswith("baseline["))}
    return named | {f"parameter {name}": columns[:, i] for i, name in enumerate(names) if name not in again}
