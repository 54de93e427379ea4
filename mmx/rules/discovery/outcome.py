"""What ad sets brought in the week after each day, against what their own past, their spend and the account's week let expect.

Expected revenue is ``E_ti = c_t S_ti exp(x_ti b)``, S being the spend of the week after day t and x what is known of an ad
set's ROAS: that of 28 days, of 7 over 28, of its whole past over 28, all pooled towards the campaign's, and the log of the
week's spend over that of 28 days (diminishing returns). c_t makes the week's expected revenue of the account equal to its
revenue: what moves all ad sets is nobody's. b has the highest Poisson likelihood given the weeks' totals,
``sum_ti R_ti log(E_ti / sum_j E_tj)``, on the days that trees are grown on (Hausman, Hall and Griliches 1984, section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory

MOST = 1.5
STEPS = 30
RIDGE = 1e-3


class Outcome(NamedTuple):
    """Revenue of the week after each day, (day, ad set), in orders of the account's mean value, and what was expected."""

    revenue: NDArray[np.float64]
    expected: NDArray[np.float64]


def outcome_of(
    history: AccountHistory,
    features: Mapping[str, NDArray[Any]],
    rows: NDArray[np.intp],
    grown: NDArray[np.bool_],
    *,
    days: int,
    own_purchases: float,
) -> Outcome:
    """Revenue after each day, and what was expected.

    Parameters
    ----------
    history : AccountHistory
    features : dict
        Of ``rows``, from ``mmx.rules.daily``.
    rows : array of int, (day,)
        Days t; the weeks after them lie in the mature part of the history.
    grown : array of bool, (day,)
        Days that b is fitted on.
    days : int
        Length of the week after.
    own_purchases : float
        Purchases that the campaign's ROAS counts for.
    """
    spend, revenue, purchases = (_running(history.metric(name)) for name in ("spend", "revenue", "purchases"))
    last = int(rows[grown].max(initial=0)) + 1
    value = revenue[last].sum() / max(purchases[last].sum(), 1.0)
    after = [(total[rows + days + 1] - total[rows + 1]) for total in (spend, revenue)]
    cost, order = features["cpa_expected"], np.exp(features["log_campaign"]) * features["cpa_expected"]
    known = rows + 1 - history.immature_days
    whole = np.log((revenue[known] + own_purchases * order) / (spend[known] + own_purchases * cost))
    pace = np.log(np.maximum(after[0] / days, 1e-12) / np.maximum(features["spend_28d"] / 28.0, 1e-12))
    x = np.stack(
        [
            features["log_roas_28d"],
            features["log_roas_7d"] - features["log_roas_28d"],
            whole - features["log_roas_28d"],
            np.clip(pace, -MOST, MOST),
        ],
        axis=-1,
    )
    counts = (after[0] > 0.0) & (features["spend_28d"] > 0.0) & np.isfinite(x).all(axis=-1)
    x, base = np.where(counts[..., None], x, 0.0), np.where(counts, after[0], 0.0)
    brought = np.where(counts, after[1], 0.0) / max(value, 1e-12)
    b = fit(brought[grown], base[grown], x[grown])
    expected = base * np.exp(x @ b)
    total = expected.sum(axis=1, keepdims=True)
    share = np.divide(expected, total, out=np.zeros_like(expected), where=total > 0.0)
    return Outcome(brought, share * brought.sum(axis=1, keepdims=True))


def fit(revenue: NDArray[np.float64], base: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients with the highest likelihood given the days' totals, (regressor,), by Newton's steps.

    Parameters
    ----------
    revenue, base : array, (day, ad set)
        What was brought, and what it is proportional to.
    x : array, (day, ad set, regressor)
    """
    b = np.zeros(x.shape[-1])
    for _ in range(STEPS):
        weight = base * np.exp(np.clip(x @ b, -30.0, 30.0))
        total = weight.sum(axis=1, keepdims=True)
        share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0)
        of_day = revenue.sum(axis=1)
        mean = np.einsum("ti,tik->tk", share, x)
        slope = np.einsum("ti,tik->k", revenue - share * of_day[:, None], x)
        second = np.einsum("t,ti,tik,til->kl", of_day, share, x, x) - np.einsum("t,tk,tl->kl", of_day, mean, mean)
        step = np.linalg.solve(second + RIDGE * np.eye(len(b)), slope - RIDGE * b)
        b = b + step * min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    return b


def _running(daily: NDArray[np.float64]) -> NDArray[np.float64]:
    """Totals before each row, (day + 1, ad set)."""
    return np.concatenate([np.zeros((1, daily.shape[1])), np.cumsum(daily, axis=0)])
