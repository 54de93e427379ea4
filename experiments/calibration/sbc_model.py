"""Draw parameters and data from the model's own prior, and the quantities whose ranks are looked at.

The data come from the model before the baseline is integrated out: parameters from their priors, baseline coefficients from
their Gaussian priors, then ``y = media + Z gamma + noise``. Constants that were derived from data stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Panel
from mmx.jax_setup import jax
from mmx.mmm import density
from mmx.mmm.design import Design
from mmx.mmm.inputs import prepare
from mmx.mmm.parameters import prior_vectors, unsigned
from mmx.mmm.posterior import Posterior
from mmx.mmm.predict import predictive_cells
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


@cache
def _solver(structure: Structure) -> Callable[..., Any]:
    def one(q: jax.Array, inputs: dict[str, Any]) -> tuple[Any, ...]:
        params = density.constrain(structure, q, inputs)
        media, beta = density.media_effect(structure, params, inputs)
        return params, media, beta, density.baseline_sd(structure, params, inputs)

    return jax.jit(jax.vmap(one, in_axes=(0, None)))  # type: ignore[no-any-return]


def from_prior(model: Model, count: int, rng: np.random.Generator) -> tuple[Posterior, Floats]:
    """Parameters and baseline coefficients from the prior, and the expected scaled KPI.

    Returns
    -------
    Posterior
        Its draws are draws of the prior.
    array, (count, time, geo)
        Media plus baseline on the scaled KPI, less ``kpi_center``.
    """
    structure, inputs, design = model.structure, model.inputs, model.design
    solved = _solver(structure)(unsigned(structure, prior_vectors(structure, inputs, count, rng)), inputs)
    params, media, beta, sd = jax.tree.map(np.asarray, solved)
    gamma = sd * rng.standard_normal(sd.shape)
    geo = np.zeros((count, *inputs["local_w"].shape))
    if structure.geos > 1:
        geo = inputs["local_sd"][:, None] * rng.standard_normal(geo.shape)
    expected = media + np.einsum("tgp,sp->stg", design.z, gamma) + np.einsum("ktg,skg->stg", inputs["local"], geo)
    geo[:, 0] -= (geo * inputs["local_middle"]).sum(axis=1)
    panel, weights = model.panel, model.panel.window.astype(float)
    return Posterior(model.spec, panel, structure, weights, params, beta, gamma, geo, chains=1), expected


def simulate(model: Model, rng: np.random.Generator) -> Posterior:
    """Draw one truth and its data: a posterior of a single draw, on a panel with the simulated KPI."""
    truth, expected = from_prior(model, 1, rng)
    constants = truth.constants
    noise = truth.params["noise"][0, 0] * rng.standard_normal(expected.shape[1:])
    cells = constants.kpi_center + expected[0] + noise
    kpi = (cells * np.array(constants.geo_scale) * constants.kpi_scale).T
    data = model.panel.data.assign(kpi=(("geo", "time"), np.where(model.panel.window, kpi, np.nan)))
    return replace(truth, panel=replace(model.panel, data=data))


def thinned(posterior: Posterior, count: int) -> Posterior:
    """Draws evenly spaced over all chains laid end to end."""
    kept = np.linspace(0, posterior.samples - 1, count).round().astype(int)
    params = {name: value[kept] for name, value in posterior.params.items()}
    draws = {name: getattr(posterior, name)[kept] for name in ("beta", "gamma", "local")}
    return replace(posterior, params=params, chains=1, **draws)


def quantities(posterior: Posterior) -> dict[str, Floats]:
    """What is ranked, (sample,) each: the quantities that are judged, then the other sampled parameters.

    ROAS per channel; contribution of all media and baseline, KPI money over the window; noise; and the log likelihood of the
    KPI given parameters and baseline coefficients, up to a constant, which looks at parameters and data at once.
    """
    rows = np.flatnonzero(posterior.window)
    inside = effects(posterior).inside
    media = posterior.levels(1.0, tail=False)[:, rows].sum(axis=(1, 2))
    noise = posterior.params["noise"][:, 0]
    size = np.array(posterior.constants.geo_scale) * posterior.constants.kpi_scale
    total, log_likelihood = np.zeros(posterior.samples), np.zeros(posterior.samples)
    for g, expected in enumerate(predictive_cells(posterior)):
        error = posterior.panel.array("kpi")[g, rows] / size[g] - expected
        total += expected @ posterior.money[rows, g]
        log_likelihood -= 0.5 * (error**2).sum(axis=1) / noise**2 + len(rows) * np.log(noise)
    spend, channels = window_spend(posterior), posterior.panel.names("channel")
    named = {f"roas[{name}]": inside[:, c] / spend[c] for c, name in enumerate(channels) if spend[c] > 0}
    named |= {"contribution": inside.sum(axis=1), "baseline": total - media}
    named |= {"noise": noise, "log likelihood": log_likelihood}
    names = coordinate_names(posterior.structure, posterior.media)
    columns = np.concatenate([posterior.params[b.name] for b in posterior.structure.blocks], axis=1)
    again = {*named, *(name.replace("roas[", "effect[") for name in named)}
    return named | {f"parameter {name}": columns[:, i] for i, name in enumerate(names) if name not in again}
