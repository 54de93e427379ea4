"""Adstock and saturation of one medium with their tangents, for the compiled kernel. Equations: ``mmx.response``.

Arrays are cells in the order time, geo. Loops run over all cells with the medium's parameters as scalars, and touch few arrays
at a time, so that the compiler takes them in vectors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import exp, log
from mmx.mmm.kernel_options import OPTIONS

SMALLEST = 1e-290  # An adstock below this acts as none.


@njit(**OPTIONS)
def geometric(x, geos, alpha, u, by_alpha):  # type: ignore[no-untyped-def]
    """Fill the carryover (cell,) and its derivative by alpha."""
    if geos == 1:
        now, tangent = 0.0, 0.0
        for t in range(x.size):
            tangent = now - x[t] + alpha * tangent
            now = alpha * now + (1.0 - alpha) * x[t]
            u[t] = now
            by_alpha[t] = tangent
        return
    for g in range(geos):
        u[g] = (1.0 - alpha) * x[g]
        by_alpha[g] = -x[g]
    for t in range(1, x.size // geos):
        at = t * geos
        row, before, now = x[at : at + geos], u[at - geos : at], u[at : at + geos]
        tangent_before, tangent = by_alpha[at - geos : at], by_alpha[at : at + geos]
        for g in range(geos):
            now[g] = alpha * before[g] + (1.0 - alpha) * row[g]
        for g in range(geos):
            tangent[g] = before[g] - row[g] + alpha * tangent_before[g]


@njit(**OPTIONS)
def two_stage(x, geos, alpha, stage, u, by_alpha, by_stage):  # type: ignore[no-untyped-def]
    """Fill the carryover (cell,) and its derivatives by alpha and stage."""
    b = alpha * stage
    if geos == 1:
        s, s_alpha, now, now_s, now_b = 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(x.size):
            s_alpha = s - x[t] + alpha * s_alpha
            s = alpha * s + (1.0 - alpha) * x[t]
            now_b = now - s + b * now_b
            now_s = b * now_s + (1.0 - b) * s_alpha
            now = b * now + (1.0 - b) * s
            u[t] = now
            by_alpha[t] = now_s + stage * now_b
            by_stage[t] = alpha * now_b
        return
    state = np.zeros((5, geos))
    s, s_alpha, now, now_s, now_b = state[0], state[1], state[2], state[3], state[4]
    for t in range(x.size // geos):
        at = t * geos
        row, out, out_alpha, out_stage = (
            x[at : at + geos],
            u[at : at + geos],
            by_alpha[at : at + geos],
            by_stage[at : at + geos],
        )
        for g in range(geos):
            s_alpha[g] = s[g] - row[g] + alpha * s_alpha[g]
            s[g] = alpha * s[g] + (1.0 - alpha) * row[g]
        for g in range(geos):
            now_b[g] = now[g] - s[g] + b * now_b[g]
            now_s[g] = b * now_s[g] + (1.0 - b) * s_alpha[g]
            now[g] = b * now[g] + (1.0 - b) * s[g]
        for g in range(geos):
            out[g] = now[g]
            out_alpha[g] = now_s[g] + stage * now_b[g]
            out_stage[g] = alpha * now_b[g]


@njit(**OPTIONS)
def delayed(x, geos, alpha, theta, window, u, by_alpha, by_theta):  # type: ignore[no-untyped-def]
    """Fill the carryover (cell,) and its derivatives by alpha and theta."""
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
    for i in range(x.size):
        u[i], by_alpha[i], by_theta[i] = 0.0, 0.0, 0.0
    for lag in range(min(window, x.size // geos)):
        a = weight[lag] * (w_alpha[lag] - mean_alpha)
        b = weight[lag] * (w_theta[lag] - mean_theta)
        n = x.size - lag * geos
        late, late_alpha, late_theta = u[lag * geos :], by_alpha[lag * geos :], by_theta[lag * geos :]
        for i in range(n):
            late[i] += weight[lag] * x[i]
        for i in range(n):
            late_alpha[i] += a * x[i]
        for i in range(n):
            late_theta[i] += b * x[i]


@njit(**OPTIONS)
def hill(half, slope, level, steep, by_half, by_slope):  # type: ignore[no-untyped-def]
    """Turn the carryover in ``level`` into its saturation; fill the derivatives by carryover and parameters."""
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
    """Turn the carryover in ``level`` into its saturation; fill the derivatives by carryover and rate."""
    for i in range(level.size):
        u = level[i]
        w = exp(-lam * u)
        h = 1.0 / (1.0 + w)
        s = 2.0 * w * h * h
        level[i] = (1.0 - w) * h
        steep[i] = lam * s
        by_lam[i] = s * u


@njit(**OPTIONS)
def times(by, steep):  # type: ignore[no-untyped-def]
    """Multiply one array (cell,) by another in place."""
    for i in range(by.size):
        by[i] *= steep[i]


@njit(**OPTIONS)
def curve(adstock, window, saturation, value, at, x, geos, rows, steep):  # type: ignore[no-untyped-def]
    """Fill one medium's ``rows`` (5, cell): its level, and the tangents by alpha, theta or stage, and two of the saturation."""
    level = rows[0]
    if adstock == 0:
        geometric(x, geos, value[at[1]], level, rows[1])
    elif adstock == 1:
        delayed(x, geos, value[at[1]], value[at[2]], window, level, rows[1], rows[2])
    else:
        two_stage(x, geos, value[at[1]], value[at[2]], level, rows[1], rows[2])
    if saturation == 0:
        hill(value[at[3]], value[at[4]], level, steep, rows[3], rows[4])
    else:
        logistic(value[at[3]], level, steep, rows[3])
    times(rows[1], steep)
    if adstock != 0:
        times(rows[2], steep)
