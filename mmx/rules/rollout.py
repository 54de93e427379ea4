"""Rules rolled forward, with state, through a response model: what a parameter set would have brought, under common luck.

A lane is one parameter set under one posterior draw. All lanes share the account's past, the days ahead and, per draw, the luck
of every day; arrays of lanes lie last, (ad set, lane), so that the engine's kernels run along them. Each day the engine decides
from the window of what the lane itself has seen, the response model answers, and the window moves on. Nothing of history after
the start is used: this is no replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmx.jax_setup import compiling, jax, jnp
from mmx.rules.context import Account, Day, State
from mmx.rules.engine import Decision, Engine, decide
from mmx.rules.window import Window, push

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 256


class Totals(NamedTuple):
    """Sums over the days of a roll-out, (lane,) each.

    Attributes
    ----------
    expected_revenue, revenue, spend : array
        Currency.
    impressions, clicks, purchases : array
        Counts.
    budget, unallocated : array
        Money of budgets, and what no ad set might take, currency.
    turnover : array
        Sum over days of moved money over the day's money, as shares.
    edits : array
        Budgets changed by more than 1 %.
    overspend : array
        Spend beyond the month's money, currency.
    """

    expected_revenue: Any
    revenue: Any
    spend: Any
    impressions: Any
    clicks: Any
    purchases: Any
    budget: Any
    unallocated: Any
    turnover: Any
    edits: Any
    overspend: Any


Step = Callable[[Any, Any, Any, Any, Any], tuple[Any, Any]]


class Future(NamedTuple):
    """What lies ahead of all parameter sets alike.

    Attributes
    ----------
    days : Day
        Stacked on a leading axis.
    draws : pytree
        Parameters of the response model, draws last: (..., draw).
    carry : pytree
        The response model's state at the start, draws last.
    noise : array, (day, ..., draw)
        Luck, shared by all parameter sets.
    """

    days: Day
    draws: Any
    carry: Any
    noise: Any


def roll(
    engine: Engine,
    vectors: NDArray[np.float64],
    start: tuple[Window, State],
    account: Account,
    future: Future,
    step: Step,
    *,
    immature_days: int,
    dtype: Any = np.float32,
) -> Totals:
    """Roll parameter sets forward over posterior draws.

    Parameters
    ----------
    engine : Engine
    vectors : array, (set, parameter)
        Values of ``engine.space``.
    start : (Window, State)
        The account on the day before, (ad set,) each.
    account : Account
        (ad set,) each.
    future : Future
        Days, draws and luck.
    step : callable
        ``step(draws, carry, budget, day, noise) -> (carry, answer)`` for arrays whose last axis is lanes, ``answer`` having
        ``metrics``, (6, ad set, lane), and ``expected_revenue``, (ad set, lane); ``mmx.rules.response.simulate.step`` is one.
    immature_days : int
        Days that attribution needs.
    dtype : dtype
        Precision of the roll-out.

    Returns
    -------
    Totals
        (set, draw) each.
    """
    draws = future.noise.shape[-1]
    sets = max(1, LANES // draws)  # However few vectors come: compiling another number of lanes takes longer than rolling them.
    rest = -len(vectors) % sets
    padded = np.concatenate([vectors, np.repeat(vectors[-1:], rest, axis=0)])
    cast = partial(_cast, dtype=dtype)
    start, account, future = cast(start), columns(cast(account)), cast(future)
    future = future._replace(days=columns(future.days, 1))
    known = np.int64(immature_days), start, account, future
    blocks = [np.ascontiguousarray(padded[i : i + sets].T.astype(dtype)) for i in range(0, len(padded), sets)]
    leaves, tree = jax.tree.flatten((blocks[0], *known))
    run = _compiled(engine, step, (sets, draws), tree, tuple((np.shape(leaf), np.result_type(leaf)) for leaf in leaves))
    parts = [jax.device_get(run(block, *known)) for block in blocks]
    joined = [np.concatenate(values)[: len(vectors)] for values in zip(*parts, strict=True)]
    return Totals(*joined)


@lru_cache(maxsize=8)
def _compiled(engine: Engine, step: Step, lanes: tuple[int, int], tree: Any, shapes: tuple[Any, ...]) -> Any:
    """One compiled program per engine, model, number of lanes, and shapes of what it reads.

    Compiling takes as long as rolling thousands of lanes: of several processes that want the same program one compiles, and the
    others read it from the cache on disk.
    """
    example = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*shape) for shape in shapes])
    lowered = jax.jit(partial(_roll, engine, step, *lanes)).lower(*example)
    with compiling():
        return lowered.compile()


def _roll(
    engine: Engine,
    step: Step,
    sets: int,
    draws: int,
    vectors: Any,
    immature_days: Any,
    start: tuple[Window, State],
    account: Account,
    future: Future,
) -> tuple[Any, ...]:
    lanes = sets * draws
    values = engine.values(jax.lax.optimization_barrier(jnp.repeat(vectors, draws, axis=1)))
    window, state = start
    wide = partial(_wide, lanes=lanes)
    window = jax.tree.map(wide, window)._replace(day=window.day)
    state = jax.tree.map(wide, state)
    of_draw, carry = jax.lax.optimization_barrier(jax.tree.map(lambda x: jnp.tile(x, sets), (future.draws, future.carry)))

    def one_day(held: Any, ahead: Any) -> tuple[Any, Any]:
        window, state, carry, totals, month = held
        day, noise = ahead
        decision = decide(engine, values, window, state, account, day, immature_days=immature_days)
        luck = jax.lax.optimization_barrier(jnp.tile(noise, sets))  # laid out once: kernels that read in turns are scalar code
        carry, answer = step(of_draw, carry, decision.budget, day, luck)
        begins = day.month_day == 1.0
        month = jnp.where(begins, 0.0, month) + jnp.sum(answer.metrics[0], axis=0)
        now = _of_day(decision, state, answer, jnp.where(_ends(day), jnp.maximum(month - account.month_budget, 0.0), 0.0))
        window = push(window, answer.metrics, decision.budget, begins, immature_days)
        return (window, decision.state, carry, Totals(*(a + b for a, b in zip(totals, now, strict=True))), month), None

    zeros = jnp.zeros(lanes, state.budget.dtype)
    month = jnp.sum(window.month_spend, axis=0)
    held = (window, state, carry, Totals(*([zeros] * len(Totals._fields))), month)
    (_, _, _, totals, _), _ = jax.lax.scan(one_day, held, (future.days, future.noise))
    return tuple(value.reshape(sets, draws) for value in totals)


def _ends(day: Day) -> Any:
    return day.month_day == day.month_days


def _of_day(decision: Decision, state: State, answer: Any, overspend: Any) -> Totals:
    moved = jnp.abs(decision.budget - state.budget)
    money = jnp.maximum(jnp.sum(decision.budget, axis=0), 1e-9)
    metrics = jnp.sum(answer.metrics, axis=1)
    return Totals(
        expected_revenue=jnp.sum(answer.expected_revenue, axis=0),
        revenue=metrics[4],
        spend=metrics[0],
        impressions=metrics[1],
        clicks=metrics[2],
        purchases=metrics[3],
        budget=jnp.sum(decision.budget, axis=0),
        unallocated=decision.unallocated,
        turnover=0.5 * jnp.sum(moved, axis=0) / money,
        edits=jnp.sum((moved > 0.01 * state.budget).astype(moved.dtype), axis=0),
        overspend=overspend,
    )


def _wide(value: Any, lanes: int) -> Any:
    """The same value in every lane."""
    return jnp.broadcast_to(value[..., None], (*value.shape, lanes)) if jnp.ndim(value) else value


def columns(group: Any, leading: int = 0) -> Any:
    """Arrays over ad sets get a lane axis; ``member`` and what is no array over ad sets stay as they are."""
    named = {
        name: value[..., None]
        for name, value in group._asdict().items()
        if name not in ("member", "maturity", "reported") and jnp.ndim(value) == leading + 1
    }
    return group._replace(**named)


def _cast(tree: Any, dtype: Any) -> Any:
    """Real numbers in the roll-out's precision, whole numbers as they are; in numpy, where no shape has to be compiled."""

    def one(value: Any) -> Any:
        value = np.asarray(value)
        return value.astype(dtype) if np.issubdtype(value.dtype, np.floating) else value

    return jax.tree.map(one, tree)
