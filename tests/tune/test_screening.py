from __future__ import annotations

import numpy as np
import pytest

from mmx.tune.problem import Scores, SearchProblem, make_goals
from mmx.tune.screening import Screening, screen, trajectories

from .problems import bowl, settings, space


def screened(problem: SearchProblem, seed: int = 1, **changes: object) -> Screening:
    default = problem.score(problem.space.default[None])
    goals = make_goals(problem, {"profit": 1.0}, default, False)
    chosen = settings(screening={"method": "morris", "keep": [1, 3], **changes}).screening
    return screen(problem, goals, chosen, np.random.default_rng(seed))


def test_a_path_moves_each_coordinate_once() -> None:
    points, order, delta = trajectories(5, 8, np.random.default_rng(1))
    steps = np.diff(points, axis=1)
    assert points.min() >= 0.0 and points.max() <= 1.0
    for path in range(8):
        moved = np.abs(steps[path]) > 0
        assert (moved.sum(axis=1) == 1).all() and sorted(order[path]) == list(range(5))
        np.testing.assert_array_equal(moved.argmax(axis=1), order[path])
    np.testing.assert_allclose(np.abs(steps).sum(axis=2), delta)


def test_the_effects_of_a_linear_function_are_its_coefficients() -> None:
    own, slopes = space(), np.array([3.0, 0.0, -1.0, 2.0, 0.0, 0.0])

    def evaluate(vectors: np.ndarray) -> Scores:
        return Scores((own.to_unit(vectors) @ slopes)[:, None, None].repeat(2, axis=1), np.zeros((len(vectors), 0)))

    found = screened(SearchProblem(own, ("profit",), (), evaluate))
    np.testing.assert_allclose(found.share[:3], np.array([3.0, 2.0, 1.0]) / 6.0)
    assert [own.names.index(name) for name in found.names[:3]] == [0, 3, 2]
    assert set(found.dead) == {own.names[1], *own.names[4:]}
    assert found.live.tolist() == [0, 2, 3] and found.evaluations == 20 * 7
    assert found.sentence.startswith("3 of 6 parameters are searched, with 100 % of the effect on the objectives; 3 changed")


def test_what_moves_a_constraint_alone_is_not_dead() -> None:
    own = space()

    def evaluate(vectors: np.ndarray) -> Scores:
        unit = own.to_unit(vectors)
        return Scores(unit[:, :1, None].repeat(2, axis=1), unit[:, 4:5] - 0.5)

    found = screened(SearchProblem(own, ("profit",), ("cap",), evaluate), keep=[2, 4], coverage=0.9)
    assert own.names[4] not in found.dead and len(found.dead) == 4
    assert found.live.tolist() == [0, 4]


@pytest.mark.parametrize("method", ["morris", "pedanova"])
def test_both_ways_find_what_matters(method: str) -> None:
    found = screened(bowl(dead=6), method=method, keep=[2, 2])
    assert found.live.tolist() == [0, 1]
    assert found.share.sum() == pytest.approx(1.0)
    assert (len(found.dead) == 6) is (method == "morris")
    again = screened(bowl(dead=6), method=method, keep=[2, 2])
    assert again.names == found.names


def test_it_can_be_left_out() -> None:
    found = screened(bowl(), method="off")
    assert found.live.tolist() == list(range(6)) and found.sentence == "All 6 parameters are searched."
