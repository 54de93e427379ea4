from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from mmx.lift.synthetic import augmented, choose_ridge, gap, simplex_weights

from .panels import memory


def series(seed: int, times: int = 20, donors: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    others = memory(rng.normal(size=(times, donors)), 0.6) + 3 * rng.normal(size=(times, 1))
    return others @ rng.dirichlet(np.ones(donors)) + 0.3 * rng.normal(size=times), others


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), times=st.integers(2, 30), donors=st.integers(2, 12), scale=st.sampled_from([1e-4, 1.0, 1e5])
)
def test_simplex_weights_satisfy_the_optimality_conditions(seed: int, times: int, donors: int, scale: float) -> None:
    """On the simplex the gradient is smallest, and equal, at the donors with weight: Karush, Kuhn and Tucker."""
    target, others = (scale * part for part in series(seed, times, donors))
    w = simplex_weights(target, others)
    assert w.min() >= 0 and w.sum() == pytest.approx(1.0, abs=1e-12)
    slope = others.T @ (others @ w - target)
    error = np.linalg.norm(others) * (1e-9 * np.linalg.norm(others @ w - target) + 1e-13 * np.linalg.norm(others))
    assert (slope[w > 0] <= slope.min() + error).all()


def test_simplex_weights_are_those_of_a_general_optimiser() -> None:
    target, others = series(3)
    found = optimize.minimize(
        lambda w: ((target - others @ w) ** 2).sum(),
        np.full(6, 1 / 6),
        jac=lambda w: -2 * others.T @ (target - others @ w),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(6)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(simplex_weights(target, others), found.x, atol=1e-5)


def test_a_donor_that_is_the_target_has_all_the_weight() -> None:
    target, others = series(1)
    others[:, 4] = target
    np.testing.assert_array_equal(simplex_weights(target, others), np.eye(6)[4])


def test_augmentation_is_ridge_regression_of_what_is_left() -> None:
    """The dual of equation 9: coefficients of the donors' series, as scikit-learn fits them."""
    from sklearn.linear_model import Ridge

    target, others = series(5)
    w = simplex_weights(target, others)
    found = augmented(w, target, others, 0.3)
    centred = others - others.mean(axis=1, keepdims=True)
    penalty = 0.3 * (centred**2).sum() / len(centred)
    plain = Ridge(alpha=penalty, fit_intercept=False, tol=1e-12).fit(centred, target - others @ w)
    np.testing.assert_allclose(found - w, plain.coef_, atol=1e-9)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)


def test_augmentation_goes_from_the_simplex_to_an_exact_fit() -> None:
    _, others = series(5, times=5, donors=12)
    target = 2 * others[:, 0] - others[:, 1] + 4.0 * np.arange(5)
    w = simplex_weights(target, others)
    np.testing.assert_array_equal(augmented(w, target, others, 0.0), w)
    np.testing.assert_allclose(augmented(w, target, others, 1e12), w, atol=1e-9)
    missed = [np.linalg.norm(target - others @ augmented(w, target, others, ridge)) for ridge in (1e-9, 0.1, 1.0, 100.0)]
    assert missed == sorted(missed) and missed[0] < 1e-6 < 0.1 < missed[-1]


@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_levels_of_geos_do_not_matter(ridge: float) -> None:
    target, others = series(7)
    fitted = np.arange(20) < 14
    left, weights = gap(target, others, fitted, ridge)
    moved, same = gap(target + 500.0, others + np.arange(6) * 77.0, fitted, ridge)
    np.testing.assert_allclose(moved, left, atol=1e-9)
    np.testing.assert_allclose(same, weights, atol=1e-9)
    assert left[fitted].mean() == pytest.approx(0.0, abs=1e-12)


def test_the_ridge_is_the_best_on_periods_left_out() -> None:
    """One donor less its neighbour makes the target: outside the simplex, so that a correction pays."""
    rng = np.random.default_rng(2)
    others = memory(rng.normal(size=(40, 5)), 0.5)
    target = others[:, 0] - others[:, 1] + others[:, 2] + 0.05 * rng.normal(size=40)
    grid = (1e-4, 1e-2, 1.0, 100.0)
    errors = {}
    for ridge in (0.0, *grid):
        missed = []
        for t in range(40):
            fitted = np.arange(40) != t
            missed.append(gap(target, others, fitted, ridge)[0][t])
        errors[ridge] = (np.array(missed) ** 2).sum()
    assert choose_ridge(target, others, grid) == min(errors, key=errors.__getitem__) != 0.0
