"""The best plan of a budget question, with how good it is known to be.

Mean and CVaR: concave problems by convex optimisation, others by mixed-integer programs, both to a bound. Everything else,
and blocks of several cells that are not concave: the best found from many starts, with a bound where one holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.ascend import Peak
from mmx.decide.certificate import Certificate, certify
from mmx.decide.concave import COARSE_STILL, Concavity, begin, best_bound, climb, concavity
from mmx.decide.conflict import check
from mmx.decide.feasible import ROUNDING, Polytope, allows, nearest, polytope, program
from mmx.decide.held import binding, shadow_price
from mmx.decide.objective import CVaR, Mean, MeanMinusSd, Objective, ProbabilityAbove, Weighted
from mmx.decide.problem import Enveloped, Mask, Problem, Response
from mmx.decide.search import STARTS, search
from mmx.decide.view import View
from mmx.decide.whole import TARGET, pattern, solve_whole
from mmx.errors import DecisionError

BLENDS = (1.0, 0.3, 0.05)  # Shares of the way from the current plan to that of an easier question, where searches start.
CONVEX = "convex optimisation, bound by exact slopes on all draws"
BOUNDING = 8  # Rounds of a climb that only bounds: any plan's tangent does, a better plan's is closer.
NAMED = 6  # Blocks that a reason names before it only counts them.


@dataclass(frozen=True)
class Solution:
    """A plan and what is known of it.

    Attributes
    ----------
    money : array, (cell,), money
    draws : array, (sample,), money
        ``margin * value - cost * spend`` of the plan.
    value : float
        The objective.
    certificate : Certificate
    binding : tuple of str
        What holds the plan: names of rows, and cells at a bound.
    shadow_price : float or None
        What one more unit of the total would add to the objective; None without a total, for probabilities, and
        where steps leave no cell that could move.
    remainder : float, money
        What a fixed total leaves unspent because of steps; 0 otherwise.
    """

    money: Floats
    draws: Floats
    value: float
    certificate: Certificate
    binding: tuple[str, ...]
    shadow_price: float | None
    remainder: float


def solve(
    problem: Problem,
    response: Response,
    objective: Objective,
    *,
    seed: int,
    say: Callable[[str], None] | None = None,
    start: Floats | None = None,
    starts: int = STARTS,
) -> Solution:
    """Solve a budget question.

    Parameters
    ----------
    problem : Problem
    response : Response
    objective : Objective
    seed : int
        Of the random starts where a plan is searched.
    say : callable, optional
        Called with a sentence per step.
    start : array, (cell,), money, optional
        A further plan to start from, such as that of a similar question.
    starts : int
        Random starts, where a plan is searched.

    Returns
    -------
    Solution
        Never worse than the current plan scaled to the same total, where that is allowed.

    Raises
    ------
    ConflictError
        A DecisionError; if no plan is allowed, with the smallest set of constraints that conflict.
    """
    say = say or (lambda _: None)
    if response.blocks.shape != (len(problem.cells),):
        raise ValueError(f"the response has cells {response.blocks.shape}, the problem {len(problem.cells)}. Expected the same")
    problem, goal = _reachable(problem)
    view = View(problem, response, objective, polytope(problem))
    found = _never_worse(view, _solved(view, _plans(view, start), seed, starts, say))
    peak, poly = found.peak, view.poly
    money = _in_money(problem, poly, peak.point)
    value = response.value(money).sum(axis=1)
    draws = problem.margin * value - problem.cost * float(money.sum())
    reached = objective.value(draws)
    worth = 1.0 if isinstance(objective, ProbabilityAbove) else abs(problem.margin * float(value.mean()))
    price = None
    if goal == 0 and not isinstance(objective, ProbabilityAbove):
        price = shadow_price(view.boxed(*pattern(view, peak.point)), peak)
    return Solution(
        money=money,
        draws=draws,
        value=reached,
        certificate=certify(reached, found.bound, worth, found.method, found.reason),
        binding=binding(problem, poly, peak.point),
        shadow_price=price,
        remainder=max(goal - float(money.sum()), 0.0) if goal > 0 else 0.0,
    )


@dataclass(frozen=True)
class _Found:
    """A plan with a bound, how they were found, and why the plan cannot be certified."""

    peak: Peak
    bound: float | None
    method: str
    reason: str = ""


def _in_money(problem: Problem, poly: Polytope, plan: Floats) -> Floats:
    """A plan in money, its bounds and multiples met to the last digit."""
    money: Floats = np.clip(plan * poly.unit, problem.low, problem.high)
    if problem.step is not None:
        step = np.where(problem.step > 0, problem.step, 1.0)
        money = np.where(problem.step > 0, np.round(plan * poly.unit / step) * step, money)
    if problem.minimum is not None:
        money = np.where(money > 0, np.maximum(money, np.minimum(problem.minimum, problem.high)), money)
    return money


def _reachable(problem: Problem) -> tuple[Problem, float]:
    """The problem, and 0; or, where steps keep a fixed total from being spent, with less than the total allowed, and the total.

    What may be left is at most the largest step, or what is left at best if that is more.
    """
    poly, total = polytope(problem), problem.total
    if program(poly).maximise().point is not None:
        return problem, 0.0
    if total is None or total.low != total.high or not (poly.step > 0).any() or poly.total is None:
        check(problem)
        raise DecisionError("the constraints leave no plan but for rounding. Widen the tightest of them a little")
    row_low = poly.row_low.copy()
    row_low[poly.total] = -np.inf
    spent = program(replace(poly, row_low=row_low), 1.0).maximise()
    short = np.inf if spent.point is None else float(poly.row_high[poly.total]) - spent.bound
    if short > float(poly.step.sum()):  # It is not the steps that keep the total from being spent.
        check(problem)
        raise DecisionError("the constraints leave no plan but for rounding. Widen the tightest of them a little")
    weight = float(total.weights[0])
    reached = spent.bound * poly.unit * weight
    least = min(total.high - float(poly.step.max()) * poly.unit * weight, reached) - ROUNDING * abs(total.high)
    rows = tuple(replace(row, low=least) if row is total else row for row in problem.rows)
    return replace(problem, rows=rows), total.high / weight


def _plans(view: View, start: Floats | None) -> list[Floats]:
    """Allowed plans to begin from: near the current plan scaled to the total, and near the given one."""
    problem, poly = view.problem, view.poly
    current = problem.current / poly.unit
    if poly.total is not None and current.sum() > 0:
        sums = float(np.clip(current.sum(), poly.row_low[poly.total], poly.row_high[poly.total]))
        current = current * (sums / current.sum())
    targets = [current] if start is None else [start / poly.unit, current]
    return [plan for target in targets if (plan := nearest(poly, target)) is not None]


def _solved(view: View, plans: list[Floats], seed: int, starts: int, say: Callable[[str], None]) -> _Found:
    """Choose the method."""
    tested = concavity(view)
    holds = tested.holds(view)
    alone = np.bincount(view.blocks) == 1
    bounded = isinstance(view.objective, Mean | CVaR)
    if bounded and tested.mean.all() and not view.poly.discrete:
        say("concave over the whole range: convex optimisation")
        peak = climb(view, begin(view, plans[0]))
        bound = best_bound(view, peak, concave=bool(holds.all()))
        if holds.all() or (bound is not None and bound - peak.value <= TARGET * _worth(view, peak.point)):
            return _Found(peak, bound, CONVEX)
        plans = [peak.point, *plans]
    if bounded and (holds | alone).all():
        say("not concave, or with minimum commitments or steps: mixed-integer programs")
        whole = solve_whole(view, plans, _worth(view, plans[0]), say)
        if whole.peak is not None:
            method = f"{whole.rounds} rounds of mixed-integer programs, bound by the curves of all draws"
            return _Found(whole.peak, whole.bound, method)
    say("no method has a bound that closes: climbing from many starts")
    return _searched(view, plans, tested, seed, starts, say)


def _worth(view: View, plan: Floats) -> float:
    """Scale of the value, positive: of a plan, or of a full one where the plan brings nothing."""
    return abs(view.money(plan)) or abs(view.money(view.poly.high)) or 1.0


def _searched(view: View, plans: list[Floats], tested: Concavity, seed: int, starts: int, say: Callable[[str], None]) -> _Found:
    """The best of many starts, and the bound that holds for it, if any."""
    safe = (tested.share == 0) | (np.bincount(view.blocks) == 1)
    extra, bound = [], None
    bent = "" if tested.holds(view).all() else f"not concave: {_named(view, ~tested.holds(view), tested.share)}"
    concave = view.response.envelope() if isinstance(view.response, Enveloped) else None
    if isinstance(view.objective, Mean | CVaR) and concave is not None:
        say("bounding by the concave envelope")
        above = replace(view, response=concave).boxed(view.poly.low, view.poly.high)
        top = climb(above, begin(above, plans[0]), rounds=BOUNDING, still=COARSE_STILL)
        bound, extra = best_bound(above, top), [top.point]
    elif not isinstance(view.objective, Mean | CVaR):
        mean = view.judged(Mean())
        extra = [_solved(mean, plans, seed, starts, say).peak.point] if safe.all() else []
    extra = [plans[0] + share * (target - plans[0]) for target in extra for share in BLENDS]
    near = [plan for target in extra if (plan := nearest(view.poly, target)) is not None]
    peak = search(view, [*plans, *near], seed, starts=starts)
    method = f"best of {starts} random starts and {len(plans) + len(near)} others"
    if isinstance(view.objective, MeanMinusSd):
        bound = _bound_of_sd(view, peak, tested, safe, say)
        return _Found(peak, bound, method, f"{view.objective.name} is searched, not solved" + (f"; {bent}" if bent else ""))
    if isinstance(view.objective, ProbabilityAbove):
        return _Found(peak, None, method, "a probability is not concave in the plan")
    if bound is not None:
        return _Found(peak, bound, f"{method}, bound by the concave envelope")
    return _Found(peak, None, method, bent or "blocks of several cells are not concave")


def _bound_of_sd(view: View, peak: Peak, tested: Concavity, safe: Mask, say: Callable[[str], None]) -> float | None:
    """A bound on mean minus sd: by weights of the draws under which no plan's objective exceeds the weighted mean."""
    if not isinstance(view.objective, MeanMinusSd):
        return None
    closed = best_bound(view, peak, concave=not tested.share.any())
    if closed is not None or not safe.all():
        return closed
    weights, offset = view.objective.safe_weights(view.draws(peak.point)), view.objective.offset
    above = view.judged(Weighted(weights))
    shift = 0.0 if offset is None else float(weights @ offset)
    return solve_whole(above, [peak.point], _worth(view, peak.point), say).bound - shift


def _named(view: View, bent: Mask, share: Floats) -> str:
    """Blocks in words, with the share of draws in which each is not concave."""
    said = []
    for b in np.flatnonzero(bent)[:NAMED]:
        cells = [view.problem.cells[c] for c in np.flatnonzero(view.blocks == b)]
        name = cells[0] if len(cells) == 1 else f"{cells[0]} to {cells[-1]}"
        said.append(f"{name} ({100 * share[b]:.0f} % of draws)")
    more = int(bent.sum()) - len(said)
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def _never_worse(view: View, found: _Found) -> _Found:
    """The current plan scaled to the same total instead, if it is allowed and better."""
    current = view.problem.current
    if not current.sum() > 0:
        return found
    plain = current * (float(found.peak.point.sum()) / float(current.sum()))
    if not allows(view.poly, plain, ROUNDING):
        return found
    plain = np.clip(plain, view.poly.low, view.poly.high)
    draws = view.draws(plain)
    value = view.objective.value(draws)
    if value <= found.peak.value:
        return found
    return replace(found, peak=Peak(plain, value, view.objective.weights(draws)))
