"""Concave problems: the test of concavity, the global optimum, and the bound that proves it.

For weights w of the draws with ``value(u) <= w @ u + constant`` for all u (of a CVaR any w in [0, 1 / (level samples)] that
sums to 1) and draws that are concave in the plan, no allowed plan y exceeds

    w @ v(x) + max over y of (w @ slopes(x)) @ (y - x)

for any plan x: one linear program with exact slopes on all draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide import quadratic
from mmx.decide.ascend import Peak, ascend
from mmx.decide.feasible import ceiling, nearest, tightened
from mmx.decide.objective import CVaR, MeanMinusSd
from mmx.decide.problem import Mask
from mmx.decide.view import View

BENT = 1e-7  # Rise in slope, relative to the largest slope along a segment, that still counts as concave.
FRACTIONS = np.concatenate([[0.0], np.geomspace(1e-3, 0.1, 8), np.linspace(0.15, 1.0, 16)])  # of a separable range
FEWER = np.concatenate([[0.0, 1e-3, 0.01, 0.03, 0.06], np.linspace(0.1, 1.0, 8)])  # the same where blocks have several cells
SEGMENTS, ALONG = 5, 6  # Random segments through blocks of several cells, and points on each.
COARSE = 150  # Draws on which a climb starts when there are many more.
FEW_ROUNDS = 25  # Rounds on the coarse draws, where the last digits do not matter.
COARSE_STILL = 1e-7  # Relative gain at which a climb on coarse draws ends.


@dataclass(frozen=True)
class Concavity:
    """Where slopes rise over the reachable range.

    Attributes
    ----------
    share : array, (block,)
        Share of draws in which the block is not concave.
    mean : array of bool, (block,)
        Whether the mean over draws is concave.
    """

    share: Floats
    mean: Mask

    def holds(self, view: View) -> Mask:
        """Blocks (block,) that are concave as far as the objective needs: the mean needs the mean response only."""
        averages = not isinstance(view.objective, CVaR | MeanMinusSd) or (
            isinstance(view.objective, CVaR) and view.objective.level == 1
        )
        return self.mean if averages else self.share == 0


def concavity(view: View) -> Concavity:
    """Test concavity in every draw and block along segments through the range that the constraints leave.

    Slopes along a segment must not rise. One cell: the whole range, closer together near its start. Several cells: the main
    diagonal, and random segments between faces of the range.
    """
    reach = tightened(view.poly)
    low, high = reach.low, np.maximum(reach.high, reach.low)
    rising = np.zeros((view.response.samples, int(view.blocks.max()) + 1), dtype=bool)
    mean = np.zeros(rising.shape[1], dtype=bool)
    segments = [(low, high, FRACTIONS if view.separable else FEWER)]
    if not view.separable:
        rng = np.random.default_rng(0)  # A fixed set of segments: the test gives one answer per problem.
        for _ in range(SEGMENTS):
            ends = rng.random((2, len(low)))
            ends = np.where(rng.random(ends.shape) < 0.5, np.round(ends), ends)
            segments.append((low + ends[0] * (high - low), low + ends[1] * (high - low), np.linspace(0.0, 1.0, ALONG)))
    for start, end, fractions in segments:
        each, average = _rises(view, start, end, fractions)
        rising |= each
        mean |= average
    return Concavity(rising.mean(axis=0), ~mean)


def _rises(view: View, start: Floats, end: Floats, fractions: Floats) -> tuple[Mask, Mask]:
    """Whether slopes rise along a segment: (sample, block), and of the mean over draws (block,)."""
    blocks = int(view.blocks.max()) + 1
    member = np.zeros((len(start), blocks))
    member[np.arange(len(start)), view.blocks] = end - start
    last: Floats | None = None
    rise = top = np.zeros((view.response.samples, blocks))
    mean_rise = mean_top = np.zeros(blocks)
    for fraction in fractions:
        slopes = view.slopes(start + fraction * (end - start))[1]
        along = np.where(np.isfinite(slopes), slopes, np.finfo(float).max ** 0.25) @ member
        if last is not None:
            rise = np.maximum(rise, along - last)
            mean_rise = np.maximum(mean_rise, along.mean(axis=0) - last.mean(axis=0))
            top = np.maximum(top, np.abs(along))
            mean_top = np.maximum(mean_top, np.abs(along.mean(axis=0)))
        last = along
    return rise > BENT * top, mean_rise > BENT * mean_top


def begin(view: View, target: Floats) -> Floats:
    """A plan near a target within rows and bounds, a little inside if slopes are not finite at the edge."""
    near = nearest(view.poly.boxed(view.poly.low, view.poly.high), target)
    assert near is not None  # feasibility was checked before
    return inside(view, near)


def inside(view: View, plan: Floats) -> Floats:
    """The plan itself if its slopes are finite, otherwise one on the way to the middle of the allowed range."""
    if np.isfinite(view.slopes(plan)[1]).all():
        return plan
    poly = view.poly
    width = np.where(poly.high > poly.low, poly.high - poly.low, 1.0)
    pull = [(np.arange(len(plan)), np.diag(-1 / width**2))]
    way = quadratic.step(poly, plan, ((poly.low + poly.high) / 2 - plan) / width**2, pull)
    for share in (1e-6, 1e-3, 0.1, 0.5):
        moved = plan if way is None else np.clip(plan + share * way, poly.low, poly.high)
        if np.isfinite(view.slopes(moved)[1]).all():
            return moved
    return plan


def climb(view: View, start: Floats) -> Peak:
    """Climb on evenly spaced draws first where there are many, then on all of them."""
    samples = view.response.samples
    if samples > 2 * COARSE:
        some = np.linspace(0, samples - 1, COARSE).astype(np.intp)
        thin = ascend(view.thinned(some), start, rounds=FEW_ROUNDS, still=COARSE_STILL).point
        if np.isfinite(view.slopes(thin)[1]).all():
            start = thin
    return ascend(view, start)


def bound(view: View, point: Floats, weights: Floats) -> float:
    """The number that no allowed plan exceeds if draws are concave; inf where no plan nearby has finite slopes."""
    point = inside(view, point)
    draws, slopes = view.slopes(point)
    if not np.isfinite(slopes).all():
        return float("inf")
    gain = weights @ slopes
    counted = view.objective.shifted(draws) if isinstance(view.objective, CVaR) else draws
    return float(weights @ counted) + ceiling(view.poly, gain).bound - float(gain @ point)


def best_bound(view: View, peak: Peak) -> float | None:
    """The lower of the bounds by the climb's multipliers and by the plan's own weights; None where there is none."""
    draws = view.draws(peak.point)
    if isinstance(view.objective, MeanMinusSd):
        found = bound(view, peak.point, view.objective.safe_weights(draws))
    else:
        found = min(bound(view, peak.point, w) for w in (peak.weights, view.objective.weights(draws)))
    return found if np.isfinite(found) else None
