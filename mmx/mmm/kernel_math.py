"""Exponential and logarithm that the compiler can vectorise, and the intrinsics behind them.

Polynomials on a reduced range, as in the freely distributable C library of Sun (``e_exp.c``, ``e_log.c``); within two units in
the last place of numpy. Arguments outside the range of a double saturate.
"""

from __future__ import annotations

import llvmlite.ir as ir
import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from mmx.mmm.kernel_options import STRICT

_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which then lies in the low bits.
_HALF_ROOT = np.uint64(0x3FE6A09E667F3BCD)  # Bits of sqrt(1/2).
_ONE_EXPONENT = np.uint64(0x3FF) << np.uint64(52)
_EXPONENT = np.uint64(0xFFF) << np.uint64(52)
_TWO_52 = np.uint64(0x4330000000000000)
_SHIFT = np.uint64(52)


@intrinsic
def bits_of(context, value):  # type: ignore[no-untyped-def]
    """Bits of a double."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.uint64(types.float64), generate


@intrinsic
def double_of(context, bits):  # type: ignore[no-untyped-def]
    """Double of its bits."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), generate


@njit(**STRICT)
def exp(x):  # type: ignore[no-untyped-def]
    """Return e to the power x; 1e-304 below -700 and 1e304 above 700."""
    x = -700.0 if x < -700.0 else x
    x = 700.0 if x > 700.0 else x
    shifted = x * _LOG2E + _ROUND
    n = shifted - _ROUND
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (0.5 + r * (1.0 / 6.0))
    middle = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0))
    high = (1.0 / 40320.0 + r * (1.0 / 362880.0)) + r2 * (1.0 / 3628800.0 + r * (1.0 / 39916800.0))
    top = 1.0 / 479001600.0 + r * (1.0 / 6227020800.0)
    p = low + r4 * (middle + r4 * (high + r4 * top))
    return double_of(bits_of(p) + (bits_of(shifted) << _SHIFT))


@njit(**STRICT)
def log(x):  # type: ignore[no-untyped-def]
    """Return the natural logarithm of a positive normal double."""
    bits = bits_of(x)
    offset = bits - _HALF_ROOT
    exponent = (offset + _ONE_EXPONENT) >> _SHIFT
    k = double_of(exponent | _TWO_52) - 4503599627371519.0  # 2**52 + 1023
    f = double_of(bits - (offset & _EXPONENT)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    low = 6.666666666666735130e-01 + z * 3.999999999940941908e-01
    middle = 2.857142874366239149e-01 + z * 2.222219843214978396e-01
    high = (1.818357216161805012e-01 + z * 1.531383769920937332e-01) + z2 * 1.479819860511658591e-01
    p = z * (low + z2 * (middle + z2 * high))
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + p) + k * _LN2_LOW)) - f)
