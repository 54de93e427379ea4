"""Quadratic programs over the steps from a plan, solved by the interior-point method of Clarabel (Goulart and Chen 2024)."""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
from scipy.sparse import csc_matrix

from mmx.data.panel import Floats
from mmx.decide.feasible import Polytope
from mmx.decide.objective import CVaR
from mmx.decide.view import Bend

PRECISION = 1e-10  # Tolerance of the solver.
FAINT = 1e-9  # Curvature added so that steps are unique, and rounding of levels; gains are around 1.
NEAR, FEWEST = 1.5, 50  # Draws that a program of a CVaR begins with: this multiple of the tail, and some more.


def step(poly: Polytope, z: Floats, gain: Floats, bend: Bend) -> Floats | None:
    """The allowed step d from a plan that maximises ``gain @ d + d @ bend @ d / 2``; None if the solver fails."""
    limits, cones = _within(poly, z)
    solved = _solve(_upper(bend, len(z), len(z)), -gain, csc_matrix(poly.stacked), limits, cones)
    return None if solved is None else solved[0]


def worst_step(
    poly: Polytope, z: Floats, objective: CVaR, draws: Floats, slopes: Floats, bend: Bend
) -> tuple[Floats, Floats] | None:
    """The step that maximises the CVaR of the draws made linear, less curvature, and the multipliers of the draws.

    Draws and slopes must be around 1. The program begins with the draws near the tail; those that its step brings below the
    level join until there is none, so that it solves that of all draws.
    """
    samples = len(draws)
    each = 1.0 / (objective.level * samples)
    level = objective.shifted(draws) - objective.value(draws)
    first = int(np.ceil(NEAR * objective.level * samples)) + FEWEST
    chosen = np.zeros(samples, dtype=bool)
    chosen[np.argsort(level, kind="stable")[:first]] = True
    while True:
        solved = _worst(poly, z, level[chosen], slopes[chosen], bend, each)
        if solved is None:
            return None
        found, least, multipliers = solved
        missing = ~chosen & (level + slopes @ found < least - FAINT)
        if not missing.any():
            break
        chosen |= missing
    weights = np.zeros(samples)
    weights[chosen] = np.clip(multipliers, 0.0, each)
    return found, _sum_to_one(weights, each)


def _worst(
    poly: Polytope, z: Floats, level: Floats, slopes: Floats, bend: Bend, each: float
) -> tuple[Floats, float, Floats] | None:
    """Step, level t and multipliers of the program of some draws; its variables are the step, t and the shortfalls u."""
    cells, samples = len(z), len(level)
    sides, cones = _within(poly, z)
    limits = np.concatenate([sides, level, np.zeros(samples)])
    cost = np.concatenate([np.zeros(cells), [-1.0], np.full(samples, each)])
    cones = [*cones, clarabel.NonnegativeConeT(2 * samples)]
    solved = _solve(_upper(bend, cells, cells + 1 + samples), cost, _epigraph(poly, slopes), limits, cones)
    if solved is None:
        return None
    return solved[0][:cells], float(solved[0][cells]), solved[1][len(sides) : len(sides) + samples]


def _epigraph(poly: Polytope, slopes: Floats) -> csc_matrix:
    """The polytope's rows, then ``t - u_s - slopes_s @ d`` and ``-u_s``, column by column."""
    samples, cells = slopes.shape
    first = poly.stacked.shape[0]
    place = first + np.arange(samples, dtype=np.int32)
    starts = poly.stacked.indptr
    data, rows = [], []
    for c in range(cells):
        own = slice(starts[c], starts[c + 1])
        data += [poly.stacked.data[own], -slopes[:, c]]
        rows += [poly.stacked.indices[own], place]
    shortfall = np.stack([place, place + samples], axis=1).ravel()
    data += [np.ones(samples), -np.ones(2 * samples)]
    rows += [place, shortfall]
    lengths = np.concatenate([np.diff(starts) + samples, [samples], np.full(samples, 2)])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return csc_matrix((np.concatenate(data), np.concatenate(rows), ends), shape=(first + 2 * samples, cells + 1 + samples))


def _upper(bend: Bend, cells: int, size: int) -> csc_matrix:
    """The upper triangle of minus the curvature, with a faint one added, in a larger matrix of zeros."""
    corners = [np.triu_indices(len(block)) for block, _ in bend]
    rows = [block[i] for (block, _), (i, _) in zip(bend, corners, strict=True)]
    columns = [block[j] for (block, _), (_, j) in zip(bend, corners, strict=True)]
    entries = [-matrix[corner] for (_, matrix), corner in zip(bend, corners, strict=True)]
    diagonal = np.arange(cells)
    data = np.concatenate([*entries, np.full(cells, FAINT)])
    return csc_matrix((data, (np.concatenate([*rows, diagonal]), np.concatenate([*columns, diagonal]))), shape=(size, size))


def _sum_to_one(weights: Floats, each: float) -> Floats:
    """Weights in [0, each] moved to sum to exactly 1, so that they bound a CVaR."""
    off = 1.0 - float(weights.sum())
    room = each - weights if off > 0 else weights
    return weights + room * (off / max(float(room.sum()), 1e-300))


def _within(poly: Polytope, z: Floats) -> tuple[Floats, list[Any]]:
    """``b`` and the cones of ``stacked @ d + s = b``: what the bounds and rows leave to a step."""
    equal, upper, lower = poly.sides
    at = poly.matrix @ z
    limits = [(poly.row_high - at)[equal], (poly.row_high - at)[upper], (at - poly.row_low)[lower]]
    sides = np.concatenate([*limits, poly.high - z, z - poly.low])
    count = int(equal.sum())
    sides[count:] = np.maximum(sides[count:], 0.0)
    cones = [clarabel.ZeroConeT(count)] if count else []
    return sides, [*cones, clarabel.NonnegativeConeT(len(sides) - count)]


def _solve(
    curved: csc_matrix, cost: Floats, matrix: csc_matrix, limits: Floats, cones: list[Any]
) -> tuple[Floats, Floats] | None:
    """Minimise ``x @ curved @ x / 2 + cost @ x`` with ``matrix @ x + s = limits``; solution and multipliers."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = PRECISION
    curved.sort_indices()
    matrix.sort_indices()
    solved = clarabel.DefaultSolver(curved, cost, matrix, limits, cones, settings).solve()
    done = (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved, clarabel.SolverStatus.InsufficientProgress)
    point = np.array(solved.x)
    return (point, np.array(solved.z)) if solved.status in done and np.isfinite(point).all() else None
