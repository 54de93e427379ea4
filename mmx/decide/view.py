"""A problem and a response in units of their own, as solvers see them: plans around 1, draws in money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.feasible import Polytope
from mmx.decide.objective import Objective
from mmx.decide.problem import Index, Problem, Response

Bend = list[tuple[Index, Floats]]  # A symmetric matrix as its blocks: their cells, and their entries.
NUDGE = 1e-4  # Relative step of the differences that give curvature.


@dataclass(frozen=True)
class View:
    """Draws of a plan ``z = money / unit`` and their slopes, for one objective.

    Attributes
    ----------
    problem : Problem
    response : Response
    objective : Objective
    poly : Polytope
    """

    problem: Problem
    response: Response
    objective: Objective
    poly: Polytope

    @cached_property
    def fixed(self) -> Index:
        """Cells that cannot move; their slopes count as 0."""
        return np.flatnonzero(self.poly.high <= self.poly.low)

    @cached_property
    def blocks(self) -> Index:
        """Block of each cell, (cell,)."""
        return np.asarray(self.response.blocks)

    @cached_property
    def position(self) -> Index:
        """Place of each cell within its block, (cell,)."""
        place = np.zeros(len(self.blocks), dtype=np.intp)
        for b in np.unique(self.blocks):
            members = np.flatnonzero(self.blocks == b)
            place[members] = np.arange(len(members))
        return place

    @property
    def separable(self) -> bool:
        """Whether every block is one cell."""
        return not self.position.any()

    def draws(self, z: Floats) -> Floats:
        """Money per draw of a plan, (sample,)."""
        value = self.response.value(z * self.poly.unit).sum(axis=1)
        return self.problem.margin * value - self.problem.cost * self.poly.unit * float(z.sum())

    def money(self, z: Floats) -> float:
        """KPI money of a plan times margin, mean over draws: what gaps are relative to."""
        return self.problem.margin * float(self.response.value(z * self.poly.unit).sum(axis=1).mean())

    def slopes(self, z: Floats) -> tuple[Floats, Floats]:
        """Money per draw, (sample,), and its slopes, (sample, cell)."""
        value, slope = self.blockwise(z)
        return value.sum(axis=1) - self.problem.cost * self.poly.unit * float(z.sum()), slope

    def blockwise(self, z: Floats) -> tuple[Floats, Floats]:
        """Money per draw and block without the cost of spend, (sample, block), and slopes with it, (sample, cell)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value, slope = self.response.value_and_slope(z * self.poly.unit)
            slope = (self.problem.margin * slope - self.problem.cost) * self.poly.unit
        slope[:, self.fixed] = 0.0
        return self.problem.margin * value, slope

    def thinned(self, draws: Index) -> View:
        """Of some of the draws."""
        return replace(self, response=self.response.thinned(draws), objective=self.objective.thinned(draws))

    def boxed(self, low: Floats, high: Floats) -> View:
        """Within other bounds, and without minimum commitments and steps."""
        return replace(self, poly=self.poly.boxed(low, high))

    def judged(self, objective: Objective) -> View:
        """For another objective."""
        return replace(self, objective=objective)

    def worth(self, z: Floats) -> float:
        """The objective of a plan."""
        return self.objective.value(self.draws(z))

    def curvature(self, z: Floats, weights: Floats, slopes: Floats) -> Bend:
        """Second derivatives of the weighted draws, block by block: cells, and a symmetric matrix with no positive eigenvalue.

        One cell of every block is moved at a time, and the difference of all slopes is read off: as many evaluations as the
        largest block has cells (Curtis, Powell and Reid 1974). ``slopes`` (sample, cell) are those at the plan.
        """
        width = self.poly.high - self.poly.low
        base = weights @ slopes
        move = NUDGE * np.maximum(z - self.poly.low, NUDGE * width)
        move = np.where(z + move <= self.poly.high, move, -move)
        columns = []
        for place in range(int(self.position.max(initial=0)) + 1):
            moved = np.where((self.position == place) & (width > 0), move, 0.0)
            columns.append(weights @ self.slopes(z + moved)[1] - base)
        found = []
        for b in np.unique(self.blocks):
            cells = np.flatnonzero((self.blocks == b) & (width > 0))
            if len(cells):
                matrix = np.array([columns[self.position[c]][cells] / move[c] for c in cells])
                found.append((cells, negative(np.where(np.isfinite(matrix), matrix, 0.0))))
        return found


def negative(matrix: Floats) -> Floats:
    """The nearest symmetric matrix without positive eigenvalues."""
    symmetric = (matrix + matrix.T) / 2
    if len(matrix) == 1:
        return np.minimum(symmetric, 0.0)
    values, vectors = np.linalg.eigh(symmetric)
    clipped: Floats = (vectors * np.minimum(values, 0.0)) @ vectors.T
    return clipped
