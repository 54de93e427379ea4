"""What weekdays and seasons were learned to bring, and the days ahead as rules see them.

The effect of a weekday is the mean of the logarithm of purchases per unit of spend on it, over that of all days, shrunk by what
it is known with: ``effect * s^2 / (s^2 + e^2)``, s^2 being the variance between weekdays beyond noise (moments) and e the
effect's standard error. An ad set's own weekday is shrunk towards the account's in the same way. A season is a yearly wave
(one sine and cosine) and is only learned from a year or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.data.ads.history import WEEK, weekdays
from mmx.jax_setup import jax, jnp
from mmx.rules.context import Day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules_settings import RulesSettings

YEAR, AFTER_PROMOTION = 365.25, 3
FEWEST_WEEKS = 4


@dataclass(frozen=True)
class Calendar:
    """Learned effects on the log scale: weekday, (7,), by ad set, (7, ad set), and the yearly wave's sine and cosine."""

    weekday: NDArray[np.float64]
    mix: NDArray[np.float64]
    season: tuple[float, float]


def learn_calendar(history: AccountHistory) -> Calendar:
    """Weekday and season effects from the mature days of a history."""
    days = len(history.dates) - history.immature_days
    weekday = weekdays(history.dates[:days])
    purchases, spend = history.metric("purchases")[:days], history.metric("spend")[:days]
    nothing = np.zeros(WEEK)
    if days < FEWEST_WEEKS * WEEK:
        return Calendar(nothing, np.zeros((WEEK, len(history.adsets))), (0.0, 0.0))
    total = _rate(purchases.sum(axis=1), spend.sum(axis=1))
    account = _shrunk(total, weekday, np.nanmean(total))
    columns = [_rate(purchases[:, a], spend[:, a]) for a in range(purchases.shape[1])]
    own = [_shrunk(rate - account[weekday], weekday, np.nanmean(rate) if np.isfinite(rate).any() else 0.0) for rate in columns]
    return Calendar(account, np.stack(own, axis=1), _wave(total - account[weekday], history.dates[:days]))


def _rate(purchases: NDArray[np.float64], spend: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of purchases per unit of spend, (day,); half a purchase is added, and days without spend are NaN."""
    spent = spend > 0.0
    return np.where(spent, np.log((purchases + 0.5) / np.where(spent, spend, 1.0)), np.nan)


def _shrunk(rate: NDArray[np.float64], weekday: NDArray[np.intp], mean: float) -> NDArray[np.float64]:
    """Weekday effects, (7,), shrunk to zero by their standard errors; zeros where a weekday was hardly ever seen."""
    groups = [rate[(weekday == d) & np.isfinite(rate)] for d in range(WEEK)]
    if min(len(g) for g in groups) < FEWEST_WEEKS:
        return np.zeros(WEEK)
    effect = np.array([g.mean() - mean for g in groups])
    error = np.array([g.var(ddof=1) / len(g) for g in groups])
    between = max(float(np.mean(effect**2 - error)), 0.0)
    return np.asarray(effect * between / (between + error + 1e-12))


def _wave(rate: NDArray[np.float64], dates: NDArray[np.datetime64]) -> tuple[float, float]:
    """Sine and cosine of the yearly wave, by least squares."""
    seen = np.isfinite(rate)
    if len(dates) < YEAR or seen.sum() < YEAR / 2:
        return 0.0, 0.0
    design = np.column_stack([np.ones(seen.sum()), *season_terms(dates[seen])])
    solution = np.linalg.lstsq(design, rate[seen], rcond=None)[0]
    return float(solution[1]), float(solution[2])


def season_terms(dates: NDArray[np.datetime64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sine and cosine of the day of the year, (day,) each."""
    day = (dates.astype("datetime64[D]") - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1
    angle = 2.0 * np.pi * day / YEAR
    return np.sin(angle), np.cos(angle)


def days_ahead(
    dates: NDArray[np.datetime64],
    money: NDArray[np.float64] | float,
    calendar: Calendar,
    settings: RulesSettings,
    history: AccountHistory,
    dtype: Any = np.float64,
) -> Day:
    """Days to decide about, stacked on a leading axis.

    Parameters
    ----------
    dates : array of datetime64[D], (day,)
    money : float or array, (day,)
        The account's budget before account rules, currency.
    calendar : Calendar
        What was learned from the past.
    settings : RulesSettings
        Promotions and stock.
    history : AccountHistory
        Names of campaigns and ad sets.
    """
    weekday = weekdays(dates)
    months = dates.astype("datetime64[M]")
    month_day = (dates - months.astype("datetime64[D]")).astype(int) + 1
    month_days = ((months + np.timedelta64(1, "M")).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    sine, cosine = season_terms(dates)
    promotion, ended = _promotions(dates, settings)
    stock = np.array([_stock(name, history.campaigns[c], settings) for name, c in _names(history)])
    ahead = (dates - history.dates[-1]).astype(int) - 1
    late = np.maximum(stock[None, :] - ahead[:, None], 0.0)
    arrays = Day(
        money=np.broadcast_to(money, dates.shape),
        weekday=weekday,
        month_day=month_day,
        month_days=month_days,
        weekday_effect=calendar.weekday[weekday],
        season_effect=calendar.season[0] * sine + calendar.season[1] * cosine,
        weekday_mix=calendar.mix[weekday],
        promotion=promotion,
        promotion_ended=ended,
        stock_days=late,
    )
    stacked: Day = jax.tree.map(lambda x: jnp.asarray(x, dtype), arrays)
    return stacked


def _names(history: AccountHistory) -> Sequence[tuple[str, int]]:
    return list(zip(history.adsets, history.campaign_of.tolist(), strict=True))


def _stock(adset: str, campaign: str, settings: RulesSettings) -> float:
    return settings.stock_days.get(adset, settings.stock_days.get(campaign, np.inf))


def _promotions(dates: NDArray[np.datetime64], settings: RulesSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days within a promotion, and the three days after one that are in none, as ones."""
    on, after = np.zeros(len(dates), bool), np.zeros(len(dates), bool)
    for promotion in settings.promotions:
        start, end = np.datetime64(promotion.start), np.datetime64(promotion.end)
        on |= (dates >= start) & (dates <= end)
        after |= (dates > end) & (dates <= end + np.timedelta64(AFTER_PROMOTION, "D"))
    return on.astype(float), (after & ~on).astype(float)
