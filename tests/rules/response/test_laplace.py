"""The quick path: its linear algebra, its search, and its law of a part whose posterior is known."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.jax_setup import jax, jnp
from mmx.rules.response import arrow, effects, laplace
from mmx.rules.response.climb import Evaluation, maximum

from .small import prepared


def arrow_and_dense(seed: int = 1) -> tuple[arrow.Arrow, np.ndarray]:
    rng = np.random.default_rng(seed)
    adsets, own, shared = 4, 3, 5
    size = adsets * own + shared
    root = rng.standard_normal((size, size))
    for a in range(adsets):
        for b in range(adsets):
            if a != b:
                root[a * own : (a + 1) * own, b * own : (b + 1) * own] = 0.0
    root[: adsets * own, adsets * own :] = 0.0
    dense = root.T @ root + 3.0 * np.eye(size)  # Rows of shared effects couple ad sets only through the border.
    for a in range(adsets):
        for b in range(adsets):
            if a != b:
                dense[a * own : (a + 1) * own, b * own : (b + 1) * own] = 0.0
    dense += 20.0 * np.eye(size)
    blocks = np.stack([dense[a * own : (a + 1) * own, a * own : (a + 1) * own] for a in range(adsets)])
    border = dense[: adsets * own, adsets * own :].reshape(adsets, own, shared)
    return arrow.Arrow(blocks, border, dense[adsets * own :, adsets * own :]), dense


def test_the_arrow_is_its_dense_matrix() -> None:
    matrix, dense = arrow_and_dense()
    factor = jax.jit(arrow.factorise)(matrix)
    assert float(arrow.log_determinant(factor)) == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-12)
    right = np.random.default_rng(2).standard_normal(len(dense))
    own, shared = arrow.solve(factor, right[:12].reshape(4, 3), right[12:])
    found = np.concatenate([np.ravel(own), shared])
    np.testing.assert_allclose(found, np.linalg.solve(dense, right), rtol=1e-10)

    def back(z: jax.Array) -> jax.Array:
        own, shared = arrow.back(factor, z[:12].reshape(4, 3), z[12:])
        return jnp.concatenate([own.ravel(), shared])

    root = np.asarray(jax.vmap(back)(np.eye(len(dense))))
    np.testing.assert_allclose(root.T @ root, np.linalg.inv(dense), rtol=1e-9, atol=1e-12)


def test_the_climb_finds_a_maximum_whose_inner_solution_moves() -> None:
    """log density -|theta - 1|^4 / 4 - |theta - 1|^2 with the inner solution 2 theta."""

    def function(theta: np.ndarray, x: np.ndarray) -> Evaluation:
        off = theta - 1.0
        return Evaluation(-float((off**4 / 4 + off**2).sum()), 2.0 * theta)

    top = maximum(function, np.array([4.0, -3.0, 0.0]), np.zeros(3), first=0)
    assert top.found
    np.testing.assert_allclose(top.theta, 1.0, atol=0.2)
    np.testing.assert_allclose(top.slopes, 2.0 * np.eye(3), atol=1e-10)
    np.testing.assert_allclose(np.diag(top.hessian), 2.0, rtol=0.1)


@pytest.mark.parametrize("part", ["delivery", "purchases"])
def test_its_value_is_laplaces_formula_in_the_coordinates_of_the_density(part: str) -> None:
    """Where the gradient is zero, with the curvature by differences of the gradient."""
    from mmx.rules.response.density import log_density_of

    structure, inputs = prepared().structures[part], prepared().inputs[part]
    theta, size = laplace.first_scales(structure, inputs) + 0.3, structure.dim - structure.hyper_size
    value, _, q = effects.compiled(structure)(theta, inputs, np.zeros(size), np.zeros(size))
    density = jax.jit(jax.value_and_grad(log_density_of(structure)))

    def slope(z: np.ndarray) -> np.ndarray:
        return np.asarray(density(np.concatenate([theta, z]), inputs)[1])[structure.hyper_size :]

    z = np.asarray(q)[structure.hyper_size :]
    assert np.abs(slope(z)).max() < 1e-3
    hessian = np.stack([(slope(z + step) - slope(z - step)) / 2e-4 for step in 1e-4 * np.eye(size)])
    height = float(density(np.asarray(q), inputs)[0])
    expected = height + 0.5 * size * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(-0.5 * (hessian + hessian.T))[1]
    assert float(value) == pytest.approx(expected, abs=1e-3)


@pytest.mark.xfail(reason="the quick path under-samples scales near zero: sd .73 instead of .97 on the log scale", strict=True)
def test_amounts_have_the_posterior_of_quadrature() -> None:
    """Two scales and a spread: the smallest part, with many orders, is normal in its levels given the scales, and so exact."""
    structure, inputs = prepared().structures["amounts"], prepared().inputs["amounts"]
    quick = laplace.sample(structure, inputs, 400, 400, seed=2)
    assert quick.converged
    evaluate, size = effects.compiled(structure), structure.dim - structure.hyper_size
    axes = [np.linspace(-4.5, 1.2, 24), np.linspace(-3.5, 1.2, 24)]
    spread = quick.top.theta[2] + np.sqrt(1.0 / quick.top.hessian[2, 2]) * np.linspace(-3.5, 3.5, 7)
    grid = np.stack(np.meshgrid(*axes, spread, indexing="ij"), axis=-1).reshape(-1, 3)
    values, x = np.empty(len(grid)), quick.top.x
    for i, theta in enumerate(grid):
        value, x, _ = evaluate(theta, inputs, x, np.zeros(size))
        values[i] = float(value)
    weights = np.exp(values - values.max())
    weights /= weights.sum()
    for k in range(3):
        exact = weights @ grid[:, k]
        sd = np.sqrt(weights @ (grid[:, k] - exact) ** 2)
        found = quick.q[:, k]
        assert abs(found.mean() - exact) < 4 * sd / np.sqrt(quick.effective)
        assert found.std() == pytest.approx(sd, rel=4 / np.sqrt(quick.effective))


def test_resampling_keeps_the_weights() -> None:
    weights = np.array([0.5, 0.25, 0.25, 0.0])
    chosen = laplace._systematic(weights, 8, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(chosen, minlength=4), [4, 2, 2, 0])


def test_the_normal_law_at_the_maximum_has_the_curvature_of_the_density() -> None:
    structure, inputs = prepared().structures["amounts"], prepared().inputs["amounts"]
    top = laplace.sample(structure, inputs, 64, 64, seed=2).top
    draws = laplace.normal_draws(structure, inputs, top, 4000, seed=3)
    theta = draws[:, : structure.hyper_size]
    np.testing.assert_allclose(theta.mean(axis=0), top.theta, atol=0.15)
    np.testing.assert_allclose(np.cov(theta.T), np.linalg.inv(top.hessian), atol=0.1)
    assert np.abs(draws[:, structure.hyper_size :].mean(axis=0)).max() < 3.0
