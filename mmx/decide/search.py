"""Best found: climbs from many starts, for objectives and curves that no bound closes.

Starts are the given plans, corners of the allowed range (linear programs with random gains), blends of corners, and plans
near random points of the range. All climbs run on thinned draws; the best few run again on all. The same seed gives the same
plan.
"""

from __future__ import annotations

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.ascend import ROUNDS as MOST
from mmx.decide.ascend import STILL as LEAST
from mmx.decide.ascend import Peak
from mmx.decide.feasible import corner, nearest
from mmx.decide.objective import ProbabilityAbove
from mmx.decide.view import View
from mmx.decide.whole import polished

STARTS = 24  # Random starts.
COARSE = 200  # Draws on which the climbs run.
FINALISTS = 4  # Plans that climb again on all draws.
WIDTHS = (
    1.0,
    0.3,
    0.1,
    0.03,
)  # Widths of the step of a probability, from coarse to fine, in sd of the draws less their threshold.
SMALL = 0.01  # The same at the threshold itself, as a share of the money.
ROUNDS, STILL = 25, 1e-7  # Rounds of a climb on thinned draws, and relative gain at which it ends.
APART = 1e-4  # Largest difference, relative to the largest money, within which two plans count as one.


def search(view: View, plans: list[Floats], seed: int, *, starts: int = STARTS) -> Peak:
    """The best plan found.

    Parameters
    ----------
    view : View
    plans : list of array, (cell,)
        Allowed plans to climb from beside the random ones; at least one.
    seed : int
    starts : int
        Random starts.
    """
    samples = view.response.samples
    thin = view
    if samples > 2 * COARSE:
        thin = view.thinned(np.linspace(0, samples - 1, COARSE).astype(np.intp))
    begun = [*plans, *random_plans(view, np.random.default_rng(seed), starts)]
    ends = _distinct([peak for plan in begun if (peak := _climb(thin, plan, ROUNDS, STILL)) is not None])
    finals = [peak for end in ends[:FINALISTS] if (peak := _climb(view, end.point)) is not None]
    still = [Peak(plan, view.worth(plan), np.zeros(samples)) for plan in plans]
    return max([*finals, *still], key=lambda peak: peak.value)


def random_plans(view: View, rng: np.random.Generator, count: int) -> list[Floats]:
    """Allowed plans spread over the range: a corner, a blend of two corners, a plan near a random point, in turn."""
    poly, found = view.poly, []
    inside = poly.boxed(poly.low, poly.high)
    now = corner(inside, rng)
    for i in range(count):
        last, now = now, corner(inside, rng)
        share = rng.random()
        inner = poly.low + rng.random(len(now)) * (poly.high - poly.low)
        target = (now, share * now + (1 - share) * last, inner)[i % 3]
        near = nearest(poly, target)
        if near is not None:
            found.append(near)
    return found


def _climb(view: View, plan: Floats, rounds: int = MOST, still: float = LEAST) -> Peak | None:
    """Climb within the plan's pattern; a probability is climbed with ever sharper steps, and judged by the step itself."""
    objective = view.objective
    if not isinstance(objective, ProbabilityAbove):
        return polished(view, plan, rounds, still)
    best: Peak | None = None
    for width in WIDTHS:
        draws = view.draws(plan)
        spread = float((draws - objective.threshold).std()) or SMALL * float(np.abs(draws).mean()) or 1.0
        peak = polished(view.judged(objective.softened(width * spread)), plan, rounds, still)
        if peak is None:
            break
        plan = peak.point
        true = Peak(plan, view.worth(plan), peak.weights)
        best = true if best is None or true.value > best.value else best
    return best


def _distinct(peaks: list[Peak]) -> list[Peak]:
    """Plans from best to worst, without repetitions."""
    kept: list[Peak] = []
    for peak in sorted(peaks, key=lambda p: -p.value):
        if all(np.abs(peak.point - other.point).max() > APART for other in kept):
            kept.append(peak)
    return kept
