"""The effect of a condition on the revenue of a week: how large, how sure, and how sure among many conditions.

With R the revenue and E the expected revenue of ad set i after day t, and m_ti whether the condition holds, the log effect d is
that of ``R_ti ~ c_t E_ti exp(d m_ti)`` given the days' totals. Its score is ``sum_ti e_ti (m_ti - p_t)``, with ``e_ti = R_ti -
fitted`` and p_t the share of the fitted revenue where the condition holds; its information is ``sum_t R_t p_t (1 - p_t)``.

Scores are added up in clusters in two ways: over the weeks of an ad set, and over the ad sets of a week. The interval's
variance is that of both ways less that of their meeting (Cameron, Gelbach and Miller 2011), at least the larger of the two.
p-values flip the signs of whole clusters of the scores at d = 0 (Canay, Romano and Shaikh 2017), each way; the larger one
counts. The adjusted p-value compares with the largest statistic of all conditions under the same flips (Westfall and Young
1993).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.rules.discovery.outcome import Outcome

STEPS = 40
LARGEST = 4.0
TINY = 1e-12


class Effects(NamedTuple):
    """Of every condition, (condition,): the log effect, its standard error, p-value and adjusted p-value."""

    log_effect: NDArray[np.float64]
    error: NDArray[np.float64]
    p: NDArray[np.float64]
    adjusted: NDArray[np.float64]


class _Fit(NamedTuple):
    score: NDArray[np.float64]
    information: NDArray[np.float64]


def effects(outcome: Outcome, member: NDArray[np.bool_], *, flips: int, rng: np.random.Generator) -> Effects:
    """Estimate and judge the effects of several conditions on the same days.

    Parameters
    ----------
    outcome : Outcome
        Arrays, (day, ad set), of days whose weeks do not overlap.
    member : array of bool, (condition, day, ad set)
        Where conditions hold.
    flips : int
        Random signs per way.
    rng : Generator
    """
    d, found = estimate(outcome, member)
    error = np.sqrt(_variance(found.score)) / np.maximum(found.information, TINY)
    null = _scores(outcome, member, np.zeros(len(d))).score
    ways = [flipped(null.sum(axis=1), flips, rng), flipped(null.sum(axis=2), flips, rng)]
    p, adjusted = (np.maximum(ways[0][i], ways[1][i]) for i in (0, 1))
    return Effects(d, error, p, adjusted)


def statistic(outcome: Outcome, member: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Self-normalised score at no effect, (condition,), by the way that is less sure; with the effect's sign."""
    null = _scores(outcome, member, np.zeros(len(member))).score
    ways = [_self_normalised(null.sum(axis=axis)) for axis in (1, 2)]
    return np.where(np.abs(ways[0]) < np.abs(ways[1]), ways[0], ways[1])


def estimate(outcome: Outcome, member: NDArray[np.bool_]) -> tuple[NDArray[np.float64], _Fit]:
    """Log effects, (condition,), by Newton's steps, and scores and information there."""
    d = np.zeros(len(member))
    for _ in range(STEPS):
        found = _scores(outcome, member, d)
        step = found.score.sum(axis=(1, 2)) / np.maximum(found.information, TINY)
        d = np.clip(d + np.clip(step, -1.0, 1.0), -LARGEST, LARGEST)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return d, _scores(outcome, member, d)


def _scores(outcome: Outcome, member: NDArray[np.bool_], d: NDArray[np.float64]) -> _Fit:
    """Scores, (condition, day, ad set), and information, (condition,), at log effects d."""
    total = outcome.revenue.sum(axis=1)
    weight = outcome.expected * np.exp(d[:, None, None] * member)
    whole = weight.sum(axis=2, keepdims=True)
    share = np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0.0)
    inside = (share * member).sum(axis=2)
    residual = outcome.revenue - share * total[None, :, None]
    return _Fit(residual * (member - inside[:, :, None]), (total * inside * (1.0 - inside)).sum(axis=1))


def _variance(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of the summed score, (condition,), with clusters of ad sets and of days."""
    of_sets, of_days = (score.sum(axis=1) ** 2).sum(axis=1), (score.sum(axis=2) ** 2).sum(axis=1)
    both = (score**2).sum(axis=(1, 2))
    return np.asarray(np.maximum(of_sets + of_days - both, np.maximum(of_sets, of_days)))


def flipped(
    clusters: NDArray[np.float64], flips: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """p-values and adjusted p-values, (condition,), of cluster sums, (condition, cluster), under random signs of clusters."""
    signs = rng.choice(np.array([-1.0, 1.0]), size=(flips, clusters.shape[1]))
    size = np.sqrt((clusters**2).sum(axis=1))
    seen = np.abs(_self_normalised(clusters)) - TINY
    drawn = np.abs(signs @ clusters.T) / np.maximum(size, TINY)
    p = (1.0 + (drawn >= seen).sum(axis=0)) / (flips + 1.0)
    adjusted = (1.0 + (drawn.max(axis=1, initial=0.0)[:, None] >= seen).sum(axis=0)) / (flips + 1.0)
    return np.asarray(p), np.asarray(adjusted)


def _self_normalised(clusters: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(clusters.sum(axis=1) / np.maximum(np.sqrt((clusters**2).sum(axis=1)), TINY))
