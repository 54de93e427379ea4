import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.worlds.accounts import make_world, roll
from mmx.worlds.accounts.luck import keys_of, luck_of
from mmx.worlds.accounts.step import click_rate, repeated, step
from mmx.worlds.accounts.truth import FATIGUE_FLOOR, deliverable, depth_of, fatigue_of, impressions_of


@pytest.fixture(scope="module")
def world():
    """An account on Meta, one campaign of which has its budget split."""
    made = make_world(17, kind="calm", days=120, horizon=60)
    assert made.customer.platform == "meta" and made.truth.campaign_budget.any()
    return made


@pytest.fixture(scope="module")
def search():
    """An account on Google."""
    made = make_world(4, kind="calm", days=120, horizon=70)
    assert made.customer.platform == "google"
    return made


def test_spend_stays_within_a_day_and_a_week_of_budget(world):
    budget = world.past.day.budget[-1, world.truth.first_day < world.days]
    out = roll(world, budget, days=56, seeds=range(8))
    spend = out.day.spend[:, :, ~world.history().campaign_budget]
    own = out.day.budget[:, :, ~world.history().campaign_budget]
    assert (spend <= 1.75 * own + 1e-9).all() and (spend > 1.2 * own).any()
    begins = np.flatnonzero(world.truth.calendar.begins[world.days : world.days + 56])
    for first, last in itertools.pairwise(begins):
        assert last - first == 7
        assert (spend[:, first:last].sum(axis=1) <= 7.0 * own[:, 0] + 1e-6).all()


def test_google_spends_at_most_twice_a_day_and_30_days_a_month(search):
    budget = search.history().budget[-1]
    out = roll(search, budget, days=70, seeds=range(4))
    own = ~search.history().campaign_budget
    assert (out.day.spend[:, :, own] <= 2.0 * out.day.budget[:, :, own] + 1e-9).all()
    first, last = np.flatnonzero(search.truth.calendar.begins[search.days : search.days + 70])[:2]
    assert (out.day.spend[:, first:last, own].sum(axis=1) <= 30.4 * budget[own] + 1e-6).all()
    assert (out.day.reach == 0.0).all()


def test_reach_clicks_and_purchases_stay_within_what_they_are_part_of(world):
    day = world.past.day
    assert (day.reach <= day.impressions).all() and (day.clicks <= day.impressions).all()
    assert (day.tracked <= day.purchases).all() and (day.revenue[day.purchases == 0.0] == 0.0).all()
    assert (day.spend[day.budget == 0.0] == 0.0).all()


@given(st.floats(0.01, 50.0), st.floats(1.01, 3.0))
@settings(max_examples=60, deadline=None)
def test_response_rises_with_spend_and_its_return_falls(level, factor):
    truth = make_world_once().truth
    low, high = truth.base * level, truth.base * level * factor
    for name, f in {
        "impressions": lambda s: impressions_of(truth, s, truth.cpm),
        "purchases": lambda s: depth_of(truth, s) * s,
        "spend": lambda s: deliverable(truth, s, truth.cpm),
    }.items():
        assert (f(high) >= f(low) * (1.0 - 1e-12)).all(), name
        assert (f(high) / high <= f(low) / low * (1.0 + 1e-12)).all(), name


_MADE = {}


def make_world_once():
    if "world" not in _MADE:
        _MADE["world"] = make_world(5, days=30, horizon=0)
    return _MADE["world"]


def test_few_people_or_a_low_bid_hold_spend_back(world):
    truth = world.truth
    assert deliverable(truth, truth.base * 0.1, truth.cpm) == pytest.approx(
        truth.base * 0.1 / (1 + (truth.cpm / truth.bid) ** 4), rel=0.01
    )
    capped = np.isfinite(make_world(1).truth.bid)
    other = make_world(1).truth
    assert capped.any()
    dear = deliverable(other, other.base, 2.0 * other.cpm) / deliverable(other, other.base, other.cpm)
    assert (dear[capped] < 0.75).all() and (dear[~capped] > 0.95).all()


def one_step(world, budgets, state=None, day=None):
    day = world.days if day is None else day
    state = world.past.states[day] if state is None else state
    luck = luck_of(keys_of(world.seed, [1]), day, world.truth.adsets)
    return step(world.truth, day, state, budgets[None, :], luck, world.truth.servable(day))


def test_a_step_of_a_fifth_restarts_the_learning_phase_and_a_smaller_one_does_not(world):
    truth, own = world.truth, ~world.truth.campaign_budget & world.truth.servable(world.days) & (world.past.asked[-1] > 0.0)
    ready = world.past.states[-1]._replace(learned=np.ones((1, truth.adsets), dtype=bool))
    for factor, restarts in [(1.0, False), (1.19, False), (0.81, False), (1.21, True), (0.79, True)]:
        after, day = one_step(world, world.past.asked[-1] * factor, ready)
        assert (after.since_reset[0, own] == 0.0).all() == restarts, factor
        assert (day.progress[0, own] < 1.0).all() == restarts
    plain, again = (one_step(world, world.past.asked[-1] * f, ready)[1] for f in (1.2, 1.2000001))
    lost = again.expected_purchases / np.where(plain.expected_purchases > 0.0, plain.expected_purchases, 1.0)
    assert lost[0, own] == pytest.approx(1.0 - world.customer.learning, rel=1e-3)


def test_fifty_purchases_in_a_week_end_the_learning_phase(world):
    truth = world.truth
    events = np.zeros((1, truth.adsets, 7))
    fresh = world.past.states[-1]._replace(learned=np.zeros((1, truth.adsets), dtype=bool))
    busy, idle = fresh._replace(events=events + 10.0), fresh._replace(events=events)
    assert one_step(world, world.past.asked[-1], busy)[0].learned.all()
    (after, day) = one_step(world, world.past.asked[-1], idle._replace(since_reset=events[..., 0]))
    assert (day.progress[0] < 0.02).all() and not after.learned[after.events.sum(axis=2) < 50.0].any()


def test_fatigue_wears_an_ad_out_and_a_new_one_is_fresh(world):
    truth = world.truth
    assert fatigue_of(truth, np.array([0.0, 1e9])) == pytest.approx([1.0, FATIGUE_FLOOR])
    fresh = np.zeros((truth.adsets, 3))
    worn = np.tile(truth.audience[:, None], (1, 3)) * 2.0
    begun = truth.first_day <= 50
    assert (click_rate(truth, 50, worn) < click_rate(truth, 50, fresh))[begun].all()
    day, adset, slot = np.argwhere(truth.creatives.new & (truth.creatives.share > 0.0))[20]
    before, after = world.past.states[day], world.past.states[day + 1]
    begun = world.past.day.impressions[day, adset] * truth.creatives.share[day, adset, slot]
    assert after.shown[0, adset, slot] == pytest.approx(begun)
    others = ~truth.creatives.new[day, adset]
    assert (after.shown[0, adset, others] >= before.shown[0, adset, others]).all()


def test_only_the_sum_counts_where_the_platform_splits_a_campaign(world):
    budgets, truth = world.past.asked[-1].copy(), world.truth
    members = np.flatnonzero(truth.campaign_budget & truth.servable(world.days))[:2]
    moved = budgets.copy()
    moved[members] += np.array([1.0, -1.0]) * 0.5 * budgets[members].min()
    (_, first), (_, second) = one_step(world, budgets), one_step(world, moved)
    assert first.budget == pytest.approx(second.budget) and first.spend == pytest.approx(second.spend, abs=0.011)
    for campaign in range(truth.campaigns):
        inside = truth.campaign_of == campaign
        assert first.budget[0, inside].sum() == pytest.approx((budgets * truth.servable(world.days))[inside].sum())


def test_expected_values_are_the_means_of_the_realised_ones(world):
    out = roll(world, world.history().budget[-1], days=6, seeds=range(1, 1501))
    for name in ("revenue", "purchases"):
        gap = out.total(name) - out.total(f"expected_{name}")
        assert abs(gap.mean()) < 4.0 * gap.std() / np.sqrt(len(gap)), name
        assert gap.std() > 0.0
    assert out.total("revenue").std() > out.total("expected_revenue").std()


def test_shocks_keep_their_spread(world):
    state = repeated(world.past.states[0], 3)
    assert state.own.shape == (3, world.truth.adsets)
    own = np.concatenate([s.own for s in world.past.states])
    assert own.std() == pytest.approx(world.customer.drift, rel=0.35)


def test_a_platform_gives_more_to_what_sells(world):
    truth = world.truth
    members = np.flatnonzero(truth.campaign_budget & truth.servable(world.days))
    state = world.past.states[-1]
    better = state._replace(recent_revenue=state.recent_revenue.copy())
    better.recent_revenue[0, members[0]] += 10.0 * state.recent_spend[0, members[0]] + 100.0
    plain, richer = one_step(world, world.past.asked[-1], state)[1], one_step(world, world.past.asked[-1], better)[1]
    assert richer.budget[0, members[0]] > 1.1 * plain.budget[0, members[0]]
