"""What a decision knows beside features: the ad sets' state, the account, and the day."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mmx.jax_setup import jnp
from mmx.rules.rule import ACTIVE, FROZEN, PROBING

LEAST = 1e-9


class State(NamedTuple):
    """What is remembered of ad sets from one decision to the next; arrays, (ad set,).

    Attributes
    ----------
    budget : array
        Budget of the last day, currency.
    days_since_change : array
        Days since the budget last moved by more than 1 %.
    phase : array of int
        ``ACTIVE``, ``FROZEN`` or ``PROBING``.
    days_in_phase : array
        Days since the phase began.
    before : array
        Budget that an ad set had before it was frozen or before money ran out, currency; for others that of an earlier day.
        Zero, beside a budget of zero, where a person has switched the ad set off.
    failures : array
        Probes that failed one after the other.
    """

    budget: Any
    days_since_change: Any
    phase: Any
    days_in_phase: Any
    before: Any
    failures: Any


class Account(NamedTuple):
    """What holds for an account over a whole roll-out.

    Attributes
    ----------
    member : array, (campaign, ad set)
        One where an ad set is in a campaign, else zero.
    campaign_budget : array, (ad set,)
        One where the platform splits a budget of the campaign, else zero.
    target_roas : scalar
        Revenue per unit of spend that the customer asks for; true revenue where the incrementality is known.
    marginal_floor : scalar
        Least marginal ROAS at which the next unit of money pays: one over the margin where profit counts.
    expected_cpa : scalar
        Currency per purchase in the account, for ad sets that have no purchases yet.
    order_value_spread : scalar
        Coefficient of variation of order values.
    minimum_budget : scalar
        Least budget that the platform takes, currency per day.
    month_budget : scalar
        Money of the month, currency; infinite where there is none.
    elasticity_mean, elasticity_sd : array, (ad set,)
        Of the log response in the log budget.
    incrementality_mean : array, (ad set,)
        Of the logarithm of true over platform ROAS; zeros where the platform is believed.
    incrementality_sd, floor_sd : array, (ad set,)
        How uncertain it is against the target, and against the floor; zeros where that is multiplied with it too.
    maturity : array, (7,)
        Expected share of the purchases of 0, 1, ... days ago that is reported by now.
    reported : array, (7,)
        Share that daily purchases of a roll-out are to be multiplied with; ones where they are as reported.
    """

    member: Any
    campaign_budget: Any
    target_roas: Any
    marginal_floor: Any
    expected_cpa: Any
    order_value_spread: Any
    minimum_budget: Any
    month_budget: Any
    elasticity_mean: Any
    elasticity_sd: Any
    incrementality_mean: Any
    incrementality_sd: Any
    floor_sd: Any
    maturity: Any
    reported: Any


class Day(NamedTuple):
    """What is known of the day that is decided about.

    Attributes
    ----------
    money : scalar
        The account's budget of the day before account rules, currency.
    weekday, month_day, month_days : scalar
        Monday is 0; day of the month from 1; days of the month.
    weekday_effect, season_effect : scalar
        Logarithm of the expected response of the day over that of an average day, learned from the account's past.
    weekday_mix : array, (ad set,)
        How the weekday's effect of an ad set differs from the account's, on the log scale.
    promotion, promotion_ended : scalar
        One on days of a promotion of the calendar, and on the three days after it, else zero.
    stock_days : array, (ad set,)
        Days for which the stock of what an ad set sells lasts; infinite where it is not known.
    """

    money: Any
    weekday: Any
    month_day: Any
    month_days: Any
    weekday_effect: Any
    season_effect: Any
    weekday_mix: Any
    promotion: Any
    promotion_ended: Any
    stock_days: Any


def first_state(budget: np.ndarray, days_since_change: np.ndarray, dtype: Any = np.float64) -> State:
    """The state of ad sets that no rule has moved yet, from budgets, (ad set,), and days since they changed."""
    now = jnp.asarray(budget, dtype)
    zero = jnp.zeros_like(now)
    phase = jnp.full(now.shape, ACTIVE, jnp.int32)
    return State(now, jnp.asarray(days_since_change, dtype), phase, zero, now, zero)


def starting_budget(state: State, minimum: Any) -> Any:
    """Budgets that decisions start from, (ad set,), currency.

    That of the last day; of a frozen ad set the one before the freeze; and where money ran out, so that an active ad set got
    less than the platform takes, the one before that: a month that begins with new money goes on where the old one stopped.

    Parameters
    ----------
    state : State
    minimum : scalar
        Least budget that the platform takes, currency per day.
    """
    enough = (state.budget >= minimum) | (state.budget >= state.before) | (state.phase == PROBING)
    start = jnp.where(enough & (state.budget > 0.0) & (state.phase != FROZEN), state.budget, state.before)
    return jnp.where(state.phase == ACTIVE, start, jnp.maximum(start, LEAST))


def days_since_change(budget: np.ndarray, first_day: np.ndarray) -> np.ndarray:
    """Days since budgets, (day, ad set), last moved by more than 1 % from the day before; the age where they never did.

    Parameters
    ----------
    budget : array, (day, ad set)
        Currency per day.
    first_day : array of int, (ad set,)
        Row on which an ad set began.

    Returns
    -------
    array, (ad set,)
        0 where the last day's budget differs from that of the day before.
    """
    days = len(budget)
    before, after = budget[:-1], budget[1:]
    rows = np.arange(1, days)[:, None]
    moved = (np.abs(after - before) > 0.01 * before) & (rows > first_day[None, :])
    last = np.max(np.where(moved, rows, -1), axis=0, initial=-1)
    return np.where(last >= 0, days - 1 - last, days - first_day).astype(float)
