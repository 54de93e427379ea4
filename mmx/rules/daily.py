"""What rules would have seen on every day of an account's past: features and evidence, days by ad sets.

Row t holds what was known at the end of day t, for a decision about day t + 1, seen through the same window and view as in a
decision; 64 days at a time, by one compiled function, which accounts of similar size share. Purchases that attribution has not
finished are left out by the window's mature days; ``EARLY`` names the few that count fresh purchases. A history holds those as
they are known by now, not as they were known then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.errors import DataError
from mmx.jax_setup import jax, jnp
from mmx.rules.context import Account, Day, State
from mmx.rules.engine import CHANGE
from mmx.rules.library.evidence import RULES
from mmx.rules.padding import pad_history, padded_sizes, repeat_last
from mmx.rules.rule import ACTIVE, View
from mmx.rules.view import make_view
from mmx.rules.window import LOOK_BACK, TOTALS, Window, daily_row, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules.engine import Engine

EARLY = ("learning_events", "raw_purchases_3d", "account_purchases_3d", "account_expected_3d")
OF_AD_SETS = ("campaign_budget", "elasticity_mean", "elasticity_sd", "incrementality_mean", "incrementality_sd", "floor_sd")
UNKNOWN_CPA = 1.0
CHUNK = 64


def daily_features(
    history: AccountHistory,
    days: Sequence[int] | NDArray[np.intp] | None = None,
    *,
    account: Account | None = None,
    evidence: Mapping[str, float] | None = None,
) -> dict[str, NDArray[Any]]:
    """Features of ad sets and what rules read of evidence, at the end of every day.

    Parameters
    ----------
    history : AccountHistory
    days : sequence of int, optional
        Rows of the history; all that have 28 mature days of past where it is left out.
    account : Account, optional
        What holds for the account; ``own_account(history)`` where it is left out.
    evidence : mapping, optional
        The parameters of the rule ``evidence``; its defaults where it is left out.

    Returns
    -------
    dict of str to array, (day, ad set)
        By the names of the view; (day,) for what holds for the account as a whole.

    Raises
    ------
    DataError
        If a day lies outside the history or has fewer than 28 mature days of past.
    """
    total = len(history.dates)
    first = first_day_of(history)
    rows = np.arange(first, total) if days is None else np.asarray(days, dtype=np.intp)
    if len(rows) and (rows.min() < first or rows.max() >= total):
        raise DataError(
            f"daily features: rows {rows.min()} to {rows.max()} were asked for, where rows {first} to {total - 1} have "
            f"{LOOK_BACK} mature days of past. Ask for those, or give a longer history."
        )
    if not len(rows) or not history.adsets:
        return {}
    if evidence is None:
        evidence = {parameter.name: parameter.default for rule in RULES for parameter in rule.parameters}
    ad_sets, sizes = len(history.adsets), padded_sizes(len(history.adsets), len(history.campaigns))
    account = _padded(own_account(history) if account is None else account, *sizes)
    history = pad_history(history, *sizes)
    totals, clocks, day = _totals(history), _clocks(history), _day_after(history)
    parts = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        padded = np.concatenate([part, np.full(CHUNK - len(part), part[-1])])
        window, changed = _windows(totals, clocks, history, padded)
        of_days = (window, changed, Day(*[value[padded] for value in day]), history.budget[padded])
        found = _views(of_days, account, dict(evidence), history.immature_days)
        parts.append({name: np.asarray(value)[: len(part)] for name, value in found.items()})
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: value[:, :ad_sets] if value.ndim == 2 else value for name, value in whole.items()}


def first_day_of(history: AccountHistory) -> int:
    """First row at whose end 28 mature days are known."""
    return LOOK_BACK + history.immature_days - 1


def decisions_at(features: Mapping[str, NDArray[Any]], engine: Engine, vector: Any) -> dict[str, NDArray[np.bool_]]:
    """Where each decider's own conditions hold, whatever comes before it in the order.

    Parameters
    ----------
    features : dict
        From ``daily_features``.
    engine : Engine
    vector : array, (parameter,)

    Returns
    -------
    dict of str to array of bool, (day, ad set)
        By the decider's name.
    """
    if not features:
        return {}
    values = engine.values(jnp.asarray(vector))
    shared = {f"{rule}__{name}": value for rule, own in values.items() for name, value in own.items()}
    view = View({name: jnp.asarray(value.T) for name, value in features.items()} | shared)  # days are lanes: (ad set, day)
    live = np.asarray(features["live"], dtype=bool)
    whens = {rule.name: rule.function(view, View(values[rule.name])).when for rule in engine.deciders}
    return {name: np.broadcast_to(np.asarray(when), live.T.shape).T & live for name, when in whens.items()}


def own_account(history: AccountHistory, target_roas: float | None = None) -> Account:
    """An account that asks of its ad sets what they bring: its own ROAS as target, its own cost per purchase, no limits.

    Parameters
    ----------
    history : AccountHistory
        Its mature days are used.
    target_roas : float, optional
        The customer's target; the account's own ROAS where it is left out.
    """
    mature = max(len(history.dates) - history.immature_days, 0)
    spend, purchases, revenue = (float(history.metric(name)[:mature].sum()) for name in ("spend", "purchases", "revenue"))
    own = revenue / spend if spend > 0.0 and revenue > 0.0 else 1.0
    member = (np.arange(len(history.campaigns))[:, None] == history.campaign_of[None, :]).astype(float)
    zero, seven = np.zeros(len(history.adsets)), np.ones(7)
    return Account(
        member=member,
        campaign_budget=history.campaign_budget.astype(float),
        target_roas=own if target_roas is None else target_roas,
        marginal_floor=1.0,
        expected_cpa=spend / purchases if spend > 0.0 and purchases > 0.0 else UNKNOWN_CPA,
        order_value_spread=0.0,
        minimum_budget=0.0,
        month_budget=np.inf,
        elasticity_mean=zero + 0.5,
        elasticity_sd=zero,
        incrementality_mean=zero,
        incrementality_sd=zero,
        floor_sd=zero,
        maturity=seven,
        reported=seven,
    )


def _padded(account: Account, ad_sets: int, campaigns: int) -> Account:
    """The same account with ad sets and campaigns added that never run, as ``pad_history`` adds them."""
    member = np.asarray(account.member)
    wide = np.zeros((campaigns, ad_sets))
    wide[: member.shape[0], : member.shape[1]] = member
    wide[0, member.shape[1] :] = 1.0
    more = ad_sets - member.shape[1]
    return account._replace(
        member=wide, **{name: repeat_last(np.asarray(getattr(account, name)), more, 0) for name in OF_AD_SETS}
    )


def _totals(history: AccountHistory) -> NDArray[np.float64]:
    """Running totals, (row, total, ad set): as many rows of zeros as a window has, then one per day."""
    daily = np.asarray(jax.vmap(daily_row)(np.transpose(history.metrics, (0, 2, 1)), history.budget))
    empty = np.zeros((rows_of(history.immature_days), len(TOTALS), len(history.adsets)))
    return np.concatenate([empty, np.cumsum(daily, axis=0)])


def _day_after(history: AccountHistory) -> Day:
    """What is known of the day after each day: the calendar, and no effect of it."""
    dates = history.dates.astype("datetime64[D]")
    after = dates + np.timedelta64(1, "D")
    month = after.astype("datetime64[M]")
    length = ((month + np.timedelta64(1, "M")).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(float)
    zero, none = np.zeros(len(dates)), np.zeros((len(dates), len(history.adsets)))
    return Day(
        money=zero,
        weekday=(after.astype(np.int64) + 3.0) % 7.0,
        month_day=(after - month.astype("datetime64[D]")).astype(float) + 1.0,
        month_days=length,
        weekday_effect=zero,
        season_effect=zero,
        weekday_mix=none,
        promotion=zero,
        promotion_ended=zero,
        stock_days=none + np.inf,
    )


def _clocks(history: AccountHistory) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """At the end of every day, (day, ad set): days since the budget changed, spend since a purchase, spend of the month.

    Spend since a purchase is that of row t when day t is the last mature one.
    """
    spend, sold = history.metric("spend"), history.metric("purchases") > 0.0
    budget, age = history.budget, np.arange(len(history.dates))[:, None] - history.first_day[None, :] + 1
    months = history.dates.astype("datetime64[M]")
    changed, since, month = np.zeros_like(spend), np.zeros_like(spend), np.zeros_like(spend)
    for t in range(len(spend)):
        before = max(t - 1, 0)
        moved = (np.abs(budget[t] - budget[before]) > CHANGE * budget[before]) & (age[t] >= 2)
        first = np.maximum(age[t] - 1.0, 0.0) if t == 0 else changed[before]
        changed[t] = np.where((age[t] < 1) | moved, 0.0, first + 1.0)
        since[t] = np.where(sold[t], 0.0, since[before] + spend[t])
        month[t] = spend[t] + (month[before] if t and months[t] == months[before] else 0.0)
    return changed, since, month


def _windows(totals: NDArray[np.float64], clocks: Any, history: AccountHistory, rows: NDArray[np.intp]) -> tuple[Window, Any]:
    """The windows at the end of some days, stacked, and days since budgets changed, (day, ad set)."""
    length, age = rows_of(history.immature_days), rows[:, None] + 1.0 - history.first_day[None, :]
    ring = totals[rows[:, None] + 1 + np.arange(length)[None, :]]
    changed, since, month = clocks
    written = np.full(len(rows), length, dtype=np.int32)
    return Window(ring, written, since[rows - history.immature_days], month[rows], age), changed[rows]


@partial(jax.jit, static_argnames="immature_days")
def _views(of_days: Any, account: Account, evidence: dict[str, Any], immature_days: int) -> dict[str, Any]:
    """Views of some days, (day, ad set) and (day,)."""

    def of_day(window: Window, changed: Any, day: Day, budget: Any) -> dict[str, Any]:
        zero = jnp.zeros_like(budget)
        state = State(budget, changed, jnp.full(budget.shape, ACTIVE, jnp.int32), zero, budget, zero)
        view = make_view(View(evidence), window, state, account, day, immature_days)
        return {name: value for name, value in view.items() if jnp.shape(value) in ((), budget.shape)}

    return jax.vmap(of_day)(*of_days)
