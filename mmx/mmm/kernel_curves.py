"""Adstock and saturation of one medium with their tangents, for the compiled kernel. Equations: ``mmx.response``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def _geometric(x, alpha, u, by_alpha):  # type: ignore[no-untyped-def]
    times, geos = x.shape
    for g in range(geos):
        now, tangent = 0.0, 0.0
        for t in range(times):
            tangent = now - x[t, g] + alpha * tangent
            now = alpha * now + (1.0 - alpha) * x[t, g]
            u[t, g] = now
            by_alpha[t, g] = tangent


@njit(**OPTIONS)
def _delayed(x, alpha, theta, window, u, by_alpha, by_theta):  # type: ignore[no-untyped-def]
    times, geos = x.shape
    weight, w_alpha, w_theta = np.empty(window), np.empty(window), np.empty(window)
    log_alpha = np.log(alpha)
    top = -np.inf
    for lag in range(window):
        weight[lag] = (lag - theta * (window - 1)) ** 2 * log_alpha
        top = max(top, weight[lag])
    norm = 0.0
    for lag in range(window):
        weight[lag] = np.exp(weight[lag] - top)
        norm += weight[lag]
    mean_alpha, mean_theta = 0.0, 0.0
    for lag in range(window):
        weight[lag] /= norm
        distance = lag - theta * (window - 1)
        w_alpha[lag] = distance**2 / alpha
        w_theta[lag] = -2.0 * distance * (window - 1) * log_alpha
        mean_alpha += weight[lag] * w_alpha[lag]
        mean_theta += weight[lag] * w_theta[lag]
    for lag in range(window):
        w_alpha[lag] = weight[lag] * (w_alpha[lag] - mean_alpha)
        w_theta[lag] = weight[lag] * (w_theta[lag] - mean_theta)
    for t in range(times):
        for g in range(geos):
            now, d_alpha, d_theta = 0.0, 0.0, 0.0
            for lag in range(min(window, t + 1)):
                past = x[t - lag, g]
                now += weight[lag] * past
                d_alpha += w_alpha[lag] * past
                d_theta += w_theta[lag] * past
            u[t, g], by_alpha[t, g], by_theta[t, g] = now, d_alpha, d_theta


@njit(**OPTIONS)
def _saturate(code, first, second, u):  # type: ignore[no-untyped-def]
    """Return value, and derivatives by ``u`` and by the two shape parameters."""
    if code == 0:
        if u <= 0.0:
            return 0.0, 0.0, 0.0, 0.0
        log_ratio = np.log(u) - np.log(first)
        h = 1.0 / (1.0 + np.exp(-second * log_ratio))
        steep = h * (1.0 - h)
        return h, steep * second / u, -steep * second / first, steep * log_ratio
    h = np.tanh(0.5 * first * u)
    steep = 0.5 * (1.0 - h * h)
    return h, steep * first, steep * u, 0.0


@njit(**OPTIONS)
def curve(codes, value, at, x, money, sign, level, tangent, factor, acted, by_unit):  # type: ignore[no-untyped-def]
    """Fill one medium's level (time, geo) and tangents (4, time, geo), and add its sums over the training rows.

    The tangents are by alpha, theta and the two saturation parameters. ``acted`` (geo,) gains the money-weighted level,
    ``by_unit`` (4,) the factor-weighted tangents, both times ``sign``.
    """
    times, geos = x.shape
    alpha = value[at[1]]
    if codes[0] == 0:
        _geometric(x, alpha, level, tangent[0])
    else:
        _delayed(x, alpha, value[at[2]], codes[1], level, tangent[0], tangent[1])
    first = value[at[3]]
    second = value[at[4]] if at[4] >= 0 else 0.0
    late = codes[0] == 1
    for t in range(times):
        for g in range(geos):
            h, by_u, by_first, by_second = _saturate(codes[2], first, second, level[t, g])
            level[t, g] = h
            tangent[0, t, g] *= by_u
            if late:
                tangent[1, t, g] *= by_u
            tangent[2, t, g] = by_first
            tangent[3, t, g] = by_second
    for t in range(times):
        for g in range(geos):
            acted[g] += sign * money[t, g] * level[t, g]
    for j in range(4):
        if at[1 + j] >= 0:
            total = 0.0
            for t in range(times):
                for g in range(geos):
                    total += money[t, g] * factor[g] * tangent[j, t, g]
            by_unit[j] += sign * total
