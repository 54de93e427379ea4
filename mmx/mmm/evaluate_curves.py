"""Adstock and saturation of one medium, values only, for the compiled evaluation of draws. Equations: ``mmx.response``.

A family is one code (``evaluate_data``) and one branch below.
"""

from __future__ import annotations

import numpy as np

from mmx.mmm.evaluate_options import compiled, exactly
from mmx.mmm.kernel_math import exp as _exp
from mmx.mmm.kernel_math import log as _log

exp, log = exactly(_exp.py_func), exactly(_log.py_func)  # Compiled with what calls them, not taken from the cache.
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
    alpha = shape[0]
    if code == 0 and geos == 1:
        _geometric(alpha, x.reshape(-1), u.reshape(-1))
        return
    if code == 0:
        for g in range(geos):
            u[0, g] = (1.0 - alpha) * x[0, g]
        for t in range(1, times):
            for g in range(geos):
                u[t, g] = alpha * u[t - 1, g] + (1.0 - alpha) * x[t, g]
        return
    if code == 2:
        _two_stage(alpha, alpha * shape[5], x, u)
        return
    weight = np.empty(window)
    log_alpha, top, norm = np.log(alpha), -np.inf, 0.0
    for lag in range(window):
        weight[lag] = (lag - shape[1] * (window - 1)) ** 2 * log_alpha
        top = max(top, weight[lag])
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
    if code == 0:
        unsaturated(shape, u, h)
        for i in range(u.size):
            h[i] = 1.0 / (1.0 + h[i])
        return
    lam = shape[4]
    for i in range(u.size):
        w = exp(-lam * u[i])
        h[i] = (1.0 - w) / (1.0 + w)
