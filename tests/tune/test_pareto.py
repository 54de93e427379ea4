from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmx.tune.hypervolume import hypervolume
from mmx.tune.pareto import crowding, dominates, front, knee, prefer, ranks

NUMBERS = st.integers(-3, 3).map(float)
VALUES = st.integers(1, 4).flatmap(lambda k: arrays(float, st.tuples(st.integers(1, 12), st.just(k)), elements=NUMBERS))


def better(a: np.ndarray, b: np.ndarray, x: float, y: float) -> bool:
    """Domination in plain words: values and violations of both."""
    if x > 0 or y > 0:
        return x < y
    return bool((a >= b).all() and (a > b).any())


@given(VALUES, st.data())
def test_ranks_are_layers_of_constrained_domination(values: np.ndarray, data: st.DataObject) -> None:
    violation = data.draw(arrays(float, len(values), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0])))
    left, expected, layer = set(range(len(values))), np.empty(len(values), dtype=int), 0
    while left:
        best = {i for i in left if not any(better(values[j], values[i], violation[j], violation[i]) for j in left)}
        expected[list(best)] = layer
        left, layer = left - best, layer + 1
    np.testing.assert_array_equal(ranks(values, violation), expected)


@given(VALUES, st.data())
def test_a_violation_never_improves_a_rank(values: np.ndarray, data: st.DataObject) -> None:
    violation = data.draw(arrays(float, len(values), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0])))
    who = data.draw(st.integers(0, len(values) - 1))
    more = violation.copy()
    more[who] += data.draw(st.sampled_from([0.5, 1.0, 3.0]))
    before, after = ranks(values, violation), ranks(values, more)
    assert (before < before[who]).sum() <= (after < after[who]).sum()
    weights = np.ones(values.shape[1])
    places = [np.flatnonzero(prefer(values, v, weights) == who)[0] for v in (violation, more)]
    assert places[0] <= places[1]
    if who in front(values, more) and (more <= 0).any():
        raise AssertionError("a vector that breaks a constraint is on the front beside those that keep them")


def test_the_front_of_many_is_what_nothing_dominates() -> None:
    values = np.random.default_rng(1).normal(size=(3500, 3))
    violation = np.where(np.arange(3500) % 3 == 0, 1.0, 0.0)
    kept = np.flatnonzero(violation == 0)
    expected = kept[~dominates(values[kept], values[kept]).any(axis=0)]
    np.testing.assert_array_equal(front(values, violation), expected)
    assert front(values, violation + 1.0 + np.arange(3500)).tolist() == [0]


def test_of_equal_vectors_the_first_is_on_the_front() -> None:
    assert front(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]]), np.zeros(3)).tolist() == [0, 1]


def test_crowding_is_that_of_the_paper() -> None:
    values = np.array([[0.0, 4.0], [1.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    np.testing.assert_allclose(crowding(values), [np.inf, 3 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf])


def test_the_knee_is_the_corner_of_a_bent_front() -> None:
    along = np.linspace(0.0, 1.0, 41)
    values = np.stack([along, np.where(along < 0.7, 1.0 - 0.1 * along, 0.93 * (1 - along) / 0.3)], axis=1)
    assert abs(values[knee(values), 0] - 0.7) < 0.03
    stretched = values * [1e6, 1e-3]
    assert knee(stretched) == knee(values)


def test_preferences_reach_inward_bends_and_the_ends() -> None:
    along = np.linspace(0.0, 1.0, 21)
    values = np.stack([along, (1.0 - along) ** 2], axis=1)  # No weighted sum would choose its middle.
    found = [values[prefer(values, np.zeros(21), np.array([w, 1 - w]))[0], 0] for w in (0.02, 0.4, 0.6, 0.98)]
    assert found == sorted(found) and found[0] < 0.1 and found[-1] > 0.9 and 0.2 < found[1] < 0.8


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
def test_hypervolume_is_that_of_inclusion_and_exclusion(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    for _ in range(5):
        values = rng.integers(0, 5, size=(7, objectives)).astype(float)
        expected = 0.0
        for mask in range(1, 2**7):
            rows = [i for i in range(7) if mask >> i & 1]
            expected += (-1) ** (len(rows) + 1) * float(np.prod(values[rows].min(axis=0) + 0.5))
        assert hypervolume(values, np.full(objectives, -0.5)) == pytest.approx(expected, rel=1e-12)


def test_hypervolume_of_known_fronts() -> None:
    assert hypervolume(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), np.zeros(2)) == 6.0
    assert hypervolume(np.array([[-1.0, 9.0]]), np.zeros(2)) == 0.0
    corner = 1.0 - np.eye(4)  # Each is worst in one objective: nothing exceeds the reference everywhere.
    assert hypervolume(corner, np.zeros(4)) == 0.0
    assert hypervolume(corner + 1.0, np.zeros(4)) == 2**4 - 1  # All of the cube but where every objective is above 1.


@given(arrays(float, (6, 3), elements=NUMBERS), arrays(float, (1, 3), elements=NUMBERS))
def test_hypervolume_grows_with_points_that_are_not_dominated(values: np.ndarray, extra: np.ndarray) -> None:
    reference = np.full(3, -4.0)
    before, after = hypervolume(values, reference), hypervolume(np.concatenate([values, extra]), reference)
    if (values >= extra).all(axis=1).any():
        assert after == pytest.approx(before)
    else:
        assert after > before
