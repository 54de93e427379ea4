"""The engine compiled once for all tests: batches of cases of one shape, with a switch for every rule.

Days that attribution needs are a traced number here, which a ring of the longest length allows: one program for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from mmx.jax_setup import jax, jnp
from mmx.rules.context import Account, Day, State
from mmx.rules.engine import Decision, Details, Engine, explain
from mmx.rules.rule import Bounds, Rule, Verdict, View
from mmx.rules.view import make_view
from mmx.rules.window import Window, rows_of, window_of

from .histories import Case, random_case

BATCH = 64
QUICKLY = {"xla_backend_optimization_level": 0}  # compiles in half the time
ROWS = rows_of(5)
ENGINE = Engine()
NAMES = ENGINE.space.names
RULES = tuple(rule.name for rule in ENGINE.rules)


@cache
def cases(first: int, number: int = BATCH) -> tuple[Case, ...]:
    """Random cases, the same ones on every call."""
    return tuple(random_case(seed, ENGINE.space) for seed in range(first, first + number))


def wide_window(case: Case, dtype: Any = np.float64) -> Window:
    """The window of a history in a ring that has rows for five immature days."""
    window = window_of(case.history, dtype)
    more = ROWS - window.totals.shape[0]
    return window._replace(totals=jnp.pad(window.totals, ((more, 0), (0, 0), (0, 0))), day=jnp.asarray(ROWS, jnp.int32))


def stacked(values: Sequence[Any]) -> Any:
    """Named tuples of numbers and arrays as one, with a leading axis of cases; whole numbers stay whole."""
    kind = {name: np.int32 if name in ("phase", "day") else np.float64 for name in values[0]._fields}
    return type(values[0])(*(np.stack([np.asarray(getattr(v, n), kind[n]) for v in values]) for n in values[0]._fields))


def arguments(batch: Sequence[Case]) -> tuple[Any, ...]:
    """What a batch of cases gives to the engine: window, state, account, day and immature days."""
    return (
        stacked([wide_window(case) for case in batch]),
        stacked([case.state for case in batch]),
        stacked([case.account for case in batch]),
        stacked([case.day for case in batch]),
        np.array([case.history.immature_days for case in batch]),
    )


def switchable(rule: Rule) -> Rule:
    """The same rule with a switch: where ``p.off`` is one it says what no rule would."""

    def function(view: View, p: View, *given: Any) -> Any:
        out, off = rule.function(view, p, *given), p.off > 0.0
        if rule.kind == "decider":
            return Verdict(out.when & ~off, out.factor, out.fixed, out.phase)
        if rule.kind == "guardrail":
            return Bounds(jnp.where(off, 0.0, out.lower), jnp.where(off, jnp.inf, out.upper))
        if rule.kind == "edit":
            return out | off
        return jnp.where(off, given[0], out)

    return rule if rule.kind == "evidence" else replace(rule, function=function)


SWITCHED = Engine(tuple(switchable(rule) for rule in ENGINE.rules))


def _values(vector: Any, off: Any) -> dict[str, Any]:
    values = SWITCHED.values(vector)
    return {name: values[name] | {"off": off[i]} for i, name in enumerate(RULES)}


@partial(jax.jit, compiler_options=QUICKLY)
@jax.vmap
def _explained(vector: Any, off: Any, window: Window, state: State, account: Account, day: Day, immature: Any) -> Any:
    return explain(SWITCHED, _values(vector, off), window, state, account, day, immature_days=immature)


def explained(batch: Sequence[Case], vectors: Any = None, off: Sequence[str] = ()) -> tuple[Decision, Details]:
    """Decisions of a batch of ``BATCH`` cases as numpy arrays with a leading axis of cases, some rules switched off."""
    return explained_arguments(arguments(batch), np.stack([c.vector for c in batch]) if vectors is None else vectors, off)


def explained_arguments(given: tuple[Any, ...], vectors: np.ndarray, off: Sequence[str] = ()) -> tuple[Decision, Details]:
    """The same from arguments that were laid out before."""
    switches = np.broadcast_to(np.isin(RULES, off).astype(float), (len(vectors), len(RULES)))
    return jax.tree.map(np.asarray, _explained(vectors, switches, *given))


@partial(jax.jit, compiler_options=QUICKLY)
@jax.vmap
def _said(vector: Any, factor: Any, money: Any, move: Any, window: Any, state: Any, account: Any, day: Any, m: Any) -> Any:
    values = {name: View(own) for name, own in ENGINE.values(vector).items()}
    view = make_view(values["evidence"], window, state, account, day, m)
    view.update({f"{rule}__{name}": value for rule, own in values.items() for name, value in own.items()})
    view["money"] = money
    given = {"modifier": (factor,), "account": (money,), "edit": (move,)}
    said = {}
    for rule in ENGINE.rules:
        if rule.kind != "evidence":
            out = rule.function(view, values[rule.name], *given.get(rule.kind, ()))
            parts = (out.when, out.factor) if rule.kind == "decider" else out
            said[rule.name] = jax.tree.map(lambda value: jnp.broadcast_to(value, move.shape), parts)
    return dict(view), said


def said(
    batch: Sequence[Case], factor: np.ndarray, money: np.ndarray, move: np.ndarray
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What rules see and what each says alone, given factors and moves, (case, ad set), and money, (case,)."""
    vectors = np.stack([case.vector for case in batch])
    return jax.tree.map(np.asarray, _said(vectors, factor, money, move, *arguments(batch)))
