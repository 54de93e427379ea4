"""Concave problems: the test of concavity, the global optimum, and the bound that proves it.

For weights w of the draws with ``value(u) <= w @ u + constant`` for all u (of a CVaR any w in [0, 1 / (level samples)] that
sums to 1) and draws that are concave in the plan, no allowed plan y exceeds

    w @ v(x) + max over y of (w @ slopes(x)) @ (y - x)

for any plan x: one linear program with exact slopes on all draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide import quadratic
from mmx.decide.ascend import ROUNDS, STILL, Peak, ascend
from mmx.decide.feasible import ceiling, corner, nearest, tightened
from mmx.decide.objective import CVaR, MeanMinusSd
from mmx.decide.problem import Mask
from mmx.decide.view import View

BENT = 1e-7  # Rise in slope, relative to the largest slope along a segment, that still counts as concave.
FRACTIONS = np.concatenate([[0.0], np.geomspace(1e-3, 0.1, 8), np.linspace(0.15, 1.0, 16)])  # of a separable range
SEGMENTS, ALONG = 8, 9  # Segments through blocks of several cells, and points on each.
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

    Slopes along a segment must not rise. One cell: the whole range, closer together near its start. Several cells: segments
    between random corners of what the constraints allow.
    """
    samples, blocks = view.response.samples, int(view.blocks.max()) + 1
    rising, mean = np.zeros((samples, blocks), dtype=bool), np.zeros(blocks, dtype=bool)
    equal = np.full((1, samples), 1.0 / samples)
    for plans in _segments(view):
        rise = _Rise((samples, blocks)), _Rise((1, blocks))
        for along in _along(view, plans):
            rise[0].add(along)
            rise[1].add(equal @ along)
        rising |= rise[0].found
        mean |= rise[1].found[0]
    return Concavity(rising.mean(axis=0), ~mean)


def concave_under(view: View, lanes: Floats) -> Mask:
    """Whether the weighted draws are concave in every block, (lane,), of weights (lane, sample): tested as `concavity` is.

    The objective lies below the weighted draws of every plan, so that the bound at the head of this module needs no more.
    """
    rising = np.zeros((len(lanes), int(view.blocks.max()) + 1), dtype=bool)
    for plans in _segments(view):
        rise = _Rise(rising.shape)
        for along in _along(view, plans):
            rise.add(lanes @ along)
        rising |= rise.found
    return ~rising.any(axis=1)


def _segments(view: View) -> Iterator[Floats]:
    """Plans (point, cell) along each segment."""
    if view.separable:
        reach = tightened(view.poly)
        yield reach.low + FRACTIONS[:, None] * np.maximum(reach.high - reach.low, 0.0)
        return
    rng = np.random.default_rng(0)  # A fixed set of segments: the test gives one answer per problem.
    inside = view.poly.boxed(view.poly.low, view.poly.high)
    for _ in range(SEGMENTS):
        one, two = (corner(inside, rng) for _ in range(2))
        yield one + np.linspace(0.0, 1.0, ALONG)[:, None] * (two - one)


def _along(view: View, plans: Floats) -> Iterator[Floats]:
    """Slopes along a segment at each of its plans, (sample, block)."""
    member = np.zeros((plans.shape[1], int(view.blocks.max()) + 1))
    member[np.arange(len(member)), view.blocks] = plans[-1] - plans[0]
    for plan in plans:
        slopes = view.slopes(plan)[1]
        yield np.where(np.isfinite(slopes), slopes, np.finfo(float).max ** 0.25) @ member


class _Rise:
    """The largest rise of slopes from one point of a segment to the next, beside the largest slope."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._rise, self._top = np.zeros(shape), np.zeros(shape)
        self._last: Floats | None = None

    def add(self, along: Floats) -> None:
        """Take the slopes at the next point."""
        if self._last is not None:
            np.maximum(self._rise, along - self._last, out=self._rise)
            np.maximum(self._top, np.abs(along), out=self._top)
        self._last = along

    @property
    def found(self) -> Mask:
        """Where slopes rise."""
        return self._rise > BENT * self._top


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


def climb(view: View, start: Floats, *, rounds: int = ROUNDS, still: float = STILL) -> Peak:
    """Climb on evenly spaced draws first where there are many, then on all of them for some rounds."""
    samples = view.response.samples
    if samples > 2 * COARSE:
        some = np.linspace(0, samples - 1, COARSE).astype(np.intp)
        thin = ascend(view.thinned(some), start, rounds=FEW_ROUNDS, still=COARSE_STILL).point
        if np.isfinite(view.slopes(thin)[1]).all():
            start = thin
    return ascend(view, start, rounds=rounds, still=still)


def bound(view: View, point: Floats, weights: Floats) -> float:
    """The number that no allowed plan exceeds if draws are concave; inf where no plan nearby has finite slopes."""
    point = inside(view, point)
    draws, slopes = view.slopes(point)
    if not np.isfinite(slopes).all():
        return float("inf")
    gain = weights @ slopes
    counted = view.objective.shifted(draws) if isinstance(view.objective, CVaR | MeanMinusSd) else draws
    return float(weights @ counted) + ceiling(view.poly, gain).bound - float(gain @ point)


def best_bound(view: View, peak: Peak, *, concave: bool = True) -> float | None:
    """The lower of the bounds by the climb's multipliers and by the plan's own weights; None where there is none.

    Not all draws ``concave``: only by weights under which their sum is.
    """
    draws = view.draws(peak.point)
    objective = view.objective
    lanes = [objective.safe_weights(draws)] if isinstance(objective, MeanMinusSd) else [peak.weights, objective.weights(draws)]
    holds = [True] * len(lanes) if concave else concave_under(view, np.array(lanes))
    found = min((bound(view, peak.point, w) for w, good in zip(lanes, holds, strict=True) if good), default=np.inf)
    return found if np.isfinite(found) else None
