"""The engine: one account, one day, all rules; pure JAX, batched over parameter sets and posterior draws by ``jax.vmap``.

Features are computed from the window of past days, the first decider that applies to an ad set decides its factor, modifiers
change it, account rules say how much money the day has, guardrails bound it, and the money is shared out. Moves that are not
worth an edit, or beyond the edits of a day, are left out, and the money is shared out again among the others.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from mmx.errors import ConfigError
from mmx.jax_setup import jax, jnp
from mmx.rules.allocate import allocate
from mmx.rules.context import Account, Day, State
from mmx.rules.evidence import quantile
from mmx.rules.library import LIBRARY
from mmx.rules.parameters import Space, make_space
from mmx.rules.rule import ACTIVE, FROZEN, KEEP, PROBING, Kind, Rule, View
from mmx.rules.view import make_view
from mmx.rules.window import Window

Values = Mapping[str, Mapping[str, Any]]

CHANGE = 0.01
LEAST_FACTOR, MOST_FACTOR = 0.2, 3.0
QUICK_STEPS, EXACT_STEPS = 8, 60


class Decision(NamedTuple):
    """What was decided for a day.

    Attributes
    ----------
    budget : array, (ad set,)
        Budgets, currency.
    rule : array of int, (ad set,)
        Position of the decider in ``Engine.deciders``; -1 for an ad set that does not run.
    factor : array, (ad set,)
        Factor that was decided, after modifiers.
    money, unallocated : scalar
        Money of the day after account rules, and what no ad set may take; budgets and it sum to the money.
    state : State
        For the next day.
    """

    budget: Any
    rule: Any
    factor: Any
    money: Any
    unallocated: Any
    state: State


class Details(NamedTuple):
    """What a person wants to know of a decision beside it.

    Attributes
    ----------
    view : dict of str to array
        What the rules saw, by name.
    modified : array of bool, (modifier, ad set)
        Modifiers that changed a factor by more than a thousandth.
    moneys : array, (account rule + 1,)
        Money before and after each account rule, currency.
    binds : array of bool, (guardrail, ad set)
        Guardrails that a budget rests on; none where the budget was held, left out, or where money is short for all.
    left_out : array of bool, (edit rule, ad set)
        Edit rules that left out a move.
    scale : scalar
        What all that was decided is times, so that the money of the day is shared out.
    """

    view: dict[str, Any]
    modified: Any
    moneys: Any
    binds: Any
    left_out: Any
    scale: Any


class _Chosen(NamedTuple):
    rule: Any
    factor: Any
    fixed: Any
    phase: Any


@dataclass(frozen=True)
class Engine:
    """The rules of a library, in its order, and the space of their parameters.

    Attributes
    ----------
    rules : tuple of Rule
    off : frozenset of str
        Rules that are not asked. Their parameters stay in the space, as other rules may read them.
    """

    rules: tuple[Rule, ...] = LIBRARY
    off: frozenset[str] = frozenset()

    def of(self, kind: Kind) -> tuple[Rule, ...]:
        """The rules of a kind that are asked, in order."""
        return tuple(rule for rule in self.rules if rule.kind == kind and rule.name not in self.off)

    @cached_property
    def deciders(self) -> tuple[Rule, ...]:
        """Rules that decide, in the order in which they are asked."""
        return self.of("decider")

    @cached_property
    def space(self) -> Space:
        """All parameters, in the library's order."""
        return make_space([(rule.name, rule.parameters) for rule in self.rules])

    def values(self, vector: Any) -> dict[str, dict[str, Any]]:
        """Parameters by rule and name, from a vector, (parameter,), as ``decide`` takes them.

        ``z`` is the normal quantile of a rule's ``probability``, and ``log_of_target`` the logarithm of its ``of_target``: a
        roll-out computes them once, not on every day for every ad set.
        """
        out: dict[str, dict[str, Any]] = {rule.name: {} for rule in self.rules}
        for i, name in enumerate(self.space.names):
            rule, parameter = name.split(".")
            out[rule][parameter] = vector[i]
            if parameter == "probability":
                out[rule]["z"] = quantile(vector[i])
            elif parameter == "of_target":
                out[rule]["log_of_target"] = jnp.log(vector[i])
        return out

    def without(self, name: str) -> Engine:
        """The engine that does not ask one rule; raises ``ConfigError`` for a name that is none, and for ``evidence``."""
        names = [rule.name for rule in self.rules if rule.kind != "evidence"]
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.0)
            raise ConfigError(
                f"rules: {name!r} cannot be left out; the nearest rule that can is {near[0]!r} (see mmx rules list)"
            )
        return replace(self, off=self.off | {name})


def decide(
    engine: Engine, values: Values, window: Window, state: State, account: Account, day: Day, *, immature_days: int
) -> Decision:
    """Decide the budgets of one day.

    Parameters
    ----------
    engine : Engine
        Rules; static.
    values : dict
        Parameters, from ``engine.values``.
    window, state, account, day
        The past, and what is known beside it.
    immature_days : int
        Days that attribution needs; static.

    Returns
    -------
    Decision
        A pure function of its arguments: nothing is drawn.
    """
    return _decide(engine, values, window, state, account, day, immature_days, QUICK_STEPS)[0]


def explain(
    engine: Engine, values: Values, window: Window, state: State, account: Account, day: Day, *, immature_days: int
) -> tuple[Decision, Details]:
    """Decide as ``decide`` does, with the exact shares and everything that a person wants to know."""
    return _decide(engine, values, window, state, account, day, immature_days, EXACT_STEPS)


def _decide(
    engine: Engine, values: Values, window: Window, state: State, account: Account, day: Day, immature_days: int, steps: int
) -> tuple[Decision, Details]:
    named = {name: View(own) for name, own in values.items()}
    view = make_view(named["evidence"], window, state, account, day, immature_days)
    view.update({f"{rule}__{name}": value for rule, own in named.items() for name, value in own.items()})
    running = view.live & ((view.budget > 0.0) | (state.phase != ACTIVE))
    chosen = _first(engine, named, view, running)
    factor, modified = _modified(engine, named, view, chosen)
    moneys = [jnp.asarray(day.money, factor.dtype)]
    for rule in engine.of("account"):
        moneys.append(rule.function(view, named[rule.name], moneys[-1]))
    forced = (factor == 0.0) | (chosen.phase == PROBING) | ((chosen.phase == ACTIVE) & (state.phase == PROBING)) | ~running
    view["money"] = moneys[-1]
    want = jnp.where(running, view.budget * factor, 0.0)
    lower, upper, bounds = _bounded(engine, named, view, want, forced, chosen.fixed)
    want, lower, upper = jax.lax.optimization_barrier((want, lower, upper))
    first = allocate(want, lower, upper, moneys[-1], steps)
    move = jnp.abs(jnp.log(jnp.maximum(first.budget, 1e-9) / jnp.maximum(state.budget, 1e-9)))
    left_out = [~rule.function(view, named[rule.name], move) & ~forced for rule in engine.of("edit")]
    kept = jnp.stack(left_out).any(axis=0) if left_out else jnp.zeros_like(running)
    last = allocate(want, jnp.where(kept, state.budget, lower), jnp.where(kept, state.budget, upper), moneys[-1], steps)
    decision = Decision(
        last.budget,
        jnp.where(running, chosen.rule, -1),
        factor,
        moneys[-1],
        last.unallocated,
        _next_state(state, view.budget, last.budget, chosen, running),
    )
    bound = _bound(bounds, last.scale * want, last.budget) & ~(forced | chosen.fixed | kept & (move > 0.0) | last.short)
    skipped = jnp.stack(left_out) & (move > 0.0) if left_out else jnp.zeros((0, len(want)), bool)
    return decision, Details(dict(view), modified, jnp.stack(jnp.broadcast_arrays(*moneys)), bound, skipped, last.scale)


def _first(engine: Engine, values: dict[str, View], view: View, running: Any) -> _Chosen:
    """The first decider that applies to each ad set, and what it says."""
    verdicts = [rule.function(view, values[rule.name]) for rule in engine.deciders]
    first = jnp.full(running.shape, -1, jnp.int32)
    for i in reversed(range(len(verdicts))):
        first = jnp.where(verdicts[i].when & running, i, first)
    first = jax.lax.optimization_barrier(first)
    factor = jnp.ones(running.shape, view.budget.dtype)
    fixed, phase = jnp.zeros(running.shape, bool), jnp.full(running.shape, KEEP, jnp.int32)
    for i, verdict in enumerate(verdicts):
        factor = jnp.where(first == i, verdict.factor, factor)
        fixed = fixed | (first == i) if verdict.fixed else fixed
        phase = jnp.where(first == i, verdict.phase, phase) if verdict.phase != KEEP else phase
    return _Chosen(first, *jax.lax.optimization_barrier((factor, fixed, phase)))


def _modified(engine: Engine, values: dict[str, View], view: View, chosen: _Chosen) -> tuple[Any, Any]:
    """Factors after modifiers, (ad set,), and which modifiers changed them, (modifier, ad set)."""
    stays = chosen.fixed | (chosen.phase != KEEP) | (chosen.factor == 0.0)
    factor, changed = chosen.factor, []
    for rule in engine.of("modifier"):
        after = jnp.where(stays, factor, rule.function(view, values[rule.name], factor))
        changed.append(jnp.abs(after - factor) > 1e-3)
        factor = after
    factor = jax.lax.optimization_barrier(jnp.where(stays, factor, jnp.clip(factor, LEAST_FACTOR, MOST_FACTOR)))
    return factor, jnp.stack(changed) if changed else jnp.zeros((0, len(factor)), bool)


def _bounded(
    engine: Engine, values: dict[str, View], view: View, want: Any, forced: Any, fixed: Any
) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """Least and most budgets, (ad set,), of all guardrails together, and each one's own.

    What is forced is what was decided; what is fixed is today's budget. Where a later guardrail contradicts an earlier one
    (the least above the most), the most holds.
    """
    lower, upper = jnp.zeros_like(want), jnp.full_like(want, jnp.inf)
    bounds = []
    for rule in engine.of("guardrail"):
        found = rule.function(view, values[rule.name])
        own = (jnp.broadcast_to(found.lower, want.shape), jnp.broadcast_to(found.upper, want.shape))
        bounds.append(own)
        lower, upper = jnp.maximum(lower, own[0]), jnp.minimum(upper, own[1])
    still = fixed & ~forced
    lower = jnp.where(forced, want, jnp.where(still, view.budget, jnp.minimum(lower, upper)))
    return lower, jnp.where(forced, want, jnp.where(still, view.budget, upper)), bounds


def _bound(bounds: list[tuple[Any, Any]], asked: Any, budget: Any) -> Any:
    """Guardrails at which budgets stand while more, or less, was asked for, (guardrail, ad set)."""
    if not bounds:
        return jnp.zeros((0, *budget.shape), bool)
    return jnp.stack([(asked > most) & (budget >= most) | (asked < least) & (budget <= least) for least, most in bounds])


def _next_state(state: State, start: Any, budget: Any, chosen: _Chosen, running: Any) -> State:
    """State after the day's budgets: phases begin, clocks run, and a changed budget starts its clock again.

    A probe that gets no money waits for the next one; it has not failed.
    """
    moved = jnp.abs(budget - state.budget) > CHANGE * state.budget
    begins = running & (chosen.phase != KEEP) & (chosen.phase != state.phase)
    phase = jnp.where(begins, chosen.phase, state.phase)
    freezes = begins & (chosen.phase == FROZEN)
    failed = freezes & (state.phase == PROBING)
    released = begins & (chosen.phase == ACTIVE)
    starved = (phase == PROBING) & (budget <= 0.0)
    return State(
        budget=budget,
        days_since_change=jnp.where(moved, 0.0, state.days_since_change + 1.0),
        phase=jnp.where(starved, FROZEN, phase),
        days_in_phase=jnp.where(begins, 0.0, state.days_in_phase + 1.0),
        before=jnp.where(state.phase == ACTIVE, start, state.before),
        failures=jnp.where(failed, state.failures + 1.0, jnp.where(released, 0.0, state.failures)),
    )


def batched(engine: Engine, immature_days: int) -> Callable[..., Decision]:
    """A compiled ``decide`` over parameter sets, (set, parameter), with one state and window each."""

    def one(vector: Any, window: Window, state: State, account: Account, day: Day) -> Decision:
        return decide(engine, engine.values(vector), window, state, account, day, immature_days=immature_days)

    return jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None)))
