"""The quick path: its linear algebra, its search, and its law of a part whose posterior is known."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.jax_setup import jax, jnp
from mmx.rules.response import arrow, density, effects, laplace, proposals
from mmx.rules.response.climb import Evaluation, maximum
from mmx.rules.response.coordinates import coordinates

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
    size = structure.dim - structure.hyper_size
    theta = coordinates(structure, inputs).scales(np.full(structure.hyper_size, -0.3))
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


def test_amounts_have_the_posterior_of_quadrature() -> None:
    """Two scales and a spread: the smallest part, with many orders, is normal in its levels given the scales, and so exact."""
    structure, inputs = prepared().structures["amounts"], prepared().inputs["amounts"]
    quick = laplace.sample(structure, inputs, 1000, 1000, seed=2)
    assert quick.converged
    function, known = laplace._Marginal(structure, inputs), coordinates(structure, inputs)
    axes = [np.linspace(-4.0, 3.0, 24), np.linspace(-4.0, 3.0, 24)]
    spread = quick.top.theta[2] + np.sqrt(1.0 / quick.top.hessian[2, 2]) * np.linspace(-3.5, 3.5, 7)
    grid = np.stack(np.meshgrid(*axes, spread, indexing="ij"), axis=-1).reshape(-1, 3)
    values, x = np.empty(len(grid)), quick.top.x
    for i, z in enumerate(grid):
        values[i], x = function(z, x)
    weights = np.exp(values - values.max())
    weights /= weights.sum()
    found = known.normals(quick.q[:, :3])
    for k in range(3):
        exact = weights @ grid[:, k]
        sd = np.sqrt(weights @ (grid[:, k] - exact) ** 2)
        assert abs(found[:, k].mean() - exact) < 4 * sd / np.sqrt(quick.effective)
        assert found[:, k].std() == pytest.approx(sd, rel=4 / np.sqrt(2 * quick.effective))


@pytest.mark.parametrize("part", ["clicks", "amounts"])
def test_coordinates_make_the_prior_normal(part: str) -> None:
    """The density of scales times the volume is that of standard normals, and both ways lead back."""
    structure, inputs = prepared().structures[part], prepared().inputs[part]
    known = coordinates(structure, inputs)
    z = np.random.default_rng(4).normal(0.0, 1.5, (5, structure.hyper_size))
    theta = known.scales(z)
    np.testing.assert_allclose(known.normals(theta), z, atol=1e-7)
    for point, unit, volume in zip(theta, z, known.log_volume(z), strict=True):
        params = density.constrain(structure, jnp.concatenate([point, jnp.zeros(structure.dim - structure.hyper_size)]))
        prior = float(density.log_hyper(structure, params, inputs))
        assert prior + volume == pytest.approx(-0.5 * unit @ unit - len(unit) * 0.5 * np.log(2 * np.pi), abs=1e-8)
    ahead, behind = (known.scales(z[0] + sign * 1e-5) for sign in (1.0, -1.0))
    assert np.log((ahead - behind) / 2e-5).sum() == pytest.approx(known.log_volume(z[0]), abs=1e-6)


def test_rounds_find_a_law_that_the_first_one_misses() -> None:
    """Correlated normals from a law of half the width and another centre: weights of two adapted rounds are even."""
    rng, mean = np.random.default_rng(5), np.array([1.0, -0.5, 0.5])
    covariance = np.array([[1.0, 0.7, 0.0], [0.7, 1.0, 0.3], [0.0, 0.3, 0.5]])
    first = proposals.Split(np.zeros(3), np.eye(3), np.full((2, 3), 0.8))
    laws: list[proposals.Law] = [first]
    z, shares = np.empty((0, 3)), []
    for _ in range(3):
        z = np.concatenate([z, laws[-1].draw(400, rng)])
        off = z - mean
        heights = -0.5 * np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
        weights, _ = proposals.smoothed(heights - proposals.mixture(laws, z))
        shares.append(1.0 / np.square(weights).sum() / len(z))
        laws.append(proposals.adapted(z, weights, first))
    assert shares[0] < 0.4 < 0.6 < shares[-1]
    np.testing.assert_allclose(weights @ z, mean, atol=0.15)
    np.testing.assert_allclose((z - mean).T @ ((z - mean) * weights[:, None]), covariance, atol=0.2)


def test_a_split_law_draws_what_its_density_says() -> None:
    """Mean of exp(log target - log density) over draws is the ratio of normalising constants, here one."""
    law = proposals.Split(np.array([0.3, -0.2]), np.array([[1.0, 0.4], [0.0, 0.7]]), np.array([[0.5, 2.0], [1.5, 1.0]]))
    other = proposals.Student(np.zeros(2), np.eye(2))
    z = law.draw(200_000, np.random.default_rng(6))
    ratio = np.exp(other.log_density(z) - law.log_density(z))
    assert ratio.mean() == pytest.approx(1.0, abs=5 * ratio.std() / np.sqrt(len(z)))


def test_resampling_keeps_the_weights() -> None:
    weights = np.array([0.5, 0.25, 0.25, 0.0])
    chosen = proposals.systematic(weights, 8, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(chosen, minlength=4), [4, 2, 2, 0])


def test_the_normal_law_at_the_maximum_has_the_curvature_of_the_density() -> None:
    structure, inputs = prepared().structures["amounts"], prepared().inputs["amounts"]
    top = laplace.sample(structure, inputs, 64, 64, seed=2).top
    draws = laplace.normal_draws(structure, inputs, top, 4000, seed=3)
    z = coordinates(structure, inputs).normals(draws[:, : structure.hyper_size])
    np.testing.assert_allclose(z.mean(axis=0), top.theta, atol=0.15)
    np.testing.assert_allclose(np.cov(z.T), np.linalg.inv(top.hessian), atol=0.1)
    assert np.abs(draws[:, structure.hyper_size :].mean(axis=0)).max() < 3.0
