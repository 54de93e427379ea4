from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.rules.pooling.optimum import find_optimum, fold_covariance, sandwich
from mmx.rules.pooling.smoother import Surrogate, process, quadratic

from .customers import make_world, pool_settings, trials_of

CURVATURE = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]])
RIDGES = (1e-12,)


def bowls(rng: np.random.Generator, trials: int = 80, folds: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact quadratics with a middle per fold; the last coordinate is flat."""
    points, middle = rng.normal(size=(trials, 3)), 0.3 * rng.normal(size=(folds, 3))
    away = points[:, None, :] - middle
    return points, -0.5 * np.einsum("nfi,ij,nfj->nf", away, CURVATURE, away), middle


def numeric(f: object, x: np.ndarray) -> np.ndarray:
    step = 1e-3
    return np.array([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))])  # type: ignore[operator]


def test_a_quadratic_is_found_exactly() -> None:
    points, scores, middle = bowls(np.random.default_rng(1))
    found, x = quadratic(points, scores, RIDGES, interactions=True), np.array([0.2, -0.4, 0.7])
    np.testing.assert_allclose(found.hessian(x), -CURVATURE, atol=1e-6)
    np.testing.assert_allclose(found.gradient(x), -(x - middle) @ CURVATURE, atol=1e-6)
    assert found.error < 1e-6 and np.abs(found.noise(x)).max() < 1e-12


@pytest.mark.parametrize("interactions", [True, False])
def test_the_error_is_that_of_leaving_each_trial_out(interactions: bool) -> None:
    rng = np.random.default_rng(2)
    points, scores, _ = bowls(rng, trials=30)
    scores = scores + 0.2 * rng.normal(size=scores.shape)
    left = []
    for i in range(30):  # With a ridge the centring would change as well: the exact identity is that of least squares.
        rest = np.delete(np.arange(30), i)
        one = quadratic(points[rest], scores[rest], RIDGES, interactions=interactions)
        left.append(float(np.mean(one.value(points[i]) - scores[i])))
    expected = np.sqrt(np.mean(np.square(left))) / scores.mean(axis=1).std()
    assert quadratic(points, scores, RIDGES, interactions=interactions).error == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["quadratic", "separable", "process"])
def test_slopes_are_those_of_the_values(kind: str) -> None:
    rng = np.random.default_rng(3)
    points, scores, _ = bowls(rng, trials=60)
    scores = np.round(scores * 4) / 4 + 0.1 * rng.normal(size=scores.shape)
    found: Surrogate
    found = (
        process(points, scores, 1) if kind == "process" else quadratic(points, scores, RIDGES, interactions=kind == "quadratic")
    )
    assert found.kind == kind
    x = np.array([0.3, -0.2, 0.1])
    np.testing.assert_allclose(
        found.gradient(x).T, numeric(found.value, x), rtol=1e-3, atol=1e-4
    )  # Rounding of an ill-conditioned kernel, and the step.
    if kind == "process":
        np.testing.assert_allclose(found.hessian(x), numeric(lambda y: found.gradient(y).mean(axis=0), x), rtol=1e-3, atol=1e-4)
    assert np.linalg.eigvalsh(found.noise(x)).min() > -1e-9


def test_the_covariance_is_that_of_the_block_bootstrap() -> None:
    gradients = np.random.default_rng(4).normal(size=(6, 1))
    blocks = [np.roll(gradients, -s, axis=0)[:2] for s in range(6)]
    means = [np.concatenate(three).mean() for three in product(blocks, repeat=3)]
    correction = 6 / (6 - 2) * 5 / 3
    assert fold_covariance(gradients, 2)[0, 0] == pytest.approx(np.var(means) * correction, rel=1e-10)


def test_correlations_are_kept_where_they_are_known_and_shrunk_where_not() -> None:
    rng = np.random.default_rng(5)
    both = rng.normal(size=(400, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    known = fold_covariance(both, 1)
    assert known[0, 1] / np.sqrt(known[0, 0] * known[1, 1]) == pytest.approx(0.8, abs=0.06)
    few = fold_covariance(rng.normal(size=(5, 20)), 1)
    assert np.linalg.eigvalsh(few).min() > 0  # Of rank 4 before.


def test_a_flat_direction_weighs_nothing_and_the_sandwich_is_the_error_of_the_mean() -> None:
    points, scores, middle = bowls(np.random.default_rng(6))
    found = find_optimum(points, scores, pool_settings(optimum={"penalties": list(RIDGES), "share": 1}).optimum, 1)
    assert found.surrogate == "quadratic" and (found.side[:2] == 0).all()
    np.testing.assert_allclose(found.point[:2], middle[:, :2].mean(axis=0), atol=1e-5)
    assert np.abs(found.precision[2]).max() < 1e-6 * found.precision.max()
    covariance = fold_covariance(-(found.point - middle) @ CURVATURE, 2)[:2, :2]
    bread = np.linalg.inv(CURVATURE[:2, :2])
    expected = bread @ covariance @ bread  # But for the shrinkage, which the rounding in the flat coordinate changes a little.
    np.testing.assert_allclose(np.linalg.inv(found.precision[:2, :2]), expected, atol=0.05 * expected.max())


@given(st.integers(0, 10_000))
def test_a_sandwich_is_semi_definite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curvature, root = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    inner = rng.random(4) < 0.7
    precision = sandwich(curvature + curvature.T, root @ root.T, inner)
    assert np.linalg.eigvalsh(precision).min() >= -1e-9 * max(1.0, np.abs(precision).max())
    assert (precision[~inner] == 0).all()


def test_an_optimum_at_an_end_says_on_which_side() -> None:
    rng = np.random.default_rng(7)
    points = rng.uniform(-4, 4, size=(200, 2))
    middle = np.array([6.0, 0.5]) + 0.3 * rng.normal(size=(8, 2))
    scores = -((points[:, None, :] - middle) ** 2).sum(axis=2)
    found = find_optimum(points, scores, pool_settings().optimum, 1)
    assert found.side.tolist() == [1.0, 0.0] and found.point[0] == 4.0
    assert found.precision[0].tolist() == [0.0, 0.0] and found.precision[1, 1] > 10
    assert 0.02 < found.error[0] < 1.0


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="three folds and more trials than coordinates; it has 2 and 3"):
        find_optimum(np.zeros((3, 3)), np.zeros((3, 2)), pool_settings().optimum, 1)


def test_the_errors_of_single_customers_cover() -> None:
    """90 % intervals of 60 customers, two coordinates each, of scores in steps."""
    rng = np.random.default_rng(8)
    world = make_world(rng, 60, 2)
    inside = []
    for customer in range(60):
        found = find_optimum(*trials_of(world, customer, rng), pool_settings().optimum, 1)
        error = np.sqrt(np.diag(np.linalg.inv(found.precision)))
        inside.append(np.abs(found.point - world.theta[customer]) < 1.645 * error)
    assert 0.8 < np.mean(inside) < 0.98
