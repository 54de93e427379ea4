"""What truly would be best: the long-run response of every ad set to a constant budget, its slope, and an oracle allocation.

The long run is the mean day of a window of the calendar, with the ads that run in it, when a budget has been constant since
each of them began: fatigue as it builds up at that budget, learning as far as the ad set's purchases take it, shocks at their
means. Ad sets are taken one by one, those under a campaign's budget too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.worlds.accounts.luck import Floats
from mmx.worlds.accounts.past import known_at
from mmx.worlds.accounts.step import CPM_NOISE, LEARNING_LIMITED, PRICE_DRIFT
from mmx.worlds.accounts.truth import LEARNING_EVENTS, Truth, deliverable, depth_of, fatigue_of, impressions_of
from mmx.worlds.accounts.world import AccountWorld

WINDOW = 28
NUDGE = 0.02
GRID = (0.02, 20.0, 600)  # budgets that the oracle tries, over the base
CHUNK = 50


@dataclass(frozen=True)
class LongRun:
    """Mean day in the long run, currency per day, shaped as the budgets."""

    spend: Floats
    revenue: Floats


def long_run(world: AccountWorld, budgets: Floats, *, day: int | None = None, days: int = WINDOW) -> LongRun:
    """Long-run response of the ad sets of ``world.history(day)``.

    Parameters
    ----------
    world : AccountWorld
    budgets : array, (..., ad set)
        Currency per day, >= 0.
    day, days : int
        The window: its first day, by default the first one after the past, and its length.
    """
    first = world.checked(day)
    truth, known = world.truth, known_at(world.truth, first)
    rows = slice(first, min(first + days, len(truth.calendar.dates)))
    everyone = np.zeros((*budgets.shape[:-1], truth.adsets))
    everyone[..., known] = budgets
    cpm = truth.cpm * np.exp(truth.calendar.price[rows]).mean()
    spend = deliverable(truth, everyone * truth.servable(first), cpm)
    impressions = impressions_of(truth, spend, cpm * np.exp(-0.5 * (PRICE_DRIFT**2 + CPM_NOISE**2)))
    clicks = impressions * _mean_ctr(truth, impressions, rows)
    demand = np.exp(truth.calendar.demand[rows])[:, None] * truth.calendar.stock[rows][:, truth.campaign_of]
    shocks = np.exp(0.5 * 1.25 * truth.customer.drift**2)
    purchases = clicks * truth.cvr * depth_of(truth, spend) * demand.mean(axis=0) * shocks
    efficiency = np.ones_like(purchases)
    for _ in range(8):
        progress = np.clip(7.0 * purchases * efficiency / LEARNING_EVENTS, LEARNING_LIMITED, 1.0)
        efficiency = 1.0 - truth.customer.learning * (1.0 - progress)
    revenue = purchases * efficiency * truth.order_value
    return LongRun(spend[..., known], revenue[..., known])


def marginal_roas(world: AccountWorld, budgets: Floats, *, day: int | None = None, days: int = WINDOW) -> Floats:
    """Revenue of one more unit of spend in the long run, (..., ad set); NaN where no more can be spent."""
    up = long_run(world, budgets * (1.0 + NUDGE), day=day, days=days)
    down = long_run(world, budgets * (1.0 - NUDGE), day=day, days=days)
    more = up.spend - down.spend
    return np.where(more > 0.0, (up.revenue - down.revenue) / np.where(more > 0.0, more, 1.0), np.nan)


def elasticity(world: AccountWorld, budgets: Floats, *, day: int | None = None, days: int = WINDOW) -> Floats:
    """Relative change of long-run revenue over that of the budget, (..., ad set); NaN without revenue."""
    up = long_run(world, budgets * (1.0 + NUDGE), day=day, days=days).revenue
    down = long_run(world, budgets * (1.0 - NUDGE), day=day, days=days).revenue
    some = down > 0.0
    change = np.log(np.where(some, up, 1.0) / np.where(some, down, 1.0)) / np.log((1.0 + NUDGE) / (1.0 - NUDGE))
    return np.where(some, change, np.nan)


def oracle_allocation(world: AccountWorld, total: float, *, day: int | None = None, days: int = WINDOW) -> Floats:
    """Budgets, (ad set,), of the largest long-run profit that share out ``total``, currency per day, by equal marginal return.

    Each ad set takes the budget of a grid that is worth most at a price of money; the price is found by bisection, and what
    the grid leaves is given out in proportion. It may be negative: the whole total is budgeted also where it does not pay.
    """
    known = known_at(world.truth, world.checked(day))
    low, high, count = GRID
    grid = np.concatenate([[0.0], np.geomspace(low, high, count)])[:, None] * world.truth.base[known]
    parts = [long_run(world, grid[i : i + CHUNK], day=day, days=days) for i in range(0, len(grid), CHUNK)]
    revenue, spend = (np.concatenate([getattr(part, name) for part in parts]) for name in ("revenue", "spend"))
    live = world.truth.servable(world.checked(day))[known]
    profit = np.where(live | (grid == 0.0), world.customer.margin * revenue - spend, -np.inf)
    cheap, dear = -world.customer.margin * 100.0, world.customer.margin * 1000.0
    for _ in range(80):
        price = 0.5 * (cheap + dear)
        budgets = _best(profit, grid, price)
        cheap, dear = (price, dear) if budgets.sum() > total else (cheap, price)
    budgets = _best(profit, grid, dear)
    return np.asarray(budgets * total / budgets.sum())


def _best(profit: Floats, grid: Floats, price: float) -> Floats:
    return np.asarray(np.take_along_axis(grid, np.argmax(profit - price * grid, axis=0)[None, :], axis=0)[0])


def _mean_ctr(truth: Truth, impressions: Floats, rows: slice) -> Floats:
    """CTR of the window's mean day, (..., ad set), when impressions have been constant since each ad began."""
    ads = truth.creatives
    seen = np.empty((rows.stop, truth.adsets, ads.share.shape[2]))
    running = ads.share[0] * ads.age
    for day in range(rows.stop):
        running = np.where(ads.new[day], 0.0, running)
        seen[day] = running
        running = running + ads.share[day]
    per_person = (impressions / truth.audience)[..., None, :, None] * seen[rows]
    mix = ads.share[rows] * ads.quality[rows]
    return np.asarray(truth.ctr * (mix * fatigue_of(truth, per_person)).sum(axis=-1).mean(axis=-2))
