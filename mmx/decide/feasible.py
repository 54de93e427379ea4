"""The allowed plans in units of their own: bounds and rows on money over the largest amount, so that no currency matters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csc_array, csr_array, eye_array, vstack

from mmx.data.panel import Floats
from mmx.decide.problem import Mask, Problem, is_total
from mmx.decide.program import Program

ROUNDING = 1e-9  # Relative slack within which a limit counts as met, and a multiple as whole.
TOUCH = 1e-7  # Relative distance from a limit within which a plan counts as held by it.
LAST_DIGITS = 4e-16  # Distance of a row from its limit that no change of a plan can remove.
SWEEPS = 5  # Passes of tightening bounds by rows.


@dataclass(frozen=True)
class Polytope:
    """Plans ``z = money / unit`` within bounds and rows; with minimum or step also the discrete conditions.

    Attributes
    ----------
    unit : float, money
    low, high : array, (cell,)
    matrix : sparse array, (row, cell)
        Each row divided by its largest weight.
    row_low, row_high : array, (row,)
    minimum, step : array, (cell,)
        0 where there is none.
    total : int or None
        The row that limits the sum.
    weight : array, (row,)
        Largest weight of each row, by which it was divided.
    """

    unit: float
    low: Floats
    high: Floats
    matrix: csr_array
    row_low: Floats
    row_high: Floats
    minimum: Floats
    step: Floats
    total: int | None
    weight: Floats

    @property
    def discrete(self) -> bool:
        """Whether some cell has a minimum or a step."""
        return bool((self.minimum > 0).any() or (self.step > 0).any())

    @cached_property
    def sides(self) -> tuple[Mask, Mask, Mask]:
        """Rows with one value, with an upper limit, with a lower limit, each (row,)."""
        equal = self.row_low == self.row_high
        return equal, ~equal & np.isfinite(self.row_high), ~equal & np.isfinite(self.row_low)

    @cached_property
    def stacked(self) -> csc_array:
        """Rows with one value, upper limits, lower limits negated, then upper bounds and lower bounds negated."""
        equal, upper, lower = self.sides
        eye = eye_array(len(self.low), format="csr")
        return vstack([self.matrix[equal], self.matrix[upper], -self.matrix[lower], eye, -eye], format="csc")

    def boxed(self, low: Floats, high: Floats) -> Polytope:
        """Within other bounds, and without discrete conditions."""
        none = np.zeros_like(low)
        return replace(self, low=low, high=np.maximum(high, low), minimum=none, step=none)


def polytope(problem: Problem) -> Polytope:
    """The allowed plans of a problem, scaled.

    Bounds are moved to what steps and minimum commitments leave of them, and equal rows are kept as they are.
    """
    unit = float(problem.high.max(initial=0.0)) or 1.0
    none = np.zeros(len(problem.cells))
    minimum = none if problem.minimum is None else problem.minimum / unit
    step = none if problem.step is None else problem.step / unit
    low, high = problem.low / unit, problem.high / unit
    inside = (minimum > 0) & (low > 0)
    low, minimum = np.where(inside, np.maximum(low, minimum), low), np.where(inside, 0.0, minimum)
    high = np.where((minimum > 0) & (high < minimum * (1 - ROUNDING)), 0.0, high)
    minimum = np.where(minimum > high, 0.0, minimum)
    stepped = step > 0
    size = np.where(stepped, step, 1.0)
    low = np.where(stepped, np.ceil(low / size - ROUNDING) * size, low)
    high = np.where(stepped, np.floor(high / size + ROUNDING) * size, high)
    minimum = np.where(stepped, np.ceil(minimum / size - ROUNDING) * size, minimum)
    weights = np.array([row.weights for row in problem.rows]).reshape(len(problem.rows), len(problem.cells))
    largest = np.abs(weights).max(axis=1, initial=0.0)
    largest = np.where(largest > 0, largest, 1.0)
    limits = np.array([(row.low, row.high) for row in problem.rows]).reshape(-1, 2) / (largest[:, None] * unit)
    total = next((i for i, row in enumerate(problem.rows) if is_total(row)), None)
    matrix = csr_array(weights / largest[:, None])
    return Polytope(unit, low, high, matrix, limits[:, 0], limits[:, 1], minimum, step, total, largest)


def program(poly: Polytope, gain: float | Floats = 0.0) -> Program:
    """A program whose first variables are the plan, within all conditions."""
    cells = len(poly.low)
    built = Program()
    plan = built.variables(cells, np.minimum(poly.low, poly.high), poly.high, gain)
    if poly.matrix.shape[0]:
        built.rows([(plan, poly.matrix)], poly.row_low, poly.row_high)
    some = np.flatnonzero(poly.minimum > 0)
    if len(some):
        on = built.variables(len(some), 0.0, 1.0, whole=True)
        eye = np.eye(len(some))
        built.rows([(plan[some], eye), (on, -np.diag(poly.minimum[some]))], 0.0, np.inf)
        built.rows([(plan[some], eye), (on, -np.diag(poly.high[some]))], -np.inf, 0.0)
    stepped = np.flatnonzero(poly.step > 0)
    if len(stepped):
        most = np.round(poly.high[stepped] / poly.step[stepped])
        times = built.variables(len(stepped), 0.0, most, whole=True)
        built.rows([(plan[stepped], np.eye(len(stepped))), (times, -np.diag(poly.step[stepped]))], 0.0, 0.0)
    return built


def allows(poly: Polytope, plan: Floats, slack: float = TOUCH) -> bool:
    """Whether a plan (cell,) meets all conditions but for rounding."""
    if (plan < poly.low - slack).any() or (plan > poly.high + slack).any():
        return False
    sums = poly.matrix @ plan
    if (sums < poly.row_low - slack).any() or (sums > poly.row_high + slack).any():
        return False
    if ((poly.minimum > 0) & (plan > slack) & (plan < poly.minimum - slack)).any():
        return False
    stepped = poly.step > 0
    times = plan[stepped] / poly.step[stepped]
    return bool((np.abs(times - np.round(times)) * poly.step[stepped] <= slack).all())


def nearest(poly: Polytope, target: Floats) -> Floats | None:
    """An allowed plan with the smallest sum of absolute differences from a target (cell,); None if no plan is allowed."""
    cells = len(target)
    built = program(poly)
    away = built.variables(cells, 0.0, np.inf, -1.0)
    plan = np.arange(cells)
    eye = csr_array(np.eye(cells))
    built.rows([(plan, eye), (away, eye)], target, np.inf)
    built.rows([(plan, eye), (away, -eye)], -np.inf, target)
    found = built.maximise().point
    return None if found is None else whole_steps(poly, found[:cells])


def whole_steps(poly: Polytope, plan: Floats) -> Floats:
    """A plan with its steps whole, its small commitments at zero or the minimum, and its bounds kept, exactly."""
    stepped = poly.step > 0
    size = np.where(stepped, poly.step, 1.0)
    plan = np.where(stepped, np.round(plan / size) * size, plan)
    some = poly.minimum > 0
    plan = np.where(some & (plan < poly.minimum), np.where(plan > poly.minimum / 2, poly.minimum, 0.0), plan)
    clipped: Floats = np.clip(plan, poly.low, poly.high) + 0.0  # + 0 turns -0 into 0
    return clipped


@dataclass(frozen=True)
class Ceiling:
    """The most that a linear gain brings within a polytope.

    Attributes
    ----------
    bound : float
        From the rows' prices alone, so it holds whatever the tolerance of the solver.
    prices : array, (row,)
        What one more unit of each row's limit brings.
    point : array, (cell,)
    """

    bound: float
    prices: Floats
    point: Floats


def ceiling(poly: Polytope, gain: Floats) -> Ceiling:
    """Maximise ``gain @ z`` over the polytope, discrete conditions left out.

    With prices y of the rows, ``gain @ z <= sum_r max(y_r low_r, y_r high_r) + sum_c max over the bounds of (gain - y @
    matrix)_c z_c`` (Lagrangian bound; any y will do).
    """
    scale = float(np.abs(gain).max(initial=0.0)) or 1.0
    equal, upper, lower = poly.sides
    sides = vstack([poly.matrix[upper], -poly.matrix[lower]])
    solved = linprog(
        -gain / scale,
        A_ub=sides if sides.shape[0] else None,
        b_ub=np.concatenate([poly.row_high[upper], -poly.row_low[lower]]) if sides.shape[0] else None,
        A_eq=poly.matrix[equal] if equal.any() else None,
        b_eq=poly.row_low[equal] if equal.any() else None,
        bounds=np.column_stack([poly.low, poly.high]),
        method="highs",
    )
    prices = np.zeros(len(poly.row_low))
    point = np.clip(poly.low, poly.low, poly.high)
    if solved.x is not None:
        point = np.clip(solved.x, poly.low, poly.high)
        count = int(upper.sum())
        if sides.shape[0]:
            prices[upper] -= solved.ineqlin.marginals[:count]
            prices[lower] += solved.ineqlin.marginals[count:]
        if equal.any():
            prices[equal] -= solved.eqlin.marginals
        prices *= scale
    return Ceiling(_lagrangian(poly, gain, prices), prices, point)


def corner(poly: Polytope, rng: np.random.Generator) -> Floats:
    """A random corner of what the rows and bounds allow, (cell,)."""
    width = np.where(poly.high > poly.low, poly.high - poly.low, 1.0)
    return ceiling(poly, rng.standard_normal(len(width)) / width).point


def _lagrangian(poly: Polytope, gain: Floats, prices: Floats) -> float:
    limit = np.where(prices > 0, poly.row_high, poly.row_low)
    known = np.isfinite(limit) & (prices != 0)
    rest = gain - (np.where(known, prices, 0.0) @ poly.matrix if len(prices) else 0.0)
    rows = float(prices[known] @ limit[known])
    return rows + float(np.maximum(rest * poly.low, rest * poly.high).sum())


def tightened(poly: Polytope) -> Polytope:
    """Bounds moved in by what each row leaves to each cell: the range that plans can reach, or a little more."""
    low, high = poly.low.copy(), poly.high.copy()
    dense = poly.matrix.toarray() if poly.matrix.shape[0] * len(low) < 1e6 else None
    if dense is None or not dense.size:
        return poly
    weight = np.where(dense != 0, dense, np.nan)
    for _ in range(SWEEPS):
        least = np.where(dense > 0, dense * low, dense * high)
        most = np.where(dense > 0, dense * high, dense * low)
        above = (poly.row_high[:, None] - (least.sum(axis=1, keepdims=True) - least)) / weight
        below = (poly.row_low[:, None] - (most.sum(axis=1, keepdims=True) - most)) / weight
        upper = np.fmin.reduce(np.where(dense > 0, above, below), axis=0, initial=np.inf)
        lower = np.fmax.reduce(np.where(dense > 0, below, above), axis=0, initial=-np.inf)
        high, low = np.fmin(high, np.fmax(upper, low)), np.fmax(low, np.fmin(lower, high))
    free = poly.minimum > 0
    return replace(poly, low=np.where(free, poly.low, low), high=np.maximum(high, np.where(free, poly.low, low)))


def exact(poly: Polytope, plan: Floats) -> Floats:
    """A nearly allowed plan made exact: limits that hold it are met to rounding, bounds are kept.

    Cells at a bound are put on it; the others take the smallest change (least squares) that settles the rows.
    """
    width = poly.high - poly.low
    z = np.clip(plan, poly.low, poly.high)
    free = (z - poly.low > TOUCH * width) & (poly.high - z > TOUCH * width) & ~(poly.step > 0)
    z = np.where(free, z, np.where(z - poly.low <= poly.high - z, poly.low, poly.high) if not poly.discrete else z)
    for _ in range(4):
        sums = poly.matrix @ z
        off = np.where(sums > poly.row_high, poly.row_high - sums, np.where(sums < poly.row_low, poly.row_low - sums, 0.0))
        held = (sums >= poly.row_high - TOUCH) | (sums <= poly.row_low + TOUCH)
        if not (np.abs(off) > LAST_DIGITS).any() or not free.any():
            break
        goal = np.where(np.abs(sums - poly.row_high) <= np.abs(sums - poly.row_low), poly.row_high, poly.row_low) - sums
        part = poly.matrix[held][:, free].toarray()
        change = np.linalg.lstsq(part, np.where(np.isfinite(goal), goal, 0.0)[held], rcond=1e-12)[0]
        z[free] = np.clip(z[free] + change, poly.low[free], poly.high[free])
    return z
