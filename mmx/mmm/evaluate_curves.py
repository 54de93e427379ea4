"""Adstock and saturation of one medium, values only, for the compiled evaluation of draws. Equations: ``mmx.response``.

A family is one code (``evaluate_data``) and one branch below.
"""

from __future__ import annotations

import numpy as np

from mmx.mmm.evaluate_options import compiled, exactly
from mmx.mmm.kernel_math import exp as _exp
from mmx.mmm.kernel_math import log as _log
from mmx.mmm.kernel_windows import exponents as _exponents

exp, log = exactly(_exp.py_func), exactly(_log.py_func)  # Compiled with what calls them, not taken from the cache.
exponents = exactly(_exponents.py_func)
_NOTHING = 1e-300  # Exposure below this has decayed to nothing.


@compiled
def _geometric(alpha, x, u):  # type: ignore[no-untyped-def]
    """Fill the recurrence of one geo. Four steps at a time start from nothing, so that only their last ones wait in a chain."""
    times, gain, last = x.size, 1.0 - alpha, 0.0
    two, whole = alpha * alpha, times - times % 4
    three, four = two * alpha, two * two
    for t in range(0, whole, 4):
        first = gain * x[t]
        second = alpha * first + gain * x[t + 1]
        third = alpha * second + gain * x[t + 2]
        fourth = alpha * third + gain * x[t + 3]
        u[t], u[t + 1], u[t + 2] = first + alpha * last, second + two * last, third + three * last
        last = fourth + four * last
        u[t + 3] = last
    for t in range(whole, times):
        last = alpha * last + gain * x[t]
        u[t] = last


@compiled
def _two_stage(alpha, second, x, u):  # type: ignore[no-untyped-def]
    """Fill two recurrences in a row, (time, geo)."""
    times, geos = x.shape
    first, last = np.zeros(geos), np.zeros(geos)
    for t in range(times):
        for g in range(geos):
            first[g] = alpha * first[g] + (1.0 - alpha) * x[t, g]
            last[g] = second * last[g] + (1.0 - second) * first[g]
            u[t, g] = last[g]


@compiled
def carry(code, window, shape, x, u):  # type: ignore[no-untyped-def]
    """Fill adstocked exposure ``u`` from exposure ``x``, both (time, geo); ``shape`` holds one medium's parameters."""
    times, geos = x.shape
    alpha = np.exp(-np.log(2.0) / shape[0]) if code == 7 else shape[0]
    recursive = code == 0 or code == 7
    if recursive and geos == 1:
        _geometric(alpha, x.reshape(-1), u.reshape(-1))
    elif recursive:
        for g in range(geos):
            u[0, g] = (1.0 - alpha) * x[0, g]
        for t in range(1, times):
            for g in range(geos):
                u[t, g] = alpha * u[t - 1, g] + (1.0 - alpha) * x[t, g]
    elif code == 2:
        _two_stage(alpha, alpha * shape[1], x, u)
    elif code == 3:
        u[:] = x
    else:
        _windowed(code, window, shape, x, u)


@compiled
def _windowed(code, window, shape, x, u):  # type: ignore[no-untyped-def]
    """Fill the carryover of a family with a finite window, (time, geo)."""
    times, geos = x.shape
    weight, spare = np.empty(window), np.empty((2, window))
    exponents(code, shape[0], shape[1], weight, spare[0], spare[1])
    top, norm = weight.max(), 0.0
    for lag in range(window):
        weight[lag] = np.exp(weight[lag] - top)
        norm += weight[lag]
    u[:] = 0.0
    for t in range(times):
        for lag in range(min(window, t + 1)):
            share = weight[lag] / norm
            for g in range(geos):
                u[t, g] += share * x[t - lag, g]


@compiled
def unsaturated(shape, u, odds):  # type: ignore[no-untyped-def]
    """Fill ``(1 - h) / h`` of Hill's saturation ``h`` of adstocked exposure ``u``, both flat; infinite at zero."""
    slope, middle = shape[3], np.log(shape[2])
    for i in range(u.size):
        some = u[i]
        power = exp(-slope * (log(_NOTHING if some < _NOTHING else some) - middle))
        odds[i] = np.inf if some < _NOTHING else power


@compiled
def saturate(code, shape, u, h):  # type: ignore[no-untyped-def]
    """Fill the saturation ``h`` of adstocked exposure ``u``, both flat."""
    first = shape[2]
    if code == 0:
        unsaturated(shape, u, h)
        for i in range(u.size):
            h[i] = 1.0 / (1.0 + h[i])
    elif code == 1 or code == 7:
        lam = first if code == 1 else 2.0 * first
        for i in range(u.size):
            w = exp(-lam * u[i])
            h[i] = (1.0 - w) / (1.0 + w)
    elif code == 2:
        h[:] = u
    elif code == 3:
        for i in range(u.size):
            h[i] = 1.0 - exp(-first * u[i])
    elif code == 4:
        for i in range(u.size):
            h[i] = u[i] / (first + u[i])
    elif code == 5:
        for i in range(u.size):
            some = u[i]
            power = exp(first * log(_NOTHING if some < _NOTHING else some))
            h[i] = 0.0 if some < _NOTHING else power
    else:
        for i in range(u.size):
            h[i] = log(1.0 + first * u[i])


@compiled
def level(codes, shape, m, x, u, h):  # type: ignore[no-untyped-def]
    """Fill one medium's adstocked and saturated exposure ``h`` (time, geo) from ``x`` (media + frequencies, time, geo).

    ``codes`` (4,) are a column of ``Data.codes``; ``u`` is scratch memory.
    """
    if codes[3] == 1:
        carry(codes[0], codes[1], shape, x[m], u)
        saturate(codes[2], shape, u.reshape(-1), h.reshape(-1))
        return
    saturate(codes[2], shape, x[m if codes[3] == 0 else codes[3] - 2].reshape(-1), u.reshape(-1))
    if codes[3] > 1:
        for t in range(u.shape[0]):
            for g in range(u.shape[1]):
                u[t, g] *= x[m, t, g]
    carry(codes[0], codes[1], shape, u, h)
