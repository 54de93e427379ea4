"""The model with its baseline coefficients written out, in numpy by the oracle and in JAX to be sampled.

Nothing here is integrated: coefficients have their Gaussian priors and the KPI is normal around media plus baseline. Collapsed
density and drawn-back coefficients are held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg, stats

from mmx.jax_setup import jax, jnp
from mmx.mmm.design import build

from .. import oracle
from .cases import Case


def media_of(case: Case, values: dict[str, np.ndarray]) -> np.ndarray:
    """Effect of all media on the scaled KPI, (time, geo), by the oracle."""
    made = case.oracle
    acting = oracle.saturated(made.spec, values, oracle.exposure(made.spec, made.panel))
    return np.einsum("tgm,gm->tg", acting, made.beta(values))


def columns_of(case: Case) -> np.ndarray:
    """Baseline design of the training cells with more columns per geo where there are several, (cell, coefficient)."""
    train, geos = case.oracle.train, case.structure.geos
    z = build(case.oracle.spec, case.oracle.panel).z[train]
    own = [np.kron(column[:, None], np.eye(geos)) for column, _ in case.oracle.own()]
    return np.concatenate([z.reshape(-1, z.shape[2]), *own], axis=1)


def written_out(case: Case, gamma: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Coefficients of draws as those of ``columns_of``, (draw, coefficient): the intercept in the middle of the trend."""
    made, constants = case.oracle, case.oracle.spec.constants
    if case.structure.geos == 1:
        return gamma
    middle = np.average(np.flatnonzero(made.train) - constants.time_center, weights=made.weights[made.train])
    moved = local.copy()
    if local.shape[1] > 1:
        moved[:, 0] += local[:, 1] * middle / constants.time_range
    return np.concatenate([gamma, moved.reshape(len(local), -1)], axis=1)


def scales_of(case: Case, values: dict[str, np.ndarray]) -> np.ndarray:
    """Prior standard deviations of these coefficients."""
    own = [np.full(case.structure.geos, sd) for _, sd in case.oracle.own()]
    return np.concatenate([case.oracle.baseline_sd(values), *own])


def scales_along(case: Case, drift_sd: np.ndarray, drift_length: np.ndarray) -> np.ndarray:
    """The same along draws of the drift's scale and length, (draw,) each: (draw, coefficient)."""
    design = build(case.oracle.spec, case.oracle.panel)
    fixed = scales_of(case, {"drift_sd": np.ones(1), "drift_length": np.ones(1)})
    found = np.repeat(fixed[None], len(drift_sd), axis=0)
    if case.structure.drift_terms:
        spectrum = oracle.matern_spectrum(design.frequency, drift_sd[:, None], drift_length[:, None])
        found[:, design.groups["drift"]] = np.sqrt(spectrum)
    return found


def kpi_of(case: Case) -> np.ndarray:
    """Scaled KPI less its mean, (time, geo)."""
    constants = case.oracle.spec.constants
    size = np.array(constants.geo_scale) * constants.kpi_scale
    return case.oracle.panel.array("kpi").T / size - constants.kpi_center


def log_joint(case: Case, q: np.ndarray, coefficients: np.ndarray) -> float:
    """Log density of unconstrained parameters, coefficients and KPI."""
    values, train = case.oracle.values(q), case.oracle.train
    expected = media_of(case, values)[train].ravel() + columns_of(case) @ coefficients
    sd = values["noise"][0] / np.sqrt(np.repeat(case.oracle.weights[train], case.structure.geos))
    likelihood = stats.norm(expected, sd).logpdf(kpi_of(case)[train].ravel()).sum()
    prior = stats.norm(0.0, scales_of(case, values)).logpdf(coefficients).sum()
    return float(case.oracle.log_prior(q) + prior + likelihood)


def conditional(case: Case, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the coefficients given parameters and KPI, by conditioning the joint normal of both."""
    gain, covariance = gain_of(case, q)
    residual = (kpi_of(case) - media_of(case, case.oracle.values(q)))[case.oracle.train].ravel()
    return gain @ residual, covariance


def gain_of(case: Case, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What takes the KPI less media (cell,) to the coefficients' conditional mean, and their conditional covariance.

    With the covariance ``C`` of the cells: ``K = S Z' C^-1`` and ``S - K Z S``.
    """
    values, train = case.oracle.values(q), case.oracle.train
    z, scales = columns_of(case), scales_of(case, values)
    noise = values["noise"][0] ** 2 / np.repeat(case.oracle.weights[train], case.structure.geos)
    prior = np.diag(scales**2)
    gain = linalg.solve(z @ prior @ z.T + np.diag(noise), z @ prior, assume_a="pos").T
    # Joseph's form of the covariance keeps its digits where the data leave little of the prior.
    left = np.eye(len(scales)) - gain @ z
    return gain, left @ prior @ left.T + gain @ np.diag(noise) @ gain.T


def log_density_in_jax(case: Case) -> tuple[int, Callable[[Any, dict[str, Any]], Any], Callable[[Any], Any]]:
    """Length of the vector ``(q, z)``, its log density, with coefficients ``scale * z``, and the KPI less media given ``q``.

    For media with ROAS or contribution priors of their own, geometric adstock and Hill saturation, and equal row weights.
    """
    made, structure = case.oracle, case.structure
    assert set(structure.kind) <= {"roas", "contribution"} and set(made.weights) <= {0.0, 1.0}
    assert {f for f, _ in structure.adstock} == {"geometric"} and set(structure.saturation) == {"hill"}
    train, panel, model = made.train, made.panel, made.spec.model
    actual = oracle.exposure(made.spec, panel)
    x = jnp.asarray(np.concatenate([actual, np.where(train[:, None, None], 0.0, actual)], axis=1))
    y, columns = jnp.asarray(kpi_of(case)[train].ravel()), jnp.asarray(columns_of(case))
    worth = jnp.asarray(np.where(train[:, None], oracle.money(made.spec, panel), 0.0))
    spend = panel.array("spend")[:, train].sum(axis=(0, 1))
    sales = (panel.array("kpi") * panel.array("unit_value"))[:, train].sum()
    goal = jnp.asarray([spend[m] if kind == "roas" else sales for m, kind in enumerate(structure.kind)])
    fixed = scales_of(case, {"drift_sd": np.ones(1), "drift_length": np.ones(1)})
    design = build(made.spec, panel)
    dim = structure.dim + len(fixed)

    def curves(alpha: Any, half: Any, slope: Any) -> Any:
        u, lags, decay = (1 - alpha) * x, 1, alpha
        while lags < structure.times:  # The sum over lags below 2n: that below n, and alpha^n times itself n periods earlier.
            earlier = jnp.concatenate([jnp.zeros((lags, *u.shape[1:])), u[:-lags]])
            u, lags, decay = u + decay * earlier, 2 * lags, decay**2
        ratio = jnp.exp(slope * (jnp.log(jnp.where(u > 0, u, 1.0)) - jnp.log(half)))
        return jnp.split(jnp.where(u > 0, ratio / (1 + ratio), 0.0), 2, axis=1)

    def state(q: Any) -> tuple[Any, Any, Any, Any]:
        part = {name: q[place] for name, place in structure.slices.items()}
        total = 0.0
        for block in structure.blocks:
            if block.kind not in ("beta", "half_normal") and block.name != "geo_sd":  # Which is positive here.
                total += jnp.sum(jax.scipy.stats.norm.logpdf(part[block.name]))
        alpha = 1 / (1 + jnp.exp(-part["alpha"]))
        total += jnp.sum(jax.scipy.stats.beta.logpdf(alpha, model.shapes.alpha.a, model.shapes.alpha.b))
        total += jnp.sum(jnp.log(alpha) + jnp.log(1 - alpha))
        half, slope = (jnp.exp(_linear(part[n], getattr(model.shapes, n))) for n in ("half_saturation", "slope"))
        kinds = [m.prior_of(k, model) for m, k in zip(_media(made), structure.kind, strict=True)]
        effect = jnp.exp(jnp.stack([_linear(part["effect"][m], prior) for m, prior in enumerate(kinds)]))
        spread = {"noise": model.baseline.noise * made.spec.constants.kpi_sd}
        spread |= {"drift_sd": model.baseline.drift * made.spec.constants.kpi_sd, "geo_sd": model.baseline.geo_effect}
        positive = {name: jnp.exp(part[name]) for name in spread if name in part}
        for name, value in positive.items():
            total += jnp.sum(jnp.log(2.0) + jax.scipy.stats.norm.logpdf(value, 0.0, spread[name]) + part[name])
        factors = jnp.ones((structure.geos, structure.media))
        if structure.geos > 1:
            z = part["geo_z"].reshape(structure.media, structure.geos - 1)
            factors = jnp.exp(positive["geo_sd"] * jnp.einsum("mgk,mk->gm", made.geo_basis, z))
        acting, idle = curves(alpha, half, slope)
        beta = effect * goal / jnp.einsum("tgm,tg,gm->m", acting - idle, worth, factors)
        media = jnp.einsum("tgm,gm,m->tg", acting, factors, beta)[train].ravel()
        scales = jnp.asarray(fixed)
        if structure.drift_terms:
            length = jnp.exp(_linear(part["drift_length"], model.baseline.drift_length))[0]
            root = jnp.sqrt(16 / 3 * (5 / length**2) ** 2.5) * (5 / length**2 + design.frequency**2) ** -1.5
            scales = scales.at[design.groups["drift"]].set(positive["drift_sd"][0] * root)
        return total, media, scales, positive["noise"][0]

    def density(vector: Any, _: dict[str, Any]) -> Any:
        coordinates = vector[structure.dim :]
        total, media, scales, noise = state(vector[: structure.dim])
        expected = media + columns @ (scales * coordinates)
        prior = jnp.sum(jax.scipy.stats.norm.logpdf(coordinates))
        return total + prior + jnp.sum(jax.scipy.stats.norm.logpdf(y, expected, noise))

    return dim, density, lambda q: y - state(q)[1]


def _media(made: oracle.Oracle) -> list[Any]:
    return [*made.spec.channels.values(), *made.spec.organic.values()]


def _linear(part: Any, prior: Any) -> Any:
    """Logarithm of a log-normal quantity at its standard normal coordinate."""
    law = oracle.distribution(prior)
    sigma, scale = law.args[0], law.kwds["scale"]
    return np.log(scale) + sigma * part
