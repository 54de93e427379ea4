"""The mixed-integer program that lies above a problem: its best plan is a candidate, its bound holds for every plan.

A cell whose block is its own is a point of its table's curve: weights on points within one region, regions chosen by
binaries. Each point counts with its value plus the overshoot of the curve over the chords beside it, so that the weights of
two neighbours lie nowhere below the curve. The cells of a larger block lie below the tangents at the plans visited so far,
which holds where the block is concave.

All draws share plan and binaries. The objective is the least over lanes, sets of weights w of the draws with ``value(u) <= w
@ u + constant``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.feasible import program
from mmx.decide.objective import CVaR
from mmx.decide.problem import Index
from mmx.decide.program import Program
from mmx.decide.table import SAME, Curve, Table, curve
from mmx.decide.view import View

GAP = 1e-4  # Relative gap at which a program stops, if the gap that it is to close is not large.
NODES = 10_000  # Nodes after which it stops: a count, so that the answer does not depend on the machine.
TURN = 1e-7  # Change of slope, relative to the largest, that counts as a turn of curvature.


@dataclass(frozen=True)
class Anchor:
    """A plan whose tangents bound the larger blocks: its value (sample, block) and slopes (sample, cell)."""

    z: Floats
    value: Floats
    slope: Floats


@dataclass
class Relaxation:
    """What the program is made of; grows from round to round.

    Attributes
    ----------
    view : View
    table : Table
    cuts : list of list of float
        For each column of the table, the scaled money at which its curve is split into regions.
    lanes : list of array, (sample,)
    anchors : list of Anchor
    worth : float, money
        The program's unit of value.
    """

    view: View
    table: Table
    worth: float
    cuts: list[list[float]] = field(default_factory=list)
    lanes: list[Floats] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)

    def solve(self, gap: float = GAP) -> tuple[Floats | None, float, Floats]:
        """The best plan (cell,) or None, the bound in money, and how far each column lies above its curve there, (column,).

        ``gap`` is the relative gap at which the program may stop.
        """
        lanes = np.array(self.lanes)
        poly = self.view.poly
        minimum = poly.minimum.copy()
        minimum[self.table.cells] = 0.0
        built = program(replace(poly, minimum=minimum))
        plan = np.arange(len(poly.low))
        least = built.variables(1, -np.inf, np.inf, 1.0)
        terms, columns = [], []
        for column, cell in enumerate(self.table.cells):
            one = curve(self.table, column, lanes)
            points, weights, above = self._column(built, column, one, plan[[cell]])
            terms.append((weights, -above / self.worth))
            columns.append((one, points, weights, above))
        terms += self._tangents(built, lanes, plan)
        built.rows([(least, np.ones((len(lanes), 1))), *terms], -np.inf, -self._offsets(lanes) / self.worth)
        outcome = built.maximise(gap=max(gap, GAP), nodes=NODES)
        if outcome.point is None:
            return None, outcome.bound * self.worth, np.zeros(len(columns))
        loose = [_looseness(one, points, above, outcome.point[weights]) for one, points, weights, above in columns]
        return outcome.point[plan], outcome.bound * self.worth, np.array(loose)

    def _offsets(self, lanes: Floats) -> Floats:
        objective = self.view.objective
        if not isinstance(objective, CVaR) or objective.offset is None:
            return np.zeros(len(lanes))
        return lanes @ objective.offset

    def _column(self, built: Program, column: int, one: Curve, cell: Index) -> tuple[Index, Index, Floats]:
        """Points of a curve, their weights in the program, and what each counts by lane, (lane, weight)."""
        parts = regions(one.at, self.cuts[column])
        if one.at[0] < self.view.poly.minimum[self.table.cells[column]]:
            parts = [np.array([0]), *([p[1:] for p in parts[:1] if len(p) > 1]), *parts[1:]]
        points = np.concatenate(parts)
        above = np.concatenate([one.value[:, p] + _lifted(one.excess[:, p[0] : p[-1]]) for p in parts], axis=1)
        weights = built.variables(len(points), 0.0, 1.0)
        built.rows([(cell, np.ones((1, 1))), (weights, -one.at[points][None])], 0.0, 0.0)
        built.rows([(weights, np.ones((1, len(points))))], 1.0, 1.0)
        if len(parts) > 1:
            on = built.variables(len(parts), 0.0, 1.0, whole=True)
            belongs = np.repeat(np.arange(len(parts)), [len(p) for p in parts])[None] == np.arange(len(parts))[:, None]
            built.rows([(weights, belongs.astype(float)), (on, -np.eye(len(parts)))], 0.0, 0.0)
        return points, weights, above

    def _tangents(self, built: Program, lanes: Floats, plan: Index) -> list[tuple[Index, Floats]]:
        """Values of the larger blocks by lane, below all tangents."""
        view, terms = self.view, []
        for b in np.setdiff1d(view.blocks, view.blocks[self.table.cells]):
            cells = np.flatnonzero(view.blocks == b)
            worth = built.variables(len(lanes), -np.inf, np.inf)
            for anchor in self.anchors:
                gain = lanes @ anchor.slope[:, cells] / self.worth
                spent = view.problem.cost * view.poly.unit * anchor.z[cells].sum()
                at = (lanes @ anchor.value[:, b] - spent) / self.worth
                built.rows([(worth, np.eye(len(lanes))), (plan[cells], -gain)], -np.inf, at - gain @ anchor.z[cells])
            terms.append((worth, -np.eye(len(lanes))))
        return terms


def regions(at: Floats, cuts: list[float]) -> list[Index]:
    """Places of points (point,) by region: split at the cuts, which belong to both sides."""
    width = max(float(at[-1] - at[0]), 1e-300)
    places = {0, len(at) - 1}
    for cut in cuts:
        place = int(np.abs(at - cut).argmin())
        if abs(at[place] - cut) <= 2 * SAME * width:
            places.add(place)
    ends = sorted(places)
    if len(ends) == 1:
        return [np.array([0])]
    return [np.arange(i, j + 1) for i, j in pairwise(ends)]


def turns(one: Curve) -> list[float]:
    """Money at which the curve of the first lane turns from convex to concave or back."""
    if len(one.at) < 4:
        return []
    change = np.diff(np.diff(one.value[0]) / np.diff(one.at))
    sign = np.where(change > TURN * np.abs(np.diff(one.value[0]) / np.diff(one.at)).max(), 1, -1)
    return [float(one.at[k + 1]) for k in range(1, len(sign)) if sign[k] != sign[k - 1]]


def _lifted(over: Floats) -> Floats:
    """What each point is lifted by, (lane, point), from the overshoot beside it, (lane, point - 1)."""
    none = np.zeros((len(over), 1))
    lifted: Floats = np.maximum(np.hstack([over, none]), np.hstack([none, over]))
    return lifted


def _looseness(one: Curve, points: Index, above: Floats, weights: Floats) -> float:
    """Most by which the weighted points lie above the curve itself, linear between its nearest points."""
    at = float(one.at[points] @ weights)
    value = np.array([np.interp(at, one.at, lane) for lane in one.value])
    return float((above @ weights - value).max())
