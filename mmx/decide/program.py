"""Linear and mixed-integer programs, put together block by block and solved by HiGHS (Huangfu and Hall 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from mmx.data.panel import Floats
from mmx.decide.problem import Index

Block = tuple[Index, "csr_array | Floats"]


@dataclass(frozen=True)
class Outcome:
    """What a program ended with.

    Attributes
    ----------
    point : array, (variable,), or None
        The best one found; None where there is none.
    bound : float
        No allowed point brings more; -inf if none is allowed, inf where nothing is known.
    """

    point: Floats | None
    bound: float


class Program:
    """Variables, rows and gains of ``max gains @ x``; grows by calls, then solves."""

    def __init__(self) -> None:
        self._low: list[Floats] = []
        self._high: list[Floats] = []
        self._gain: list[Floats] = []
        self._whole: list[Floats] = []
        self._size = 0
        self._blocks: list[tuple[Floats, Floats, Floats]] = []
        self._limits: list[tuple[Floats, Floats]] = []
        self._rows = 0

    def variables(
        self, count: int, low: float | Floats, high: float | Floats, gain: float | Floats = 0.0, *, whole: bool = False
    ) -> Index:
        """Add variables; returns their places."""
        for parts, given in ((self._low, low), (self._high, high), (self._gain, gain), (self._whole, float(whole))):
            parts.append(np.broadcast_to(np.asarray(given, dtype=float), (count,)))
        self._size += count
        return np.arange(self._size - count, self._size)

    def rows(self, blocks: Sequence[Block], low: float | Floats, high: float | Floats) -> None:
        """Add rows ``low <= sum of matrix @ x[places] <= high``; every matrix has one row per new row."""
        count = blocks[0][1].shape[0]
        for places, matrix in blocks:
            part = coo_array(matrix)
            row, column = part.coords
            self._blocks.append((row + self._rows, np.asarray(places)[column], part.data))
        self._limits.append((np.broadcast_to(low, (count,)), np.broadcast_to(high, (count,))))
        self._rows += count

    def maximise(self, *, gap: float = 0.0, nodes: int | None = None) -> Outcome:
        """Solve.

        Parameters
        ----------
        gap : float
            Relative gap between the best point and the bound at which to stop.
        nodes : int, optional
            Nodes of the search tree after which to stop: a count, so that the same question has the same answer.
        """
        constraints = []
        if self._rows:
            row, column, entry = (np.concatenate(parts) for parts in zip(*self._blocks, strict=True))
            matrix = csr_array((entry, (row, column)), shape=(self._rows, self._size))
            limits = [np.concatenate(side) for side in zip(*self._limits, strict=True)]
            constraints = [LinearConstraint(matrix, *limits)]
        whole = np.concatenate(self._whole)
        options = {"mip_rel_gap": gap} | ({} if nodes is None else {"node_limit": nodes})
        solved = milp(
            -np.concatenate(self._gain),
            constraints=constraints,
            bounds=Bounds(np.concatenate(self._low), np.concatenate(self._high)),
            integrality=whole,
            options=options,
        )
        if solved.status == 2:
            return Outcome(None, -np.inf)
        if solved.x is None:
            known = getattr(solved, "mip_dual_bound", None)
            return Outcome(None, np.inf if known is None or not np.isfinite(known) else -float(known))
        bound = float(solved.mip_dual_bound) if whole.any() else float(solved.fun)
        return Outcome(solved.x, -bound)
