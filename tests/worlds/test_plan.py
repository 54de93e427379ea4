import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.config import read_config
from mmx.worlds import WORLDS, simulate
from mmx.worlds.generate import START
from mmx.worlds.plan import allocate
from mmx.worlds.scene import Frame, build

BOUNDS = (0.5, 2.0)


def three_channels(seed, slope=None):
    media = WORLDS["clean"].media[:3]
    world = replace(WORLDS["clean"], media=media, **({"slope": (slope, 0.0)} if slope else {}))
    budget = read_config({"data": {"date": "d", "target": "y", "channels": {"a": {"spend": "a"}}}}).budget
    dates = START + np.arange(104) * np.timedelta64(7, "D")
    return build(world, Frame(dates, np.ones(104, dtype=bool), "money", 1.0, budget), seed=seed).problem


def brute(problem, points):
    """Best value over grids of two multipliers, the remaining one given by the total, each in turn."""
    spend = np.array(list(problem.current.values()))
    grid = np.linspace(*BOUNDS, points)
    own = [value(grid) for value in problem.values]
    best = -np.inf
    for a, b, rest in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        multiplier = (spend.sum() - grid[:, None] * spend[a] - grid[None, :] * spend[b]) / spend[rest]
        inside = (multiplier >= BOUNDS[0]) & (multiplier <= BOUNDS[1])
        value = (own[a][:, None] + own[b][None, :])[inside] + problem.values[rest](multiplier[inside])
        best = max(best, float(value.max()))
    return best


@pytest.mark.parametrize("slope", [None, 2.5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_best_plan_is_the_brute_force_optimum(seed, slope):
    problem = three_channels(seed, slope)
    best = problem.value(problem.best)
    grid = brute(problem, 301)
    # a grid misses the optimum by a little, so the search must be at least as good and not much better
    assert best >= grid * (1 - 1e-9)
    assert best <= grid * (1 + 1e-4)


def test_local_optima_do_not_trap_the_search():
    # two convex channels and a linear one: all or nothing, and one of the corners is the better one
    values = [lambda m: 1.00 * m**3, lambda m: 1.02 * m**3, lambda m: 0.1 * m]
    spend = np.array([100.0, 100.0, 100.0])
    found = allocate(values, spend, (0.0, 2.0))
    corners = [c for c in itertools.product((0.0, 1.0, 2.0), repeat=3) if sum(c) == 3]
    best = max(corners, key=lambda c: sum(f(np.array([m]))[0] for f, m in zip(values, c, strict=True)))
    np.testing.assert_allclose(found, best, atol=1e-6)


def test_equal_concave_channels_share_equally_per_curve():
    # log utilities: spend in proportion to the weights
    values = [lambda m: 1 * np.log(m), lambda m: 2 * np.log(m), lambda m: 3 * np.log(m)]
    found = allocate(values, np.full(3, 50.0), (0.1, 3.0))
    np.testing.assert_allclose(found, [0.5, 1.0, 1.5], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.1, 3), st.floats(0.6, 3), st.floats(0, 1e6)), min_size=1, max_size=6),
    st.tuples(st.floats(0, 1), st.floats(1, 3)),
)
def test_total_and_bounds_hold_and_the_plan_is_never_worse(channels, bounds):
    spend = np.array([c[0] for c in channels])
    values = [lambda m, c=c: c[3] * m ** c[2] / (m ** c[2] + c[1] ** c[2]) for c in channels]
    found = allocate(values, spend, bounds)
    assert (found * spend).sum() == pytest.approx(spend.sum(), rel=1e-9)
    assert (found >= bounds[0] - 1e-9).all()
    assert (found <= bounds[1] + 1e-9).all()

    def total(m):
        return sum(f(m[i]) for i, f in enumerate(values))

    assert total(found) >= total(np.ones(len(spend)))


def test_plan_value_is_a_long_simulation_of_history_plan_and_tail():
    simulated = simulate("geo", seed=4)
    mechanism = simulated.scene.mechanism
    multipliers = {"tv": 1.7, "search": 0.6, "radio": 0.5}
    expected = 0.0
    for m, name in enumerate(mechanism.channels):
        spend = mechanism.exposure[..., m]
        plan = multipliers.get(name, 1.0) * spend[:, -13:]
        whole = np.concatenate([spend, plan, np.zeros((spend.shape[0], 200))], axis=1)
        expected += mechanism.respond(m, mechanism.carried(m, whole))[:, spend.shape[1] :].sum()
    assert simulated.plan_value(multipliers) == pytest.approx(expected, rel=1e-9)


def test_truth_states_the_best_plan():
    simulated = simulate("clean", seed=2)
    truth = simulated.truth
    plan = {name: p["multiplier"] for name, p in truth["best_plan"].items()}
    assert truth["plan"]["gain"] == pytest.approx(simulated.plan_gain(plan))
    assert truth["plan"]["gain"] > 0
    assert sum(p["spend"] for p in truth["best_plan"].values()) == pytest.approx(truth["plan"]["total"])
    last = simulated.table.tail(truth["plan"]["horizon"])
    for name, p in truth["best_plan"].items():
        assert p["current_spend"] == pytest.approx(last[f"{name}_spend"].sum())


def test_reference_last_year_takes_the_same_weeks_a_year_earlier():
    problem = three_channels(1)
    year = replace(problem, budget=problem.budget.model_copy(update={"reference": "last_year"}))
    assert (problem.rows, year.rows) == (slice(91, 104), slice(52, 65))


def test_a_channel_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no such channel: tvv; the world has tv, search"):
        simulate("clean", seed=1).plan_value({"tvv": 2})
