"""The maximum of a smooth function of a few numbers whose value comes with the solution of an inner problem.

Newton steps with derivatives by differences, uphill whatever the curvature; the inner solution is followed along its own
slopes, so that each evaluation begins next to what it looks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP = 0.05  # Of differences; the numbers are logarithms.
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
    gradient, slopes, ahead = _gradient(function, theta, here)
    for _ in range(STEPS):
        hessian = _curvature(function, theta, here, slopes, ahead)
        values, directions = np.linalg.eigh(hessian)
        move = directions @ ((directions.T @ gradient) / np.maximum(np.abs(values), FLAT))
        move *= min(1.0, LARGEST / np.abs(move).max())
        if 0.5 * gradient @ move < ENOUGH:
            return Maximum(theta, here.x, slopes, hessian, bool(values.min() > 0.0))
        for _ in range(HALVINGS):
            there = function(theta + move, here.x + slopes @ move)
            if there.value > here.value:
                break
            move = 0.3 * move
        else:
            break
        theta, here = theta + move, there
        gradient, slopes, ahead = _gradient(function, theta, here)
    return Maximum(theta, here.x, slopes, hessian, False)


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


def _gradient(function: Function, theta: Floats, here: Evaluation) -> tuple[Floats, Floats, Floats]:
    """Gradient and slopes of the inner solution by central differences, and the values ahead."""
    steps = STEP * np.eye(len(theta))
    ahead = [function(theta + step, here.x) for step in steps]
    slopes = np.stack([(e.x - here.x) / STEP for e in ahead], axis=1)
    behind = [function(theta - step, here.x - slopes @ step) for step in steps]
    values = np.array([e.value for e in ahead])
    return (values - np.array([e.value for e in behind])) / (2.0 * STEP), slopes, values


def _curvature(function: Function, theta: Floats, here: Evaluation, slopes: Floats, ahead: Floats) -> Floats:
    """Negative second differences, (number, number)."""
    size, steps = len(theta), STEP * np.eye(len(theta))
    found = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            move = steps[i] + steps[j]
            there = function(theta + move, here.x + slopes @ move).value
            found[i, j] = found[j, i] = -(there - ahead[i] - ahead[j] + here.value) / STEP**2
    return found
