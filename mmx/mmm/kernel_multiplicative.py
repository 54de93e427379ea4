"""The coefficient of a medium in a multiplicative model, for the compiled kernel. Equations: ``mmx.mmm.density``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import CALLED
from mmx.mmm.kernel_special import exp_pair

STEPS = 31  # As many as the density in JAX takes.
_CLOSE = 1e-9  # A step that is smaller than this, relative to the coefficient, ends at the root: its error is squared.


@njit(**CALLED)
def solve(goal, bend, money, acting, worth):  # type: ignore[no-untyped-def]
    """Return the coefficient with which a medium brings its goal, NaN where none does.

    Newton's method on ``sum money (1 - exp(-bend beta acting)) / bend = goal``, from the solution of the straight line.

    Parameters
    ----------
    goal, bend : float
    money : array, (cell,)
        KPI money of training rows.
    acting : array, (cell,)
        Saturated exposure that the effect is counted from, times the geo's factor.
    worth : array, (cell,)
        Filled with the KPI's money without the medium, ``money exp(-bend beta acting)``: at the root the coefficient moves
        with effect and exposure as that of an additive model with this money.
    """
    straight = 0.0
    for i in range(money.size):
        straight += money[i] * acting[i]
    beta = goal / straight
    for _ in range(STEPS):
        brought, slope = 0.0, 0.0
        for i in range(money.size):
            left, less = exp_pair(-bend * beta * acting[i])
            worth[i] = money[i] * left
            brought -= money[i] * less
        for i in range(money.size):
            slope += worth[i] * acting[i]
        step = (goal - brought / bend) / slope
        beta += step
        if abs(step) <= _CLOSE * abs(beta):
            for i in range(money.size):
                worth[i] -= worth[i] * (bend * step * acting[i])
            return beta
    return np.nan
