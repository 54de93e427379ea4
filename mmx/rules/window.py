"""The last days of an account as running totals: what features of any window are differences of.

A row holds, for one day, the totals of ten daily numbers since the window began; the sum over the w days that end on day t is
``total[t] - total[t - w]``. Rows lie in a ring, so that a roll-out writes one row a day and moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmx.data.ads.history import METRICS
from mmx.jax_setup import jax, jnp

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory

LOOK_BACK = 28
TOTALS = (*METRICS, "budget", "spend_squared", "revenue_squared", "active")


class Window(NamedTuple):
    """Running totals and what else features need from the past.

    Attributes
    ----------
    totals : array, (row, total, ad set)
        A ring of running totals in the order of ``TOTALS``, in currency, currency squared and counts.
    day : int
        Number of days written; the last one lies in row ``(day - 1) % rows``.
    spend_since_purchase : array, (ad set,)
        Mature spend since the last mature day with a purchase, currency.
    month_spend : array, (ad set,)
        Spend in the month of the last day, currency.
    age_days : array, (ad set,)
        Days since the ad set began, the last day included; zero or less before it exists.
    """

    totals: Any
    day: Any
    spend_since_purchase: Any
    month_spend: Any
    age_days: Any


def rows_of(immature_days: int) -> int:
    """Rows that a window needs: the longest look-back from the last mature day, and the day before it."""
    return LOOK_BACK + immature_days + 1


def daily_row(metrics: Any, budget: Any) -> Any:
    """The ten daily numbers of one day, (total, ad set), from its metrics, (6, ad set), and budgets, (ad set,)."""
    spend, revenue = metrics[0], metrics[4]
    more = jnp.stack([budget, spend * spend, revenue * revenue, (spend > 0.0).astype(metrics.dtype)])
    return jnp.concatenate([metrics, more])


def push(window: Window, metrics: Any, budget: Any, month_begins: Any, immature_days: int) -> Window:
    """The window after one more day.

    Parameters
    ----------
    window : Window
    metrics : array, (6, ad set)
        The day's metrics in the order of ``METRICS``.
    budget : array, (ad set,)
        Budgets that held on the day.
    month_begins : bool
        Whether the day is the first of a month.
    immature_days : int
        Days that attribution needs.
    """
    rows = window.totals.shape[0]
    row = window.totals[(window.day - 1) % rows] + daily_row(metrics, budget)
    before = window.totals[(window.day - immature_days - 1) % rows]
    mature = (window.totals[(window.day - immature_days) % rows] if immature_days else row) - before
    row, mature = jax.lax.optimization_barrier((row, mature))  # all is read before the ring is written: no copy of it
    totals = jax.lax.dynamic_update_index_in_dim(window.totals, row, window.day % rows, 0)
    since = jnp.where(mature[3] > 0.0, 0.0, window.spend_since_purchase + mature[0])
    month = jnp.where(month_begins, 0.0, window.month_spend) + metrics[0]
    return Window(totals, window.day + 1, since, month, window.age_days + 1)


def window_of(history: AccountHistory, dtype: Any = np.float64) -> Window:
    """The window at the end of a history.

    Totals begin where the window does, so that single precision keeps small numbers beside an account's whole past.
    """
    rows = rows_of(history.immature_days)
    days, ad_sets = history.budget.shape
    used = min(days, rows - 1)
    metrics = np.transpose(history.metrics, (0, 2, 1))
    spend, revenue = metrics[:, 0], metrics[:, 4]
    more = np.stack([history.budget, spend**2, revenue**2, spend > 0.0], axis=1)
    daily = np.concatenate([metrics, more], axis=1)
    totals = np.zeros((rows, len(TOTALS), ad_sets))
    recent = np.cumsum(daily[days - used :], axis=0)
    totals[rows - used :] = recent
    mature = max(days - history.immature_days, 0)
    return Window(
        totals=jnp.asarray(totals, dtype),
        day=jnp.asarray(rows, jnp.int32),
        spend_since_purchase=jnp.asarray(_since_purchase(metrics[:mature]), dtype),
        month_spend=jnp.asarray(_month_spend(history), dtype),
        age_days=jnp.asarray(days - history.first_day, dtype),
    )


def _since_purchase(metrics: np.ndarray) -> np.ndarray:
    """Spend since the last day with a purchase, (ad set,), from mature metrics, (day, 6, ad set)."""
    since = np.zeros(metrics.shape[2])
    for day in metrics[-LOOK_BACK:]:
        since = np.where(day[3] > 0.0, 0.0, since + day[0])
    return since


def _month_spend(history: AccountHistory) -> np.ndarray:
    """Spend in the month of the last day, (ad set,)."""
    if not len(history.dates):
        return np.zeros(len(history.adsets))
    same = history.dates.astype("datetime64[M]") == history.dates[-1].astype("datetime64[M]")
    return np.asarray(history.metric("spend")[same].sum(axis=0))
