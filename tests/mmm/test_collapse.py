from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmx.jax_setup import jax
from mmx.mmm import collapse
from mmx.mmm.design import build

from .. import oracle
from .cases import Case, every, plain

CASES = {"national": (plain, 1), "national-drift": (every, 1), "geo": (plain, 3), "geo-drift": (every, 3)}
NOISE = 0.13


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    make, geos = request.param
    return make(geos)


def arguments(case: Case, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A residual with garbage in the rows that are held out, prior scales and a noise."""
    rng = np.random.default_rng(seed)
    residual = rng.normal(size=(case.structure.times, case.structure.geos))
    residual[~case.oracle.train] = 1e3
    return residual, rng.uniform(0.05, 1.0, case.structure.columns), np.float64(NOISE)


def dense(case: Case) -> dict[str, Any]:
    """Design, the geos' own columns with their scales, and weights of the training rows."""
    train, spec = case.oracle.train, case.oracle.spec
    return {
        "z": build(spec, case.oracle.panel).z[train],
        "own": case.oracle.own(),
        "weights": case.oracle.weights[train],
    }


def test_the_marginal_density_is_the_dense_normal(case: Case) -> None:
    assert (case.oracle.weights == 0).sum() > 8
    residual, prior_sd, noise = arguments(case)
    expected = oracle.log_marginal(residual[case.oracle.train], prior_sd=prior_sd, noise=NOISE, **dense(case))
    found = float(collapse.log_marginal(residual, prior_sd, noise, case.inputs))
    assert found == pytest.approx(expected, rel=1e-10)


def test_its_gradient_is_the_dense_one(case: Case) -> None:
    """With covariance C of the cells: -C^-1 r, and traces of C^-1 dC with the outer product of C^-1 r."""
    residual, prior_sd, noise = arguments(case, seed=1)
    train, parts = case.oracle.train, dense(case)
    columns = parts["z"].shape[2]
    inverse = np.linalg.inv(oracle.covariance_of(parts["z"], prior_sd, parts["own"], NOISE, parts["weights"]))
    pulled = inverse @ residual[train].ravel()
    bend = np.outer(pulled, pulled) - inverse
    flat = parts["z"].reshape(-1, columns)
    by_sd = np.einsum("ij,ip,jp->p", bend, flat, flat) * prior_sd
    by_noise = (np.diag(bend) / np.repeat(parts["weights"], case.structure.geos)).sum() * NOISE
    found = jax.grad(collapse.log_marginal, argnums=(0, 1, 2))(residual, prior_sd, noise, case.inputs)
    np.testing.assert_allclose(np.asarray(found[0])[train].ravel(), -pulled, rtol=1e-8, atol=1e-8 * np.abs(pulled).max())
    np.testing.assert_array_equal(np.asarray(found[0])[~train], 0.0)
    np.testing.assert_allclose(found[1], by_sd, rtol=1e-8, atol=1e-8 * np.abs(by_sd).max())
    assert float(found[2]) == pytest.approx(by_noise, rel=1e-8)


def test_the_baseline_is_drawn_from_its_posterior(case: Case) -> None:
    """A draw is a linear function of standard normals: its offset is the posterior mean, its square the covariance."""
    residual, prior_sd, noise = arguments(case, seed=2)
    parts, geos, columns = dense(case), case.structure.geos, case.structure.columns
    flat, scales = parts["z"].reshape(-1, columns), prior_sd
    for column, sd in parts["own"]:
        flat = np.concatenate([flat, np.kron(column[:, None], np.eye(geos))], axis=1)
        scales = np.concatenate([scales, np.full(geos, sd)])
    per_row = np.repeat(parts["weights"], geos) / NOISE**2
    covariance = np.linalg.inv(flat.T @ (flat * per_row[:, None]) + np.diag(scales**-2.0))
    mean = covariance @ flat.T @ (per_row * residual[case.oracle.train].ravel())

    normal = collapse.normal_equations(residual, prior_sd, noise, case.inputs)
    shape = case.inputs["local_w"].shape
    size = columns + shape[0] * shape[1]

    def draw(z: jax.Array) -> jax.Array:
        shared, geo = collapse.draw_back(normal, noise, case.inputs, z[:columns], z[columns:].reshape(shape))
        return jax.numpy.concatenate([shared, geo.ravel()])

    drawn = np.asarray(jax.vmap(draw)(np.vstack([np.zeros(size), np.eye(size)])))
    spread = (drawn[1:] - drawn[0]).T
    kept = len(scales)
    np.testing.assert_array_equal(drawn[:, kept:], 0.0)
    np.testing.assert_allclose(drawn[0, :kept], mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose((spread @ spread.T)[:kept, :kept], covariance, rtol=1e-7, atol=1e-10)
