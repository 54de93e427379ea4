"""What is said of a plan's channels: whether it leaves the observed spend, and around which plans the draws gather."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmx.config import read_budget
from mmx.decide.answer import Answer, Asked
from mmx.decide.channels import channel_plans, modes
from mmx.decide.fit_response import FitResponse
from mmx.decide.kept import Kept
from mmx.decide.objective import Mean
from mmx.decide.optima import Optima, optima
from mmx.decide.problem import Problem, total_row
from mmx.decide.solve import solve

from .fakes import Curves

NAMES = ("tv", "search", "social")
CHANNELS = np.arange(3)
OBSERVED = np.array([[[4.0, 0.0], [10.0, 20.0], [8.0, 5.0]], [[2.0, 3.0], [1.0, 9.0], [0.0, 6.0]]])


def answered(response: Any, problem: Problem, money: np.ndarray, names: tuple[str, ...] = NAMES, fit: Any = None) -> Any:
    """A plan of a response as an answer, with what is read of it."""
    channel = np.arange(len(problem.cells))
    window = SimpleNamespace(channels=names)
    asked = Asked(read_budget({}).question, window, 1.0, fit, Kept(response), None, channel, problem)  # type: ignore[arg-type]
    solution = SimpleNamespace(money=money, binding=())
    plain = asked.plain(float(money.sum()))
    return Answer(asked, "mean", "fixed total", solution, asked.draws(money), asked.draws(plain))  # type: ignore[arg-type]


def told(plan: list[list[float]], observed: np.ndarray = OBSERVED) -> tuple[float, bool]:
    """Ratio and flag of a channel with a plan (horizon, geo), beside another channel that stays as it is.

    ``observed`` is (geo, time, channel); the last row lies after the window of the fit.
    """
    spend = np.stack([np.array(plan), np.full(np.shape(plan), 5.0)], axis=2)
    fit = FitResponse(None, spend, np.zeros(2, dtype=int), np.zeros(len(plan), dtype=int), ("tv", "search"))  # type: ignore[arg-type]
    response = Curves(*(np.full((3, 2), x) for x in (100.0, 50.0, 1.0)))
    money = spend.sum(axis=(0, 1))
    problem = Problem(("tv", "search"), money, 0 * money, 2 * money + 1, (total_row(2, money.sum()),))
    made = answered(response, problem, money, ("tv", "search"), fit)
    after = np.concatenate([observed, np.full((2, 1, 2), 1e6)], axis=1)
    posterior = SimpleNamespace(panel=SimpleNamespace(array=lambda _: after), window=slice(0, 3))
    best = Optima(np.tile(money, (3, 1)), np.arange(2), np.zeros(2), np.zeros(3))
    found = channel_plans(made, best, posterior)["tv"]  # type: ignore[arg-type]
    return found.outside, found.outside_observed


@pytest.mark.parametrize(
    ("plan", "ratio", "outside"),
    [
        ([[5.0, 1.5], [4.0, 2.0]], 1.0, False),  # the second geo at its largest, 2
        ([[10.0, 1.0], [4.0, 1.0]], 1.0, False),
        ([[10.5, 1.0], [4.0, 1.0]], 1.05, True),
        ([[5.0, 3.0], [4.0, 1.0]], 1.5, True),  # within what the first geo spent, but not the second
        ([[3.9, 1.0], [3.0, 1.0]], 0.5, True),  # above nothing, and below every active period of the first geo
        ([[3.9, 1.0], [4.0, 1.0]], 0.5, False),  # one of its periods is as it was
        ([[0.0, 1.0], [0.0, 2.0]], 1.0, False),  # no spend is no extrapolation
        ([[0.0, 0.0], [0.0, 0.0]], 0.0, False),
    ],
)
def test_a_plan_is_outside_where_a_geo_leaves_its_own_range(plan: list[list[float]], ratio: float, outside: bool) -> None:
    assert told(plan) == (pytest.approx(ratio), outside)


def test_a_geo_that_never_spent_is_outside_without_a_ratio() -> None:
    silent = OBSERVED.copy()
    silent[1, :, 0] = 0.0
    assert told([[5.0, 0.0], [4.0, 0.0]], silent) == (pytest.approx(0.5), False)
    assert told([[5.0, 1.0], [4.0, 0.0]], silent) == (pytest.approx(0.5), True)


def budget(total: float, low: float = 0.0) -> Problem:
    return Problem(NAMES, np.full(3, 100.0), np.full(3, low), np.full(3, 150.0), (total_row(3, total),))


def worlds(groups: dict[int | None, int], weak: float = 0.1) -> Curves:
    """Draws of three S-shaped channels, of which a group of draws says that one is weak, or none."""
    top = np.concatenate([np.where(weakest == CHANNELS, weak, 1.0) * np.ones((n, 1)) for weakest, n in groups.items()])
    return Curves(100.0 * top, np.full(top.shape, 40.0), np.full(top.shape, 4.0))


def said(response: Curves, problem: Problem) -> str:
    start = np.clip(problem.current, problem.low, problem.high)
    plan = start * problem.rows[-1].high / start.sum()
    return modes(answered(response, problem, plan), optima(problem, response, plan, CHANNELS))


def test_draws_that_drop_different_channels_are_different_centres() -> None:
    """At half the budget two of three S-shaped channels are worth having; which one is dropped depends on the draw."""
    found = said(worlds({0: 50, 2: 30, 1: 20}), budget(150.0))
    assert found == "of the draws it leaves at their least tv in 50 %, social in 30 %, search in 20 %"


def test_the_best_plan_of_each_centre_is_that_of_the_solver() -> None:
    for weakest in range(3):
        money = solve(budget(150.0), worlds({weakest: 4}), Mean(), seed=0).money
        assert money[weakest] == pytest.approx(0.0, abs=1e-6) and np.delete(money, weakest).min() > 50.0


def test_one_centre_has_no_name() -> None:
    assert said(worlds({1: 40}), budget(150.0)) == ""
    assert said(worlds({None: 40}), budget(300.0)) == ""


def test_a_few_draws_are_no_centre() -> None:
    assert said(worlds({0: 91, 2: 9}), budget(150.0)) == ""
    assert said(worlds({0: 89, 2: 11}), budget(150.0)).endswith("tv in 89 %, social in 11 %")


def test_a_centre_may_drop_nothing_and_several_are_named_together() -> None:
    """Where all are alike a large budget keeps all; a least spend counts as dropped, a fixed channel does not."""
    response = worlds({None: 20, 0: 20}, weak=0.01)
    assert said(response, budget(240.0)) == "of the draws it leaves at their least no channel in 50 %, tv in 50 %"
    both = Curves(np.where(np.arange(40)[:, None] < 20, [100.0, 1.0, 1.0], [1.0, 100.0, 1.0]), *(response.half, response.shape))
    found = said(both, budget(120.0, low=10.0))
    assert found == "of the draws it leaves at their least search and social in 50 %, tv and social in 50 %"
    fixed = Problem(NAMES, np.full(3, 40.0), np.array([0.0, 0.0, 40.0]), np.array([150.0, 150.0, 40.0]), (total_row(3, 120.0),))
    assert said(both, fixed) == "of the draws it leaves at their least search in 50 %, tv in 50 %"
