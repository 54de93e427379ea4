import numpy as np
import pytest

from mmx.worlds.accounts import Allocation, elasticity, long_run, make_world, marginal_roas, oracle_allocation, roll


@pytest.fixture(scope="module")
def worlds():
    return [make_world(seed) for seed in range(12)]


def test_the_long_run_is_what_a_constant_budget_brings(worlds):
    ratios = []
    for world in worlds:
        out = roll(world, Allocation("hold"), days=28, seeds=range(1, 33))
        ratios.append(28.0 * long_run(world, world.history().budget[-1]).revenue.sum() / out.expected_revenue.mean())
        assert 28.0 * long_run(world, world.history().budget[-1]).spend.sum() == pytest.approx(out.spend.mean(), rel=0.05)
    assert np.abs(np.log(ratios)).max() < 0.25 and abs(np.log(ratios).mean()) < 0.06


def test_slope_and_elasticity_are_one_derivative(worlds):
    world = worlds[1]
    budgets = world.truth.base[world.truth.first_day < world.days]
    here, slope, bend = long_run(world, budgets), marginal_roas(world, budgets), elasticity(world, budgets)
    live = (here.spend > 0.0) & np.isfinite(slope)
    free = live & (here.spend > 0.99 * budgets)
    assert free.sum() > 3
    assert bend[free] == pytest.approx(slope[free] * here.spend[free] / here.revenue[free], rel=0.05, abs=0.02)
    ended = world.truth.last_day[world.truth.first_day < world.days] < world.days
    assert np.isnan(slope[ended]).all() and np.isnan(bend[ended]).all()


def test_budgets_of_many_plans_are_taken_one_by_one(worlds):
    world = worlds[0]
    budgets = world.history().budget[-1]
    many = long_run(world, np.stack([budgets, 2.0 * budgets]))
    assert many.revenue[0] == pytest.approx(long_run(world, budgets).revenue)
    assert many.revenue[1] == pytest.approx(long_run(world, 2.0 * budgets).revenue)
    assert (long_run(world, 0.0 * budgets).revenue == 0.0).all()


def test_the_oracle_spends_the_total_and_beats_what_was_there(worlds):
    gains = []
    for world in worlds:
        budgets = world.history().budget[-1]
        best = oracle_allocation(world, float(budgets.sum()))
        assert best.sum() == pytest.approx(budgets.sum()) and (best >= 0.0).all()
        known = world.truth.first_day < world.days
        assert (best[world.truth.last_day[known] < world.days] == 0.0).all()

        def profit(plan, world=world):
            out = long_run(world, plan)
            return world.customer.margin * out.revenue.sum() - out.spend.sum()

        assert profit(best) >= profit(budgets) - 0.002 * budgets.sum()
        rolled = [roll(world, plan, days=28, seeds=range(1, 17)).expected_profit.mean() for plan in (best, budgets)]
        gains.append((rolled[0] - rolled[1]) / (28.0 * budgets.sum()))
    assert np.mean(gains) > 0.05 and np.min(gains) > -0.15


def test_the_oracle_makes_marginal_returns_equal(worlds):
    world = worlds[9]
    budgets = world.history().budget[-1]
    best = oracle_allocation(world, float(budgets.sum()))
    inside = best > 0.3 * world.truth.base[world.truth.first_day < world.days]
    step = np.where(inside, 0.05, 0.0)

    def worth(plan):
        out = long_run(world, plan)
        return world.customer.margin * out.revenue - out.spend

    slope = (worth(best * (1 + step)) - worth(best * (1 - step)))[inside] / (0.1 * best[inside])
    assert inside.sum() > 4 and np.quantile(slope, 0.8) - np.quantile(slope, 0.2) < 0.15
