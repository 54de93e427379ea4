"""Brute force over three channels confirms plans and bounds: concave and S-shaped, mean and CVaR, minimum-or-zero, steps."""

from itertools import product

import numpy as np
import pytest

from mmx.decide.objective import CVaR, Mean, MeanMinusSd
from mmx.decide.problem import Problem, total_row
from mmx.decide.solve import solve

from .fakes import curves, flights, signed

TOTAL, POINTS = 240.0, 121
WORLDS = {"concave": (1.0, 1.0), "S-shaped": (1.5, 4.0)}
OBJECTIVES = {"mean": Mean(), "CVaR": CVaR(0.25)}


def problem(**more):
    return Problem(("tv", "search", "radio"), np.full(3, 80.0), np.zeros(3), np.full(3, 200.0), (total_row(3, TOTAL),), **more)


def brute(response, objective, first, second):
    """The best value over a grid of the first two channels' money, the third taking the rest, within the bounds."""
    best = -np.inf
    for a, b in product(first, second):
        c = TOTAL - a - b
        if -1e-9 <= c <= 200 + 1e-9:
            best = max(best, objective.value(response.value(np.array([a, b, max(c, 0.0)])).sum(axis=1)))
    return best


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_plan_on_a_grid_exceeds_the_bound(kind, name, seed):
    response, objective = curves(seed, 40, 3, WORLDS[kind]), OBJECTIVES[name]
    found = solve(problem(), response, objective, seed=0)
    grid = np.linspace(0, 200, POINTS)
    best = brute(response, objective, grid, grid)
    assert found.certificate.certified
    assert best <= found.certificate.bound * (1 + 1e-9)
    assert found.value >= best - found.certificate.gap - 1e-9
    assert found.certificate.relative_gap <= (1e-6 if kind == "concave" else 1e-3)
    assert found.value == pytest.approx(objective.value(response.value(found.money).sum(axis=1)))
    assert found.money.sum() == pytest.approx(TOTAL, rel=1e-12)


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_minimum_or_zero(kind, name):
    response, objective = curves(3, 40, 3, WORLDS[kind]), OBJECTIVES[name]
    least = 70.0
    found = solve(problem(minimum=np.full(3, least)), response, objective, seed=0)
    grid = np.concatenate([[0.0], np.linspace(least, 200, POINTS)])
    values = [
        objective.value(response.value(np.array([a, b, TOTAL - a - b])).sum(axis=1))
        for a, b in product(grid, grid)
        if abs(TOTAL - a - b) < 1e-9 or least <= TOTAL - a - b <= 200
    ]
    assert found.certificate.certified
    assert max(values) <= found.certificate.bound * (1 + 1e-9)
    assert found.value >= max(values) - found.certificate.gap - 1e-9
    assert ((found.money == 0) | (found.money >= least * (1 - 1e-12))).all()
    assert found.money.sum() == pytest.approx(TOTAL, rel=1e-12)


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_integer_steps(kind, name):
    response, objective = curves(4, 40, 3, WORLDS[kind]), OBJECTIVES[name]
    found = solve(problem(step=np.full(3, 10.0)), response, objective, seed=0)
    grid = np.arange(0, 201, 10.0)
    best = brute(response, objective, grid, grid)
    assert found.certificate.certified
    assert best <= found.certificate.bound * (1 + 1e-9)
    assert found.value >= best - found.certificate.gap - 1e-9
    assert np.abs(found.money / 10 - np.round(found.money / 10)).max() < 1e-12
    assert found.remainder == 0


def test_what_steps_leave_of_a_fixed_total_is_shown():
    response = curves(4, 40, 3)
    found = solve(problem(step=np.full(3, 70.0)), response, Mean(), seed=0)
    values = {
        plan: response.value(np.array(plan)).sum(axis=1).mean()
        for plan in product((0.0, 70.0, 140.0), repeat=3)
        if TOTAL - 70 <= sum(plan) <= TOTAL
    }
    assert tuple(np.round(found.money, 9)) == max(values, key=values.get)
    assert found.remainder == pytest.approx(TOTAL - found.money.sum())
    assert found.remainder == pytest.approx(30.0)


def test_steps_of_some_cells_leave_an_exact_total():
    found = solve(problem(step=np.array([70.0, 0.0, 70.0])), curves(4, 40, 3), Mean(), seed=0)
    assert found.money.sum() == pytest.approx(TOTAL, rel=1e-12)
    assert found.remainder == 0
    assert np.isin(np.round(found.money[[0, 2]], 9), [0.0, 70.0, 140.0]).all()


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5])
def test_worst_draws_of_which_some_bend_upwards(level):
    response, objective = signed(curves(4, 40, 3), 0.1), CVaR(level)
    found = solve(problem(), response, objective, seed=0)
    grid = np.linspace(0, 200, POINTS)
    best = brute(response, objective, grid, grid)
    assert found.certificate.certified
    assert best <= found.certificate.bound * (1 + 1e-9)
    assert found.value >= best - found.certificate.gap - 1e-9


def test_flighting_of_which_some_draws_bend_upwards_is_certified_where_its_tail_is_concave():
    response, cells = signed(flights(2, 60, 2, 3), 0.05), 6
    asked = Problem(tuple("abcdef"), np.full(cells, 10.0), np.zeros(cells), np.full(cells, 40.0), (total_row(cells, 60.0),))
    found = solve(asked, response, CVaR(0.3), seed=0)
    assert found.certificate.certified and "convex" in found.certificate.method
    rng = np.random.default_rng(1)
    for _ in range(2000):
        other = 60.0 * rng.dirichlet(np.full(cells, 0.7))
        if other.max() <= 40:
            assert CVaR(0.3).value(response.value(other).sum(axis=1)) <= found.certificate.bound * (1 + 1e-9)


@pytest.mark.parametrize("kind", WORLDS)
def test_mean_less_sd_of_the_gain_over_the_current_plan(kind):
    response, asked = curves(1, 40, 3, WORLDS[kind], spread=0.5), problem()
    objective = MeanMinusSd(0.6, offset=response.value(asked.current).sum(axis=1))
    found = solve(asked, response, objective, seed=0)
    grid = np.linspace(0, 200, POINTS)
    best = brute(response, objective, grid, grid)
    assert found.value >= best - 1e-3 * abs(best)
    assert found.certificate.bound >= max(best, found.value) - 1e-9
