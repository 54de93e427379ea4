"""A day's decision as a person reads it: budgets to the cent, the rule that decided, its reasons, and what bound it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.jax_setup import jax
from mmx.rules.engine import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules.context import Account, Day, State
    from mmx.rules.engine import Decision, Details, Engine
    from mmx.rules.window import Window

CENTS = 100
IDLE, NEVER = "not running", "no budget and never frozen"


@dataclass(frozen=True)
class AdSetAdvice:
    """What is advised for one ad set.

    Attributes
    ----------
    adset, campaign : str
    budget_now, budget : int
        Daily budgets today and on the day, in cents of the account's currency.
    factor : float
        What was decided, after modifiers, before guardrails and the sharing of the money.
    rule, group : str
        The rule that decided.
    reason : str
        Its sentence, with numbers.
    modifiers, bound_by : tuple of str
        Rules that changed the factor, and the guardrails and edit rules (with their sentences) that the budget rests on.
    """

    adset: str
    campaign: str
    budget_now: int
    budget: int
    factor: float
    rule: str
    group: str
    reason: str
    modifiers: tuple[str, ...]
    bound_by: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Advice:
    """A day's decision for an account; money in cents, ``sum of budgets + unallocated = money`` exactly.

    Attributes
    ----------
    account, platform, currency, date : str
    money_before, money, unallocated : int
        The account's budget before and after account rules, and what no ad set may take.
    account_rules : tuple of (name, factor, sentence)
        Account rules that moved the money.
    adsets : tuple of AdSetAdvice
        In the order of the history.
    state : dict
        State of ad sets for the next day, by field, as plain lists, with ``adsets``.
    """

    account: str
    platform: str
    currency: str
    date: str
    money_before: int
    money: int
    unallocated: int
    account_rules: tuple[tuple[str, float, str], ...]
    adsets: tuple[AdSetAdvice, ...]
    state: dict[str, Any]


def advise(
    engine: Engine,
    vector: NDArray[np.float64],
    window: Window,
    state: State,
    account: Account,
    day: Day,
    history: AccountHistory,
    date: np.datetime64,
) -> Advice:
    """Decide one day and say why.

    Parameters
    ----------
    engine : Engine
    vector : array, (parameter,)
        Values of ``engine.space``.
    window, state, account, day
        See ``mmx.rules.engine.decide``; ``day`` without a leading axis.
    history : AccountHistory
        Names and currency.
    date : datetime64[D]
        The day that is decided about.
    """
    call = jax.jit(lambda v, w, s, a, d: explain(engine, engine.values(v), w, s, a, d, immature_days=history.immature_days))
    decision, details = jax.device_get(call(vector, window, state, account, day))
    money = round(float(decision.money) * CENTS)
    cents, unallocated = to_cents(decision.budget, money)
    numbers = _numbers(engine, vector, details, len(history.adsets))
    moneys = details.moneys
    rules = engine.of("account")
    moved = [i for i in range(len(rules)) if moneys[i + 1] != moneys[i]]
    final = decision.state._asdict() | {"budget": cents / CENTS}
    return Advice(
        history.account,
        history.platform,
        history.currency,
        str(date),
        round(float(moneys[0]) * CENTS),
        money,
        unallocated,
        tuple((rules[i].name, float(moneys[i + 1] / moneys[i]), _sentence(rules[i].reason, numbers, 0)) for i in moved),
        tuple(_adset(engine, decision, details, numbers, cents, history, a) for a in range(len(history.adsets))),
        {"adsets": list(history.adsets), **{name: np.asarray(value).tolist() for name, value in final.items()}},
    )


def to_cents(budget: NDArray[np.float64], money: int) -> tuple[NDArray[np.int64], int]:
    """Budgets in whole cents, (ad set,), and what is left of the money; both sum to it exactly.

    Each budget is rounded down; what rounding freed goes, cent by cent, to the largest remainders of those that get anything.
    What the engine left unallocated stays so.

    Parameters
    ----------
    budget : array, (ad set,)
        Currency.
    money : int
        Cents.
    """
    exact = np.asarray(budget, float) * CENTS
    cents = np.floor(exact + 1e-6).astype(np.int64)
    target = min(round(float(exact.sum())), money)
    order = np.argsort(-(exact - cents), kind="stable")
    order = order[exact[order] > 0.0]
    free = target - int(cents.sum())
    for step in range(abs(free)):
        if len(order):
            cents[order[step % len(order)] if free > 0 else order[-1 - step % len(order)]] += int(np.sign(free))
    return cents, money - int(cents.sum())


def _numbers(engine: Engine, vector: NDArray[np.float64], details: Details, ad_sets: int) -> dict[str, NDArray[np.float64]]:
    """What sentences may name, (ad set,) each."""
    seen = {name: np.asarray(value) for name, value in details.view.items()}
    named = {f"{name.replace('.', '__')}": np.asarray(value) for name, value in zip(engine.space.names, vector, strict=True)}
    both = seen | named
    return {name: np.broadcast_to(value, ad_sets) for name, value in both.items() if value.shape in ((), (ad_sets,))}


def _sentence(reason: str, numbers: dict[str, NDArray[np.float64]], a: int) -> str:
    return reason.format_map(_At(numbers, a))


class Shown(float):
    """A number of a sentence; of a logarithm ``exp`` shows the number itself, and ``change`` by how much it is off one."""

    def __format__(self, spec: str) -> str:
        if spec == "exp":
            return f"{math.exp(self):.2f}"
        return f"{math.expm1(self):+.0%}" if spec == "change" else super().__format__(spec)


class _At(dict[str, Any]):
    """The numbers of one ad set."""

    def __init__(self, numbers: dict[str, NDArray[np.float64]], a: int) -> None:
        super().__init__()
        self._numbers, self._a = numbers, a

    def __missing__(self, name: str) -> float:
        return Shown(self._numbers[name][self._a])


def _adset(
    engine: Engine,
    decision: Decision,
    details: Details,
    numbers: dict[str, NDArray[np.float64]],
    cents: NDArray[np.int64],
    history: AccountHistory,
    a: int,
) -> AdSetAdvice:
    decided = int(decision.rule[a])
    rule = engine.deciders[decided] if decided >= 0 else None
    guardrails = [r for r, binds in zip(engine.of("guardrail"), details.binds, strict=True) if binds[a]]
    edits = [r for r, skipped in zip(engine.of("edit"), details.left_out, strict=True) if skipped[a]]
    bound: Sequence[Any] = [*guardrails, *edits]
    now, factor = round(float(numbers["budget"][a]) * CENTS), float(decision.factor[a])
    return AdSetAdvice(
        history.adsets[a],
        history.campaigns[history.campaign_of[a]],
        now,
        int(cents[a]),
        factor if rule else 1.0,
        rule.name if rule else IDLE,
        rule.group if rule else IDLE,
        _sentence(rule.reason, numbers, a) + shared(factor, float(details.scale), cents[a] - now, bool(guardrails))
        if rule
        else NEVER,
        tuple(r.name for r, changed in zip(engine.of("modifier"), details.modified, strict=True) if rule and changed[a]),
        tuple((r.name, _sentence(r.reason, numbers, a)) for r in bound) if rule else (),
    )


def shared(factor: float, scale: float, change: int, bound: bool) -> str:
    """Why a budget moves against its rule: the money of the day is shared out, by one scale on all that was decided."""
    if factor < 1.0 < scale and change > 0:
        return "; more all the same: the day's money is shared out, and others are not to move or at their limits"
    if factor > 1.0 and change < 0 and not bound:
        return "; less all the same: the day's money does not suffice for what was decided"
    return ""
