"""Saturation of one medium with its tangents, for the compiled kernel. Equations: ``mmx.response``.

Every function turns the carryover in ``level`` (cell,) into its saturation, and fills the derivatives by carryover (``steep``)
and by its parameters. Loops touch few arrays at a time, so that the compiler takes them in vectors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import exp, log
from mmx.mmm.kernel_options import OPTIONS

SMALLEST = 1e-290  # An adstock below this acts as none.


@njit(**OPTIONS)
def hill(half, slope, level, steep, by_half, by_slope):  # type: ignore[no-untyped-def]
    """``u^slope / (u^slope + half^slope)``."""
    log_half = np.log(half)
    scale = -slope / half
    # Three short loops: in one long chain of operations the processor would wait for itself.
    for i in range(level.size):
        by_slope[i] = log(level[i] if level[i] > SMALLEST else 1.0) - log_half
    for i in range(level.size):
        steep[i] = exp(-slope * by_slope[i])
    for i in range(level.size):
        live = level[i] > SMALLEST
        u = level[i] if live else 1.0
        w = steep[i]
        both = 1.0 / ((1.0 + w) * u)
        h = both * u
        s = w * h * h
        s = s if live else 0.0
        level[i] = h if live else 0.0
        steep[i] = slope * s * (both * (1.0 + w))
        by_half[i] = scale * s
        by_slope[i] *= s


@njit(**OPTIONS)
def logistic(lam, level, steep, by_lam):  # type: ignore[no-untyped-def]
    """``(1 - exp(-lam u)) / (1 + exp(-lam u))``."""
    for i in range(level.size):
        u = level[i]
        w = exp(-lam * u)
        h = 1.0 / (1.0 + w)
        s = 2.0 * w * h * h
        level[i] = (1.0 - w) * h
        steep[i] = lam * s
        by_lam[i] = s * u


@njit(**OPTIONS)
def exponential(lam, level, steep, by_lam):  # type: ignore[no-untyped-def]
    """``1 - exp(-lam u)``."""
    for i in range(level.size):
        u = level[i]
        w = exp(-lam * u)
        level[i] = 1.0 - w
        steep[i] = lam * w
        by_lam[i] = u * w


@njit(**OPTIONS)
def michaelis_menten(half, level, steep, by_half):  # type: ignore[no-untyped-def]
    """``u / (half + u)``."""
    for i in range(level.size):
        u = level[i]
        share = 1.0 / (half + u)
        level[i] = u * share
        steep[i] = half * share * share
        by_half[i] = -u * share * share


@njit(**OPTIONS)
def root(exponent, level, steep, by_exponent):  # type: ignore[no-untyped-def]
    """``u^exponent``."""
    for i in range(level.size):
        by_exponent[i] = log(level[i] if level[i] > SMALLEST else 1.0)
    for i in range(level.size):
        steep[i] = exp(exponent * by_exponent[i])
    for i in range(level.size):
        live = level[i] > SMALLEST
        u = level[i] if live else 1.0
        h = steep[i] if live else 0.0
        level[i] = h
        steep[i] = exponent * h / u
        by_exponent[i] *= h


@njit(**OPTIONS)
def logarithm(lam, level, steep, by_lam):  # type: ignore[no-untyped-def]
    """``log(1 + lam u)``."""
    for i in range(level.size):
        u = level[i]
        share = 1.0 / (1.0 + lam * u)
        level[i] = log(1.0 + lam * u)
        steep[i] = lam * share
        by_lam[i] = u * share


@njit(**OPTIONS)
def saturate(saturation, first, second, level, steep, by_first, by_second):  # type: ignore[no-untyped-def]
    """Saturate by a family, with derivatives by as many parameters as it has."""
    if saturation == 0:
        hill(first, second, level, steep, by_first, by_second)
    elif saturation == 1:
        logistic(first, level, steep, by_first)
    elif saturation == 2:
        for i in range(level.size):
            steep[i] = 1.0
    elif saturation == 3:
        exponential(first, level, steep, by_first)
    elif saturation == 4:
        michaelis_menten(first, level, steep, by_first)
    elif saturation == 5:
        root(first, level, steep, by_first)
    elif saturation == 6:
        logarithm(first, level, steep, by_first)
    else:
        logistic(2.0 * first, level, steep, by_first)
        for i in range(level.size):
            by_first[i] *= 2.0
