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
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory

LOOK_BACK = 28
USUAL_IMMATURE = 13
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
    """Rows that a window needs: the longest look-back from the last mature day, and the day before it.

    Up to 13 immature days all accounts have the same number, and share compiled programs.
    """
    return LOOK_BACK + max(immature_days, USUAL_IMMATURE) + 1


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
    mature = jnp.where(immature_days > 0, window.totals[(window.day - immature_days) % rows], row) - before
    row, mature = jax.lax.optimization_barrier((row, mature))  # all is read before the ring is written: no copy of it
    totals = jax.lax.dynamic_update_index_in_dim(window.totals, row, window.day % rows, 0)
    since = jnp.where(mature[3] > 0.0, 0.0, window.spend_since_purchase + mature[0])
    month = jnp.where(month_begins, 0.0, window.month_spend) + metrics[0]
    return Window(totals, window.day + 1, since, month, window.age_days + 1)


def window_of(history: AccountHistory, dtype: Any = np.float64) -> Window:
    """The window at the end of a history."""
    metrics = np.transpose(history.metrics, (0, 2, 1))
    age = (len(history.dates) - history.first_day).astype(float)
    return window_of_days(metrics, history.budget, history.dates, age, history.immature_days, dtype)


def window_of_days(
    metrics: NDArray[np.float64],
    budget: NDArray[np.float64],
    dates: NDArray[np.datetime64],
    age_days: NDArray[np.float64],
    immature_days: int,
    dtype: Any = np.float64,
) -> Window:
    """The window at the end of some days.

    Totals begin where the window does, so that single precision keeps small numbers beside an account's whole past.

    Parameters
    ----------
    metrics : array, (day, 6, ad set, ...)
        In the order of ``METRICS``; lanes may follow.
    budget : array, (day, ad set, ...)
        Currency per day.
    dates : array of datetime64[D], (day,)
    age_days : array, (ad set, ...)
        Age of ad sets after the last day.
    immature_days : int
        Days that attribution needs.
    """
    rows, days = rows_of(immature_days), len(budget)
    used = min(days, rows - 1)
    recent, spend, revenue = metrics[days - used :], metrics[days - used :, 0], metrics[days - used :, 4]
    more = np.stack([budget[days - used :], spend**2, revenue**2, spend > 0.0], axis=1)
    totals = np.zeros((rows, len(TOTALS), *budget.shape[1:]))
    totals[rows - used :] = np.cumsum(np.concatenate([recent, more], axis=1), axis=0)
    mature = max(days - immature_days, 0)
    return Window(
        totals=jnp.asarray(totals, dtype),
        day=jnp.asarray(rows, jnp.int32),
        spend_since_purchase=jnp.asarray(_since_purchase(metrics[:mature]), dtype),
        month_spend=jnp.asarray(_month_spend(metrics[:, 0], dates), dtype),
        age_days=jnp.asarray(age_days, dtype),
    )


def _since_purchase(metrics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spend since the last day with a purchase, (ad set, ...), from mature metrics, (day, 6, ad set, ...)."""
    since = np.zeros(metrics.shape[2:])
    for day in metrics[-LOOK_BACK:]:
        since = np.where(day[3] > 0.0, 0.0, since + day[0])
    return since


def _month_spend(spend: NDArray[np.float64], dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Spend in the month of the last day, (ad set, ...), from spend, (day, ad set, ...)."""
    if not len(dates):
        return np.zeros(spend.shape[1:])
    same = dates.astype("datetime64[M]") == dates[-1].astype("datetime64[M]")
    return np.asarray(spend[same].sum(axis=0))
