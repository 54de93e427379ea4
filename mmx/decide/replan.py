"""The best plans of a menu under many beliefs at once.

A belief is the mean gain of every amount, (group, point). Joined by straight lines these are curves; on their concave hulls the
best plan within a total takes the steepest pieces first (marginal filling), for all beliefs in one sort. Where a curve is not
concave the plan is that of its hull, and its value that of the curve. Other constraints take a linear program per belief, in
which a plan mixes the amounts of each group.
"""

from __future__ import annotations

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.menu import TODAY, Menu, simple
from mmx.decide.problem import Problem
from mmx.decide.program import Program
from mmx.errors import DecisionError

HALVINGS = 14  # Of the range of slopes; what is left of it is sorted.
TINY = 1e-300
BENT = 1e-12  # Rise in slope, relative to the largest, from which on a curve is not concave.


def best_plans(menu: Menu, means: Floats) -> Floats:
    """Shares of each amount in the best plan, (belief, group, point), adding up to 1 over points.

    Parameters
    ----------
    menu : Menu
    means : array, (belief, group, point), money
    """
    if not len(menu.spend):
        return np.zeros_like(means)
    if simple(menu.problem):
        return _filled(menu, means)
    return np.stack([_programmed(menu, mean) for mean in means])


def today(menu: Menu) -> Floats:
    """Shares of each amount in today's plan, (group, point)."""
    shares = np.zeros(menu.spend.shape)
    shares[:, TODAY] = 1.0
    return shares


def _filled(menu: Menu, means: Floats) -> Floats:
    slopes = concave_slopes(means, menu.width)
    steep, wide = slopes.reshape(len(means), -1), menu.width.ravel()
    low, high = (end - menu.fixed - float(menu.spend[:, 0].sum()) for end in _totals(menu.problem))
    under, over = _margin(steep, wide, high)
    if low < high:
        over = _margin(steep, wide, low)[1]
    filled = (steep > over[:, None]).astype(float)
    before = filled @ wide
    belief, place = np.nonzero((steep > under[:, None]) & (steep <= over[:, None]))
    order = np.lexsort((place, -steep[belief, place], belief))
    belief, place = belief[order], place[order]
    spent = np.cumsum(wide[place]) - wide[place]
    first = np.searchsorted(belief, np.arange(len(means)))
    spent += (before - np.append(spent, 0.0)[first])[belief]
    room = np.where(steep[belief, place] > 0, high, low) - spent
    filled[belief, place] = np.clip(np.divide(room, wide[place], out=np.zeros_like(room), where=wide[place] > 0), 0.0, 1.0)
    filled = filled.reshape(slopes.shape)
    filled = np.where(menu.width > 0, filled, _next_wide(filled, menu.width))
    ends = np.ones((*filled.shape[:2], 1))
    shares: Floats = np.concatenate([ends, filled], axis=2) - np.concatenate([filled, 0.0 * ends], axis=2)
    return shares


def _margin(steep: Floats, wide: Floats, budget: float) -> tuple[Floats, Floats]:
    """Slopes between which the last piece within a budget lies, (belief,) each: above the second, pieces fit in together."""
    top = np.abs(steep).max(axis=1, initial=0.0)
    under, over = -2.0 * top - TINY, 2.0 * top + TINY
    for _ in range(HALVINGS):
        middle = (under + over) / 2
        fits = (steep > middle[:, None]) @ wide <= budget
        under, over = np.where(fits, under, middle), np.where(fits, middle, over)
    return under, over


def _next_wide(filled: Floats, width: Floats) -> Floats:
    """What a piece without width takes over: the next one that has some, so that shares stay between 0 and 1."""
    places = np.arange(width.shape[1])
    source = np.where(width > 0, places, places[-1])
    source = np.minimum.accumulate(source[:, ::-1], axis=1)[:, ::-1]
    found: Floats = np.take_along_axis(filled, np.broadcast_to(source, filled.shape), axis=2)
    return found


def _totals(problem: Problem) -> tuple[float, float]:
    """Least and largest total that all rows allow; without rows any."""
    sides = [(row.low / row.weights[0], row.high / row.weights[0]) for row in problem.rows]
    return max([0.0, *(low for low, _ in sides)]), min([np.inf, *(high for _, high in sides)])


def concave_slopes(means: Floats, width: Floats) -> Floats:
    """Slopes of the least concave curves above, (belief, group, piece), never rising along the pieces.

    They are the antitonic regression of the curves' own slopes, weighted by width (Robertson, Wright and Dykstra 1988, theorem
    1.2.1); a piece without width takes its neighbour's.
    """
    places = np.arange(width.shape[1])
    some = width > 0
    first = np.argmax(some, axis=1)[:, None]
    source = np.maximum(np.maximum.accumulate(np.where(some, places, -1), axis=1), first)
    rise = np.diff(means, axis=2)
    slopes = np.divide(rise, width, out=np.zeros_like(rise), where=some)
    slopes = np.take_along_axis(slopes, np.broadcast_to(source, slopes.shape), axis=2)
    top = np.abs(slopes).max(axis=2)
    bent = np.argwhere((np.diff(slopes, axis=2) > BENT * top[..., None]).any(axis=2))
    if len(bent):
        at = tuple(bent.T)
        slopes[at] = antitonic(slopes[at], width[at[1]])
    lowered: Floats = np.minimum.accumulate(slopes, axis=2)
    return lowered


def antitonic(values: Floats, weights: Floats) -> Floats:
    """Closest rows that never rise, by weighted squares: pool adjacent violators, all rows side by side.

    Parameters
    ----------
    values, weights : array, (row, place)
        Weights >= 0, some of each row above 0.
    """
    rows, places = values.shape
    every = np.arange(rows)
    level, mass, start = np.zeros_like(values), np.zeros_like(values), np.zeros(values.shape, dtype=np.intp)
    top = np.full(rows, -1)
    for k in range(places):
        top += 1
        level[every, top], mass[every, top], start[every, top] = values[:, k], weights[:, k], k
        while True:
            below = np.maximum(top - 1, 0)
            i = np.flatnonzero((top > 0) & (level[every, below] < level[every, top]))
            if not len(i):
                break
            one, two = top[i] - 1, top[i]
            total = mass[i, one] + mass[i, two]
            share = np.divide(mass[i, two], total, out=np.zeros_like(total), where=total > 0)
            level[i, one] += share * (level[i, two] - level[i, one])
            mass[i, one] = total
            top[i] -= 1
    begins = np.zeros(values.shape, dtype=np.intp)
    used = np.arange(places) <= top[:, None]
    begins[np.nonzero(used)[0], start[used]] = 1
    pooled: Floats = np.take_along_axis(level, np.cumsum(begins, axis=1) - 1, axis=1)
    return pooled


def _programmed(menu: Menu, mean: Floats) -> Floats:
    """Shares of the best mixture within all rows, (group, point)."""
    groups, points = mean.shape
    built = Program()
    places = built.variables(groups * points, 0.0, 1.0, mean.ravel() / max(float(np.abs(mean).max()), 1e-300))
    built.rows([(places, np.kron(np.eye(groups), np.ones((1, points))))], 1.0, 1.0)
    scale = max(float(menu.spend.max()), 1e-300)
    for row in menu.problem.rows:
        weighted = menu.amounts * row.weights
        still = float(weighted[TODAY, menu.groups < 0].sum())
        each = np.stack([weighted[:, menu.groups == g].sum(axis=1) for g in range(groups)])
        built.rows([(places, each.reshape(1, -1) / scale)], (row.low - still) / scale, (row.high - still) / scale)
    point = built.maximise().point
    if point is None:
        raise DecisionError("no plan on straight lines from today's to its bounds meets all constraints. Widen one of them")
    return point.reshape(groups, points)
