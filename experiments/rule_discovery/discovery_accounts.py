"""Simulated accounts in which no rule holds, or one that is planted.

Ad sets differ in budget, CTR, CPM, conversion and order value; all of these drift, frequency comes and goes, weeks are good or
bad for the whole account, and purchases vary more than a Poisson's. Purchases per unit of spend depend on nothing that a rule
can see, but for the planted rule: where the frequency of the last 7 days is above a threshold and the CTR of 7 over 28 days
below one, they are fewer by ``drop`` on the next day. (Clicks bring no purchases here: if they did, a rise of the CPC would
announce a fall of the ROAS, and be found.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmx.data.ads.history import AccountHistory

FREQUENCY, CTR_TREND = 1.6, -0.05


@dataclass(frozen=True)
class Recipe:
    """How an account is made.

    Attributes
    ----------
    days, ad_sets, campaigns : int
    purchases : float
        Mean purchases of an ad set and day.
    drop : float
        By how much the planted rule lowers purchases; 0 plants nothing.
    dispersion : float
        Variance of daily purchases over a Poisson's.
    differ : float
        Standard deviation of log purchases per unit of spend between ad sets.
    drift : float
        Standard deviation of log purchases per unit of spend within an ad set, with a half-life of two weeks.
    new : int
        Ad sets that begin within the first half.
    immature_days : int
    """

    days: int = 360
    ad_sets: int = 30
    campaigns: int = 4
    purchases: float = 4.0
    drop: float = 0.0
    dispersion: float = 1.5
    differ: float = 0.25
    drift: float = 0.0
    new: int = 5
    immature_days: int = 3


def simulate(recipe: Recipe, seed: int) -> AccountHistory:
    """An account's history."""
    rng = np.random.default_rng(seed)
    days, ad_sets = recipe.days, recipe.ad_sets
    level = {
        name: rng.normal(0.0, sd, ad_sets) for name, sd in (("ctr", 0.25), ("cpm", 0.2), ("cvr", recipe.differ), ("aov", 0.2))
    }
    first = np.where(np.arange(ad_sets) < recipe.new, rng.integers(10, days // 2, ad_sets), -rng.integers(30, 200, ad_sets))
    budget = budgets(days, ad_sets, rng) * 60.0
    live = np.arange(days)[:, None] >= first[None, :]
    weeks = np.repeat(rng.normal(0.0, 0.12, days // 7 + 1), 7)[:days, None]
    spend = budget * np.clip(rng.normal(0.92, 0.08, (days, ad_sets)), 0.2, 1.2) * live
    cpm = 12.0 * np.exp(level["cpm"] + drifting(days, ad_sets, 0.12, 20.0, rng) + 0.5 * weeks)
    impressions = rng.poisson(1000.0 * spend / cpm).astype(float)
    frequency = 1.0 + 0.45 * np.exp(drifting(days, ad_sets, 0.55, 15.0, rng))
    reach = np.round(impressions / frequency)
    ctr = 0.012 * np.exp(level["ctr"] + drifting(days, ad_sets, 0.18, 10.0, rng))
    clicks = rng.binomial(impressions.astype(int), np.minimum(ctr, 1.0)).astype(float)
    drop = 1.0 - recipe.drop * planted(impressions, reach, clicks)
    rate = np.exp(level["cvr"] + drifting(days, ad_sets, recipe.drift, 20.0, rng) + rng.normal(0.0, 0.05, (days, 1)) + weeks)
    purchases = counts(spend * recipe.purchases / 60.0 * rate * drop, recipe.dispersion, rng)
    value = 80.0 * np.exp(level["aov"])
    revenue = rng.gamma(np.maximum(purchases * 4.0, 1e-9), 0.25) * value * (purchases > 0.0)
    return AccountHistory(
        account=f"simulated {seed}",
        platform="simulated",
        currency="EUR",
        dates=np.datetime64("2025-01-06") + np.arange(days).astype("timedelta64[D]"),
        adsets=tuple(f"ad set {i}" for i in range(ad_sets)),
        campaigns=tuple(f"campaign {i}" for i in range(recipe.campaigns)),
        campaign_of=np.arange(ad_sets) % recipe.campaigns,
        metrics=np.stack([spend, impressions, clicks, purchases, revenue, reach], axis=-1),
        budget=budget * live,
        first_day=first,
        campaign_budget=np.zeros(ad_sets, dtype=bool),
        immature_days=recipe.immature_days,
    )


def planted(impressions: NDArray[np.float64], reach: NDArray[np.float64], clicks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the planted rule holds on a day, from the days before it, (day, ad set)."""

    def of_last(daily: NDArray[np.float64], days: int) -> NDArray[np.float64]:
        total = np.concatenate([np.zeros((days + 1, daily.shape[1])), np.cumsum(daily, axis=0)])
        return total[days:-1] - total[: -days - 1]

    with np.errstate(divide="ignore", invalid="ignore"):
        frequency = of_last(impressions, 7) / of_last(reach, 7)
        short, long = (of_last(clicks, days) / of_last(impressions, days) for days in (7, 28))
        return np.asarray((frequency > FREQUENCY) & (np.log(short / long) < CTR_TREND))


def counts(mean: NDArray[np.float64], dispersion: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Counts with a variance of ``dispersion`` times the mean: Poisson of a gamma, Poisson at 1."""
    if dispersion <= 1.0:
        return rng.poisson(mean).astype(float)
    scale = dispersion - 1.0
    return rng.poisson(rng.gamma(np.maximum(mean / scale, 1e-9), scale)).astype(float)


def drifting(days: int, ad_sets: int, sd: float, half_life: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A stationary first-order autoregression of each ad set, (day, ad set)."""
    keep = 0.5 ** (1.0 / half_life)
    shock = rng.normal(0.0, sd, (days, ad_sets)) * np.sqrt(1.0 - keep**2)
    shock[0] /= np.sqrt(1.0 - keep**2)
    for t in range(1, days):
        shock[t] += keep * shock[t - 1]
    return shock


def budgets(days: int, ad_sets: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Budgets over their mean, (day, ad set), that move by a fifth now and then for no reason."""
    moves = np.where(rng.random((days, ad_sets)) < 0.05, rng.normal(0.0, 0.2, (days, ad_sets)), 0.0)
    for t in range(1, days):
        moves[t] += 0.99 * moves[t - 1]
    return np.exp(rng.normal(0.0, 0.5, ad_sets) + moves)
