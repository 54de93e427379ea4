"""Methods of the solver: where one start misses, flighting, regret, objectives that are searched, what is said of a plan."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from mmx.decide.objective import CVaR, Mean, MeanMinusSd, ProbabilityAbove
from mmx.decide.optima import optima
from mmx.decide.problem import Problem, Row, total_row
from mmx.decide.solve import solve

from .fakes import Curves, Enclosed, curves, flights


def even(cells, total, high, **more):
    names = tuple(f"cell {c}" for c in range(cells))
    return Problem(
        names, np.full(cells, total / cells), np.zeros(cells), np.full(cells, high), (total_row(cells, total),), **more
    )


def simplex_plans(rng, cells, total, high, count):
    plans = total * rng.dirichlet(np.full(cells, 0.6), count)
    return plans[(plans <= high).all(axis=1)]


def test_a_local_solver_misses_and_the_certificate_knows():
    """Two like S-shaped channels and a total for one of them: the even split is a stationary minimum."""
    response = Curves(np.full((10, 2), 100.0), np.full((10, 2), 60.0), np.full((10, 2), 4.0))
    problem = even(2, 80.0, 80.0)
    slsqp = minimize(
        lambda x: -response.value(x).sum(axis=1).mean(),
        problem.current,
        jac=lambda x: -response.value_and_slope(x)[1].mean(axis=0),
        bounds=[(0, 80)] * 2,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 80, "jac": lambda x: np.ones(2)},
        method="SLSQP",
    )
    found = solve(problem, response, Mean(), seed=0)
    assert sorted(found.money) == pytest.approx([0.0, 80.0], abs=1e-9)
    assert found.certificate.certified
    assert found.value > 1.8 * -slsqp.fun


def test_flighting_is_certified_where_it_is_concave():
    response = flights(1, 60, 4, 6)
    cells = 24
    rows = [total_row(cells, 300.0)]
    for c in range(cells):
        if c % 6:
            weights = np.zeros(cells)
            weights[[c, c - 1]] = 1.0, -1.2
            rows.append(Row(f"cell {c}: at most 20 % up", weights, -np.inf, 0.0))
    problem = replace(even(cells, 300.0, 40.0), rows=tuple(rows))
    found = solve(problem, response, Mean(), seed=0)
    assert found.certificate.certified
    assert found.certificate.relative_gap < 1e-6
    money = found.money.reshape(4, 6)
    assert (money[:, 1:] <= 1.2 * money[:, :-1] + 1e-9).all()
    assert found.money.sum() == pytest.approx(300.0, rel=1e-13)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = found.money + rng.normal(0, 5, cells)
        ramps = (other.reshape(4, 6)[:, 1:] <= 1.2 * other.reshape(4, 6)[:, :-1]).all()
        other *= 300 / other.sum()
        if ramps and (other >= 0).all() and (other <= 40).all():
            assert response.value(other).sum(axis=1).mean() <= found.certificate.bound


@pytest.mark.parametrize("objective", [Mean(), CVaR(0.3)], ids=["mean", "CVaR"])
def test_flighting_with_minimum_commitments_has_a_bound(objective):
    response = flights(2, 30, 2, 3)
    found = solve(even(6, 120.0, 60.0, minimum=np.full(6, 25.0)), response, objective, seed=0)
    best = -np.inf
    for plan in simplex_plans(np.random.default_rng(0), 6, 120.0, 60.0, 4000):
        plan = np.where(plan < 12.5, 0.0, np.maximum(plan, 25.0))
        plan *= 120 / plan.sum()
        if ((plan == 0) | (plan >= 25)).all() and (plan <= 60).all():
            best = max(best, objective.value(response.value(plan).sum(axis=1)))
    assert found.value >= best * (1 - 1e-3)
    assert found.certificate.bound >= max(best, found.value)
    assert ((found.money == 0) | (found.money >= 25 * (1 - 1e-12))).all()


def test_s_shaped_flighting_is_not_certified_and_says_why():
    response = flights(3, 20, 2, 3, (2.0, 3.0))
    found = solve(even(6, 100.0, 60.0), response, Mean(), seed=0)
    assert not found.certificate.certified
    assert found.certificate.bound is None
    assert "not concave: cell 0 to cell 2 (100 % of draws)" in found.certificate.reason


def test_a_concave_envelope_bounds_s_shaped_flighting():
    response = flights(3, 20, 2, 3, (2.0, 3.0), Enclosed)
    found = solve(even(6, 100.0, 60.0), response, Mean(), seed=0)
    plans = simplex_plans(np.random.default_rng(0), 6, 100.0, 60.0, 4000)
    best = max(response.value(plan).sum(axis=1).mean() for plan in plans)
    assert found.value >= best
    assert found.certificate.bound >= found.value
    assert found.certificate.gap < 0.2 * found.value


def test_cvar_of_regret():
    response = curves(5, 12, 3, (1.0, 1.0), spread=0.8)
    problem = even(3, 150.0, 120.0)
    best = optima(problem, response, problem.current, np.arange(3)).value
    objective = CVaR(0.2, best)
    found = solve(problem, response, objective, seed=0)
    plans = simplex_plans(np.random.default_rng(0), 3, 150.0, 120.0, 3000)
    regrets = [best - response.value(plan).sum(axis=1) for plan in plans]
    assert found.certificate.certified
    assert (best - found.draws >= -1e-4 * best).all()
    assert -found.value <= min(-objective.value(-regret + best) for regret in regrets)
    plain = solve(problem, response, Mean(), seed=0)
    assert found.value > objective.value(plain.draws)


@pytest.mark.parametrize("shape", [(1.0, 1.0), (1.5, 3.0)], ids=["concave", "S-shaped"])
def test_the_best_plan_of_each_draw(shape):
    response = curves(5, 6, 3, shape, spread=0.8)
    problem = even(3, 150.0, 120.0)
    found = optima(problem, response, problem.current, np.arange(3))
    plans = simplex_plans(np.random.default_rng(0), 3, 150.0, 120.0, 2000)
    for draw in range(response.samples):
        one = response.thinned(np.array([draw]))
        assert found.value[draw] == pytest.approx(one.value(found.money[draw]).sum(), rel=5e-4)
        assert found.value[draw] >= max(one.value(plan).sum() for plan in plans) * (1 - 4e-2 if shape[1] > 1 else 1 - 5e-4)
    assert found.money.sum(axis=1) == pytest.approx(150.0, rel=1e-9)


@pytest.mark.parametrize("shape", [(1.0, 1.0), (1.5, 3.0)], ids=["concave", "S-shaped"])
@pytest.mark.parametrize("risk", [0.3, 1.5])
def test_mean_minus_sd_is_the_best_found_with_a_bound(shape, risk):
    response, objective = curves(6, 30, 3, shape, spread=0.5), MeanMinusSd(risk)
    found = solve(even(3, 150.0, 120.0), response, objective, seed=0)
    plans = simplex_plans(np.random.default_rng(0), 3, 150.0, 120.0, 3000)
    best = max(objective.value(response.value(plan).sum(axis=1)) for plan in plans)
    assert found.value >= best - 1e-9
    assert found.certificate.bound >= found.value
    assert not found.certificate.certified
    assert "searched, not solved" in found.certificate.reason


@pytest.mark.parametrize("target", ["number", "current plan"])
def test_probability_is_the_best_found(target):
    response = curves(7, 60, 3, (1.0, 2.0), spread=0.6)
    problem = even(3, 150.0, 120.0)
    threshold = 220.0 if target == "number" else response.value(problem.current).sum(axis=1)
    objective = ProbabilityAbove(threshold)
    found = solve(problem, response, objective, seed=3)
    plans = simplex_plans(np.random.default_rng(0), 3, 150.0, 120.0, 2000)
    best = max(objective.value(response.value(plan).sum(axis=1)) for plan in plans)
    assert found.value >= best - 1.5 / 60
    assert found.certificate.bound is None
    assert not found.certificate.certified
    again = solve(problem, response, objective, seed=3)
    assert (again.money == found.money).all()


def test_what_holds_a_plan_is_said():
    response = curves(8, 20, 3)
    weights = np.array([1.0, 1.0, 0.0])
    problem = replace(even(3, 150.0, 120.0), rows=(total_row(3, 150.0), Row("digital <= 60", weights, -np.inf, 60.0)))
    found = solve(problem, response, Mean(), seed=0)
    assert found.binding[:2] == ("total budget", "digital <= 60")
    tight = solve(replace(problem, rows=problem.rows[:1], low=np.array([100.0, 0, 0])), response, Mean(), seed=0)
    assert "cell 0 at its lower bound" in tight.binding
    off = solve(even(3, 100.0, 120.0, minimum=np.full(3, 90.0)), response, Mean(), seed=0)
    assert sum("not used: it takes 0 or at least 90.00" in said for said in off.binding) == 2


def test_curves_that_start_infinitely_steep():
    """Powers below 1 are infinitely steep at no spend, where plans must still be able to begin and end."""
    response = curves(9, 30, 4)
    response = replace(response, shape=np.full_like(response.shape, 0.5))
    problem = replace(even(4, 100.0, 100.0), current=np.array([100.0, 0.0, 0.0, 0.0]))
    found = solve(problem, response, Mean(), seed=0)
    assert found.certificate.certified
    assert found.certificate.relative_gap < 1e-5


def test_a_response_of_other_cells_is_refused():
    with pytest.raises(ValueError, match="Expected the same"):
        solve(even(3, 100.0, 100.0), curves(1, 5, 4), Mean(), seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": np.zeros(2)}, "low has shape"),
        ({"high": np.array([1.0, np.inf, 1.0])}, "high of cell 1 is inf"),
        ({"current": np.array([1.0, 2.0, -3.0])}, "current of cell 2 is -3.0"),
        ({"step": np.array([np.nan, 0, 0])}, "step of cell 0 is nan"),
        ({"rows": (Row("share", np.ones(2), 0.0, 1.0),)}, "row 'share' has shape"),
        ({"rows": (Row("share", np.ones(3), np.nan, 1.0),)}, "limits nan to 1.0"),
        ({"margin": -1.0}, "margin at least 0"),
    ],
)
def test_problems_that_cannot_be_read_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(even(3, 100.0, 100.0), **change)
