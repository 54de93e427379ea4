"""Curves of single cells as tables over spend, and what they may exceed between their points.

Between two neighbouring points a curve with at most one turn of its curvature lies below its chord plus

    (m0 - m)(m - m1) / (m0 - m1) width      where it starts steeper than the chord (m0 > m) and ends flatter (m1 < m)
    (m - m1) width                          where it is flatter than the chord at both ends
    (m0 - m) width                          where it is steeper at both ends
    0                                       where it starts flatter and ends steeper

(m the slope of the chord, m0 and m1 the curve's slopes at its ends): meeting tangents, or one tangent carried over the width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.problem import Index, Mask
from mmx.decide.view import View

GRID = np.concatenate([np.geomspace(1 / 1024, 1 / 96, 5), np.linspace(0.0, 1.0, 65)])  # Fractions of a cell's range.
SAME = 1e-9  # Points closer than this share of a cell's range are one.


@dataclass(frozen=True)
class Table:
    """Value and slope of cells at points of spend.

    Attributes
    ----------
    cells : array, (column,)
        The cells that stand in the table.
    at : array, (point, column)
        Scaled money, in any order; a point may stand there twice.
    value, slope : array, (point, sample, column)
        Money with the cost of spend, and its slope per unit of scaled money.
    only_points : array of bool, (column,)
        Cells whose plans are points of the table only: their steps.
    """

    cells: Index
    at: Floats
    value: Floats
    slope: Floats
    only_points: Mask


@dataclass(frozen=True)
class Curve:
    """One cell of a table, its points in order.

    Attributes
    ----------
    at : array, (point,)
    value, slope : array, (lane, point)
        Weighted over draws, one lane per set of weights.
    excess : array, (lane, point - 1)
        What the curve may exceed its chord by between neighbours.
    """

    at: Floats
    value: Floats
    slope: Floats
    excess: Floats


def tabulate(view: View, cells: Index, points: Floats) -> Table:
    """Evaluate cells at points (point, column); other cells stay at their lower bound."""
    values, slopes = [], []
    plan = view.poly.low.copy()
    block = view.blocks[cells]
    for row in points:
        plan[cells] = row
        value, slope = view.blockwise(plan)
        values.append(value[:, block] - view.problem.cost * view.poly.unit * row)
        slopes.append(slope[:, cells])
    step = view.poly.step[cells]
    counted = (step > 0) & (_multiples(view, cells) < len(GRID))
    return Table(cells, points, np.array(values), np.array(slopes), counted)


def first_points(view: View, cells: Index) -> Floats:
    """Points over each cell's range (point, column): also 0 below a minimum; multiples of a step where there are few."""
    poly = view.poly
    low = np.maximum(poly.low, poly.minimum)[cells]
    points = np.vstack([poly.low[cells], low + GRID[:, None] * (poly.high[cells] - low)])
    step, many = poly.step[cells], _multiples(view, cells)
    for c in np.flatnonzero((step > 0) & (many < len(GRID))):
        times = np.arange(np.round(low[c] / step[c]), np.round(poly.high[cells[c]] / step[c]) + 1) * step[c]
        points[1:, c] = np.resize(times, len(GRID)) if len(times) else low[c]
    return points


def _multiples(view: View, cells: Index) -> Floats:
    step = view.poly.step[cells]
    low = np.maximum(view.poly.low, view.poly.minimum)[cells]
    return np.where(step > 0, (view.poly.high[cells] - low) / np.where(step > 0, step, 1.0), np.inf)


def extended(view: View, table: Table, plans: list[Floats]) -> Table:
    """With the money of more plans (cell,) as points."""
    more = tabulate(view, table.cells, np.array([plan[table.cells] for plan in plans]))
    at, value, slope = (
        np.concatenate(pair) for pair in ((table.at, more.at), (table.value, more.value), (table.slope, more.slope))
    )
    return Table(table.cells, at, value, slope, table.only_points)


def curve(table: Table, column: int, lanes: Floats) -> Curve:
    """A cell's points in order, its draws weighted by lanes (lane, sample)."""
    order = np.argsort(table.at[:, column], kind="stable")
    at = table.at[order, column]
    width = max(float(at[-1] - at[0]), 1e-300)
    kept = np.concatenate([[True], np.diff(at) > SAME * width])
    order, at = order[kept], at[kept]
    value = lanes @ table.value[order, :, column].T
    with np.errstate(invalid="ignore"):
        slope = lanes @ table.slope[order, :, column].T
    slope = np.where(np.isnan(slope), np.inf, slope)
    none = np.zeros((len(lanes), len(at) - 1))
    return Curve(at, value, slope, none if table.only_points[column] else _excess(at, value, slope))


def _excess(at: Floats, value: Floats, slope: Floats) -> Floats:
    """What curves (lane, point) may exceed their chords by, (lane, point - 1)."""
    width = np.diff(at)
    chord = np.diff(value, axis=1) / width
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        before, after = slope[:, :-1] - chord, chord - slope[:, 1:]
        meeting = np.where(np.isinf(before), after, before * after / (before + after))
        above = np.where((before > 0) & (after > 0), meeting, np.where(after > 0, after, np.where(before > 0, before, 0.0)))
    above = np.where(np.isfinite(above), above, chord.max(axis=1, keepdims=True, initial=0.0))
    excess: Floats = above * width
    return excess
