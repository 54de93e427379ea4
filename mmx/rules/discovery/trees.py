"""Shallow regression trees propose conditions: paths of at most three splits, on the earlier part of a past.

Each tree sees half of the terms and a bootstrap of the ad sets; its target is revenue over expected revenue, weighted by what
was expected, so that the mean of a node is its ratio. All nodes below the root are proposals. They are ranked by how surely
their revenue differs on the days that they were grown on. One that is nearly a better one or its opposite is left out, as are
those that hold on most ad-set-days. What remains is judged on later days, which no tree has seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.rules.discovery.effect import statistic
from mmx.rules.discovery.terms import MENU, Condition, conjunction, hold, readable
from mmx.rules.learned import measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mmx.rules.discovery.outcome import Outcome

MOST_RATIO = 4.0
SAME, MOST_SHARE = 0.5, 0.5
TERMS_PER_TREE = 0.5


def proposals(
    features: Mapping[str, NDArray[Any]],
    outcome: Outcome,
    *,
    trees: int,
    depth: int,
    least_share: float,
    rng: np.random.Generator,
) -> list[tuple[Condition, ...]]:
    """Distinct paths of all trees, with readable thresholds.

    Parameters
    ----------
    features : dict
        Of the growing days.
    outcome : Outcome
        Of the same days.
    trees, depth : int
        Number of trees, and splits of a path.
    least_share : float
        Least share of the weight in a node.
    rng : Generator
    """
    from sklearn.tree import DecisionTreeRegressor

    used = outcome.expected > 0.0
    if not used.any():
        return []
    table = np.stack([np.broadcast_to(measured(features, term.measure), used.shape)[used] for term in MENU], axis=1)
    known = [i for i in range(len(MENU)) if np.isfinite(table[:, i]).mean() > 0.5]
    middle = np.nanmedian(np.where(np.isfinite(table[:, known]), table[:, known], np.nan), axis=0)
    table = np.where(np.isfinite(table[:, known]), table[:, known], middle)
    weight = outcome.expected[used]
    target = np.minimum(outcome.revenue[used] / weight, MOST_RATIO)
    owner = np.broadcast_to(np.arange(used.shape[1]), used.shape)[used]
    seen: dict[tuple[Condition, ...], None] = {}
    for _ in range(trees):
        columns = np.sort(rng.choice(len(known), max(int(TERMS_PER_TREE * len(known)), 1), replace=False))
        times = rng.multinomial(used.shape[1], np.full(used.shape[1], 1.0 / used.shape[1]))
        tree = DecisionTreeRegressor(
            max_depth=depth, min_weight_fraction_leaf=least_share, random_state=int(rng.integers(2**31))
        )
        tree.fit(table[:, columns], target, sample_weight=weight * times[owner])
        for path in _paths(tree.tree_, [MENU[known[c]] for c in columns]):
            seen.setdefault(path)
    return list(seen)


def select(
    paths: list[tuple[Condition, ...]], features: Mapping[str, NDArray[Any]], outcome: Outcome, most: int
) -> list[tuple[Condition, ...]]:
    """The paths whose revenue differs most surely on the growing days, none of them nearly another or its opposite.

    Parameters
    ----------
    paths : list of tuple of Condition
    features, outcome
        Of growing days whose weeks do not overlap.
    most : int
        Number of paths that are kept.
    """
    if not paths:
        return []
    runs = hold((), features)
    member = np.stack([hold(path, features) for path in paths])
    rank = np.abs(statistic(outcome, member))
    seldom = member.sum(axis=(1, 2)) <= MOST_SHARE * runs.sum()
    kept: list[int] = []
    for i in np.flatnonzero(seldom)[np.argsort(-rank[seldom], kind="stable")]:
        if all(max(jaccard(member[i], member[j]), jaccard(runs & ~member[i], member[j])) < SAME for j in kept):
            kept.append(int(i))
        if len(kept) == most:
            break
    return [paths[i] for i in kept]


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """What two sets have in common over what either has; zero where both are empty."""
    either = int((one | other).sum())
    return float((one & other).sum() / either) if either else 0.0


def within(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """What two sets have in common over the smaller one; zero where it is empty."""
    smaller = min(int(one.sum()), int(other.sum()))
    return float((one & other).sum() / smaller) if smaller else 0.0


def _paths(tree: Any, terms: list[Any]) -> Iterator[tuple[Condition, ...]]:
    """Conditions of every node below the root."""
    stack: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
    while stack:
        node, path = stack.pop()
        if path:
            yield conjunction(path)
        if tree.children_left[node] != tree.children_right[node]:
            term = terms[tree.feature[node]]
            threshold = readable(float(tree.threshold[node]), term.form)
            stack.append((tree.children_right[node], (*path, Condition(term, True, threshold))))
            stack.append((tree.children_left[node], (*path, Condition(term, False, threshold))))
