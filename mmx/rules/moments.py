"""Moments of an account's past: overdispersion of counts, spread of order values, differences between ad sets.

In a block of days an ad set's counts n_t are compared with the block's own rate, ``m_t = x_t sum(n) / sum(x)``, x being what
the count comes from. Under a variance of d times a Poisson's, ``E (n_t - m_t)^2 = d E m_t (1 - x_t / sum(x))``: d is the ratio
of both sides' sums, ad sets weighted by one over their mean count. Of children of a parent with revenue R_i and spend S_i, the
errors ``e_i = R_i - S_i R / S`` have ``E e_i^2 = v_i (1 - 2 h_i) + h_i^2 sum(v)``, with h_i = S_i / S and
``v_i = spread a r S_i + tau^2 (r S_i)^2``: the second moment gives tau^2, the variance of relative ROAS between children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory

DISPERSION_DAYS = 14
BETWEEN_DAYS = 28
LEAST_EXPECTED = 1e-9


class Estimate(NamedTuple):
    """A number and the ad-set-days that it rests on; NaN where there are none."""

    value: float
    days: int


def dispersion(counts: NDArray[np.float64], base: NDArray[np.float64]) -> Estimate:
    """Variance of daily counts over a Poisson's.

    Parameters
    ----------
    counts, base : array, (day, ad set)
        Events, and what they come from: impressions of clicks, spend of purchases. Days without a base are left out.
    """
    on = base > 0.0
    counts = np.where(on, counts, 0.0)
    weight = on.sum(axis=0) / np.maximum(counts.sum(axis=0), 1.0)
    square, expected, used = 0.0, 0.0, 0
    for n, x in zip(_blocks(counts, DISPERSION_DAYS), _blocks(np.where(on, base, 0.0), DISPERSION_DAYS), strict=True):
        share = x / np.maximum(x.sum(axis=0), LEAST_EXPECTED)
        mean = share * n.sum(axis=0)
        square += float((weight * (n - mean) ** 2).sum())
        expected += float((weight * mean * (1.0 - share)).sum())
        used += int(((x > 0.0) & (n.sum(axis=0) > 0.0)).sum())
    return Estimate(square / expected if expected > 0.0 else float("nan"), used)


def order_value_spread(history: AccountHistory) -> Estimate:
    """Coefficient of variation of order values, from how daily revenue varies for its number of purchases; mature days only.

    Within an ad set's 28 days with N orders of mean value a, ``Q = sum (R_t / a - n_t)^2 / n_t`` over the days on which it sold
    has the mean ``v^2 (days - 1) / (1 + v^2 / N)``, exactly so for gamma amounts; v^2 solves
    ``sum Q (1 + v^2 / N) = v^2 sum (days - 1)``.
    """
    square, free, used = 0.0, 0.0, 0
    counts, revenue = (_mature(history, name) for name in ("purchases", "revenue"))
    for n, r in zip(_blocks(counts, BETWEEN_DAYS), _blocks(revenue, BETWEEN_DAYS), strict=True):
        sold = n > 0.0
        mean = np.where(sold, r, 0.0).sum(axis=0) / np.maximum(n.sum(axis=0), LEAST_EXPECTED)
        enough = (sold.sum(axis=0) > 1) & (mean > 0.0)
        relative = np.where(sold & enough, r / np.maximum(mean, LEAST_EXPECTED) - n, 0.0)
        own = (relative**2 / np.maximum(n, 1.0)).sum(axis=0)
        square += float(own.sum())
        free += float(((sold.sum(axis=0) - 1) * enough - own / np.maximum(n.sum(axis=0), 1.0)).sum())
        used += int((sold & enough).sum())
    return Estimate(float(np.sqrt(square / free)) if free > 0.0 else float("nan"), used)


def between_variance(history: AccountHistory, spread: float, *, campaigns: bool = False) -> Estimate:
    """Variance of relative ROAS between the ad sets of a campaign, or between the campaigns of the account, at least zero.

    Parameters
    ----------
    history : AccountHistory
        Its mature days, in blocks of 28.
    spread : float
        ``d (1 + v^2)``: variance of revenue of one purchase's worth over the squared order value.
    campaigns : bool
        Compare campaigns with their account rather than ad sets with their campaign.
    """
    names = ("spend", "purchases", "revenue")
    arrays = [_mature(history, name) for name in names]
    if campaigns:
        member = np.arange(len(history.campaigns))[:, None] == history.campaign_of[None, :]
        arrays = [array @ member.T for array in arrays]
        parents = [np.arange(len(history.campaigns))]
    else:
        parents = [np.flatnonzero(history.campaign_of == c) for c in range(len(history.campaigns))]
    top, bottom, used = 0.0, 0.0, 0
    for block in zip(*(_blocks(array, BETWEEN_DAYS) for array in arrays), strict=True):
        days = (block[0] > 0.0).sum(axis=0)
        sums = [one.sum(axis=0) for one in block]
        for children in parents:
            children = children[sums[0][children] > 0.0]
            spend, purchases, revenue = (one[children] for one in sums)
            if len(children) < 2 or purchases.sum() <= 0.0:
                continue
            rate, value = revenue.sum() / spend.sum(), revenue.sum() / purchases.sum()
            share = spend / spend.sum()
            expected = rate * spend / value  # revenue in orders: money has no unit here
            noise = spread * expected * (1.0 - share)
            error = revenue / value - expected
            top += float((error**2 - noise).sum())
            bottom += float((expected**2 * (1.0 - 2.0 * share) + share**2 * (expected**2).sum()).sum())
            used += int(days[children].sum())
    return Estimate(max(top / bottom, 0.0) if bottom > 0.0 else float("nan"), used)


def _mature(history: AccountHistory, name: str) -> NDArray[np.float64]:
    return history.metric(name)[: max(len(history.dates) - history.immature_days, 0)]


def _blocks(array: NDArray[np.float64], days: int) -> list[NDArray[np.float64]]:
    """Whole blocks of days that end on the last row, (days, ad set) each."""
    first = len(array) % days
    return [array[start : start + days] for start in range(first, len(array), days)]
