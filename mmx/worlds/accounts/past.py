"""The past of an account: every day that a behaviour lived through, with the state at its beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmx.data.ads.history import AccountHistory
from mmx.worlds.accounts.behaviour import next_budgets
from mmx.worlds.accounts.luck import PAST, Floats, keys_of, luck_of
from mmx.worlds.accounts.reporting import reported
from mmx.worlds.accounts.step import Day, State, initial_state, step
from mmx.worlds.accounts.truth import Truth

BEFORE = -1  # the day whose luck gives the first state


@dataclass(frozen=True)
class Past:
    """What has happened, (day, ad set) each; money in currency.

    Attributes
    ----------
    asked : array
        Budgets that were set.
    day : Day
        What came of them.
    delay, arrival : array
        The normal and the uniform by which purchases are reported.
    density : array
        Of the logged change of budget; NaN where it was not drawn.
    states : tuple of State
        State before each day, and after the last one.
    """

    asked: Floats
    day: Day
    delay: Floats
    arrival: Floats
    density: Floats
    states: tuple[State, ...]


def live_through(truth: Truth, kind: str, seed: int, days: int, levels: Floats | None = None) -> Past:
    """Simulate a past of so many days under a behaviour.

    ``levels`` (day,) are what the whole account's budgets are times those of the behaviour; changes then have no known density.
    """
    key = keys_of(seed, [PAST])
    state = initial_state(truth, luck_of(key, BEFORE, truth.adsets))
    states, asked, happened, delay, arrival, densities = [state], [], [], [], [], []
    before = truth.base * (truth.first_day < 0)
    for t in range(days):
        luck = luck_of(key, t, truth.adsets)
        before, density = next_budgets(kind, truth, t, state, before, luck)
        budgets = before if levels is None else np.round(before * levels[t], 2)
        state, day = step(truth, t, state, budgets[None, :], luck, truth.servable(t))
        states.append(state)
        asked.append(budgets)
        happened.append(day)
        delay.append(luck.of("delay")[0])
        arrival.append(luck.of("reported")[0])
        densities.append(density if levels is None else np.full_like(density, np.nan))
    stacked = Day(*(np.concatenate(values) for values in zip(*happened, strict=True)))
    return Past(np.stack(asked), stacked, np.stack(delay), np.stack(arrival), np.stack(densities), tuple(states))


def metrics_of(spend: Floats, impressions: Floats, clicks: Floats, purchases: Floats, revenue: Floats, reach: Floats) -> Floats:
    """Metrics in the order of ``mmx.data.ads.history.METRICS`` on a last axis."""
    return np.stack([spend, impressions, clicks, purchases, revenue, reach], axis=-1)


def history_of(truth: Truth, past: Past, kind: str, day: int, name: str) -> AccountHistory:
    """The first ``day`` days as they stand reported on the morning of day ``day``; ad sets that begin later are not in it."""
    known = known_at(truth, day)
    purchases, revenue = as_reported(truth, past, day)
    now = past.day
    columns = [now.spend[:day], now.impressions[:day], now.clicks[:day], purchases, revenue, now.reach[:day]]
    return AccountHistory(
        account=name,
        platform=truth.customer.platform,
        currency="EUR",
        dates=truth.calendar.dates[:day],
        adsets=tuple(f"adset_{a + 1:02d}" for a in known),
        campaigns=tuple(f"campaign_{c + 1}" for c in range(truth.campaigns)),
        campaign_of=truth.campaign_of[known],
        metrics=metrics_of(*columns)[:, known],
        budget=now.budget[:day, known],
        first_day=truth.first_day[known].astype(np.intp),
        campaign_budget=truth.campaign_budget[known],
        immature_days=truth.immature_days,
        propensity=past.density[:day, known] if kind == "randomised" else None,
    )


def as_reported(truth: Truth, past: Past, day: int) -> tuple[Floats, Floats]:
    """Purchases and revenue of the first ``day`` days as reported on the morning of day ``day``, (day, ad set)."""
    age = np.arange(day - 1, -1, -1)
    value = per_purchase(past.day.purchases[:day], past.day.revenue[:day])
    return reported(past.day.tracked[:day], value, age, truth.delay, past.delay[:day], past.arrival[:day])


def per_purchase(purchases: Floats, revenue: Floats) -> Floats:
    """Mean value of orders, 0 where there are none."""
    return np.where(purchases > 0.0, revenue / np.where(purchases > 0.0, purchases, 1.0), 0.0)


def known_at(truth: Truth, day: int) -> NDArray[np.intp]:
    """Ad sets that began before a day, (ad set of the history,)."""
    return np.flatnonzero(truth.first_day < day)
