"""Adstock of one medium with its tangents, for the compiled kernel. Equations: ``mmx.response``.

Arrays are cells in the order time, geo. Loops run over all cells with the medium's parameters as scalars.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS
from mmx.mmm.kernel_windows import weights


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
def convolve(x, geos, weight, u):  # type: ignore[no-untyped-def]
    """Fill the sum of lagged exposure (cell,) by weights (lag,)."""
    for i in range(x.size):
        u[i] = weight[0] * x[i]
    for lag in range(1, min(weight.size, x.size // geos)):
        share, late = weight[lag], u[lag * geos :]
        for i in range(x.size - lag * geos):
            late[i] += share * x[i]


@njit(**OPTIONS)
def copy(source, out):  # type: ignore[no-untyped-def]
    """Fill an array (cell,) with another one."""
    for i in range(out.size):
        out[i] = source[i]


@njit(**OPTIONS)
def recur(x, geos, alpha, u):  # type: ignore[no-untyped-def]
    """Fill the geometric carryover (cell,) without derivatives; ``u`` may be ``x``."""
    for i in range(geos):
        u[i] = (1.0 - alpha) * x[i]
    for i in range(geos, x.size):
        u[i] = alpha * u[i - geos] + (1.0 - alpha) * x[i]


@njit(**OPTIONS)
def carry_only(adstock, window, first, second, x, geos, u):  # type: ignore[no-untyped-def]
    """Fill the carryover (cell,) of a family, without derivatives."""
    if adstock == 0 or adstock == 7:
        recur(x, geos, first if adstock == 0 else np.exp(-np.log(2.0) / first), u)
    elif adstock == 2:
        recur(x, geos, first, u)
        recur(u, geos, first * second, u)
    elif adstock == 3:
        copy(x, u)
    else:
        weight, w_first, w_second = np.empty(window), np.empty(window), np.empty(window)
        weights(adstock, first, second, weight, w_first, w_second)
        convolve(x, geos, weight, u)


@njit(**OPTIONS)
def carry(adstock, window, first, second, x, geos, u, by_first, by_second):  # type: ignore[no-untyped-def]
    """Fill the carryover (cell,) of a family and its derivatives by as many parameters as it has."""
    if adstock == 0:
        geometric(x, geos, first, u, by_first)
    elif adstock == 7:
        alpha = np.exp(-np.log(2.0) / first)
        geometric(x, geos, alpha, u, by_first)
        by_half_life = alpha * np.log(2.0) / first**2
        for i in range(x.size):
            by_first[i] *= by_half_life
    elif adstock == 2:
        two_stage(x, geos, first, second, u, by_first, by_second)
    elif adstock == 3:
        copy(x, u)
    else:
        weight, w_first, w_second = np.empty(window), np.empty(window), np.empty(window)
        weights(adstock, first, second, weight, w_first, w_second)
        convolve(x, geos, weight, u)
        convolve(x, geos, w_first, by_first)
        if adstock != 6:
            convolve(x, geos, w_second, by_second)
