"""Why a plan is what it is: what each move brings, what holds it, and the smallest change that would turn it around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.decide.optima import MeanCurves
from mmx.decide.problem import Problem, Response, is_sum, is_total
from mmx.decide.recommendation import Flip

NODES = 16  # Of the Gauss-Legendre rule along the path: exact for polynomials of degree 31.
SEARCHED = (0.1, 10.0)  # Factors on belief and budget within which a change of advice is looked for.
ROUNDS = 12  # Halvings of the logarithm of a factor: to a thousandth of the range.
STILL = 1e-3  # A move below this share of the total is none.


def by_channel(response: Response, channel: npt.NDArray[np.intp], old: Floats, new: Floats) -> Floats:
    """KPI money that the change from one plan to another brings, by the channel that is moved, (sample, channel).

    Where every block is of one channel: the difference of its money. Where channels multiply: the integral of the slopes along
    the straight line between the plans (Aumann and Shapley, 1974). Both add up to the difference of the plans.

    Parameters
    ----------
    response : Response
    channel : array of int, (cell,)
        Channel of each cell, from 0.
    old, new : array, (cell,), money
    """
    count = int(channel.max()) + 1
    blocks = np.asarray(response.blocks)
    owner = np.full(int(blocks.max()) + 1, -1)
    owner[blocks] = channel
    if (owner[blocks] == channel).all():
        member = (owner[:, None] == np.arange(count)).astype(float)
        brought: Floats = (response.value(new) - response.value(old)) @ member
        return brought
    member = (channel[:, None] == np.arange(count)) * (new - old)[:, None]
    at, weight = np.polynomial.legendre.leggauss(NODES)
    total = np.zeros((response.samples, count))
    for node, share in zip((at + 1) / 2, weight / 2, strict=True):
        total += share * (response.value_and_slope(old + node * (new - old))[1] @ member)
    whole = (response.value(new) - response.value(old)).sum(axis=1)
    return total + ((whole - total.sum(axis=1)) / count)[:, None]


def price_of(problem: Problem, slopes: Floats, money: Floats) -> float:
    """What a unit of money earns elsewhere in the plan, in the mean: of the cells that are free to move, by their money.

    Parameters
    ----------
    problem : Problem
    slopes : array, (cell,)
        Mean slope of each cell at the plan.
    money : array, (cell,)
    """
    width = problem.high - problem.low
    free = (money > problem.low + STILL * width) & (money < problem.high - STILL * width) & np.isfinite(slopes)
    for row in problem.rows:
        spent = float(np.asarray(row.weights) @ money)
        near = STILL * spent
        if is_sum(row) and not is_total(row) and (spent >= row.high - near or spent <= row.low + near):
            free &= np.asarray(row.weights) == 0
    if not free.any():
        free = np.isfinite(slopes) & (money > 0)
    weight = np.where(free, money, 0.0)
    return float(weight @ np.where(free, slopes, 0.0) / weight.sum()) if weight.sum() > 0 else 0.0


def flips(
    problem: Problem,
    channel: npt.NDArray[np.intp],
    names: tuple[str, ...],
    money: Floats,
    curves: MeanCurves,
) -> tuple[Flip, ...]:
    """The smallest change in belief, and in budget, after which the largest move is gone or goes the other way.

    Judged by the best plan in the mean, whatever the objective; where that does not make the move itself, nothing is said.

    Parameters
    ----------
    problem : Problem
        With the plan's total fixed.
    channel : array of int, (cell,)
    names : tuple of str, (channel,)
    money : array, (cell,), money
        The plan.
    curves : MeanCurves
        What a plan is worth while one is looked for.
    """
    spent = float(money.sum())
    current = problem.current * spent / problem.current.sum()
    move = np.bincount(channel, weights=money - current)
    largest = int(np.abs(move).argmax())
    if abs(move[largest]) < STILL * spent:
        return ()
    sign = np.sign(move[largest])

    def turned(plan: Floats | None, total: float) -> bool:
        now = problem.current[channel == largest].sum() * total / problem.current.sum()
        return plan is not None and bool(sign * (plan[largest] - now) <= STILL * total)

    def belief(factor: float) -> bool:
        return turned(curves.best(1.0, largest, factor), spent)

    if belief(1.0):
        return ()
    found = [Flip(names[largest], "belief", _smallest(belief, SEARCHED[0] if sign > 0 else SEARCHED[1]), SEARCHED)]
    total = problem.total
    if total is not None and total.low == total.high:

        def budget(factor: float) -> bool:
            return turned(curves.best(factor, largest, 1.0), factor * total.high)

        ends = [_smallest(budget, end) for end in _reach(problem, total.high)]
        known = [end for end in ends if end is not None]
        nearest = min(known, key=lambda f: abs(np.log(f))) if known else None
        found.append(Flip(names[largest], "budget", nearest, _reach(problem, total.high)))
    return tuple(found)


def _reach(problem: Problem, total: float) -> tuple[float, float]:
    """Factors on the total that bounds alone allow, within those that are searched."""
    least, most = float(problem.low.sum()) / total, float(problem.high.sum()) / total
    return max(SEARCHED[0], least * (1 + STILL)), min(SEARCHED[1], most * (1 - STILL))


def _smallest(turns: Callable[[float], bool], end: float) -> float | None:
    """The factor nearest to 1, on the way to ``end``, that turns the advice; None where the end itself does not."""
    if end == 1.0 or not turns(end):
        return None
    near, far = 0.0, float(np.log(end))
    for _ in range(ROUNDS):
        middle = (near + far) / 2
        near, far = (near, middle) if turns(float(np.exp(middle))) else (middle, far)
    return float(np.exp(far))
