import itertools

import numpy as np
import pytest
from scipy.integrate import quad

from mmx.data.ads.history import weekdays
from mmx.errors import ConfigError
from mmx.worlds.accounts import KINDS, make_world
from mmx.worlds.accounts.behaviour import step_density
from mmx.worlds.accounts.reporting import reported
from mmx.worlds.accounts.truth import delay_curve, depth_of, impressions_of


def same(first, second):
    return all(
        (getattr(first, name) == getattr(second, name)).all()
        for name in ("metrics", "budget", "dates", "first_day", "campaign_of")
    )


def test_a_seed_gives_one_world():
    first, again, other = make_world(3, days=60), make_world(3, days=60), make_world(4, days=60)
    assert same(first.history(), again.history()) and first.kind == again.kind == "calm"
    assert first.truth.adsets != other.truth.adsets or not (first.truth.cpm == other.truth.cpm).any()


def test_a_longer_horizon_leaves_the_customer_and_the_kinds_take_turns():
    assert [make_world(seed, days=30).kind for seed in range(3)] == list(KINDS)
    assert make_world(3, days=30, horizon=5).customer.spend == make_world(3, days=30, horizon=9).customer.spend


def test_reports_only_grow_and_end_at_what_is_tracked():
    world = make_world(1, days=120)
    looks = [world.history(day) for day in (60, 61, 63, 70, 120)]
    for earlier, later in itertools.pairwise(looks):
        columns = [later.adsets.index(name) for name in earlier.adsets]
        rows = len(earlier.dates)
        for metric in ("purchases", "revenue"):
            assert (later.metric(metric)[:rows, columns] >= earlier.metric(metric) - 1e-9).all()
        for metric in ("spend", "impressions", "clicks", "reach"):
            assert (later.metric(metric)[:rows, columns] == earlier.metric(metric)).all()
    columns = [looks[-1].adsets.index(name) for name in looks[0].adsets]
    assert looks[-1].metric("purchases")[:60, columns].sum() > looks[0].metric("purchases").sum()
    final = world.past.day.tracked[:100, world.truth.first_day < 120]
    assert (looks[-1].metric("purchases")[:100] == final).all()


def test_what_is_reported_of_a_day_is_its_share_in_the_mean():
    u = ((np.arange(10_000) + 0.5) / 10_000)[:, None, None]
    curve, immature = delay_curve(1.0)
    assert (np.diff(curve) > 0.0).all() and curve[-1] == 1.0 and curve[immature - 1] < 0.97 <= curve[immature]
    for age in (0, 2, 7, 30):
        z = np.full((10_000, 1, 1), 0.125)  # half of SPEED_SD: the speed is 1
        count, money = reported(np.full_like(u, 7.0), np.full_like(u, 20.0), np.array([age]), curve, z, u)
        assert count.mean() == pytest.approx(7.0 * curve[min(age, 7)], rel=1e-3) and (count <= 7.0).all()
        assert (money == 20.0 * count).all()


def test_ad_sets_begin_and_end_within_the_history():
    world = make_world(6, days=150)
    truth, history = world.truth, world.history()
    assert history.metrics.shape == (150, len(history.adsets), 6) and history.immature_days == truth.immature_days
    assert len(world.history(40).adsets) < len(history.adsets)
    new = np.flatnonzero(truth.first_day >= 0)
    ended = np.flatnonzero(truth.last_day < 150)
    assert len(new) and len(ended)
    spend = world.past.day.spend
    assert all((spend[: truth.first_day[a], a] == 0.0).all() and spend[truth.first_day[a], a] > 0.0 for a in new)
    assert all((spend[truth.last_day[a] + 1 :, a] == 0.0).all() for a in ended)
    assert (history.metric("spend")[~history.live] == 0.0).all()


def test_worlds_hold_what_accounts_hold():
    worlds = [make_world(seed) for seed in range(8)]
    calendar = [world.truth.calendar for world in worlds]
    assert any(c.promotion.any() for c in calendar) and any((c.stock < 1.0).any() for c in calendar)
    assert any((c.tracking < 1.0).any() for c in calendar)
    assert any(world.truth.campaign_budget.any() for world in worlds)
    zero = [(w.truth.cvr * w.truth.ctr * w.truth.order_value / w.truth.cpm) for w in worlds]
    assert any((z < 0.05 * np.median(z)).any() for z in zero)
    ratios, used = [], []
    for world in worlds:
        day = world.past.day
        live = day.spend > 10.0
        middle, high = np.quantile(day.revenue[live] / day.spend[live], [0.5, 0.99])
        ratios.append(high / max(middle, 1e-9))
        used.append(day.spend.sum() / day.budget.sum())
    assert 5.0 < np.median(ratios) < 20.0
    assert all(0.85 < share <= 1.0 for share in used)


def test_recorded_densities_are_those_of_the_steps_and_integrate_to_one():
    world = make_world(1, kind="randomised", days=60)
    history, truth = world.history(), world.truth
    density = history.propensity
    known = truth.first_day < 60
    drawn = np.isfinite(density)
    assert drawn[1:, ~history.campaign_budget & (history.first_day < 0)].mean() > 0.8
    assert not drawn[:, history.campaign_budget].any()
    t, a = np.argwhere(drawn[1:])[40] + [1, 0]
    whole = np.flatnonzero(known)[a]
    before = np.full(truth.adsets, np.log(history.budget[t - 1, a]))
    change = np.log(history.budget[t, a] / history.budget[t - 1, a])
    assert density[t, a] == pytest.approx(step_density(change, before, truth)[whole])
    total, _ = quad(lambda x: step_density(x, before, truth)[whole], -1.5, 1.5, points=[change])
    assert total == pytest.approx(1.0, abs=1e-6)
    assert all(make_world(1, kind=kind, days=40).history().propensity is None for kind in ("calm", "demand"))


def naive_slope(world):
    """Slope of log weekly revenue on log weekly budget within ad sets that have budgets of their own."""
    weeks = world.days // 7
    top = bottom = 0.0
    for a in np.flatnonzero(~world.truth.campaign_budget):
        budget, revenue = (x[: 7 * weeks, a].reshape(weeks, 7) for x in (world.past.day.budget, world.past.day.revenue))
        use = (budget.min(axis=1) > 0.0) & (revenue.sum(axis=1) > 0.0)
        if use.sum() > 5:
            x, y = np.log(budget[use].sum(axis=1)), np.log(revenue[use].sum(axis=1))
            top, bottom = top + (x - x.mean()) @ (y - y.mean()), bottom + ((x - x.mean()) ** 2).sum()
    return top / bottom


def true_slope(world):
    """Elasticity of a day's mean purchases in spend at the base budgets, mean over the same ad sets."""
    truth = world.truth
    up, down = (
        np.log(impressions_of(truth, s, truth.cpm) * depth_of(truth, s)) for s in (1.01 * truth.base, truth.base / 1.01)
    )
    return float(((up - down) / (2.0 * np.log(1.01)))[~truth.campaign_budget].mean())


@pytest.mark.parametrize("kind", KINDS)
def test_budgets_that_follow_demand_confound_and_the_others_do_not(kind):
    gaps = []
    for seed in range(10):
        world = make_world(seed, kind=kind, horizon=0)
        if (~world.truth.campaign_budget).sum() > 5:
            gaps.append(naive_slope(world) - true_slope(world))
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    if kind == "demand":
        assert np.mean(gaps) > 0.3 and np.mean(gaps) - 4.0 * error > 0.0
    else:
        assert abs(np.mean(gaps)) < 4.0 * error and error < 0.12


def test_calendars_know_their_weekdays():
    dates = np.array(["2026-06-01", "2026-06-07"], dtype="datetime64[D]")
    assert weekdays(dates).tolist() == [0, 6]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "demend"}, "Did you mean 'demand'"),
        ({"days": 10}, "at least 30 days"),
        ({"horizon": -1}, "horizon >= 0"),
        ({"seed": -1}, "a whole number >= 0"),
    ],
)
def test_a_world_that_cannot_be_is_refused(arguments, said):
    with pytest.raises(ConfigError, match=said):
        make_world(**{"seed": 1} | arguments)


def test_a_history_outside_the_past_is_refused():
    world = make_world(1, days=30, horizon=0)
    for day in (0, 31):
        with pytest.raises(ConfigError, match="1 to 30"):
            world.history(day)
