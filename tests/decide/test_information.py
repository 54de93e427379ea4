"""The value of a test's result: closed forms, bounds, and what must not change it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import isotonic_regression, linprog
from scipy.stats import norm

from mmx.decide.information import information, largest_move, perfect_information, splines
from mmx.decide.menu import TODAY, menu_of
from mmx.decide.problem import Problem, Row, total_row
from mmx.decide.replan import antitonic, best_plans, concave_slopes

from .fakes import Curves, curves, flights

RESULTS, BUDGET = 200, 100.0
MANY_ERRORS = 4  # Monte-Carlo standard errors that a right number stays within.


@dataclass(frozen=True)
class Lines:
    """Money in proportion to spend, a slope per draw and cell."""

    slope: np.ndarray  # (sample, cell)

    @property
    def samples(self):
        return len(self.slope)

    @property
    def blocks(self):
        return np.arange(self.slope.shape[1])

    def value(self, money):
        return self.slope * money

    def value_and_slope(self, money):
        return self.slope * money, self.slope

    def thinned(self, draws):
        return replace(self, slope=self.slope[draws])


@dataclass(frozen=True)
class Together:
    """Two channels that multiply: one block."""

    power: np.ndarray  # (sample, 2)
    blocks = np.zeros(2, dtype=np.intp)

    @property
    def samples(self):
        return len(self.power)

    def value(self, money):
        return 50.0 * np.expm1((self.power * np.log1p(money / 50.0)).sum(axis=1))[:, None]


def box(cells, *, low=0.5, high=2.0, money=80.0, rows=(), **more):
    """A fixed total of equal spends."""
    current = np.full(cells, money)
    names = tuple(f"c{i}" for i in range(cells))
    return Problem(names, current, low * current, high * current, (total_row(cells, current.sum()), *rows), **more)


def best_menu(problem, response):
    """The menu around the plan that is best on average."""
    every = np.arange(len(problem.cells))
    menu = menu_of(problem, response, problem.current, every)
    plan = best_plans(menu, menu.gain.mean(axis=0)[None])[0]
    return menu_of(problem, response, (plan * menu.spend).sum(axis=1), every)


def against_a_known_one(mean, sd, samples, seed=0):
    """All money to a channel of unknown linear return, or to one that returns 1."""
    theta = np.random.default_rng(seed).normal(mean, sd, samples)
    problem = Problem(("new", "known"), np.array([50.0, 50.0]), np.zeros(2), np.full(2, BUDGET), (total_row(2, BUDGET),))
    return theta, best_menu(problem, Lines(np.stack([theta, np.ones(samples)], axis=1)))


def loss(z):
    """Unit normal loss."""
    return norm.pdf(z) - z * norm.sf(z)


@pytest.mark.parametrize("mean", [1.0, 1.3, 0.5])
@pytest.mark.parametrize("se", [0.05, 0.5, 2.0])
def test_a_linear_normal_decision_has_its_closed_form(mean, se):
    sd, spent = 0.5, 10.0
    theta, menu = against_a_known_one(mean, sd, 4000)
    found = information(menu, spent * theta, spent * se, results=RESULTS, seed=3)
    before = sd * np.sqrt(sd**2 / (sd**2 + se**2))  # Standard deviation of the mean that the result will leave.
    truth = BUDGET * before * loss(abs(mean - 1) / before)
    rare = 1e-5 * BUDGET  # Below this no simulated result changes the plan, and the error is 0 as well.
    assert abs(found.value - truth) < MANY_ERRORS * found.error + rare
    assert found.error < 0.05 * BUDGET * before
    everything = BUDGET * sd * loss(abs(mean - 1) / sd)
    assert perfect_information(menu) == pytest.approx(everything, rel=0.08)


def test_the_largest_move_goes_as_often_as_the_mean_crosses_the_alternative():
    mean, sd, se = 1.2, 0.5, 0.4
    theta, menu = against_a_known_one(mean, sd, 4000)
    move = largest_move(menu, np.array([50.0, 50.0]), 0.1)
    assert move.amount == pytest.approx(50.0)
    found = information(menu, theta, se, results=1000, seed=1, move=move)
    drawn, before = theta.mean(), sd * np.sqrt(sd**2 / (sd**2 + se**2))
    assert found.moved == pytest.approx(norm.cdf((1 - drawn) / before), abs=0.01)
    assert information(menu, theta, 1e6, results=RESULTS, seed=1, move=move).moved == 0
    assert largest_move(menu, menu.amounts[TODAY], 0.1) is None


@pytest.fixture(scope="module")
def world():
    """Ten saturating channels around their best plan."""
    response = curves(4, 1000, 10)
    problem = box(10)
    return response, best_menu(problem, response)


def test_a_test_without_information_is_worth_nothing(world):
    response, menu = world
    lift = response.value(np.full(10, 80.0))[:, 2]
    scale = float(menu.gain.std())
    assert abs(information(menu, lift, 1e9, results=RESULTS, seed=1).value) < 1e-9 * scale
    certain = information(menu, np.full(1000, 3.0), 1.0, results=RESULTS, seed=1)
    assert (certain.value, certain.error) == (0.0, 0.0)
    # A lift that says nothing of any curve: not a penny beyond its own error, however precise the test.
    values = [
        information(menu, np.random.default_rng(s).standard_normal(1000), 1e-3, results=RESULTS, seed=s) for s in range(8)
    ]
    mean = np.mean([v.value for v in values])
    assert abs(mean) < MANY_ERRORS * np.sqrt(np.mean([v.error**2 for v in values]) / len(values))


def test_values_lie_between_nothing_and_knowing_everything(world):
    response, menu = world
    everything = perfect_information(menu)
    lifts = response.value(np.full(10, 80.0))
    for c in range(10):
        found = information(menu, lifts[:, c], 0.2 * float(lifts[:, c].std()), results=RESULTS, seed=c)
        assert -MANY_ERRORS * found.error < found.value < everything
        assert found.error < 0.1 * everything


def test_more_precise_tests_are_worth_more(world):
    response, menu = world
    lift = response.value(np.full(10, 80.0))[:, 4]
    found = [information(menu, lift, f * float(lift.std()), results=RESULTS, seed=2) for f in (4.0, 1.0, 0.25, 0.01)]
    assert np.all(np.diff([f.value for f in found[:3]]) > 0)
    assert found[3].value > found[2].value - found[2].error
    effective = [f.effective for f in found]
    assert effective == sorted(effective, reverse=True)
    assert effective[0] > 900
    assert effective[3] < 50


def test_a_perfect_test_of_the_only_unknown_channel_is_worth_everything():
    response = curves(7, 1000, 6)
    known = {name: np.repeat(getattr(response, name).mean(axis=0)[None], 1000, axis=0) for name in ("top", "half", "shape")}
    known["top"][:, 3] = response.top[:, 3]
    only = Curves(**known)
    menu = best_menu(box(6), only)
    lift = only.value(np.full(6, 80.0))[:, 3]
    found = information(menu, lift, 1e-4 * float(lift.std()), results=RESULTS, seed=5)
    everything = perfect_information(menu)
    assert found.value == pytest.approx(everything, rel=0.05, abs=MANY_ERRORS * found.error)
    assert found.value > 0


def test_permuting_channels_and_currency_change_nothing_else(world):
    response, menu = world
    lift, order = response.value(np.full(10, 80.0))[:, 1], np.random.default_rng(0).permutation(10)
    moved = Curves(*(part[:, order] for part in (response.top, response.half, response.shape)))
    problem = box(10)
    again = menu_of(problem, moved, menu.amounts[TODAY][order], np.arange(10))
    one, two = (information(m, lift, 5.0, results=RESULTS, seed=9) for m in (menu, again))
    assert two.value == pytest.approx(one.value, rel=1e-6)
    assert two.error == pytest.approx(one.error, rel=1e-6)
    dear = Curves(100 * response.top, 100 * response.half, response.shape)
    dear_menu = menu_of(box(10, money=8000.0), dear, 100 * menu.amounts[TODAY], np.arange(10))
    three = information(dear_menu, 100 * lift, 500.0, results=RESULTS, seed=9)
    assert three.value == pytest.approx(100 * one.value, rel=1e-6)


def test_the_seed_decides(world):
    response, menu = world
    lift = response.value(np.full(10, 80.0))[:, 1]
    one, same, other = (information(menu, lift, 5.0, results=RESULTS, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one.value != other.value
    assert abs(one.value - other.value) < MANY_ERRORS * np.hypot(one.error, other.error)


def test_splines_are_natural_and_hold_lines():
    lift = np.random.default_rng(1).gamma(2.0, 3.0, 500)
    basis = splines(lift)
    assert basis.shape == (500, 5)
    wanted = np.log1p(lift)
    fitted = basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    assert np.corrcoef(fitted, wanted)[0, 1] > 0.999
    outside = splines(np.append(lift, [30.0, 40.0, 50.0]))[-3:]
    np.testing.assert_allclose(outside[0] - 2 * outside[1] + outside[2], 0.0, atol=1e-9 * np.abs(outside).max())


@pytest.mark.parametrize("shape", [(1.0, 1.0), (1.0, 4.0)])
@pytest.mark.parametrize("total", [(480.0, 480.0), (300.0, 560.0), (0.0, np.inf)])
def test_filling_is_the_linear_program_over_mixtures(shape, total):
    """On hulls both find the same optimum: that of linprog; on concave curves the plan's own value is that."""
    response = curves(11, 40, 6, shape=shape)
    problem = replace(box(6, low=0.0), rows=(total_row(6, *total),), cost=0.6)
    menu = menu_of(problem, response, problem.current, np.arange(6))
    plans = best_plans(menu, menu.gain)
    assert plans.min() >= -1e-12
    np.testing.assert_allclose(plans.sum(axis=2), 1.0, rtol=1e-12)
    spent = np.einsum("rgp,gp->r", plans, menu.spend)
    assert (spent >= total[0] - 1e-9).all()
    assert (spent <= total[1] + 1e-9).all()
    groups, points = menu.spend.shape
    slopes = concave_slopes(menu.gain, menu.width)
    for r in range(0, 40, 8):
        limits = [x for x in ((menu.spend.ravel(), total[1]), (-menu.spend.ravel(), -total[0])) if np.isfinite(x[1])]
        outside = linprog(
            -menu.gain[r].ravel(),
            A_ub=np.array([a for a, _ in limits]),
            b_ub=[b for _, b in limits],
            A_eq=np.kron(np.eye(groups), np.ones(points)),
            b_eq=np.ones(groups),
        )
        hull = menu.gain[r, :, 0].sum() + (slopes[r] * menu.width * (1 - np.cumsum(plans[r], axis=1)[:, :-1])).sum()
        assert hull == pytest.approx(-outside.fun, rel=1e-7, abs=1e-7)
        if shape == (1.0, 1.0):
            assert (plans[r] * menu.gain[r]).sum() == pytest.approx(-outside.fun, rel=1e-7, abs=1e-7)


def test_antitonic_regression_is_that_of_scipy():
    rng = np.random.default_rng(2)
    values, weights = rng.standard_normal((50, 12)), rng.uniform(0.1, 2.0, (50, 12))
    found = antitonic(values, weights)
    for row, own, weight in zip(found, values, weights, strict=True):
        np.testing.assert_allclose(row, isotonic_regression(own, weights=weight, increasing=False).x, rtol=1e-10, atol=1e-12)
    held = antitonic(np.array([[1.0, 5.0, 2.0, 0.0]]), np.array([[1.0, 0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(held, [[1.5, 1.5, 1.5, 0.0]])


def test_rows_are_kept_and_a_loose_one_costs_little(world):
    response, menu = world
    some = np.zeros(10)
    some[:3] = 1.0
    lift = response.value(np.full(10, 80.0))[:, 1]
    free = information(menu, lift, 5.0, results=RESULTS, seed=1)
    loose = menu_of(box(10, rows=[Row("loose", some, -np.inf, 1e5)]), response, menu.amounts[TODAY], np.arange(10))
    assert information(loose, lift, 5.0, results=RESULTS, seed=1).value == pytest.approx(free.value, rel=0.1)
    spent = float(menu.amounts[TODAY] @ some)
    tight = menu_of(box(10, rows=[Row("tight", some, spent, spent)]), response, menu.amounts[TODAY], np.arange(10))
    plans = best_plans(tight, tight.gain[:5])
    money = np.einsum("rgp,gp->rg", plans, tight.spend)
    np.testing.assert_allclose(money @ some, spent, rtol=1e-6)
    np.testing.assert_allclose(money.sum(axis=1), 800.0, rtol=1e-6)
    assert information(tight, lift, 5.0, results=RESULTS, seed=1).value < free.value


def test_periods_of_a_channel_move_together_within_their_bounds():
    response = flights(3, 300, 3, 4)
    current = np.full(12, 30.0)
    problem = Problem(tuple(map(str, range(12))), current, 0.5 * current, 2 * current, (total_row(12, 360.0),))
    today = current * np.tile([1.5, 0.5, 1.0, 1.0], 3)
    menu = menu_of(problem, response, today, np.repeat(np.arange(3), 4))
    assert menu.spend.shape[0] == 3
    np.testing.assert_array_equal(menu.amounts[TODAY], today)
    np.testing.assert_allclose(menu.amounts[[0, -1]], [problem.low, problem.high])
    np.testing.assert_allclose(menu.gain[:, :, -1], response.value(problem.high) - response.value(today), rtol=1e-9)
    lift = response.value(current)[:, 0]
    found = information(menu, lift, 0.1 * float(lift.std()), results=RESULTS, seed=1)
    assert found.value > 2 * found.error > 0


def test_channels_that_multiply_are_valued_one_at_a_time():
    response = Together(np.random.default_rng(0).uniform(0.2, 0.6, (50, 2)))
    problem, today = box(2), np.array([100.0, 60.0])
    menu = menu_of(problem, response, today, np.arange(2))
    for k in (0, 7, len(menu.amounts) - 1):
        one = np.array([menu.amounts[k, 0], 60.0])
        np.testing.assert_allclose(menu.gain[:, 0, k], (response.value(one) - response.value(today))[:, 0], rtol=1e-12)


def test_steps_and_minimum_commitments_are_kept_to():
    problem = box(3, low=0.0, step=np.array([25.0, 0.0, 0.0]), minimum=np.array([0.0, 60.0, 0.0]))
    menu = menu_of(problem, curves(1, 20, 3), np.array([75.0, 85.0, 80.0]), np.arange(3))
    np.testing.assert_allclose(menu.amounts[:, 0] % 25.0, 0.0, atol=1e-9)
    second = menu.amounts[:, 1]
    assert ((second == 0) | (second >= 60)).all()
    assert {0.0, 60.0, 85.0, 160.0} <= set(second.tolist())
    assert (np.diff(menu.amounts, axis=0) >= 0).all()


def test_cells_that_cannot_move_are_left_out():
    problem = replace(box(3), low=np.full(3, 80.0), high=np.array([80.0, 80.0, 80.0]))
    response = curves(1, 200, 3)
    menu = menu_of(problem, response, problem.current, np.arange(3))
    assert menu.spend.shape[0] == 0
    assert information(menu, response.value(problem.current)[:, 0], 1.0, results=RESULTS, seed=1).value == 0.0
    part = replace(problem, low=np.array([80.0, 40.0, 40.0]), high=np.array([80.0, 160.0, 160.0]))
    menu = menu_of(part, response, part.current, np.arange(3))
    assert menu.groups.tolist() == [-1, 0, 1]
    spent = np.einsum("rgp,gp->r", best_plans(menu, menu.gain), menu.spend)
    np.testing.assert_allclose(spent + menu.fixed, 240.0)
