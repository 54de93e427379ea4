"""What holds a plan where it is, and what one more unit of the total would bring."""

from __future__ import annotations

import numpy as np
from scipy.optimize import lsq_linear

from mmx.data.panel import Floats
from mmx.decide.ascend import Peak
from mmx.decide.feasible import TOUCH, Polytope, ceiling
from mmx.decide.objective import CVaR
from mmx.decide.problem import Mask, Problem
from mmx.decide.view import View


def binding(problem: Problem, poly: Polytope, plan: Floats) -> tuple[str, ...]:
    """Names of the rows that a plan (cell,) meets at a limit, and cells that stand at one, in words."""
    held = _held_rows(poly, plan)
    said = [row.name for row, at in zip(problem.rows, held, strict=True) if at]
    for c, cell in enumerate(problem.cells):
        if poly.high[c] <= poly.low[c]:
            continue
        near = TOUCH * (poly.high[c] - poly.low[c])
        if poly.minimum[c] > 0 and plan[c] <= near:
            said.append(f"{cell} not used: it takes 0 or at least {poly.minimum[c] * poly.unit:,.2f}")
        elif poly.minimum[c] > 0 and plan[c] <= poly.minimum[c] + near:
            said.append(f"{cell} at its minimum commitment")
        elif plan[c] <= poly.low[c] + near:
            said.append(f"{cell} at its lower bound")
        elif plan[c] >= poly.high[c] - near:
            said.append(f"{cell} at its upper bound")
    return tuple(said)


def _held_rows(poly: Polytope, plan: Floats) -> Mask:
    sums = poly.matrix @ plan
    held: Mask = (sums >= poly.row_high - TOUCH) | (sums <= poly.row_low + TOUCH)
    return held


def shadow_price(inside: View, peak: Peak) -> float | None:
    """Objective per unit of money of the total; None without a total, or where steps leave no cell that could move.

    With free cells f and rows r that hold the plan, ``slopes_f = sum_r y_r matrix_rf`` in least squares, y at least 0 at an
    upper limit and at most 0 at a lower one; without free cells, from the linear program at the plan.

    Parameters
    ----------
    inside : View
        Within the bounds of the plan's pattern.
    peak : Peak
    """
    poly, z = inside.poly, peak.point
    width = poly.high - poly.low
    if poly.total is None or not (width > 0).any():
        return None
    draws, slopes = inside.slopes(z)
    weights = peak.weights if isinstance(inside.objective, CVaR) else inside.objective.weights(draws)
    gain = weights @ np.where(np.isfinite(slopes), slopes, 0.0)
    free = (z - poly.low > TOUCH * width) & (poly.high - z > TOUCH * width)
    held = _held_rows(poly, z)
    if not held[poly.total]:
        return 0.0
    if not free.any():
        price = float(ceiling(poly, gain).prices[poly.total])
    else:
        rows = np.flatnonzero(held)
        sums = poly.matrix @ z
        least = np.where(sums <= poly.row_low + TOUCH, -np.inf, 0.0)[rows]
        most = np.where(sums >= poly.row_high - TOUCH, np.inf, 0.0)[rows]
        scale = float(np.abs(gain).max()) or 1.0
        solved = lsq_linear(poly.matrix[rows][:, free].T.toarray(), gain[free] / scale, (least, most), method="bvls")
        price = float(solved.x[int(np.flatnonzero(rows == poly.total)[0])]) * scale
    return price / (poly.unit * float(poly.weight[poly.total]))
