"""Questions about the total, against the best value along a grid of totals."""

from dataclasses import replace

import numpy as np
import pytest

from mmx.decide.objective import CVaR, Mean, ProbabilityAbove
from mmx.decide.problem import Problem, total_row
from mmx.decide.solve import solve
from mmx.decide.totals import best_profit, marginal_roas_at_least, roas_at_least
from mmx.errors import DecisionError

from .fakes import curves

CELLS = 4
FREE = Problem(tuple("abcd"), np.full(CELLS, 50.0), np.zeros(CELLS), np.full(CELLS, 300.0), (total_row(CELLS, 200.0),))
TOTALS = np.linspace(5, 1200, 24)
SHAPES = {"concave": (1.0, 1.0), "S-shaped": (1.5, 3.0)}


def best_at(totals, response, objective):
    return np.array(
        [solve(replace(FREE, rows=(total_row(CELLS, t),)), response, objective, seed=0).value for t in np.atleast_1d(totals)]
    )


@pytest.fixture(scope="module", params=sorted(SHAPES))
def world(request):
    response = curves(2, 25, CELLS, SHAPES[request.param])
    return request.param, response, best_at(TOTALS, response, Mean())


def test_best_profit_beats_every_total(world):
    _, response, values = world
    found = best_profit(FREE, response, Mean(), margin=0.7, seed=0)
    assert found.solution.value >= (0.7 * values - TOTALS).max() * (1 - 1e-3)
    assert found.solution.certificate.certified
    assert found.solution.value == pytest.approx(0.7 * response.value(found.solution.money).sum(axis=1).mean() - found.total)


def test_marginal_roas(world):
    kind, response, values = world
    found = marginal_roas_at_least(FREE, response, Mean(), target=1.2, seed=0)
    assert found.solution.value - 1.2 * found.total >= (values - 1.2 * TOTALS).max() * (1 - 1e-3)
    assert found.solution.value == pytest.approx(response.value(found.solution.money).sum(axis=1).mean())
    assert found.solution.shadow_price == pytest.approx(1.2)
    if kind == "concave":
        above, at, below = best_at(found.total + np.array([1.0, 0.0, -1.0]), response, Mean())
        assert above - at < 1.2 < at - below


def test_mean_roas_is_met_and_no_larger_total_meets_it(world):
    _, response, values = world
    target = 0.9 * (values / TOTALS).max()
    found = roas_at_least(FREE, response, Mean(), target=target, seed=0)
    larger = found.total * 1.005 < TOTALS
    assert found.solution.value >= target * found.total
    assert found.total > 0.99 * TOTALS[(values / TOTALS).argmax()]
    assert not (values[larger] >= target * TOTALS[larger]).any()


def test_cvar_spends_less_than_the_mean_at_the_same_target():
    response = curves(2, 25, CELLS)
    mean, worst = (roas_at_least(FREE, response, o, target=1.5, seed=0) for o in (Mean(), CVaR(0.1)))
    assert worst.total < 0.9 * mean.total
    assert worst.solution.value >= 1.5 * worst.total


def test_a_target_that_every_total_meets_spends_all():
    found = roas_at_least(FREE, curves(2, 25, CELLS), Mean(), target=0.1, seed=0)
    assert found.total == pytest.approx(1200.0)


def test_limits_on_the_total_stay():
    limited = replace(FREE, rows=(total_row(CELLS, 0.0, 80.0, name="at most 80"),))
    found = best_profit(limited, curves(2, 25, CELLS), Mean(), margin=2.0, seed=0)
    assert found.total == pytest.approx(80.0)
    assert "at most 80" in found.solution.binding
    assert found.solution.shadow_price > 0


def test_a_target_that_no_total_meets_is_refused():
    with pytest.raises(DecisionError, match="no total reaches"):
        roas_at_least(FREE, curves(2, 25, CELLS), Mean(), target=1000.0, seed=0)
    with pytest.raises(DecisionError, match="ROAS -1"):
        roas_at_least(FREE, curves(2, 25, CELLS), Mean(), target=-1.0, seed=0)
    with pytest.raises(DecisionError, match="a probability is none"):
        best_profit(FREE, curves(2, 25, CELLS), ProbabilityAbove(1.0), margin=1.0, seed=0)
