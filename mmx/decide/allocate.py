"""Allocate a total over channels with known mean response curves, the global optimum up to the grid.

The curves are monotone cubics through grid points. A mixed-integer program (HiGHS) finds the best piecewise-linear plan, with
no local optima to be caught in; a local solver polishes it on the smooth curves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from scipy.sparse import csr_array

from mmx.data.panel import Floats

PIECES = 48  # Linear pieces per channel in the mixed-integer program.
CONCAVE = 1e-9  # Rise in slope, relative to the largest slope, that still counts as concave.


def allocate(
    grid: Floats, value: Floats, cost: Floats, total: float, low: Floats, high: Floats, *, starts: Sequence[Floats] = ()
) -> Floats:
    """Multipliers that maximise the summed value under a fixed total cost.

    Parameters
    ----------
    grid : array, (point,)
        Increasing multipliers that cover ``low`` and ``high``.
    value : array, (point, channel)
        Value of each channel at each multiplier.
    cost : array, (channel,)
        Money per unit of the multiplier; 0 fixes a channel at its bounds' common value.
    total : float
        Money; must lie between ``low @ cost`` and ``high @ cost``.
    low, high : array, (channel,)
    starts : sequence of array, (channel,)
        Further plans to polish.

    Returns
    -------
    array, (channel,)
        Exact in total and bounds up to rounding.
    """
    free = (cost > 0) & (high > low)
    plan = low.copy()
    if not free.any():
        return plan
    rest = total - float(cost[~free] @ low[~free])
    curves = [PchipInterpolator(grid, value[:, c]) for c in np.flatnonzero(free)]
    lo, hi, price = low[free], high[free], cost[free]
    candidates = [_whole(curves, price, rest, lo, hi)]
    candidates += [s[free] for s in starts if np.all(s[free] >= lo) and np.all(s[free] <= hi)]
    candidates += [_polish(curves, price, rest, lo, hi, c) for c in list(candidates)]
    exact = [_exact(c, price, rest, lo, hi) for c in candidates]
    worth = [sum(float(f(m)) for f, m in zip(curves, c, strict=True)) for c in exact]
    plan[free] = exact[int(np.argmax(worth))]
    return plan


def _whole(curves: Sequence[PchipInterpolator], price: Floats, total: float, low: Floats, high: Floats) -> Floats:
    """Best piecewise-linear plan: points as convex combinations of neighbours, binaries only where a curve is not concave."""
    n = len(curves)
    points = np.linspace(low, high, PIECES + 1)
    worth = np.stack([f(points[:, c]) for c, f in enumerate(curves)], axis=1)
    scale = max(float(np.abs(worth - worth[0]).max()), 1e-300)
    slopes = np.diff(worth, axis=0)
    convex = [c for c in range(n) if (np.diff(slopes[:, c]) > CONCAVE * np.abs(slopes).max()).any()]
    width = PIECES + 1
    size = n * width + len(convex) * PIECES
    rows, columns, entries, lower, upper = [], [], [], [], []

    def add(row: int, pairs: list[tuple[int, float]], bounds: tuple[float, float]) -> int:
        for column, entry in pairs:
            rows.append(row)
            columns.append(column)
            entries.append(entry)
        lower.append(bounds[0])
        upper.append(bounds[1])
        return row + 1

    most = float(price @ high)  # The unit of money here: the total may be 0.
    spend = [(c * width + k, float(price[c] * points[k, c] / most)) for c in range(n) for k in range(width)]
    row = add(0, spend, (total / most, total / most))
    for c in range(n):
        row = add(row, [(c * width + k, 1.0) for k in range(width)], (1.0, 1.0))
    for i, c in enumerate(convex):
        first = n * width + i * PIECES
        row = add(row, [(first + k, 1.0) for k in range(PIECES)], (1.0, 1.0))
        for k in range(width):
            pieces = [first + j for j in (k - 1, k) if 0 <= j < PIECES]
            row = add(row, [(c * width + k, 1.0), *((p, -1.0) for p in pieces)], (-np.inf, 0.0))
    matrix = csr_array((entries, (rows, columns)), shape=(row, size))
    integrality = np.zeros(size)
    integrality[n * width :] = 1
    objective = np.zeros(size)
    objective[: n * width] = -((worth - worth[0]) / scale).T.ravel()
    solved = milp(
        objective,
        constraints=LinearConstraint(matrix, lower, upper),
        bounds=Bounds(0, 1),
        integrality=integrality,
        options={"time_limit": 20.0, "mip_rel_gap": 1e-4},
    )
    if solved.x is None:  # The limit of time was reached without a plan: the even one is a start for the polish.
        return low + (high - low) * (total - price @ low) / (price @ (high - low))
    mix = solved.x[: n * width].reshape(n, width)
    plan: Floats = (mix * points.T).sum(axis=1)
    return plan


def _polish(
    curves: Sequence[PchipInterpolator], price: Floats, total: float, low: Floats, high: Floats, start: Floats
) -> Floats:
    slopes, most = [f.derivative() for f in curves], float(price @ high)
    scale = max(sum(abs(float(f(h)) - float(f(lo))) for f, lo, h in zip(curves, low, high, strict=True)), 1e-300)
    solved = minimize(
        lambda m: -sum(float(f(v)) for f, v in zip(curves, m, strict=True)) / scale,
        np.clip(start, low, high),
        jac=lambda m: -np.array([float(f(v)) for f, v in zip(slopes, m, strict=True)]) / scale,
        bounds=Bounds(low, high),
        constraints={"type": "eq", "fun": lambda m: (price @ m - total) / most, "jac": lambda m: price / most},
        method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-12},
    )
    plan: Floats = np.clip(solved.x, low, high)
    return plan


def _exact(plan: Floats, price: Floats, total: float, low: Floats, high: Floats) -> Floats:
    """Move a plan to the exact total without leaving the bounds, each channel in proportion to its room."""
    plan = np.clip(plan, low, high)
    for _ in range(3):
        gap = total - float(price @ plan)
        room = (high - plan) if gap > 0 else (plan - low)
        available = float(price @ room)
        if available <= 0:
            break
        plan = np.clip(plan + np.sign(gap) * room * min(abs(gap) / available, 1.0), low, high)
    return plan
