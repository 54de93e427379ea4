"""Intervals of the effect by conformal inference (Chernozhukov, Wuthrich and Zhu 2021, JASA).

Under the null of a constant effect ``theta`` per period, the treated series less ``theta`` in the test is one that nothing was
done to. The synthetic control is fitted to all its periods, the test's among them, and the sum of what is left over in the test
is compared with that over every other run of as many periods, going round the end:

    p(theta) = share of cyclic shifts whose absolute sum is at least the test's.

Shifting whole runs keeps what one period tells of the next. The interval holds every ``theta`` that is not refuted; it is
exact where the leftovers are exchangeable under shifts, close to it where they are stationary. It speaks of an effect that is
the same in every period; where the effect changes, it is that of their mean, approximately.
"""

from __future__ import annotations

import math

import numpy as np

from mmx.data.cells import Bools, Floats
from mmx.lift.synthetic import gap

WIDEN, STEPS, BISECTIONS = 2.0, 40, 40
TIED = 1e-9  # Sums that differ by less than this share of the leftovers' size are equal.


def p_value(target: Floats, donors: Floats, test: Bools, effect: float, ridge: float) -> float:
    """Probability of a sum in the test as large as the one found, were the effect ``effect`` per period.

    Parameters
    ----------
    target : array, (time,)
    donors : array, (time, donor)
    test : array of bool, (time,)
        The last periods, in one run.
    effect : float
    ridge : float
    """
    everywhere = np.ones(len(target), dtype=bool)
    left, _ = gap(target - effect * test, donors, everywhere, ridge)
    length = int(test.sum())
    around = np.concatenate([left, left[: length - 1]])
    sums = np.abs(np.convolve(around, np.ones(length), mode="valid"))
    own = float(sums[int(np.flatnonzero(test)[0])])
    slack = TIED * float(np.abs(left).sum())
    return float((sums >= own - slack).mean())


def interval(target: Floats, donors: Floats, test: Bools, mass: float, ridge: float, near: float) -> tuple[float, float]:
    """Effects per period that are not refuted at level ``1 - mass``.

    Parameters
    ----------
    target : array, (time,)
    donors : array, (time, donor)
    test : array of bool, (time,)
    mass : float
    ridge : float
    near : float
        A first guess, such as the point estimate.

    Returns
    -------
    low, high : float
        Infinite where no effect on that side is refuted.
    """
    centre = _unrefuted(target, donors, test, ridge, near)
    left, _ = gap(target - centre * test, donors, np.ones(len(target), dtype=bool), ridge)
    step = max(float(left.std()), TIED * float(np.abs(target).max()))

    def kept(effect: float) -> bool:
        return p_value(target, donors, test, effect, ridge) > 1.0 - mass

    ends = []
    for side in (-1.0, 1.0):
        inside, outside, width = centre, math.inf, step
        for _ in range(STEPS):
            at = centre + side * width
            if not kept(at):
                outside = at
                break
            inside, width = at, WIDEN * width
        for _ in range(BISECTIONS if math.isfinite(outside) else 0):
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if kept(middle) else (inside, middle)
        ends.append(inside if math.isfinite(outside) else side * math.inf)
    return ends[0], ends[1]


def _unrefuted(target: Floats, donors: Floats, test: Bools, ridge: float, near: float) -> float:
    """Effect at which nothing is left over in the test; weights follow the effect, so that it is approached in steps."""
    effect = near
    for _ in range(STEPS):
        left, _ = gap(target - effect * test, donors, np.ones(len(target), dtype=bool), ridge)
        share = 1.0 - test.mean()  # An effect also moves the mean that the series is measured from.
        change = float(left[test].mean()) / share
        effect += change
        if abs(change) <= TIED * max(abs(effect), float(np.abs(left).max())):
            break
    return effect
