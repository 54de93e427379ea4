"""Exponentials less one, logarithms of one more, and the gamma function's logarithm with its derivative, for compiled code.

Written without branches, so that the compiler takes them in vectors. Sources: Abramowitz and Stegun (1964), Handbook of
Mathematical Functions, 6.1.41 and 6.3.18 (Stirling's series), 6.1.15 and 6.3.5 (recurrence); Goldberg (1991), What every
computer scientist should know about floating-point arithmetic, theorem 4 (``log1p``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import bits_of, double_of, log
from mmx.mmm.kernel_options import STRICT

_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # See ``kernel_math``.
_SHIFT = np.uint64(52)
_HALF_LOG_2PI = 0.9189385332046727
_FAR = 10.0  # From here on Stirling's series is good to rounding.
_VERY_FAR = 100.0  # And from here on three terms of it.
_INLINED = {**STRICT, "forceinline": True}


@njit(**_INLINED)
def exp_pair(x):  # type: ignore[no-untyped-def]
    """Return e to the power x, and that less one without cancellation; ``x`` saturates at -700 and 700."""
    x = -700.0 if x < -700.0 else x
    x = 700.0 if x > 700.0 else x
    shifted = x * _LOG2E + _ROUND
    n = shifted - _ROUND
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = 0.5 + r * (1.0 / 6.0)
    middle = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0))
    high = (1.0 / 40320.0 + r * (1.0 / 362880.0)) + r2 * (1.0 / 3628800.0 + r * (1.0 / 39916800.0))
    top = 1.0 / 479001600.0 + r * (1.0 / 6227020800.0)
    less = r + (r2 * low + r4 * (middle + r4 * (high + r4 * top)))
    scale = double_of(bits_of(1.0) + (bits_of(shifted) << _SHIFT))
    return scale * (1.0 + less), scale * less + (scale - 1.0)


@njit(**_INLINED)
def log1p(x):  # type: ignore[no-untyped-def]
    """Return the logarithm of ``1 + x``, for ``x >= 0``."""
    u = 1.0 + x
    return log(u) + (x - (u - 1.0)) / u


@njit(**_INLINED)
def log_gamma(x):  # type: ignore[no-untyped-def]
    """Return the gamma function's logarithm at ``x > 0``, and the derivative of that (digamma)."""
    product, slope = x, 1.0
    for k in range(1, 10):
        slope = slope * (x + k) + product
        product = product * (x + k)
    near = x < _FAR
    z = x + 10.0 if near else x
    product, slope = product if near else 1.0, slope if near else 0.0
    inverse = 1.0 / z
    s = inverse * inverse
    s2 = s * s
    series = (1.0 / 12.0 - s * (1.0 / 360.0)) + s2 * (
        (1.0 / 1260.0 - s * (1.0 / 1680.0)) + s2 * ((1.0 / 1188.0 - s * (691.0 / 360360.0)) + s2 * (1.0 / 156.0))
    )
    steep = (1.0 / 12.0 - s * (1.0 / 120.0)) + s2 * (
        (1.0 / 252.0 - s * (1.0 / 240.0)) + s2 * ((1.0 / 132.0 - s * (691.0 / 32760.0)) + s2 * (1.0 / 12.0))
    )
    whole = log(z)
    value = (z - 0.5) * whole - z + (_HALF_LOG_2PI + inverse * series) - log(product)
    return value, whole - 0.5 * inverse - s * steep - slope / product


@njit(**_INLINED)
def log_rising(y, s):  # type: ignore[no-untyped-def]
    """Return the logarithm of ``gamma(y + s) / (gamma(s) s^y)``, and its derivative by ``s``; for ``y >= 0``, ``s > 0``.

    Where ``s`` is large, by the difference of Stirling's series, in which the large parts have cancelled.
    """
    if s < _VERY_FAR:
        upper, by_upper = log_gamma(y + s)
        lower, by_lower = log_gamma(s)
        return upper - lower - y * log(s), by_upper - by_lower - y / s
    top, bottom = 1.0 / (y + s), 1.0 / s
    t, b = top * top, bottom * bottom
    over = log1p(y / s)
    rest = top * (1.0 / 12.0 - t * (1.0 / 360.0 - t * (1.0 / 1260.0)))
    rest -= bottom * (1.0 / 12.0 - b * (1.0 / 360.0 - b * (1.0 / 1260.0)))
    slope = b * (1.0 / 12.0 - b * (1.0 / 120.0 - b * (1.0 / 252.0))) - t * (1.0 / 12.0 - t * (1.0 / 120.0 - t * (1.0 / 252.0)))
    return (s + y - 0.5) * over - y + rest, (over - y / s) + 0.5 * y * top * bottom + slope
