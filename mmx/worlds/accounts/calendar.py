"""What the calendar of an account holds: weekday and season of demand and of prices, promotions, stock-outs, lost tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmx.data.ads.history import weekdays
from mmx.worlds.accounts.luck import Floats

YEAR = 365.25
CYBER_DAY = 332  # of the year: the end of November
GOOGLE_MONTH = 30.4  # days of budget that Google Ads charges at most in a month


@dataclass(frozen=True)
class Calendar:
    """Days of an account, from the first of its history to the last of its future.

    Attributes
    ----------
    dates : array of datetime64[D], (day,)
    demand : array, (day,)
        Log of the propensity to buy: weekday, season and promotion.
    price : array, (day,)
        Log of the price of impressions: weekday and season.
    promotion : array of bool, (day,)
    stock : array, (day, campaign)
        Share of the demand that can be served, 1 where nothing is out of stock.
    tracking : array, (day,)
        Share of the purchases that the platform records.
    left : array of int, (day,)
        Days that are left of the platform's charging period, the day included.
    begins : array of bool, (day,)
        Whether a charging period begins.
    allowance : array, (day,)
        Share of the sum of a period's daily budgets that may be charged.
    """

    dates: NDArray[np.datetime64]
    demand: Floats
    price: Floats
    promotion: NDArray[np.bool_]
    stock: Floats
    tracking: Floats
    left: NDArray[np.int64]
    begins: NDArray[np.bool_]
    allowance: Floats


def make_calendar(rng: np.random.Generator, days: int, campaigns: int, platform: Literal["meta", "google"]) -> Calendar:
    """Draw the calendar of an account: it starts on a day between January 2024 and December 2024."""
    start = np.datetime64("2024-01-01") + np.timedelta64(int(rng.integers(0, 365)), "D")
    dates = start + np.arange(days) * np.timedelta64(1, "D")
    weekday = weekdays(dates)
    of_year = (dates - dates.astype("datetime64[Y]")).astype(np.int64).astype(np.float64)
    angle = 2.0 * np.pi * of_year / YEAR
    waves = 0.12 * np.cos(angle - rng.uniform(0, 2 * np.pi)) + 0.06 * np.cos(2 * angle - rng.uniform(0, 2 * np.pi))
    peak = np.exp(-0.5 * ((of_year - CYBER_DAY) / 12.0) ** 2)
    promotion = _spells(rng, days, every=40.0, length=(2, 6))
    week = rng.normal(0.0, 0.1, 7) + np.where(np.arange(7) >= 5, rng.normal(0.0, 0.12), 0.0)
    demand = (week - week.mean())[weekday] + waves + rng.uniform(0.15, 0.5) * peak + rng.uniform(0.2, 0.5) * promotion
    price_week = rng.normal(0.0, 0.03, 7)[weekday]
    price = price_week + 0.06 * np.cos(angle - rng.uniform(0, 2 * np.pi)) + rng.uniform(0.15, 0.4) * peak
    stock = np.stack([np.where(_spells(rng, days, every=150.0, length=(3, 10)), 0.3, 1.0) for _ in range(campaigns)], axis=1)
    tracking = np.where(_spells(rng, days, every=120.0, length=(1, 2)), 0.1, 1.0)
    left, begins, allowance = _periods(dates, platform)
    return Calendar(dates, demand, price, promotion, stock, tracking, left, begins, allowance)


def _periods(dates: NDArray[np.datetime64], platform: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], Floats]:
    """Charging periods: a week that begins on Sunday on Meta, a month on Google."""
    if platform == "meta":
        position = (weekdays(dates) + 1) % 7
        return 7 - position, position == 0, np.ones(len(dates))
    first = dates.astype("datetime64[M]").astype("datetime64[D]")
    after = (dates.astype("datetime64[M]") + np.timedelta64(1, "M")).astype("datetime64[D]")
    length = (after - first).astype(np.int64)
    left = (after - dates).astype(np.int64)
    return left, dates == first, np.minimum(GOOGLE_MONTH / length, 1.0)


def _spells(rng: np.random.Generator, days: int, *, every: float, length: tuple[int, int]) -> NDArray[np.bool_]:
    """Spells of some days, one in about ``every`` days."""
    out = np.zeros(days, dtype=bool)
    day = int(rng.exponential(every))
    while day < days:
        lasts = int(rng.integers(length[0], length[1] + 1))
        out[day : day + lasts] = True
        day += lasts + int(rng.exponential(every))
    return out
