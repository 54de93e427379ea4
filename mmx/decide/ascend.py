"""Climb from a plan to the nearest best one: sequential quadratic programming with exact slopes.

Every round maximises, over the allowed steps d,

    mean and smooth objectives:   g @ d + d @ H @ d / 2
    CVaR at level a:              t - sum_s u_s / (a samples) + d @ H @ d / 2,   u_s >= t - (v_s + slopes_s @ d), u_s >= 0

with H the curvature of the draws under their weights (for CVaR the multipliers of its rows, Rockafellar and Uryasev 2000), then
searches along the step. Of a concave problem this is the global optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats
from mmx.decide import quadratic
from mmx.decide.feasible import exact
from mmx.decide.objective import CVaR, Objective
from mmx.decide.view import Bend, View, negative

ROUNDS = 60  # Rounds after which a climb stops where it is.
STILL = 1e-11  # Relative gain that a round must promise to go on.
BENT = 300  # Draws at most of which curvature is taken where it takes many evaluations.
RISE = 1e-4  # Share of the promised gain that a step must bring (Armijo).
SHORTEST = 1e-6  # Shortest share of a step that is tried.


@dataclass(frozen=True)
class Peak:
    """Where a climb ended.

    Attributes
    ----------
    point : array, (cell,)
        Exact in rows and bounds.
    value : float
        The objective.
    weights : array, (sample,)
        Multipliers of the draws: of CVaR those of its rows, which any bound may use.
    """

    point: Floats
    value: float
    weights: Floats


@dataclass(frozen=True)
class _Here:
    """A plan with its draws (sample,), slopes (sample, cell) and objective."""

    z: Floats
    draws: Floats
    slopes: Floats
    value: float

    @property
    def usable(self) -> bool:
        return bool(np.isfinite(self.value) and np.isfinite(self.slopes).all())


def _at(view: View, z: Floats) -> _Here:
    draws, slopes = view.slopes(z)
    return _Here(z, draws, slopes, view.objective.value(draws))


def ascend(view: View, start: Floats, *, weights: Floats | None = None, rounds: int = ROUNDS, still: float = STILL) -> Peak:
    """Climb from an allowed plan.

    Parameters
    ----------
    view : View
        Discrete conditions are not looked at: fix them by bounds.
    start : array, (cell,)
        Slopes must be finite there.
    weights : array, (sample,), optional
        First guess of the multipliers of the draws.
    rounds : int
    still : float
        Relative gain that a round must promise to go on.
    """
    here = _at(view, start)
    weights = view.objective.weights(here.draws) if weights is None else weights
    for _ in range(rounds):
        worth = max(abs(here.value), float(np.abs(weights @ here.slopes).max(initial=0.0)))
        if not here.usable or worth == 0:
            break
        bend = _curvature(view, here, weights)
        found = _step(view, here, bend, worth)
        if found is None:
            break
        step, weights = found
        promised = _promised(view.objective, here, step, bend)
        if promised <= still * worth or (there := _along(view, here, step, promised)) is None:
            break
        here = there
        if not isinstance(view.objective, CVaR):
            weights = view.objective.weights(here.draws)
    point = exact(view.poly, here.z)
    return Peak(point, view.worth(point), weights)


def _curvature(view: View, here: _Here, weights: Floats) -> Bend:
    """Curvature of the weighted draws; where blocks have many cells, and it is dear, some of the draws stand for all."""
    some = np.flatnonzero(weights)
    if view.separable or len(some) <= BENT:
        return view.curvature(here.z, weights, here.slopes)
    some = some[np.linspace(0, len(some) - 1, BENT).astype(np.intp)]
    share = float(weights.sum()) / float(weights[some].sum())
    return view.thinned(some).curvature(here.z, share * weights[some], here.slopes[some])


def _along(view: View, here: _Here, step: Floats, promised: float) -> _Here | None:
    """The first of ever shorter steps that brings its share of what was promised."""
    share = 1.0
    while share >= SHORTEST:
        there = _at(view, np.clip(here.z + share * step, view.poly.low, view.poly.high))
        if there.usable and there.value >= here.value + RISE * share * promised:
            return there
        share /= 2
    return None


def _promised(objective: Objective, here: _Here, step: Floats, bend: Bend) -> float:
    """What a step brings if draws are linear, less what curvature takes."""
    curved = sum(float(step[cells] @ matrix @ step[cells]) for cells, matrix in bend) / 2
    moved = here.slopes @ step
    if isinstance(objective, CVaR):
        return objective.value(here.draws + moved) - here.value + curved
    return float(objective.weights(here.draws) @ moved) + curved


def _step(view: View, here: _Here, bend: Bend, worth: float) -> tuple[Floats, Floats] | None:
    """The step of one round, and the multipliers of the draws; None if the solver fails."""
    objective = view.objective
    if isinstance(objective, CVaR):
        scaled = objective if objective.offset is None else CVaR(objective.level, objective.offset / worth)
        bend = [(cells, matrix / worth) for cells, matrix in bend]
        return quadratic.worst_step(view.poly, here.z, scaled, here.draws / worth, here.slopes / worth, bend)
    own = objective.bend(here.draws, here.slopes)
    if own is not None:
        whole = own.copy()
        for cells, matrix in bend:
            whole[np.ix_(cells, cells)] += matrix
        bend = [(np.arange(len(own)), negative(whole))]
    weights = objective.weights(here.draws)
    bend = [(cells, matrix / worth) for cells, matrix in bend]
    step = quadratic.step(view.poly, here.z, weights @ here.slopes / worth, bend)
    return None if step is None else (step, weights)
