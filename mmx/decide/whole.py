"""Problems that are not concave, or have minimum commitments or steps, by mixed-integer programs that lie above them.

Every round solves the relaxation, climbs from its plan on the true draws within the plan's own pattern, and then refines the
relaxation where its plan lies above the curves: the plan's money becomes a point of every table, regions are split there,
tangents and the plan's weights of the draws are added. The lowest bound of all rounds is the certificate's; it meets the best
plan from above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.ascend import ROUNDS as MOST
from mmx.decide.ascend import STILL, Peak, ascend
from mmx.decide.feasible import allows, nearest, whole_steps
from mmx.decide.objective import CVaR
from mmx.decide.relaxation import Anchor, Relaxation, turns
from mmx.decide.table import curve, extended, first_points, tabulate
from mmx.decide.view import View

ROUNDS = 40  # Rounds after which the gap stays as it is.
TARGET = 1e-3  # Relative gap at which refinement stops.
PATIENCE, PROGRESS = 6, 0.95  # Refinement stops when this many rounds in a row leave more than this share of the gap.
SHARE = 0.1  # Share of the last gap to which a program is solved.
LOOSE = 0.02  # Share of the gap above a curve from which on the curve is split there.


@dataclass(frozen=True)
class Whole:
    """The best plan found and the bound on all.

    Attributes
    ----------
    peak : Peak or None
    bound : float
    rounds : int
    """

    peak: Peak | None
    bound: float
    rounds: int


def solve_whole(view: View, starts: list[Floats], worth: float, say: Callable[[str], None]) -> Whole:
    """Solve over whole patterns.

    Parameters
    ----------
    view : View
        Blocks of several cells must be concave.
    starts : list of array, (cell,)
        Allowed plans to begin from.
    worth : float, money
        What the gap is relative to.
    say : callable
        Called with a sentence per round.
    """
    best = _better(None, [polished(view, plan) for plan in starts])
    relaxation = _first(view, [*starts, *([best.point] if best else [])], worth)
    if best is not None:
        _learn(relaxation, best)
    upper, smallest, waited = np.inf, np.inf, 0
    for count in range(1, ROUNDS + 1):
        plan, bound, loose = relaxation.solve(SHARE * smallest if np.isfinite(smallest) else 0.0)
        upper = min(upper, bound)
        if plan is None:
            break
        peak = polished(view, whole_steps(view.poly, plan))
        best = _better(best, [peak])
        gap = upper - best.value if best is not None else np.inf
        relative = gap / max(worth, abs(best.value) if best is not None else 0.0, 1e-300)
        say(f"round {count}: {100 * relative:.3g} % between plan and bound")
        if relative <= TARGET:
            return Whole(best, upper, count)
        waited = 0 if relative < PROGRESS * smallest else waited + 1
        smallest = min(smallest, relative)
        if waited >= PATIENCE:
            break
        _refine(relaxation, plan, peak, loose, gap)
    return Whole(best, upper, count)


def pattern(view: View, plan: Floats) -> tuple[Floats, Floats]:
    """Bounds of a plan's pattern: at zero or above the minimum, steps as they are."""
    poly = view.poly
    on = plan >= poly.minimum / 2
    low = np.where(poly.minimum > 0, np.where(on, poly.minimum, 0.0), poly.low)
    high = np.where(on, poly.high, 0.0)
    stepped = poly.step > 0
    return np.where(stepped, plan, low), np.where(stepped, plan, high)


def polished(view: View, plan: Floats, rounds: int = MOST, still: float = STILL) -> Peak | None:
    """Climb within the plan's pattern; None if no plan of that pattern is allowed."""
    inside = view.boxed(*pattern(view, plan))
    if not allows(inside.poly, plan):
        near = nearest(inside.poly, plan)
        if near is None:
            return None
        plan = near
    peak = ascend(inside, plan, rounds=rounds, still=still)
    return peak if allows(view.poly, peak.point) else None


def _better(best: Peak | None, others: list[Peak | None]) -> Peak | None:
    known = [peak for peak in (best, *others) if peak is not None]
    return max(known, key=lambda peak: peak.value) if known else None


def _first(view: View, plans: list[Floats], worth: float) -> Relaxation:
    """The first relaxation: curves at evenly spaced points, split where they turn."""
    alone = np.bincount(view.blocks)[view.blocks] == 1
    cells = np.flatnonzero(alone)
    table = tabulate(view, cells, first_points(view, cells))
    if plans:
        table = extended(view, table, [whole_steps(view.poly, plan) for plan in plans])
    relaxation = Relaxation(view, table, max(worth, 1e-300))
    for plan in plans or [view.poly.low]:
        _weigh(relaxation, plan)
    lanes = np.array(relaxation.lanes).mean(axis=0, keepdims=True)
    relaxation.cuts = [turns(curve(table, column, lanes)) for column in range(len(cells))]
    return relaxation


def _weigh(relaxation: Relaxation, plan: Floats) -> None:
    """Add the weights of the draws at a plan as a lane, and the plan's tangents."""
    view = relaxation.view
    value, slope = view.blockwise(plan)
    draws = value.sum(axis=1) - view.problem.cost * view.poly.unit * float(plan.sum())
    _add_lane(relaxation, view.objective.weights(draws))
    if len(relaxation.table.cells) < len(plan) and np.isfinite(slope).all():
        relaxation.anchors.append(Anchor(plan, value, slope))


def _add_lane(relaxation: Relaxation, weights: Floats) -> None:
    known = any(np.abs(weights - lane).sum() < 1e-9 for lane in relaxation.lanes)
    if not known and (isinstance(relaxation.view.objective, CVaR) or not relaxation.lanes):
        relaxation.lanes.append(weights)


def _learn(relaxation: Relaxation, peak: Peak) -> None:
    _add_lane(relaxation, peak.weights)
    _weigh(relaxation, peak.point)


def _refine(relaxation: Relaxation, plan: Floats, peak: Peak | None, loose: Floats, gap: float) -> None:
    """Points, splits, tangents and weights at the relaxation's plan and at the climb's."""
    view, table = relaxation.view, relaxation.table
    plan = np.clip(plan, view.poly.low, view.poly.high)
    others = [] if peak is None else [peak.point]
    added = [plan, *others]
    for side in (-1, 1):
        added.append(_between(relaxation, plan, side))
    relaxation.table = extended(view, table, added)
    for column in np.flatnonzero(loose > LOOSE * gap / max(len(loose), 1)):
        relaxation.cuts[column].append(float(plan[table.cells[column]]))
    _weigh(relaxation, plan)
    if peak is not None:
        _learn(relaxation, peak)


def _between(relaxation: Relaxation, plan: Floats, side: int) -> Floats:
    """Halfway from the plan to the next point of each table, below or above."""
    table = relaxation.table
    found = plan.copy()
    for column, cell in enumerate(table.cells):
        at = table.at[:, column]
        beyond = at[side * (at - plan[cell]) > 0]
        if len(beyond) and not relaxation.view.poly.step[cell] > 0:
            nearby = beyond[np.abs(beyond - plan[cell]).argmin()]
            halfway = (plan[cell] + nearby) / 2
            allowed = halfway >= relaxation.view.poly.minimum[cell] or halfway <= 0
            found[cell] = halfway if allowed else plan[cell]
    return found
