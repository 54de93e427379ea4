"""How past budgets came about.

calm
    Rare manual changes that look at nothing but the habitual budget.
randomised
    Every day a log-normal step, log(b[t] / b[t-1]) ~ N(pull * log(base / b[t-1]), sd^2), whose density is recorded.
demand
    The manager raises budgets when people buy, with the season and with the shocks of account and ad set of the days before:
    the history confounds budgets with demand.
"""

from __future__ import annotations

import numpy as np

from mmx.worlds.accounts.luck import Floats, Luck
from mmx.worlds.accounts.step import State
from mmx.worlds.accounts.truth import Truth

KINDS = ("calm", "randomised", "demand")
CHANGE_DAYS = 18.0  # days between manual changes
CHANGE_SD, CHANGE_PULL = 0.35, 0.5
STEP_SD, STEP_PULL = 0.1, 0.06
FOLLOW, FOLLOW_PULL, FOLLOW_STEP = 1.0, 0.2, 0.17  # response of log budget to log demand, its speed, its largest step in a day
FOLLOW_SD = 0.5  # manual changes beside it
LAUNCH = 0.6  # first budget of a new ad set over its base


def next_budgets(kind: str, truth: Truth, day: int, state: State, before: Floats, luck: Luck) -> tuple[Floats, Floats]:
    """Budgets that a manager sets for a day, and the density of the step where it was drawn at random.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    truth : Truth
    day : int
    state : State
        Of one future, before the day.
    before : array, (ad set,)
        Budgets of the day before, currency per day.
    luck : Luck
        Of the day.

    Returns
    -------
    budgets : array, (ad set,)
    density : array, (ad set,)
        Of the change of log budget; NaN where the change was not drawn.
    """
    live = truth.servable(day)
    running = live & (before > 0.0)
    log_before = np.log(np.where(running, before, truth.base))
    z = luck.of("move")[0]
    if kind == "randomised":
        log_now = log_before + STEP_PULL * (np.log(truth.base) - log_before) + STEP_SD * z
    elif kind == "demand":
        log_now = _follow(truth, day, state, log_before, luck)
    else:
        changes = luck.of("whether")[0] < 1.0 / CHANGE_DAYS
        log_now = np.where(changes, log_before + CHANGE_PULL * (np.log(truth.base) - log_before) + CHANGE_SD * z, log_before)
    first = np.where(truth.first_day == day, LAUNCH * truth.base, truth.base)
    budgets = np.where(live, np.round(np.where(running, np.exp(log_now), first), 2), 0.0)
    drawn = running & ~truth.campaign_budget & (kind == "randomised")
    change = np.log(np.where(drawn, budgets, 1.0)) - log_before
    return budgets, np.where(drawn, step_density(change, log_before, truth), np.nan)


def step_density(change: Floats, log_before: Floats, truth: Truth) -> Floats:
    """Density of the change of log budget under the ``randomised`` behaviour, (..., ad set)."""
    z = (change - STEP_PULL * (np.log(truth.base) - log_before)) / STEP_SD
    return np.asarray(np.exp(-0.5 * z * z) / (STEP_SD * np.sqrt(2.0 * np.pi)))


def _follow(truth: Truth, day: int, state: State, log_before: Floats, luck: Luck) -> Floats:
    """Log budgets that follow demand in steps below what restarts the learning phase, with manual changes beside them."""
    target = np.log(truth.base) + FOLLOW * (truth.calendar.demand[day] + state.demand[0] + state.own[0])
    move = np.clip(FOLLOW_PULL * (target - log_before), -FOLLOW_STEP, FOLLOW_STEP)
    changes = luck.of("whether")[0] < 1.0 / CHANGE_DAYS
    return np.asarray(log_before + np.where(changes, FOLLOW_SD * luck.of("move")[0], move))
