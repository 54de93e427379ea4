from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.outliers_influence import variance_inflation_factor

from mmx.data.collinear import correlations, exact_dependences, inflation, worst_pairs

TOLERANCE = 1e-9


def columns(seed: int, rows: int = 80, count: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(rng.uniform(-100, 100, count), rng.uniform(0.1, 50, count), (rows, count))


@pytest.mark.filterwarnings("ignore:The design matrix is poorly conditioned")
@given(st.integers(0, 10_000))
def test_inflation_agrees_with_statsmodels(seed: int) -> None:
    x = columns(seed) @ np.random.default_rng(seed).normal(size=(5, 5))
    with_constant = sm.add_constant(x)
    expected = [variance_inflation_factor(with_constant, i) for i in range(1, 6)]
    np.testing.assert_allclose(inflation(x), expected, rtol=1e-6)


@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(-1e6, 1e6))
def test_an_affine_copy_is_found_and_independent_columns_are_not(seed: int, slope: float, shift: float) -> None:
    x = columns(seed)
    assert exact_dependences(x, TOLERANCE) == []
    if abs(slope) > 1e-2:
        assert exact_dependences(np.column_stack([x, slope * x[:, 2] + shift]), TOLERANCE) == [(5, (2,))]


@given(st.integers(0, 10_000))
def test_a_sum_names_its_parts(seed: int) -> None:
    x = columns(seed)
    total = x[:, [0, 3, 4]].sum(axis=1)
    assert exact_dependences(np.column_stack([x, total]), TOLERANCE) == [(5, (0, 3, 4))]


def test_levels_that_cover_every_row_depend_on_the_constant() -> None:
    level = np.arange(60) % 3
    x = np.column_stack([level == k for k in range(3)]).astype(float)
    assert exact_dependences(x, TOLERANCE) == [(2, (0, 1))]


def test_constant_columns_are_passed_over() -> None:
    x = columns(1)
    x[:, 1] = 7.1
    assert exact_dependences(x, TOLERANCE) == []
    assert np.isnan(inflation(x)[1])
    assert (correlations(x)[1] == 0).all()


def test_a_dependent_column_has_infinite_inflation() -> None:
    x = columns(2)
    assert np.isinf(inflation(np.column_stack([x, x[:, 0]]))[[0, 5]]).all()


def test_worst_pairs_come_by_size_of_correlation() -> None:
    x = columns(3)
    x[:, 4] = -x[:, 1] + 0.01 * x[:, 0]
    names = list("abcde")
    pairs = worst_pairs(x, names, 3)
    r = np.corrcoef(x.T)
    assert pairs[0][:2] == ("b", "e")
    for a, b, value in pairs:
        assert value == pytest.approx(r[names.index(a), names.index(b)])
    sizes = [abs(p[2]) for p in pairs]
    assert sizes == sorted(sizes, reverse=True)
