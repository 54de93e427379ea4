"""The conflict that is named is one, and none is smaller: against all subsets of small problems."""

from itertools import combinations

import numpy as np
import pytest

from mmx.decide.conflict import _Lab, conflict, constraints
from mmx.decide.objective import Mean
from mmx.decide.problem import Problem, Row, total_row
from mmx.decide.solve import solve
from mmx.errors import ConflictError, DecisionError

from .fakes import curves


def random_problem(rng):
    low = rng.integers(0, 5, 3) * 10.0
    rows = [total_row(3, float(rng.integers(1, 20) * 10))]
    rows.append(Row("digital <= 40 %", np.array([0.6, 0.6, -0.4]), -np.inf, 0.0))
    rows.append(Row("tv above search", np.array([1.0, -1.0, 0.0]), float(rng.integers(0, 4) * 10), np.inf))
    step = np.where(rng.random(3) < 0.3, 30.0, 0.0)
    minimum = np.where((rng.random(3) < 0.3) & (low == 0), 40.0, 0.0)
    return Problem(
        ("tv", "search", "radio"), np.full(3, 30.0), low, low + rng.integers(0, 5, 3) * 10.0, tuple(rows), minimum, step
    )


def smallest_by_trying(problem):
    """Size of the smallest impossible subset."""
    lab = _Lab(problem, constraints(problem))
    for size in range(1, len(lab.all) + 1):
        if any(lab.possible(list(some)) is None for some in combinations(range(len(lab.all)), size)):
            return size
    return None


@pytest.mark.parametrize("seed", range(6))
def test_the_smallest_conflict_is_named(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    while smallest_by_trying(problem) is None:
        problem = random_problem(rng)
    found, proven = conflict(problem)
    lab = _Lab(problem, constraints(problem))
    assert proven
    assert lab.possible(found) is None
    assert all(lab.possible([k for k in found if k != i]) is not None for i in found)
    assert len(found) == smallest_by_trying(problem)


def test_a_total_above_all_upper_bounds_names_them_and_nothing_else():
    rows = (Row("brand >= 20 %", np.array([0.8, -0.2, -0.2]), 0.0, np.inf), total_row(3, 100.0))
    problem = Problem(("tv", "search", "radio"), np.full(3, 20.0), np.full(3, 5.0), np.full(3, 30.0), rows)
    with pytest.raises(ConflictError, match="no smaller set") as raised:
        solve(problem, curves(1, 5, 3), Mean(), seed=0)
    assert set(raised.value.conflict) == {
        "total budget of 100.00",
        "tv at most 30.00",
        "search at most 30.00",
        "radio at most 30.00",
    }
    assert isinstance(raised.value, DecisionError)


def test_a_short_conflict_is_preferred_to_a_long_one():
    """The total contradicts all three upper bounds, and two bounds of one channel contradict each other."""
    problem = Problem(("tv", "search", "radio"), np.ones(3), np.array([50.0, 0, 0]), np.full(3, 30.0), (total_row(3, 100.0),))
    with pytest.raises(ConflictError) as raised:
        solve(problem, curves(1, 5, 3), Mean(), seed=0)
    assert raised.value.conflict == ("tv at least 50.00", "tv at most 30.00")


def test_a_minimum_commitment_can_be_the_conflict():
    """30 in total cannot be split over channels that take 0 or at least 40, whatever their bounds."""
    problem = Problem(("tv", "radio"), np.ones(2), np.zeros(2), np.full(2, 90.0), (total_row(2, 30.0),), np.full(2, 40.0))
    with pytest.raises(ConflictError) as raised:
        solve(problem, curves(1, 5, 2), Mean(), seed=0)
    assert raised.value.conflict == ("total budget of 30.00", "tv 0 or at least 40.00", "radio 0 or at least 40.00")


def test_a_total_that_steps_cannot_meet_is_no_conflict():
    problem = Problem(("tv",), np.ones(1), np.zeros(1), np.full(1, 90.0), (total_row(1, 50.0),), step=np.full(1, 20.0))
    assert solve(problem, curves(1, 5, 1), Mean(), seed=0).remainder == pytest.approx(10.0)
