"""Features in JAX against the definitions in numpy, and windows that go on against windows that are built anew."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from mmx.data.ads.history import METRICS, AccountHistory
from mmx.jax_setup import jax, jnp
from mmx.rules.context import days_since_change
from mmx.rules.features import adset_features
from mmx.rules.window import Window, daily_row, push, rows_of, window_of

from .compiled import QUICKLY
from .histories import CAMPAIGNS, random_history

WINDOWS = (1, 3, 7, 14, 28)
VOLATILE = ("spend_volatility", "revenue_volatility")
SHOWN = np.array([0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
IMMATURE = (0, 3, 5)


def member_of(history: AccountHistory) -> np.ndarray:
    return (history.campaign_of[None, :] == np.arange(CAMPAIGNS)[:, None]).astype(float)


@partial(jax.jit, static_argnames="immature", compiler_options=QUICKLY)
def _features(window: Window, budget: Any, since: Any, reported: Any, member: Any, month_day: Any, immature: int) -> Any:
    return adset_features(window, budget, since, reported, immature, member, month_day)


@partial(jax.jit, static_argnames="immature")
def _pushed(window: Window, metrics: Any, budgets: Any, begins: Any, immature: int) -> Window:
    """The window after many days: metrics (day, 6, ad set), budgets (day, ad set) and whether a month begins (day,)."""

    def one(window: Window, day: Any) -> tuple[Window, None]:
        return push(window, *day, immature), None

    return jax.lax.scan(one, window, (metrics, budgets, begins))[0]


def features_of(history: AccountHistory, window: Window, dtype: Any = np.float64) -> tuple[dict[str, Any], dict[str, Any]]:
    """Features that JAX computes from a window that ends with a history, as numpy arrays."""
    month_day = _month_days(history)[-1] + 1
    given = (
        history.budget[-1],
        days_since_change(history.budget, history.first_day),
        SHOWN,
        member_of(history),
        np.where(month_day > _days_in_month(history), 1, month_day),
    )
    values = (jnp.asarray(value, dtype) for value in given)
    return jax.tree.map(np.asarray, _features(window, *values, immature=history.immature_days))


def _month_days(history: AccountHistory) -> np.ndarray:
    """Day of the month of every date, from 1."""
    dates = history.dates.astype("datetime64[D]")
    return (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(int) + 1


def _days_in_month(history: AccountHistory) -> int:
    month = history.dates[-1].astype("datetime64[M]")
    return int(((month + np.timedelta64(1, "M")).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))


def brute(history: AccountHistory) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All features by their definitions, (ad set,) each, and those of the account."""
    days, m = len(history.dates), history.immature_days
    daily = {name: history.metric(name) for name in METRICS}

    def tail(values: np.ndarray, w: int, end: int) -> np.ndarray:
        """The last ``w`` days before row ``end``, of which some may not exist: (w, ad set) with zeros before the table."""
        rows = values[max(end - w, 0) : max(end, 0)]
        return np.concatenate([np.zeros((w - len(rows), values.shape[1])), rows])

    sums: dict[str, np.ndarray] = {}
    for w in WINDOWS:
        for name in ("spend", "impressions", "clicks", "reach"):
            sums[f"{name}_{w}d"] = tail(daily[name], w, days).sum(axis=0)
        sums[f"budget_{w}d"] = tail(history.budget, w, days).sum(axis=0)
        for name, metric in (("purchases",) * 2, ("revenue",) * 2, ("mature_spend", "spend"), ("mature_clicks", "clicks")):
            sums[f"{name}_{w}d"] = tail(daily[metric], w, days - m).sum(axis=0)
    sums["clicks_21d_before"] = tail(daily["clicks"], 21, days - 7).sum(axis=0)
    sums["impressions_21d_before"] = tail(daily["impressions"], 21, days - 7).sum(axis=0)
    sums["active_days"] = (tail(daily["spend"], 28, days) > 0.0).sum(axis=0).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own, member = _level(sums), member_of(history)
        campaigns, account = _level({n: member @ v for n, v in sums.items()}), _level({n: v.sum() for n, v in sums.items()})
        for name, w in [(n, 14) for n in ("roas", "cpa", "cvr")] + [(n, 7) for n in ("ctr", "cpc", "cpm")]:
            own[f"{name}_relative"] = _over(own[f"{name}_{w}d"], campaigns[f"{name}_{w}d"][history.campaign_of])
        for name, w in (("spend", 7), ("purchases", 14), ("revenue", 14)):
            own[f"{name}_share"] = _over(own[f"{name}_{w}d"], campaigns[f"{name}_{w}d"][history.campaign_of])
        for name, end in (("spend", days), ("revenue", days - m)):
            last = tail(daily[name], 14, end)
            own[f"{name}_volatility"] = _over(last.std(axis=0), last.mean(axis=0))
        week_ago = history.budget[-8] if days >= 8 else np.zeros_like(history.budget[-1])
        own["budget_change"] = _log(history.budget[-1] / week_ago)
    own["budget"] = history.budget[-1]
    own["days_since_change"] = _since_change(history)
    own["age_days"] = (days - history.first_day).astype(float)
    own["learning_events"] = _learning_events(history, own["days_since_change"])
    own["spend_since_purchase"] = _since_purchase(tail(daily["spend"], 28, days - m), tail(daily["purchases"], 28, days - m))
    month = (history.dates[-1] + np.timedelta64(1, "D")).astype("datetime64[M]")
    own["month_spend"] = daily["spend"][history.dates.astype("datetime64[M]") == month].sum(axis=0)
    return own, account


def _over(top: Any, bottom: Any) -> Any:
    return np.where(np.asarray(bottom) > 0.0, top / bottom, np.nan)


def _log(value: Any) -> Any:
    return np.where((value > 0.0) & np.isfinite(value), np.log(value), np.nan)


def _level(sums: dict[str, Any]) -> dict[str, Any]:
    """Ratios and trends of one level."""
    out = {name: value for name, value in sums.items() if not name.endswith("before")}
    for w in WINDOWS:
        at = {name: sums[f"{name}_{w}d"] for name in ("spend", "impressions", "clicks", "purchases", "revenue")}
        spend, clicks = sums[f"mature_spend_{w}d"], sums[f"mature_clicks_{w}d"]
        out[f"ctr_{w}d"] = _over(at["clicks"], at["impressions"])
        out[f"cpc_{w}d"] = _over(at["spend"], at["clicks"])
        out[f"cpm_{w}d"] = 1000.0 * _over(at["spend"], at["impressions"])
        out[f"cvr_{w}d"] = _over(at["purchases"], clicks)
        out[f"aov_{w}d"] = _over(at["revenue"], at["purchases"])
        out[f"cpa_{w}d"] = _over(spend, at["purchases"])
        out[f"roas_{w}d"] = _over(at["revenue"], spend)
    for name in ("roas", "cvr", "cpa", "ctr", "cpc", "cpm"):
        out[f"{name}_trend"] = _log(out[f"{name}_7d"] / out[f"{name}_28d"])
    for name in ("spend", "purchases"):
        out[f"{name}_trend"] = _log((sums[f"{name}_7d"] / 7.0) / (sums[f"{name}_28d"] / 28.0))
    before = _over(sums["clicks_21d_before"], sums["impressions_21d_before"])
    fatigue = 1.0 - out["ctr_7d"] / before
    out["fatigue"] = np.where(np.isfinite(fatigue), fatigue, 0.0)
    out["frequency"] = _over(sums["impressions_7d"], sums["reach_7d"])
    out["utilisation"] = _over(sums["spend_7d"], sums["budget_7d"])
    return out


def _since_change(history: AccountHistory) -> np.ndarray:
    """Days since the budget differed from the day before by more than 1 %; the age where it never did."""
    last = len(history.dates) - 1
    out = (last + 1.0 - history.first_day).astype(float)
    for i, first in enumerate(history.first_day):
        for day in range(max(int(first), 0) + 1, last + 1):
            if abs(history.budget[day, i] - history.budget[day - 1, i]) > 0.01 * history.budget[day - 1, i]:
                out[i] = last - day
    return out


def _learning_events(history: AccountHistory, since: np.ndarray) -> np.ndarray:
    """Purchases of the days since the change, seven at most, of which a share is shown."""
    raw, out = history.metric("purchases"), np.zeros(len(since))
    for i in range(len(since)):
        for back in range(int(min(7, max(since[i] + 1, 0), len(raw)))):
            out[i] += SHOWN[back] * raw[-1 - back, i]
    return out


def _since_purchase(spend: np.ndarray, purchases: np.ndarray) -> np.ndarray:
    """Spend after the last day with a purchase."""
    last = np.where((purchases > 0.0).any(axis=0), len(spend) - 1 - np.argmax(purchases[::-1] > 0.0, axis=0), -1)
    return np.asarray((spend * (np.arange(len(spend))[:, None] > last[None, :])).sum(axis=0))


@cache
def history_of(seed: int, immature: int, days: int) -> AccountHistory:
    return replace(random_history(np.random.default_rng(seed), days=days), immature_days=immature)


def assert_same(found: dict[str, Any], wanted: dict[str, Any], rtol: float, level: str, volatile: float = 1e-6) -> None:
    """All features that the definitions name, to a tolerance; variances are differences of squares and get their own."""
    missing = set(wanted) - set(found)
    assert not missing, f"{level}: no {sorted(missing)}"
    for name, value in wanted.items():
        loose = name in VOLATILE
        np.testing.assert_allclose(
            found[name], value, rtol=volatile if loose else rtol, atol=volatile if loose else rtol, err_msg=f"{level} {name}"
        )


@pytest.mark.parametrize("immature", IMMATURE)
@pytest.mark.parametrize("days", [1, 5, 20, 33, 70])
def test_features_equal_their_definitions(immature: int, days: int) -> None:
    for seed in range(6):
        history = history_of(seed, immature, days)
        own, account = features_of(history, window_of(history))
        wanted, of_account = brute(history)
        assert_same(own, wanted, 1e-9, "ad sets")
        assert_same(account, {n: v for n, v in of_account.items() if not n.startswith("budget")}, 1e-9, "account")


@pytest.mark.parametrize("immature", IMMATURE)
def test_every_feature_is_defined(immature: int) -> None:
    history = history_of(1, immature, 40)
    own, _ = features_of(history, window_of(history))
    assert set(own) - set(brute(history)[0]) == {"raw_purchases_3d", "active_14d"}
    assert len(own) >= 40


@pytest.mark.parametrize("immature", IMMATURE)
@pytest.mark.parametrize("start", [6, 45])
def test_a_window_that_goes_on_equals_one_built_anew(immature: int, start: int) -> None:
    """Over 100 further days: the ring wraps twice, months begin, ad sets begin."""
    whole = history_of(20 + start, immature, start + 100)
    begun = replace(whole.until(start), immature_days=immature)
    window = window_of(begun)
    metrics = np.transpose(whole.metrics[start:], (0, 2, 1))
    begins = _month_days(whole)[start:] == 1
    assert begins.sum() >= 2 and 2 * rows_of(immature) < 100
    for more in (1, 30, 100):
        after = _pushed(window, metrics[:more], whole.budget[start : start + more], begins[:more], immature=immature)
        history = replace(whole.until(start + more), immature_days=immature)
        found, _ = features_of(history, after)
        anew, _ = features_of(history, window_of(history))
        assert_same(found, anew, 1e-9, f"after {more} days")
        assert_same(found, brute(history)[0], 1e-9, f"after {more} days, by definition")


def test_single_precision_is_close() -> None:
    immature = 3
    whole = history_of(3, immature, 120)
    begun = replace(whole.until(45), immature_days=immature)
    metrics = np.transpose(whole.metrics[45:], (0, 2, 1)).astype(np.float32)
    budgets = whole.budget[45:].astype(np.float32)
    after = _pushed(window_of(begun, np.float32), metrics, budgets, _month_days(whole)[45:] == 1, immature=immature)
    own, _ = features_of(whole, after, np.float32)
    wanted, _ = brute(whole)
    for name, value in own.items():
        assert value.dtype == np.float32, name
        if name in wanted:
            scale = np.nanmax(np.abs(wanted[name]), initial=1.0)
            loose = 0.05 if name in VOLATILE else 2e-3
            np.testing.assert_allclose(value, wanted[name], rtol=loose, atol=loose * 0.01 * scale, err_msg=name)


def test_a_day_is_ten_numbers() -> None:
    metrics = np.arange(12.0).reshape(6, 2)
    row = np.asarray(daily_row(jnp.asarray(metrics), jnp.asarray([5.0, 7.0])))
    np.testing.assert_array_equal(row[:6], metrics)
    np.testing.assert_array_equal(row[6:], [[5.0, 7.0], metrics[0] ** 2, metrics[4] ** 2, [0.0, 1.0]])
