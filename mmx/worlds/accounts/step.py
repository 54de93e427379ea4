"""One day of an account, for many futures at once: from budgets and luck to what is spent, bought and carried over.

Arrays are (future, ad set) unless another shape is named. Expected values are means over the counts, order values and noise of
the day, given what came before it and what was spent at which price; they average to the realised ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmx.worlds.accounts.counts import negative_binomial, order_total
from mmx.worlds.accounts.creatives import SLOTS
from mmx.worlds.accounts.luck import Floats, Luck
from mmx.worlds.accounts.truth import (
    LEARNING_EVENTS,
    RESET_STEP,
    Truth,
    deliverable,
    depth_of,
    fatigue_of,
    impressions_of,
)

DEMAND_MEMORY, OWN_MEMORY, PRICE_MEMORY = 0.85, 0.95, 0.8  # AR(1) coefficients per day
PRICE_DRIFT = 0.06  # standard deviation of the AR(1) of the account's log CPM
CPM_NOISE, PACE_NOISE, IMPRESSION_NOISE, REACH_NOISE = 0.12, 0.2, 0.05, 0.03
LEARNING_NOISE = 0.5  # how much larger the noise of a day is at the start of the learning phase
LEARNING_LIMITED, LIMITED_DAYS = 0.5, 28.0  # progress of an ad set that never gets its events, and the days it takes
SPLIT_POWER, SPLIT_DAYS, SPLIT_MEMORY = 0.7, 3.0, 0.9  # how a platform splits a campaign's budget by recent ROAS


class State(NamedTuple):
    """What a day hands to the next one.

    Attributes
    ----------
    demand, price : array, (future,)
        AR(1) of the account's log demand and log CPM.
    own : array
        AR(1) of an ad set's log efficiency.
    shown : array, (future, ad set, slot)
        Impressions of the running ads.
    events : array, (future, ad set, 7)
        Purchases of the last seven days since the learning phase began, today's last.
    since_reset : array
        Days since it began.
    learned : array of bool
        Whether it has ended.
    lever : array
        Budget that was set, the campaign's where the platform splits it.
    period_spend, period_budget : array
        Sums over the charging period so far.
    recent_spend, recent_revenue : array
        Sums with the weights of an exponential average, which the platform splits by.
    """

    demand: Floats
    price: Floats
    own: Floats
    shown: Floats
    events: Floats
    since_reset: Floats
    learned: NDArray[np.bool_]
    lever: Floats
    period_spend: Floats
    period_budget: Floats
    recent_spend: Floats
    recent_revenue: Floats


class Day(NamedTuple):
    """What happened on a day, (future, ad set) each: counts, money in currency, ``progress`` of the learning phase in [0, 1].

    ``tracked`` is the number of purchases that the platform will ever report, ``budget`` the one that held.
    """

    budget: Floats
    spend: Floats
    impressions: Floats
    clicks: Floats
    purchases: Floats
    revenue: Floats
    reach: Floats
    tracked: Floats
    expected_purchases: Floats
    expected_revenue: Floats
    progress: Floats


def initial_state(truth: Truth, luck: Luck) -> State:
    """The state before the first day: stationary shocks, old ad sets past or within their learning phase as they sell."""
    futures, sets = luck.adset.shape[:2]
    shape = (futures, sets)
    running = truth.first_day < 0
    base = truth.base * running
    clicks = impressions_of(truth, base, truth.cpm) * truth.ctr * 0.8
    daily = np.broadcast_to(clicks * truth.cvr * depth_of(truth, base), shape)
    people = impressions_of(truth, base, truth.cpm)
    shown = people[:, None] * truth.creatives.share[0] * truth.creatives.age
    customer = truth.customer
    return State(
        demand=0.5 * customer.drift * luck.common("demand"),
        price=PRICE_DRIFT * luck.common("price"),
        own=customer.drift * luck.of("own"),
        shown=np.broadcast_to(shown, (*shape, SLOTS)).copy(),
        events=np.repeat(daily[..., None], 7, axis=2),
        since_reset=np.broadcast_to(np.where(running, 60.0, 0.0), shape).copy(),
        learned=7.0 * daily >= LEARNING_EVENTS,
        lever=np.broadcast_to(_levers(truth, base[None, :]), shape).copy(),
        period_spend=np.zeros(shape),
        period_budget=np.zeros(shape),
        recent_spend=np.zeros(shape),
        recent_revenue=np.zeros(shape),
    )


def repeated(state: State, futures: int) -> State:
    """The state of one future as that of many."""
    parts: list[Any] = [np.repeat(part, futures, axis=0) for part in state]
    return State(*parts)


def step(truth: Truth, day: int, state: State, asked: Floats, luck: Luck, servable: NDArray[np.bool_]) -> tuple[State, Day]:
    """Advance every future by one day.

    Parameters
    ----------
    truth : Truth
    day : int
        Of the calendar.
    state : State
    asked : array, (future, ad set)
        Budgets, currency per day, >= 0; where the platform splits a campaign's budget, only their sum counts.
    luck : Luck
        Of the day.
    servable : array of bool, (ad set,)
        Ad sets that have begun and not ended; the others get nothing.

    Returns
    -------
    State, Day
    """
    calendar = truth.calendar
    asked = asked * servable
    lever = _levers(truth, asked)
    reset = _restarts(lever, state.lever)
    budget = _split(truth, state, asked, lever, servable)
    demand, price, own = _shocks(truth, state, luck)

    cpm = truth.cpm * np.exp(calendar.price[day] + price[:, None] + CPM_NOISE * luck.of("cpm"))
    begins = bool(calendar.begins[day])
    period_spend = np.where(begins, 0.0, state.period_spend)
    period_budget = np.where(begins, 0.0, state.period_budget) + budget
    spend = _spend(truth, day, budget, period_spend, period_budget, cpm, luck)
    mean_impressions = impressions_of(truth, spend, cpm)
    impressions = np.rint(mean_impressions * np.exp(IMPRESSION_NOISE * luck.of("impressions") - 0.5 * IMPRESSION_NOISE**2))
    reach = _reach(truth, impressions, luck)

    shown = np.where(truth.creatives.new[day], 0.0, state.shown)
    ctr = click_rate(truth, day, shown)
    clicks = np.minimum(negative_binomial(luck.of("clicks"), impressions * ctr, truth.click_size), impressions)

    events = np.where(reset[..., None], 0.0, state.events)
    since_reset = np.where(reset, 0.0, state.since_reset + 1.0)
    learned = state.learned & ~reset
    progress = _progress(learned, events, since_reset)
    stock = calendar.stock[day, truth.campaign_of]
    rate = truth.cvr * depth_of(truth, spend) * stock * np.exp(calendar.demand[day] + demand[:, None] + own)
    rate = rate * (1.0 - truth.customer.learning * (1.0 - progress))
    noise = truth.customer.noise * (1.0 + LEARNING_NOISE * (1.0 - progress))
    bought = clicks * rate * np.exp(noise * luck.of("day") - 0.5 * noise**2)
    purchases = negative_binomial(luck.of("purchases"), bought, truth.purchase_size)
    revenue = np.round(order_total(luck.of("orders"), purchases, truth.order_value, truth.customer.order_spread), 2)
    tracked = np.floor(purchases * calendar.tracking[day] + luck.of("tracked"))
    expected = mean_impressions * ctr * rate

    events = np.concatenate([events[..., 1:], purchases[..., None]], axis=2)
    learned = learned | (events.sum(axis=2) >= LEARNING_EVENTS)
    after = State(
        demand=demand,
        price=price,
        own=own,
        shown=shown + impressions[..., None] * truth.creatives.share[day],
        events=events,
        since_reset=since_reset,
        learned=learned,
        lever=lever,
        period_spend=period_spend + spend,
        period_budget=period_budget,
        recent_spend=SPLIT_MEMORY * state.recent_spend + spend,
        recent_revenue=SPLIT_MEMORY * state.recent_revenue + revenue,
    )
    tracked = np.minimum(tracked, purchases)
    return after, Day(
        budget, spend, impressions, clicks, purchases, revenue, reach, tracked, expected, expected * truth.order_value, progress
    )


def click_rate(truth: Truth, day: int, shown: Floats) -> Floats:
    """CTR of ad sets, (..., ad set), from the impressions that their running ads have had, (..., ad set, slot)."""
    ads = truth.creatives
    worn = fatigue_of(truth, shown / truth.audience[:, None])
    return np.asarray(truth.ctr * (ads.share[day] * ads.quality[day] * worn).sum(axis=-1))


def _levers(truth: Truth, asked: Floats) -> Floats:
    """Budgets as they are set: an ad set's own, or its campaign's."""
    members = truth.campaign_of[:, None] == np.arange(truth.campaigns)
    return np.where(truth.campaign_budget, (asked @ members.astype(np.float64))[:, truth.campaign_of], asked)


def _restarts(lever: Floats, before: Floats) -> NDArray[np.bool_]:
    """Whether the learning phase begins anew: a budget moved by more than ``RESET_STEP`` either way, or came back."""
    factor = lever / np.where(before > 0.0, before, 1.0)
    moved = (factor > 1.0 + RESET_STEP + 1e-9) | (factor < 1.0 - RESET_STEP - 1e-9)
    return np.asarray((lever > 0.0) & (moved | (before <= 0.0)))


def _split(truth: Truth, state: State, asked: Floats, lever: Floats, servable: NDArray[np.bool_]) -> Floats:
    """Budgets that hold: the platform splits a campaign's by size and by recent ROAS, shrunk to the account's typical one."""
    if not truth.campaign_budget.any():
        return asked
    prior = SPLIT_DAYS * truth.base
    score = (state.recent_revenue + truth.customer.roas * prior) / (state.recent_spend + prior)
    weight = truth.base * servable * score**SPLIT_POWER
    total = _levers(truth, weight)
    return np.where(truth.campaign_budget, lever * weight / np.where(total > 0.0, total, 1.0), asked)


def _shocks(truth: Truth, state: State, luck: Luck) -> tuple[Floats, Floats, Floats]:
    """AR(1) shocks of the day with the stationary standard deviations of ``initial_state``."""
    drift = truth.customer.drift

    def follow(value: Floats, memory: float, sd: float, normal: Floats) -> Floats:
        return np.asarray(memory * value + np.sqrt(1.0 - memory**2) * sd * normal)

    return (
        follow(state.demand, DEMAND_MEMORY, 0.5 * drift, luck.common("demand")),
        follow(state.price, PRICE_MEMORY, PRICE_DRIFT, luck.common("price")),
        follow(state.own, OWN_MEMORY, drift, luck.of("own")),
    )


def _spend(truth: Truth, day: int, budget: Floats, spent: Floats, budgets: Floats, cpm: Floats, luck: Luck) -> Floats:
    """Spend of the day: what is left of the period's allowance by day, unevenly, within the platform's limits, in cents."""
    calendar = truth.calendar
    left = float(calendar.left[day])
    rest = np.maximum(calendar.allowance[day] * (budgets + budget * (left - 1.0)) - spent, 0.0)
    target = rest / left * np.exp(PACE_NOISE * luck.of("pace") - 0.5 * PACE_NOISE**2)
    most = np.minimum(truth.overspend * budget, rest)
    spend = np.minimum(deliverable(truth, target, cpm), most)
    return np.asarray(np.floor(spend * 100.0) / 100.0)


def _reach(truth: Truth, impressions: Floats, luck: Luck) -> Floats:
    """People reached: those of a Poisson number of contacts each, with some noise; Google does not tell."""
    if truth.customer.platform == "google":
        return np.zeros_like(impressions)
    people = -truth.audience * np.expm1(-impressions / truth.audience) * np.exp(REACH_NOISE * luck.of("reach"))
    return np.minimum(np.rint(people), impressions)


def _progress(learned: NDArray[np.bool_], events: Floats, since_reset: Floats) -> Floats:
    """Progress of the learning phase in [0, 1]: by purchases, or slowly and only in part by days."""
    by_days = LEARNING_LIMITED * np.minimum(since_reset / LIMITED_DAYS, 1.0)
    return np.where(learned, 1.0, np.maximum(np.minimum(events.sum(axis=2) / LEARNING_EVENTS, 1.0), by_days))
