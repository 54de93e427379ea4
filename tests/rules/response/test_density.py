"""One density, four statements: JAX, NumPyro, PyMC, and plain numpy with the laws of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmx.infer.target import from_sites, to_sites
from mmx.jax_setup import jax
from mmx.rules.response import target as targets
from mmx.rules.response.density import log_density_of
from mmx.rules.response.special import log_gamma
from mmx.rules.response.structure import Structure

from ...finite import assert_gradient
from .small import ADSETS, CAMPAIGNS, PARTS, points, prepared


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> str:
    return request.param


def oracle(structure: Structure, inputs: dict, q: np.ndarray) -> float:
    """The model as the text of ``structure`` says it, cell by cell."""
    p = {name: value.astype(float) for name, value in to_sites(structure.sites, q).items()}
    prior, total = inputs["prior"], 0.0
    for name, size, transform in structure.hyper:
        if transform == "log":
            scale = np.broadcast_to(prior[name], size)
            total += (stats.halfnorm(scale=scale).logpdf(p[name]) + np.log(p[name])).sum()
        else:
            total += (stats.beta(*prior[name]).logpdf(p[name]) + np.log(p[name] * (1 - p[name]))).sum()
    total += stats.norm.logpdf(q[structure.hyper_size :]).sum()
    day = np.zeros(structure.days)
    for t in range(structure.days if structure.daily else 0):
        rho, step = p["day_correlation"][0], p["day_sd"][0] * p["day"][t]
        day[t] = rho * day[t - 1] + np.sqrt(1 - rho**2) * step if t else step
    for t, a in zip(*np.nonzero(inputs["weight"]), strict=True):
        eta = inputs["offset"][t, a] + inputs["level_mean"] + inputs["level_sd"] * p["mean"][0]
        eta += p["campaign_sd"][0] * p["campaign"][inputs["campaign_of"][a]] + p["adset_sd"][0] * p["level"][a]
        for j in range(structure.slopes):
            slope = inputs["slope_mean"][j] + inputs["slope_sd"][j] * p["slope_mean"][j]
            if j < structure.pooled:
                slope += p["slope_sd"][j] * p["slope"][a * structure.pooled + j]
            eta += slope * inputs["x"][t, a, j]
        if structure.daily:
            eta += inputs["weekday_basis"][t] @ p["weekday"] + day[t]
            eta += p["drift_sd"][0] * inputs["drift_basis"][t] @ p["drift"].reshape(structure.adsets, -1)[a]
        total += cell(structure, p, a, eta, inputs["value"][t, a], inputs["size"][t, a])
    return float(total)


def cell(structure: Structure, p: dict, a: int, eta: float, value: float, size: float) -> float:
    spread = p["dispersion"][0] * (np.exp(p["dispersion_sd"][0] * p["dispersion_z"][a]) if structure.own_dispersion else 1.0)
    if structure.family == "beta_binomial":
        return stats.betabinom.logpmf(value, size, spread**-2, spread**-2 * np.exp(-eta))
    if structure.family == "negative_binomial":
        return stats.nbinom.logpmf(value, spread**-2, 1.0 / (1.0 + np.exp(eta) * spread**2))
    if structure.family == "amount":
        variance = np.log1p(np.expm1(spread**2) / size)
        return stats.norm.logpdf(value, eta - variance / 2, np.sqrt(variance))
    if structure.family == "delivery" and size > 0.5:
        return stats.norm.logsf(value, eta, spread)
    return stats.norm.logpdf(value, eta, spread)


def test_it_is_the_density_of_the_laws_of_scipy(part: str) -> None:
    structure, inputs = prepared().structures[part], prepared().inputs[part]
    if part == "delivery":
        inputs = inputs | {"size": np.where(inputs["value"] > 0.1, 1.0, 0.0)}  # Some cells as if they were at the cap.
    density = jax.jit(log_density_of(structure))
    for q in points(structure.dim, 2):
        assert float(density(q, inputs)) == pytest.approx(oracle(structure, inputs, q), rel=1e-8)


@pytest.mark.parametrize("part", ["delivery", "clicks", "purchases"])
def test_the_gradient_is_the_finite_difference(part: str) -> None:
    structure, inputs = prepared().structures[part], prepared().inputs[part]
    density = log_density_of(structure)
    (q,) = points(structure.dim, 1, seed=5)
    others = np.delete(np.arange(structure.dim), structure.slices["dispersion"])
    some = np.append(np.random.default_rng(2).choice(others, 5, replace=False), structure.slices["dispersion"].start)

    value = jax.jit(density)

    def along(z: np.ndarray) -> float:
        moved = q.copy()
        moved[some] += z
        return float(value(moved, inputs))

    whole = np.asarray(jax.jit(jax.grad(density))(q, inputs))
    assert np.isfinite(whole).all()
    assert_gradient(whole[some], along, np.zeros(6), rounding=1e-14)


def test_numpyro_and_pymc_state_the_same_density(part: str) -> None:
    from numpyro.infer.util import potential_energy

    structure, inputs = prepared().structures[part], prepared().inputs[part]
    target = targets.build(structure, inputs)
    density = jax.jit(target.log_density)
    energy = jax.jit(lambda values: potential_energy(target.numpyro_model, (inputs,), {}, values))
    suffix = {"identity": "", "log": "_log__", "logit": "_logodds__"}
    model = target.pymc_model()
    names = {f"{site.name}{suffix[site.transform]}": site.place for site in target.sites}
    assert {variable.name for variable in model.value_vars} == set(names)
    compiled = model.compile_logp(mode="JAX")
    for q in points(target.dim, 3, seed=3):
        expected = float(density(q, inputs))
        assert -float(energy({site.name: q[site.place] for site in target.sites})) == pytest.approx(expected, rel=1e-7)
        assert float(compiled({name: q[place] for name, place in names.items()})) == pytest.approx(expected, rel=1e-7)


def test_sites_and_names_lay_out_the_vector(part: str) -> None:
    structure, inputs = prepared().structures[part], prepared().inputs[part]
    target = targets.build(structure, inputs)
    q = points(target.dim, 2)
    np.testing.assert_allclose(from_sites(target.sites, to_sites(target.sites, q)), q, rtol=1e-12, atol=1e-13)
    covered = np.concatenate([np.arange(target.dim)[site.place] for site in target.sites])
    np.testing.assert_array_equal(covered, np.arange(target.dim))
    assert len(set(target.names)) == target.dim


def test_live_coordinates_are_those_that_data_can_reach(part: str) -> None:
    """Padded ad sets and campaigns do not move the likelihood; every real one does."""
    from mmx.rules.response.density import constrain, log_likelihood

    structure, inputs = prepared().structures[part], prepared().inputs[part]
    (q,) = points(structure.dim, 1)
    slope = np.asarray(jax.jit(jax.grad(lambda q: log_likelihood(structure, constrain(structure, q), inputs)))(q))
    live = targets.live_coordinates(structure, ADSETS, CAMPAIGNS)
    dead = np.setdiff1d(np.arange(structure.dim), live)
    np.testing.assert_array_equal(slope[dead], 0.0)
    np.testing.assert_array_equal(slope[live[live >= structure.hyper_size]] != 0.0, True)


def test_log_gamma() -> None:
    from scipy.special import gammaln, polygamma

    x = np.concatenate([np.logspace(-6, 8, 200), [1.0, 2.0]])
    np.testing.assert_allclose(np.asarray(log_gamma(x)), gammaln(x), rtol=1e-13, atol=2e-11)
    x = np.logspace(-3, 5, 50)
    second = jax.vmap(jax.grad(jax.grad(log_gamma)))
    np.testing.assert_allclose(np.asarray(second(x)), polygamma(1, x), rtol=1e-8)
