"""Fronts under constraints: ranks, crowding, knee, and the choice by preferences.

``a`` dominates ``b`` where a keeps all constraints and b does not; where neither keeps them and a's total violation is
smaller; where both keep them and a is at least as good in every objective and better in one (Deb et al. 2002, A fast and
elitist multiobjective genetic algorithm: NSGA-II). Objectives are maximised.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from mmx.tune.problem import Floats

Indices = npt.NDArray[np.intp]
_BLOCK = 1000  # Vectors compared with the front so far at once.
_STEPS = {1: 1, 2: 200, 3: 30, 4: 12}  # Weights per side of the simplex in the knee's utilities.


def dominates(values: Floats, others: Floats) -> npt.NDArray[np.bool_]:
    """Whether value i is at least as good as other j everywhere and better somewhere, (n, m); no constraints."""
    at_least = np.ones((len(values), len(others)), dtype=bool)
    better = np.zeros_like(at_least)
    for k in range(values.shape[1]):
        mine, theirs = values[:, k][:, None], others[:, k][None, :]
        at_least &= mine >= theirs
        better |= mine > theirs
    return at_least & better


def ranks(values: Floats, violation: Floats) -> Indices:
    """Rank of every vector, 0 for the front: non-dominated layers of those that keep the constraints, then by violation.

    Parameters
    ----------
    values : array, (n, objective)
    violation : array, (n,)
        Total violation, 0 where every constraint is kept.
    """
    rank = np.empty(len(values), dtype=np.intp)
    kept = np.flatnonzero(violation <= 0.0)
    layer = 0
    if len(kept):
        # Equal values share a layer, so the layers of the distinct ones are enough.
        beaten = dominates(values[kept], values[kept])
        count = beaten.sum(axis=0)
        left = np.ones(len(kept), dtype=bool)
        while left.any():
            front = left & (count == 0)
            rank[kept[front]] = layer
            count = count - beaten[front].sum(axis=0)
            left &= ~front
            layer += 1
    broken = np.flatnonzero(violation > 0.0)
    _, order = np.unique(violation[broken], return_inverse=True)
    rank[broken] = layer + order
    return rank


def front(values: Floats, violation: Floats) -> Indices:
    """Indices of the front, ascending; of equal vectors the first. Where nothing keeps the constraints, the least violation."""
    kept = np.flatnonzero(violation <= 0.0)
    if len(kept) == 0:
        return np.flatnonzero(violation == violation.min())[:1] if len(values) else np.empty(0, dtype=np.intp)
    _, first = np.unique(values[kept], axis=0, return_index=True)
    pool = kept[np.sort(first)]
    found = np.empty(0, dtype=np.intp)
    for start in range(0, len(pool), _BLOCK):
        block = np.concatenate([found, pool[start : start + _BLOCK]])
        found = block[~dominates(values[block], values[block]).any(axis=0)]
    return np.sort(found)


def crowding(values: Floats) -> Floats:
    """Crowding distance within one layer, (n,): infinite at the ends of each objective (Deb et al. 2002)."""
    n = len(values)
    distance = np.zeros(n)
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if n > 2 and span > 0.0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def normalised(values: Floats) -> Floats:
    """Each objective of a front from 0 (worst) to 1 (best of the front); 1 where all are equal."""
    low, high = values.min(axis=0), values.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    scaled: Floats = np.where(high > low, (values - low) / span, 1.0)
    return scaled


def knee(values: Floats) -> int:
    """Place of the knee of a front, (point, objective): the point that would be missed most.

    For linear utilities with weights spread evenly over the simplex, a point's worth is the mean of what is lost without it:
    best utility less second best, where it is the best (expected marginal utility; Branke, Deb, Dierolf and Osswald 2004,
    Finding knees in multi-objective optimization). Objectives are scaled to the front's range.
    """
    scaled = normalised(values)
    if len(scaled) < 3:
        return int(np.argmax(scaled.sum(axis=1)))
    utility = scaled @ _simplex(scaled.shape[1]).T  # (point, weight)
    best = utility.argmax(axis=0)
    top_two = np.partition(utility, -2, axis=0)[-2:]
    worth = np.bincount(best, weights=top_two[1] - top_two[0], minlength=len(scaled))
    # Ends of the front win where one objective alone counts: only a front without a bend is judged by its middle.
    return int(np.argmax(worth)) if worth.max() > 0.0 else int(np.argmax(scaled.min(axis=1)))


def _simplex(objectives: int) -> Floats:
    """Evenly spread weights inside the simplex, (weight, objective)."""
    steps = _STEPS.get(objectives, 8)
    bars = combinations(range(steps + objectives - 1), objectives - 1)
    cells = np.array([np.diff([-1, *bar, steps + objectives - 1]) - 1 for bar in bars], dtype=float)
    weights: Floats = (cells + 0.5) / (steps + 0.5 * objectives)
    return weights


def prefer(values: Floats, violation: Floats, weights: Floats) -> Indices:
    """Order of vectors by preference, best first, without evaluating anything anew.

    Those that break constraints come last, by their violation. The others are ordered by the augmented weighted Chebyshev
    distance from the best of each objective, ``max_k w_k (1 - v_k) + 0.001 sum_k w_k (1 - v_k)`` on scaled objectives, which
    can reach every point of a front, bent inwards or outwards (Steuer and Choo 1983).

    Parameters
    ----------
    values : array, (n, objective)
    violation : array, (n,)
    weights : array, (objective,), >= 0
    """
    kept = np.flatnonzero(violation <= 0.0)
    broken = np.flatnonzero(violation > 0.0)
    if len(kept):
        short = (1.0 - normalised(values[kept])) * (weights / weights.sum())
        kept = kept[np.argsort(short.max(axis=1) + 1e-3 * short.sum(axis=1), kind="stable")]
    return np.concatenate([kept, broken[np.argsort(violation[broken], kind="stable")]])
