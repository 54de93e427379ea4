"""Whether revenue follows spend in an account's history at all, before anyone fits a response curve to it.

    log revenue[a, t] = level[a] + slope log spend[a, t] + noise

over days on which an ad set has both, immature ones left out. The within R2 is that of deviations from the ad set's own means,
the between R2 that of the means. The slope's error allows for dependence within ad sets (Liang and Zeger 1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory

LEAST = 30
Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Signal:
    """How much of the variance of log revenue log spend explains.

    Attributes
    ----------
    rows, adsets : int
        Ad-set-days with spend and revenue, and ad sets with at least two of them.
    pooled, within, between : float
        R2; NaN where there are too few rows.
    slope, slope_se : float
        Elasticity within ad sets.
    enough : bool
        Whether the within R2 reaches the setting and the slope's 90 % interval lies above zero.
    sentence : str
    """

    rows: int
    adsets: int
    pooled: float
    within: float
    between: float
    slope: float
    slope_se: float
    enough: bool
    sentence: str


def signal(history: AccountHistory, least_r2: float = 0.02) -> Signal:
    """Measure the relation of revenue and spend within and between ad sets.

    Parameters
    ----------
    history : AccountHistory
    least_r2 : float
        Least within R2 for a response curve (``ads.signal_r2``).
    """
    days = len(history.dates) - history.immature_days
    spend, revenue = history.metric("spend")[:days], history.metric("revenue")[:days]
    both = (spend > 0) & (revenue > 0)
    return signal_of(np.nonzero(both)[1], spend[both], revenue[both], least_r2)


def signal_of(
    which: NDArray[np.intp], spend: NDArray[np.float64], revenue: NDArray[np.float64], least_r2: float = 0.02
) -> Signal:
    """Measure the relation of revenue and spend on ad-set-days that have both.

    Parameters
    ----------
    which : array of int, (row,)
        Ad set of each row, >= 0.
    spend, revenue : array, (row,), currency per day, > 0
    least_r2 : float
    """
    x, y = np.log(spend), np.log(revenue)
    counts = np.bincount(which)
    used = (counts >= 2)[which]
    x, y, which = x[used], y[used], which[used]
    groups = np.unique(which)
    if len(x) < LEAST or np.ptp(x) == 0:
        text = f"only {len(x)} ad-set-days have spend and revenue that vary: nothing can be said of how revenue follows spend."
        nan = float("nan")
        return Signal(len(x), len(groups), nan, nan, nan, nan, nan, False, text)
    mx, my = (np.bincount(which, v)[groups] / np.bincount(which)[groups] for v in (x, y))
    at = np.searchsorted(groups, which)
    dx, dy = x - mx[at], y - my[at]
    square = float(dx @ dx)
    slope = float(dx @ dy) / square if square > 0 else float("nan")
    scores = np.bincount(at, dx * (dy - slope * dx))
    adjust = len(groups) / max(1, len(groups) - 1)
    se = float(np.sqrt(adjust * (scores @ scores))) / square if square > 0 else float("nan")
    within, between, pooled = _r2(dx, dy), _r2(mx - mx.mean(), my - my.mean()), _r2(x - x.mean(), y - y.mean())
    enough = bool(within >= least_r2 and slope - Z90 * se > 0)
    text = _sentence(len(x), pooled, within, between, slope, se, enough)
    return Signal(len(x), len(groups), pooled, within, between, slope, se, enough, text)


def _r2(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Squared correlation of centred values."""
    below = float(x @ x) * float(y @ y)
    return float(x @ y) ** 2 / below if below > 0 else float("nan")


def _sentence(rows: int, pooled: float, within: float, between: float, slope: float, se: float, enough: bool) -> str:
    text = (
        f"log spend explains {_percent(pooled)} of the variance of log revenue over {rows:,} ad-set-days "
        f"({_percent(within)} within ad sets, elasticity {slope:.2f} +- {Z90 * se:.2f} at 90 %; "
        f"{_percent(between)} between them): "
    )
    if enough:
        return text + "revenue moves with spend, which is no proof that spend moves it."
    return text + "too little, no response curve can be learnt from this table."


def _percent(share: float) -> str:
    return "n/a" if not np.isfinite(share) else f"{100 * share:.1f} %"
