"""Central finite differences that say how far they may be off, so that no tolerance has to be guessed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

EPS = float(np.finfo(float).eps)


def gradient(
    f: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-3, rounding: float = EPS
) -> tuple[np.ndarray, np.ndarray]:
    """Five-point central differences of ``f`` at ``at``, and a bound on their error.

    The bound is the difference to the same formula at twice the step, about 15 times the truncation error, plus the
    rounding error of the values over the step; ``rounding`` is that error relative to the values.
    """
    fine, coarse, largest = np.zeros(at.size), np.zeros(at.size), 0.0
    for i in range(at.size):
        values = {}
        for k in (-4, -2, -1, 1, 2, 4):
            moved = at.copy()
            moved[i] += k * step
            values[k] = float(f(moved))
        fine[i] = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * step)
        coarse[i] = (8 * (values[2] - values[-2]) - (values[4] - values[-4])) / (24 * step)
        largest = max(largest, *map(abs, values.values()))
    return fine, np.abs(fine - coarse) + 20 * rounding * largest / step


def assert_gradient(
    claimed: np.ndarray, f: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-3, rounding: float = EPS
) -> None:
    """The claimed gradient is the finite difference, which itself is known to a millionth of the gradient's size."""
    difference, error = gradient(f, at, step, rounding)
    assert np.isfinite(claimed).all()
    known = error.max() / max(1.0, float(np.abs(claimed).max()))
    assert known < 1e-6, f"the finite difference is only good to {known:.1e}"
    off = np.abs(np.asarray(claimed) - difference)
    assert (off <= error).all(), f"coordinate {int(np.argmax(off - error))}: {claimed} against {difference}"
