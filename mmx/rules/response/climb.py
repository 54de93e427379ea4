"""The maximum of a smooth function of a few numbers whose value comes with the solution of an inner problem.

Derivatives are differences. Steps are those of BFGS, uphill whatever the curvature, until a step would gain little; then the
whole curvature is measured, and it must agree. The inner solution is followed along its own slopes, so that each evaluation
begins next to what it looks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP = 0.05  # Of differences; the numbers are of the order of one.
ENOUGH = 0.05  # Gain of a step, in log density, below which the search ends.
LARGEST = 1.0  # Move of one number in one step.
FLAT = 0.2  # Least curvature that a step is divided by.
STEPS, HALVINGS = 30, 8


class Evaluation(NamedTuple):
    """Value and inner solution."""

    value: float
    x: Floats


class Maximum(NamedTuple):
    """Where the search ended: point, inner solution, its slopes (size, number), negative curvature, whether it is a maximum."""

    theta: Floats
    x: Floats
    slopes: Floats
    hessian: Floats
    found: bool


type Function = Callable[[Floats, Floats], Evaluation]


def maximum(function: Function, start: Floats, x: Floats, first: int) -> Maximum:
    """Climb from ``start``; ``function(theta, x)`` begins its inner search at ``x``.

    ``first`` is the number that is searched alone before all are moved together.
    """
    theta, here = _alone(function, start, function(start, x), first)
    local = _differences(function, theta, here)
    hessian, whole = np.diag(np.maximum(local.bend, FLAT)), False
    for _ in range(STEPS):
        values, directions = np.linalg.eigh(hessian)
        move = directions @ ((directions.T @ local.gradient) / np.maximum(np.abs(values), FLAT))
        move *= min(1.0, LARGEST / np.abs(move).max())
        if 0.5 * local.gradient @ move < ENOUGH:
            if whole:
                return Maximum(theta, here.x, local.slopes, hessian, bool(values.min() > 0.0))
            hessian, whole = _curvature(function, theta, here, local), True
            continue
        for _ in range(HALVINGS):
            there = function(theta + move, here.x + local.slopes @ move)
            if there.value > here.value:
                break
            move = 0.3 * move
        else:
            break
        theta, here, before = theta + move, there, local
        local = _differences(function, theta, here, before.slopes)
        hessian, whole = _updated(hessian, move, before.gradient - local.gradient), False
    return Maximum(theta, here.x, local.slopes, _curvature(function, theta, here, local), False)


def _alone(function: Function, theta: Floats, here: Evaluation, index: int) -> tuple[Floats, Evaluation]:
    """Steps along one number until a step gains less than one."""
    unit = np.eye(len(theta))[index]
    for _ in range(STEPS):
        ahead, behind = (function(theta + sign * STEP * unit, here.x).value for sign in (1.0, -1.0))
        slope, bend = (ahead - behind) / (2.0 * STEP), (2.0 * here.value - ahead - behind) / STEP**2
        move = float(np.clip(slope / max(abs(bend), FLAT), -LARGEST, LARGEST))
        there = function(theta + move * unit, here.x)
        if there.value <= here.value + 1.0:
            break
        theta, here = theta + move * unit, there
    return theta, here


class _Local(NamedTuple):
    gradient: Floats
    bend: Floats  # Negative second derivative by each number.
    slopes: Floats  # Of the inner solution, (size, number).
    ahead: Floats  # Values one step ahead in each number.


def _differences(function: Function, theta: Floats, here: Evaluation, slopes: Floats | None = None) -> _Local:
    """Derivatives; ``slopes`` are those of a point nearby."""
    steps = STEP * np.eye(len(theta))
    ahead = [function(theta + step, here.x if slopes is None else here.x + slopes @ step) for step in steps]
    slopes = np.stack([(e.x - here.x) / STEP for e in ahead], axis=1)
    behind = np.array([function(theta - step, here.x - slopes @ step).value for step in steps])
    values = np.array([e.value for e in ahead])
    return _Local((values - behind) / (2.0 * STEP), (2.0 * here.value - values - behind) / STEP**2, slopes, values)


def _updated(hessian: Floats, move: Floats, change: Floats) -> Floats:
    """Negative curvature after a step that changed the negative gradient by ``change`` (BFGS); kept where that is no valley."""
    along, flat = float(change @ move), hessian @ move
    if along <= 1e-8 * float(move @ move) or float(move @ flat) <= 0.0:
        return hessian
    found: Floats = hessian + np.outer(change, change) / along - np.outer(flat, flat) / float(move @ flat)
    return found


def _curvature(function: Function, theta: Floats, here: Evaluation, local: _Local) -> Floats:
    """Negative second differences, (number, number)."""
    size, steps = len(theta), STEP * np.eye(len(theta))
    found = np.diag(local.bend)
    for i in range(size):
        for j in range(i):
            move = steps[i] + steps[j]
            there = function(theta + move, here.x + local.slopes @ move).value
            found[i, j] = found[j, i] = -(there - local.ahead[i] - local.ahead[j] + here.value) / STEP**2
    return found
