from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from mmx.errors import DataError, InputError
from mmx.infer.target import from_sites, to_sites
from mmx.jax_setup import jax, jnp
from mmx.rules.pooling import density
from mmx.rules.pooling.front_ends import numpyro_model, pymc_model
from mmx.rules.pooling.marginal import marginal
from mmx.rules.pooling.optimum import Optimum, find_optimum
from mmx.rules.pooling.pool import PooledParameters, conditional, lower_of, pool
from mmx.rules.pooling.predict import predict, starting_points, to_vectors, update
from mmx.rules.pooling.store import load_pooled, save_pooled
from mmx.rules.pooling.traits import make_encoding

from .customers import World, gate, make_world, pool_settings, sampler, trials_of


def some_inputs(seed: int = 1, ends: int = 2, customers: int = 5, d: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    optima = []
    for c in range(customers):
        root = rng.normal(size=(d, d))
        side = np.zeros(d)
        if c < ends:
            side[c % d] = (-1.0) ** c
            root[c % d] = 0.0
        optima.append(Optimum(rng.normal(size=d), root @ root.T, side, np.full(d, 0.5), "quadratic", 0.1))
    z = np.concatenate([np.ones((customers, 1)), rng.normal(size=(customers, 2))], axis=1)
    return density.make_inputs(optima, z, rng.normal(size=d), pool_settings().priors, 4.0)


def test_the_marginal_is_that_of_scipy() -> None:
    """Up to the constant of the precisions, at two values of the rest."""
    inputs, rng = some_inputs(ends=0), np.random.default_rng(2)
    r = rng.normal(size=(5, 3))
    found, expected = [], []
    for _ in range(2):
        lower = np.tril(rng.normal(size=(3, 3))) * 0.3 + 0.5 * np.eye(3)
        found.append(float(marginal()(r, lower, inputs["precision"])))
        sigma = [lower @ lower.T + np.linalg.inv(p) for p in inputs["precision"]]
        expected.append(sum(multivariate_normal(cov=s).logpdf(x) for s, x in zip(sigma, r, strict=True)))
    assert found[0] - found[1] == pytest.approx(expected[0] - expected[1], rel=1e-9)


def test_the_gradient_by_hand_is_that_of_jax() -> None:
    inputs, rng = some_inputs(), np.random.default_rng(3)
    r, lower = rng.normal(size=(5, 3)), np.tril(rng.normal(size=(3, 3)))

    def plain(r: jax.Array, lower: jax.Array) -> jax.Array:
        pull = jnp.einsum("cij,cj->ci", inputs["precision"], r)
        a = jnp.eye(3) + lower.T @ inputs["precision"] @ lower
        u = pull @ lower
        return -0.5 * (
            (r * pull).sum() - (u * jnp.linalg.solve(a, u[..., None])[..., 0]).sum() + jnp.linalg.slogdet(a)[1].sum()
        )

    value, slopes = jax.value_and_grad(lambda x, y: marginal()(x, y, jnp.asarray(inputs["precision"])), (0, 1))(r, lower)
    same, expected = jax.value_and_grad(plain, (0, 1))(r, lower)
    assert float(value) == pytest.approx(float(same), rel=1e-12)
    for mine, theirs in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-10)


def test_an_optimum_beyond_the_end_has_the_probability_of_lying_there() -> None:
    """One customer, one coordinate: the place beyond integrates to a normal tail in theta and in the spread."""
    optimum = Optimum(np.array([4.0]), np.zeros((1, 1)), np.array([1.0]), np.array([0.5]), "quadratic", 0.1)
    inputs = density.make_inputs([optimum], np.ones((1, 1)), np.array([0.0]), pool_settings().priors, 4.0)

    @jax.jit
    def likelihood(beyond: jax.Array, w: float, spread: float) -> jax.Array:
        params = {"w": jnp.array([w]), "spread": jnp.array([spread]), "beyond": jnp.array([beyond])}
        return jnp.exp(density.log_likelihood(params, inputs))

    ratios = []
    for w, spread in ((3.0, 0.7), (5.0, 0.2)):
        total = quad(lambda b, w=w, s=spread: float(likelihood(b, w, s)), 0, 20, limit=200)[0]
        ratios.append(total / norm.sf(4.0, w, np.hypot(spread, 0.5)))
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-6)


@pytest.mark.parametrize("ends", [0, 2])
def test_three_statements_of_one_density(ends: int) -> None:
    from numpyro.infer.util import potential_energy

    inputs, rng = some_inputs(ends=ends), np.random.default_rng(4)
    shape = density.shape_of(inputs)
    model = pymc_model(inputs)
    theirs = model.compile_logp(mode="JAX")
    found = []
    for _ in range(3):
        q = rng.normal(size=shape.dim) * 0.5
        free = {site.name: q[site.place] for site in shape.sites}
        numpyro = -float(potential_energy(numpyro_model, (inputs,), {}, free))
        named = {var.name: free[model.values_to_rvs[var].name] for var in model.value_vars}
        found.append([float(density.log_density(q, inputs)), numpyro, float(theirs(named))])
        np.testing.assert_allclose(from_sites(shape.sites, to_sites(shape.sites, q)), q)
    differences = np.diff(np.array(found), axis=0)
    np.testing.assert_allclose(differences[:, 1:], differences[:, :1].repeat(2, axis=1), rtol=1e-9)


def test_lower_is_that_of_the_density() -> None:
    rng = np.random.default_rng(5)
    spread, mix = rng.random((4, 3)), rng.normal(size=(4, 3))
    many = lower_of(spread, mix)
    for row in range(4):
        np.testing.assert_allclose(many[row], density.factor(jnp.asarray(spread[row]), jnp.asarray(mix[row])))
    np.testing.assert_allclose(np.linalg.norm(many, axis=2), spread)


def test_a_customer_given_the_rest_is_bayes_rule() -> None:
    rng = np.random.default_rng(6)
    root = rng.normal(size=(3, 3))
    precision, lower = root @ root.T, np.tril(rng.normal(size=(1, 3, 3)))
    mean, point = rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
    centre, spread, _ = conditional(mean, lower, point, precision)
    prior = np.linalg.inv(lower[0] @ lower[0].T)
    covariance = np.linalg.inv(prior + precision)
    np.testing.assert_allclose(spread[0] @ spread[0].T, covariance, rtol=1e-9)
    np.testing.assert_allclose(centre[0], covariance @ (prior @ mean[0] + precision @ point[0]), rtol=1e-9)


@cache
def pooled(seed: int = 1) -> tuple[World, dict[str, Optimum], PooledParameters]:
    """Twelve customers, two parameters that matter and one that does not."""
    rng = np.random.default_rng(seed)
    world = make_world(rng, 12, 3, flat=1)
    settings = pool_settings(tune=400, draws=600)
    optima = {name: find_optimum(*trials_of(world, c, rng), settings.optimum, 1) for c, name in enumerate(world.traits)}
    found = pool(world.space, world.space.names, optima, world.traits, settings, sampler(), gate(), seed=seed)
    return world, optima, found


def test_the_gate_passes() -> None:
    verdict = pooled()[2].gate
    assert verdict.passed, verdict.reasons


def test_flat_directions_shrink_to_what_the_others_say() -> None:
    world, optima, found = pooled()
    own = np.stack([optima[name].point for name in found.customers])
    spread = found.theta.mean(axis=0).std(axis=0)
    assert own[:, 2].std() > 1.0 and spread[2] < 0.3 * own[:, 2].std()
    assert found.theta[..., 2].std() > 0.5  # Nothing is known of it, and the pool says so.
    assert np.abs(found.theta[..., 2].mean(axis=0) - world.space.to_free(world.space.default)[2]).max() < 1.5


def test_customers_are_recovered_and_errors_shrink() -> None:
    worlds = [pooled(seed) for seed in (1, 2)]
    inside, own, together = [], [], []
    for world, optima, found in worlds:
        low, high = np.quantile(found.theta, [0.05, 0.95], axis=0)
        inside.append(((low < world.theta) & (world.theta < high))[:, :2])
        own.append(np.stack([optima[name].point for name in found.customers])[:, :2] - world.theta[:, :2])
        together.append(found.theta.mean(axis=0)[:, :2] - world.theta[:, :2])
    assert 0.78 < np.mean(inside) < 0.99  # 48 intervals at 90 %.
    assert np.mean(np.square(together)) < np.mean(np.square(own))


def test_a_new_customer_is_predicted_and_its_own_trials_count() -> None:
    world, _, found = pooled()
    traits, rng = world.traits["c0"], np.random.default_rng(7)
    before = predict(found, traits, rng)
    nothing = Optimum(np.zeros(3), np.zeros((3, 3)), np.zeros(3), np.ones(3), "quadratic", 1.0)
    same = update(found, traits, nothing, rng)
    assert np.abs(same.mean(axis=0) - before.mean(axis=0)).max() < 6 * before.std(axis=0).max() / np.sqrt(len(before))
    sharp = Optimum(np.array([0.3, -0.2, 0.0]), np.diag([1e4, 1e4, 0.0]), np.zeros(3), np.ones(3), "quadratic", 0.1)
    after = update(found, traits, sharp, rng)
    np.testing.assert_allclose(after.mean(axis=0)[:2], sharp.point[:2], atol=0.02)
    assert after.std(axis=0)[:2].max() < 0.03 and after.std(axis=0)[2] > 0.5 * before.std(axis=0)[2]
    beyond = Optimum(np.array([4.0, 0, 0]), np.zeros((3, 3)), np.array([1.0, 0, 0]), np.full(3, 0.3), "quadratic", 0.1)
    assert update(found, traits, beyond, rng)[:, 0].mean() > before[:, 0].mean() + before[:, 0].std()


def test_starting_points_are_in_range_and_apart() -> None:
    world, _, found = pooled()
    theta = predict(found, world.traits["c1"], np.random.default_rng(8))
    points = starting_points(found, world.space, theta, 5)
    assert points.shape == (5, 3) and (points > 0).all() and (points < 1).all()
    np.testing.assert_allclose(points[0], to_vectors(found, world.space, theta.mean(axis=0, keepdims=True))[0], rtol=1e-9)
    assert len(np.unique(points.round(4), axis=0)) == 5


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    found, file = pooled()[2], tmp_path / "pool.npz"
    save_pooled(found, file)
    again = load_pooled(file)
    for name in ("w", "lower", "theta"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    same = ("parameters", "customers", "encoding", "edge", "gate")
    assert all(getattr(again, name) == getattr(found, name) for name in same)
    (tmp_path / "other.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"(?s)cannot be read.*Run mmx pool again"):
        load_pooled(tmp_path / "other.npz")


def test_traits_become_standardised_covariates() -> None:
    encoding = make_encoding([{"spend": 10.0, "platform": "meta"}, {"spend": 1000.0, "platform": "google"}])
    assert encoding.columns == ("1", "log spend", "platform=meta")
    np.testing.assert_allclose(encoding.encode({"spend": 100.0, "platform": "meta"}), [1.0, 0.0, 1.0], atol=1e-12)
    with pytest.raises(InputError, match=r"(?s)spend: it is None.*platform: it is 'tiktok'. Expected one of google, meta"):
        encoding.encode({"platform": "tiktok"})
    with pytest.raises(InputError, match="spend is not known of every customer"):
        make_encoding([{"spend": 1.0}, {}])


def test_one_customer_is_no_pool() -> None:
    world, optima, _ = pooled()
    with pytest.raises(InputError, match="1 with a search, 12 with traits"):
        pool(world.space, world.space.names, {"c0": optima["c0"]}, world.traits, pool_settings(), sampler(), gate(), seed=1)
