"""Features of every day equal the view of a decision on that day, see only the past, and deciders read them."""

from dataclasses import replace

import numpy as np
import pytest

from mmx.data.ads.history import METRICS
from mmx.errors import DataError
from mmx.rules.context import Day, days_since_change, first_state
from mmx.rules.daily import EARLY, _day_after, daily_features, decisions_at, first_day_of, own_account
from mmx.rules.engine import Engine
from mmx.rules.rule import View
from mmx.rules.view import make_view
from mmx.rules.window import window_of

from .simulated import account

ENGINE = Engine()
DAYS = (30, 229)


@pytest.fixture(scope="module")
def history():
    return account(5, days=230)


@pytest.fixture(scope="module")
def features(history):
    return daily_features(history)


@pytest.mark.parametrize("day", DAYS)
def test_every_day_is_the_view_of_a_decision(history, features, day):
    past = history.until(day + 1)
    state = first_state(past.budget[-1], days_since_change(past.budget, past.first_day))
    evidence = View(ENGINE.values(ENGINE.space.default)["evidence"])
    of_day = Day(*[value[day] for value in _day_after(history)])
    view = make_view(evidence, window_of(past), state, own_account(history), of_day, history.immature_days)
    at = day - first_day_of(history)
    live = features["live"][at]
    assert 0 < live.sum() <= len(live)
    assert len(features) > 120
    for name, value in features.items():
        mine, theirs = (np.asarray(one)[live] if value.ndim == 2 else one for one in (value[at], view[name]))
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-6, err_msg=name)


def test_features_are_sums_over_days(history, features):
    """A few of them from the daily table, by hand."""
    rng = np.random.default_rng(1)
    daily = {name: history.metric(name) for name in METRICS}
    late = history.immature_days
    for _ in range(200):
        t, i = int(rng.integers(60, 230)), int(rng.integers(30))
        at = t - first_day_of(history)
        if t - history.first_day[i] < 40:
            continue
        week, mature = slice(t - 6, t + 1), slice(t - late - 27, t - late + 1)
        frequency = daily["impressions"][week, i].sum() / daily["reach"][week, i].sum()
        assert features["frequency"][at, i] == pytest.approx(frequency, rel=1e-9)
        assert features["utilisation"][at, i] == pytest.approx(daily["spend"][week, i].sum() / history.budget[week, i].sum())
        roas = daily["revenue"][mature, i].sum() / daily["spend"][mature, i].sum()
        assert features["roas_28d"][at, i] == pytest.approx(roas, rel=1e-8)
        since = 0
        while since < t - history.first_day[i] and t - since > 0:
            before, now = history.budget[t - since - 1, i], history.budget[t - since, i]
            if abs(now - before) > 0.01 * before:
                break
            since += 1
        else:
            continue
        assert features["days_since_change"][at, i] == since


def test_only_the_past_is_seen(history, features):
    """Later days, and purchases that attribution has not finished, change nothing but the counts of fresh purchases."""
    day = 150
    metrics = history.metrics.copy()
    metrics[day + 1 :] *= 3.0
    metrics[day + 1 - history.immature_days :, :, METRICS.index("purchases")] += 7.0
    metrics[day + 1 - history.immature_days :, :, METRICS.index("revenue")] *= 2.0
    other = daily_features(replace(history, metrics=metrics), [day], account=own_account(history))
    at = day - first_day_of(history)
    changed = {name for name, value in features.items() if not np.allclose(value[at], other[name][0], equal_nan=True)}
    assert changed <= set(EARLY)
    assert "learning_events" in changed


def test_days_may_be_chosen(history, features):
    some = daily_features(history, [200, 100])
    at = np.array([200, 100]) - first_day_of(history)
    for name, value in some.items():
        np.testing.assert_array_equal(value, features[name][at], err_msg=name)


@pytest.mark.parametrize("day", [29, 230])
def test_a_day_without_enough_past_is_refused(history, day):
    with pytest.raises(DataError, match=r"rows 30 to 229 have 28 mature days of past"):
        daily_features(history, [day])


def test_a_short_history_has_no_features(history):
    assert daily_features(history.until(20)) == {}
    assert decisions_at({}, ENGINE, ENGINE.space.default) == {}


def test_deciders_hold_where_their_conditions_do(features):
    found = decisions_at(features, ENGINE, ENGINE.space.default)
    assert list(found) == [rule.name for rule in ENGINE.deciders]
    live = features["live"]
    default = dict(zip(ENGINE.space.names, ENGINE.space.default, strict=True))
    idle = (features["utilisation"] < default["overfunded.utilisation"]) & (features["age_days"] > 7.0) & live
    np.testing.assert_array_equal(found["overfunded"], idle)
    seen = (features["clicks_7d"] >= default["creative_fatigue.clicks"]) & (
        features["frequency"] >= default["creative_fatigue.frequency"]
    )
    tired = seen & (features["fatigue"] > default["creative_fatigue.drop"]) & live
    np.testing.assert_array_equal(found["creative_fatigue"], tired)
    assert 0 < tired.sum() < live.sum()
    np.testing.assert_array_equal(found["no_evidence"], live)
