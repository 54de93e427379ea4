"""Parameter sets of the rules as a policy of a simulated account: what they would truly have brought.

Every future of a roll-out may have a parameter set of its own, so that many sets face the same luck side by side. The policy
sees what a platform shows: reported metrics whose last days still grow.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmx.jax_setup import jax, jnp
from mmx.rules.account import Log, account_of, start_of
from mmx.rules.calendar import Calendar, days_ahead, learn_calendar
from mmx.rules.context import Account, State
from mmx.rules.engine import Decision, Details, Engine, decide, explain
from mmx.rules.padding import pad_history, padded_sizes, repeat_last
from mmx.rules.rollout import columns
from mmx.rules.window import window_of_days

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules_settings import RulesSettings
    from mmx.worlds.accounts import Windows


class _Held(NamedTuple):
    state: State
    account: Account
    calendar: Calendar
    money: float
    history: AccountHistory
    day: int
    known: int


class RulePolicy:
    """The rules with one parameter set per future; a ``BatchPolicy`` of ``mmx.worlds.accounts``.

    Parameters
    ----------
    engine : Engine
    vectors : array, (future, parameter)
        Values of ``engine.space``.
    settings : RulesSettings
        What the customer asks for.
    month_budget : float, optional
        Currency per calendar month.
    delay_curve : sequence of float
        Share of purchases that is reported after 0, 1, ... days.
    elasticity : Log, optional
        From a response model, (ad set,) each.
    watch : callable, optional
        Told every decision with its details, arrays with futures last.
    """

    def __init__(
        self,
        engine: Engine,
        vectors: NDArray[np.float64],
        settings: RulesSettings,
        *,
        month_budget: float | None = None,
        delay_curve: Sequence[float] = (),
        elasticity: Log | None = None,
        watch: Callable[[Decision, Details], None] | None = None,
    ) -> None:
        self._engine, self._vectors, self._settings = engine, np.atleast_2d(vectors), settings
        self._elasticity, self._watch = elasticity, watch
        self._account = partial(account_of, settings=settings, month_budget=month_budget, delay_curve=delay_curve)

    def start(self, history: AccountHistory, futures: int) -> _Held:
        """State before the first decision, of each future; the account is padded, so that accounts share programs."""
        known = len(history.adsets)
        history = pad_history(history, *padded_sizes(known, len(history.campaigns)))
        _, state = start_of(history)
        wide = jax.tree.map(lambda x: jnp.repeat(x[:, None], futures, axis=1), state)
        more = len(history.adsets) - known
        elasticity = self._elasticity and Log(*(repeat_last(np.asarray(x), more, 0) for x in self._elasticity))
        account = columns(self._account(history, elasticity=elasticity))
        money = self._settings.daily_budget or float(history.budget[-1].sum())
        return _Held(wide, account, learn_calendar(history), money, history, len(history.dates), known)

    def decide(self, windows: Windows, held: _Held) -> tuple[NDArray[np.float64], _Held]:
        """Budgets, (future, ad set), and the next state."""
        history = held.history
        more = [(0, 0), (0, 0), (0, len(history.adsets) - held.known)]
        metrics = np.pad(np.transpose(windows.metrics, (1, 3, 2, 0)), [*more, (0, 0)])
        budgets = np.pad(np.transpose(windows.budget, (1, 2, 0)), [*more[1:], (0, 0)])
        age = np.broadcast_to((held.day - history.first_day)[:, None].astype(float), metrics.shape[2:])
        window = window_of_days(metrics, budgets, windows.dates, age, history.immature_days)
        days = days_ahead(np.array([windows.date]), held.money, held.calendar, self._settings, history)
        day = columns(jax.tree.map(lambda x: x[0], days))
        immature = jnp.asarray(history.immature_days)
        watched = self._watch is not None
        decision, details = _decide(self._engine, watched)(immature, self._vectors.T, window, held.state, held.account, day)
        if self._watch is not None:
            self._watch(decision, details)
        budget = np.asarray(decision.budget)[: held.known]
        return np.maximum(budget.T, 0.0), held._replace(state=decision.state, day=held.day + 1)


_PROGRAMS: dict[Any, Any] = {}


def _decide(engine: Engine, watched: bool) -> Any:
    if (engine, watched) not in _PROGRAMS:
        _PROGRAMS[engine, watched] = jax.jit(partial(_lanes, engine, watched))
    return _PROGRAMS[engine, watched]


def _lanes(
    engine: Engine, watched: bool, immature_days: Any, vectors: Any, window: Any, state: Any, account: Any, day: Any
) -> Any:
    given = (engine, engine.values(vectors), window, state, account, day)
    if watched:
        return explain(*given, immature_days=immature_days)
    return decide(*given, immature_days=immature_days), None
