"""How much to spend: the total as the question.

With V(T) the best objective at total T (value times margin, spend not counted), the most profitable total maximises ``V(T) -
T``, and the largest total with a marginal ROAS of at least r maximises ``V(T) - r T``: both are one problem with the total
left free. The largest total with a mean ROAS of at least r is the largest T with ``V(T) >= r T``, closed in on from above:
where V is concave by tangents (Newton), which lie above it, otherwise by ``T <- V(T) / r``, as no smaller total brings more
than V(T).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from mmx.data.panel import Floats
from mmx.decide.conflict import check
from mmx.decide.feasible import polytope, program
from mmx.decide.objective import Objective, ProbabilityAbove
from mmx.decide.problem import Problem, Response, is_total, total_row
from mmx.decide.solve import CONVEX, Solution, solve
from mmx.errors import DecisionError

CLOSE = 1e-4  # Relative step between totals at which the search for one ends, just on the allowed side.
NEAR = 1e-3  # The same where the best value is not concave in the total, and each total costs a mixed-integer program.
NOTHING = 1e-3  # Share of the largest total below which a total counts as none.
ROUNDS = 100  # Totals tried at most.

Say = Callable[[str], None]


@dataclass(frozen=True)
class TotalAnswer:
    """A total and the best plan at it.

    Attributes
    ----------
    total : float, money
        What the plan spends.
    solution : Solution
        The best plan at that total, counted as the problem counts it (``best_profit``: less the spend).
    """

    total: float
    solution: Solution


def best_profit(
    problem: Problem, response: Response, objective: Objective, *, margin: float, seed: int, say: Say | None = None
) -> TotalAnswer:
    """The total that earns most: value times margin less spend.

    A fixed total of the problem is left out; limits on it stay.
    """
    free = replace(_freed(problem, objective), margin=_positive(margin, "margin"), cost=1.0)
    found = solve(free, response, objective, seed=seed, say=say)
    return TotalAnswer(float(found.money.sum()), found)


def marginal_roas_at_least(
    problem: Problem, response: Response, objective: Objective, *, target: float, seed: int, say: Say | None = None
) -> TotalAnswer:
    """The largest total whose last unit of money still brings at least ``target``."""
    own = _freed(problem, objective)
    if own.total is None:  # so that the answer shows a shadow price
        own = replace(own, rows=(*own.rows, total_row(len(own.cells), -inf, inf)))
    priced = replace(own, cost=own.cost + _positive(target, "marginal ROAS"))
    found = solve(priced, response, objective, seed=seed, say=say)
    total = float(found.money.sum())
    return TotalAnswer(total, _recounted(found, target * total, target))


def roas_at_least(
    problem: Problem, response: Response, objective: Objective, *, target: float, seed: int, say: Say | None = None
) -> TotalAnswer:
    """The largest total of which a unit of money brings at least ``target`` on average.

    Raises
    ------
    DecisionError
        If no total within the constraints reaches the target.
    """
    target = _positive(target, "ROAS")
    free = replace(_freed(problem, objective), cost=0.0)
    least, most = _range(free)
    rest = tuple(row for row in free.rows if not is_total(row))
    total, plan, last, best = most, None, False, -inf
    for _ in range(ROUNDS):
        at = replace(free, rows=(*rest, total_row(len(free.cells), total)))
        found = solve(at, response, objective, seed=seed, say=say, start=plan)
        spent, plan = float(found.money.sum()), found.money
        if found.value >= target * spent:
            return TotalAnswer(spent, _recounted(found, -problem.cost * spent, -problem.cost))
        best = max(best, found.value / spent if spent > 0 else 0.0)
        if last or total <= max(least * (1 + CLOSE), NOTHING * most):
            break
        below = min(_next(found, spent, target), total * (1 - (CLOSE if _by_tangents(found) else NEAR)))
        last = below < least
        total = max(below, least)
    raise DecisionError(
        f"no total reaches a mean of {target:,.4g} per unit of money: of those tried, {most:,.2f} down to {spent:,.2f}, the "
        f"best brings {best:,.4g}. Lower the target, or the bounds that force money in"
    )


def _next(found: Solution, spent: float, target: float) -> float:
    """The next smaller total: the largest that reaches the target is not above it, but for the gap of the plan found."""
    if _by_tangents(found) and found.shadow_price is not None:
        if found.shadow_price >= target:  # the tangent falls towards smaller totals: none reaches the target
            return 0.0
        return spent - (target * spent - found.value) / (target - found.shadow_price)
    return found.value / target


def _by_tangents(found: Solution) -> bool:
    """Whether the best value is concave in the total, as that of a concave problem is."""
    return found.certificate.certified and found.certificate.method == CONVEX


def _recounted(found: Solution, more: float, each: float) -> Solution:
    """The same plan with money added to every draw: objectives that move with their draws keep their gap."""
    seal = found.certificate
    bound = None if seal.bound is None else seal.bound + more
    price = None if found.shadow_price is None else found.shadow_price + each
    draws: Floats = found.draws + more
    seal = replace(seal, value=seal.value + more, bound=bound)
    return replace(found, draws=draws, value=found.value + more, certificate=seal, shadow_price=price)


def _freed(problem: Problem, objective: Objective) -> Problem:
    """Without a fixed total; limits on it stay."""
    if isinstance(objective, ProbabilityAbove):
        raise DecisionError("a total is found by money, and a probability is none. Take the mean, CVaR or mean minus sd")
    return replace(problem, rows=tuple(row for row in problem.rows if not (is_total(row) and row.low == row.high)))


def _range(problem: Problem) -> tuple[float, float]:
    """Smallest and largest total that the constraints allow."""
    poly = polytope(problem)
    ends = [program(poly, sign).maximise().bound for sign in (-1.0, 1.0)]
    if ends[1] == -inf:
        check(problem)
    return -ends[0] * poly.unit, ends[1] * poly.unit


def _positive(number: float, name: str) -> float:
    if not number > 0 or number == inf:
        raise DecisionError(f"{name} {number}. Expected a finite number above 0")
    return float(number)
