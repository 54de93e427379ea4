"""Replay: what history would have brought had each unit of money kept its ROAS. An upper bound, labelled as one.

A policy decides from the days as they were, and its budgets earn the ROAS that the ad set had: on the same day (``same_day``),
or over the next mature days (``next_period``). The first rewards a rule for noise that it has seen, both forget that the next
unit of money earns less than the last; on simulated accounts both claim several times what is true. mmx never chooses by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.errors import DataError
from mmx.jax_setup import jax, jnp
from mmx.rules.account import account_of, start_of
from mmx.rules.calendar import days_ahead, learn_calendar
from mmx.rules.engine import Engine, decide
from mmx.rules.window import push

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules_settings import RulesSettings

NEXT_DAYS = 7


@dataclass(frozen=True)
class Replay:
    """Claims of a replay; a label, not evidence.

    Attributes
    ----------
    same_day, next_period : array, (set,)
        Claimed revenue of each parameter set, currency: budgets times spend per budget times ROAS of the day, and of the seven
        days after it.
    spend : array, (set,)
        Budgets times spend per budget, currency.
    """

    same_day: NDArray[np.float64]
    next_period: NDArray[np.float64]
    spend: NDArray[np.float64]

    @staticmethod
    def uplift(claimed: NDArray[np.float64], default: int = 0) -> NDArray[np.float64]:
        """Claims over that of the default set, less one, (set,)."""
        return np.asarray(claimed / claimed[default] - 1.0)


def replay(
    engine: Engine, vectors: NDArray[np.float64], history: AccountHistory, settings: RulesSettings, first: int
) -> Replay:
    """Replay parameter sets over the days of a history from ``first`` on.

    Parameters
    ----------
    engine : Engine
    vectors : array, (set, parameter)
    history : AccountHistory
    settings : RulesSettings
    first : int
        Row of the first day that is decided about.

    Raises
    ------
    DataError
        If fewer than ten mature days follow ``first``.
    """
    last = len(history.dates) - history.immature_days - NEXT_DAYS
    if last - first < 10:
        raise DataError(f"{history.account}: a replay from day {first} has {max(last - first, 0)} mature days; it needs ten")
    past = history.until(first)
    window, state = start_of(past)
    days = days_ahead(history.dates[first:last], history.budget[first:last].sum(axis=1), learn_calendar(past), settings, past)
    metrics = jnp.asarray(np.transpose(history.metrics[first:last], (0, 2, 1)))
    budgets = jnp.asarray(history.budget[first:last])
    immature = jnp.asarray(history.immature_days)
    account = account_of(past, settings)
    chosen = np.asarray(_program(engine)(immature, jnp.asarray(vectors), window, state, account, days, metrics, budgets))
    spend, revenue = history.metric("spend"), history.metric("revenue")
    used = _over(spend[first:last], history.budget[first:last])
    now = _over(revenue[first:last], spend[first:last])
    weeks = [slice(t + 1, t + 1 + NEXT_DAYS) for t in range(first, last)]
    ahead = np.stack([_over(revenue[week].sum(axis=0), spend[week].sum(axis=0)) for week in weeks])
    return Replay(*(np.einsum("sta,ta->s", chosen, used * by) for by in (now, ahead, np.ones_like(used))))


_PROGRAMS: dict[Engine, Any] = {}


def _program(engine: Engine) -> Any:
    """Budgets of all parameter sets, compiled once for accounts and spans of one size."""
    if engine not in _PROGRAMS:
        axes = (None, 0, *([None] * 6))
        _PROGRAMS[engine] = jax.jit(jax.vmap(partial(_budgets, engine), in_axes=axes))
    return _PROGRAMS[engine]


def _budgets(
    engine: Engine,
    immature_days: Any,
    vector: Any,
    window: Any,
    state: Any,
    account: Any,
    days: Any,
    metrics: Any,
    budgets: Any,
) -> Any:
    """Budgets, (day, ad set): every decision sees the days as they were, and goes on from the policy's own budgets."""
    values = engine.values(vector)

    def one_day(held: Any, ahead: Any) -> tuple[Any, Any]:
        window, state = held
        day, seen, was = ahead
        decision = decide(engine, values, window, state, account, day, immature_days=immature_days)
        window = push(window, seen, was, day.month_day == 1.0, immature_days)
        return (window, decision.state), decision.budget

    return jax.lax.scan(one_day, (window, state), (days, metrics, budgets))[1]


def _over(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ratio, 0 where the denominator is."""
    return np.asarray(np.where(bottom > 0.0, top / np.where(bottom > 0.0, bottom, 1.0), 0.0))
