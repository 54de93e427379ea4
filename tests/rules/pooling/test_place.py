from __future__ import annotations

import numpy as np

from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.place import common_parameters, place
from mmx.tune_settings import CommonSettings


def optimum(precision: np.ndarray) -> Optimum:
    d = len(precision)
    return Optimum(np.arange(d) + 1.0, precision, np.zeros(d), np.ones(d), "quadratic", 0.5)


def test_what_is_not_pooled_is_integrated_out() -> None:
    root = np.random.default_rng(1).normal(size=(4, 4))
    precision = root @ root.T
    found = place(optimum(precision), ("a", "b", "c", "d"), ("c", "a"), np.array([9.0, 9.0]))
    expected = np.linalg.inv(np.linalg.inv(precision)[np.ix_([2, 0], [2, 0])])
    np.testing.assert_allclose(found.precision, expected, rtol=1e-9)
    assert found.point.tolist() == [3.0, 1.0]


def test_what_was_not_searched_has_no_precision() -> None:
    found = place(optimum(np.eye(2)), ("a", "b"), ("b", "x", "a"), np.array([9.0, 7.0, 9.0]))
    assert found.point.tolist() == [2.0, 7.0, 1.0] and np.diag(found.precision).tolist() == [1.0, 0.0, 1.0]
    assert not found.side.any() and (found.error == 1.0).all()


def test_a_flat_direction_beside_the_pool_takes_nothing_away() -> None:
    precision = np.diag([2.0, 0.0])
    found = place(optimum(precision), ("a", "b"), ("a",), np.array([0.0]))
    assert found.precision.tolist() == [[2.0]]


def test_common_parameters_are_those_that_enough_searched() -> None:
    customers = [{"a": 0.6, "b": 0.4}, {"a": 0.2, "b": 0.7, "c": 0.1}, {"b": 1.0}, {"c": 0.9}]
    assert common_parameters(customers, CommonSettings(share=0.5, most=5)) == ("b", "c", "a")
    assert common_parameters(customers, CommonSettings(share=0.7, most=5)) == ("b",)
    assert common_parameters(customers, CommonSettings(share=0.0, most=2)) == ("b", "c")
    assert common_parameters(customers[:1], CommonSettings(share=0.0, most=2)) == ()
