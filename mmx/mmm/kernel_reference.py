"""Coordinates of a sampled baseline and their gradient, for the compiled kernel. Equations: ``mmx.mmm.reference``.

With the geos' own coefficients first, all of them form one system: precision ``A = L L'``, ``u = L^-1 b + z``, coefficients
``L^-T u``. Of a gradient ``g`` by the coefficients, ``h = L^-1 g`` and ``v = L^-T h``: ``u`` takes ``h``, ``b`` takes ``v``,
and ``A`` takes ``L^-T P L^-1`` with a lower triangular ``P = -(u h' + h half' + I)``, its diagonal halved, ``half = L^-1 b``:
the gradient of a Cholesky factor is of rank two here, so that its diagonal costs no more than the factor's rows (Murray, 2016,
Differentiation of the Cholesky decomposition, eq. 10).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from mmx.mmm.kernel_baseline import factorise, geos_out, less_baseline, project, project_own, weigh
from mmx.mmm.kernel_math import log
from mmx.mmm.kernel_options import CALLED, OPTIONS


class Placed(NamedTuple):
    """Coefficients at sampled coordinates, the geos' own first, with what their gradient needs."""

    precision: Any  # of the reference's noise
    inverse: Any  # (column, column or more) of the lower Cholesky factor of the shared columns
    own: Any  # (own,) diagonal of the factor before it
    rhs: Any  # (own + column,) b
    half: Any  # (own + column,)
    upper: Any  # (own + column,) u
    found: Any  # (own + column,)


@njit(**OPTIONS)
def _along(rows, vector, at):  # type: ignore[no-untyped-def]
    """Return the product of row ``at`` with the first entries of a vector."""
    row, total = rows[at], 0.0
    for j in range(vector.size):
        total += row[j] * vector[j]
    return total


@njit(**OPTIONS)
def _back_solve(placed, own_z, upper, out):  # type: ignore[no-untyped-def]
    """Fill ``L^-T upper``, (own + column,)."""
    own, n = placed.own.size, placed.inverse.shape[0]
    shared = out[own:]
    for j in range(n):
        shared[j] = 0.0
    for i in range(n):
        row, scale = placed.inverse[i, : i + 1], upper[own + i]
        for j in range(row.size):
            shared[j] += row[j] * scale
    for k in range(own):
        depth = placed.own[k]
        out[k] = (upper[k] - placed.precision / depth * _along(own_z, shared, k)) / depth


@njit(**OPTIONS)
def _forward_solve(placed, own_z, right, out):  # type: ignore[no-untyped-def]
    """Fill ``L^-1 right``, (own + column,); what ``right`` holds of the shared columns is lost."""
    own, n = placed.own.size, placed.inverse.shape[0]
    shared = right[own:]
    for k in range(own):
        out[k] = right[k] / placed.own[k]
        scale, row = placed.precision * out[k] / placed.own[k], own_z[k]
        for j in range(n):
            shared[j] -= scale * row[j]
    for i in range(n):
        out[own + i] = _along(placed.inverse, shared[: i + 1], i)


@njit(**CALLED)
def place(residual, geos, sd, variance, shared, own, a, out):  # type: ignore[no-untyped-def]
    """Coefficients at the coordinates ``shared`` (column,) and ``own`` (own,), of the reference's residual (cell,).

    Fills ``out`` (cell,), the residual less the baseline. Returns them, and the log of the coefficients' prior density over
    that of the coordinates, volumes counted.
    """
    n, own_count, precision = sd.size, own.size, 1.0 / variance
    weigh(residual, precision, a, out)
    matrix, wide = np.empty((n, n)), n + (-n) % 8
    both = np.empty((n, 2 * wide))
    for i in range(n):
        row, source = matrix[i], a.zz[i]
        for j in range(n):
            row[j] = precision * source[j]
        row[i] += 1.0 / (sd[i] * sd[i])
    rhs, depth, total = np.zeros(own_count + n), np.empty(own_count), 0.0
    right = rhs[own_count:]
    right[:] = project(out, geos, a.z_cell, a.z_time)
    if geos > 1:
        left, log_det = right.copy(), 0.0
        _, log_det = geos_out(out, precision, a, depth, rhs[:own_count], matrix, left, 0.0)
        total -= 0.5 * log_det
        for k in range(own_count):
            depth[k] = np.sqrt(depth[k])
    factorise(matrix, both, wide)
    half, upper, found = np.empty(own_count + n), np.empty(own_count + n), np.empty(own_count + n)
    placed = Placed(precision, both[:, wide:], depth, rhs, half, upper, found)
    _forward_solve(placed, a.own_z, rhs.copy(), half)
    for k in range(own_count):
        upper[k] = half[k] + own[k]
    for j in range(n):
        upper[own_count + j] = half[own_count + j] + shared[j]
    _back_solve(placed, a.own_z, upper, found)
    gamma, product, square = found[own_count:], 1.0, 0.0
    for j in range(n):
        square += (gamma[j] / sd[j]) ** 2 - shared[j] * shared[j]
        product *= both[j, j] * sd[j]
        if j % 4 == 3 or j == n - 1:  # A logarithm of a few factors at a time cannot overflow.
            total -= log(product)
            product = 1.0
    for k in range(own_count):
        square += (found[k] / a.own_sd[k]) ** 2 - own[k] * own[k]
    less_baseline(residual, geos, gamma, found if geos > 1 else np.zeros(1), a, out)
    return placed, total - 0.5 * square


@njit(**OPTIONS)
def _by_precision(placed, own_z, h, by_diagonal):  # type: ignore[no-untyped-def]
    """Fill the gradient by the diagonal of A (own + column,); return its product with A itself."""
    own, n = placed.own.size, placed.inverse.shape[0]
    half, upper, trace = placed.half, placed.upper, 0.0
    for i in range(own + n):
        trace -= 0.5 * (upper[i] * h[i] + h[i] * half[i] + 1.0)
    by_h, by_half, total = np.zeros(n), np.zeros(n), by_diagonal[own:]
    for j in range(n):
        total[j] = 0.0
    for i in range(n):
        row, at = placed.inverse[i, : i + 1], own + i
        u, v, f = upper[at], h[at], half[at]
        middle = 0.5 * (u * v + v * f + 1.0)
        for j in range(row.size):
            total[j] -= row[j] * (u * by_h[j] + v * by_half[j] + middle * row[j])
            by_h[j] += v * row[j]
            by_half[j] += f * row[j]
    for k in range(own):  # The same sums along the column of the inverse that belongs to an own coefficient.
        first = 1.0 / placed.own[k]
        one_h, one_half = h[k] * first, half[k] * first
        whole = -0.5 * (upper[k] * h[k] + h[k] * half[k] + 1.0) * first * first
        for i in range(n):
            at = own + i
            entry = -placed.precision * first * first * _along(placed.inverse, own_z[k, : i + 1], i)
            middle = 0.5 * (upper[at] * h[at] + h[at] * half[at] + 1.0)
            whole -= entry * (upper[at] * one_h + h[at] * one_half + middle * entry)
            one_h += h[at] * entry
            one_half += half[at] * entry
        by_diagonal[k] = whole
    return trace


@njit(**CALLED)
def place_back(placed, geos, sd, shared, own, a, cotangent, spare, by_sd, by_shared, by_own):  # type: ignore[no-untyped-def]
    """Carry the gradient of the prediction (cell,) to everything behind the baseline.

    ``cotangent`` leaves as the gradient by the effect of media. Fills that by prior scales (column,) and adds those by the
    coordinates; ``spare`` (cell,) is scratch. Returns the gradient by the reference's variance.
    """
    n, count, precision = sd.size, own.size, placed.precision
    gamma = placed.found[count:]
    right, h, v = np.zeros(count + n), np.empty(count + n), np.empty(count + n)
    right[count:] = project(cotangent, geos, a.z_cell, a.z_time)
    if geos > 1:
        project_own(cotangent, geos, a.local, right[:count])
        for k in range(count):
            right[k] -= placed.found[k] / (a.own_sd[k] * a.own_sd[k])
    for j in range(n):
        right[count + j] -= gamma[j] / (sd[j] * sd[j])
    _forward_solve(placed, a.own_z, right, h)
    _back_solve(placed, a.own_z, h, v)
    by_diagonal = np.empty(count + n)
    by_log = _by_precision(placed, a.own_z, h, by_diagonal)
    for k in range(count):
        by_own[k] += h[k] + own[k]
        by_log += v[k] * placed.rhs[k] - by_diagonal[k] / (a.own_sd[k] * a.own_sd[k])
    for j in range(n):
        prior = 1.0 / (sd[j] * sd[j])
        by_shared[j] += h[count + j] + shared[j]
        by_log += v[count + j] * placed.rhs[count + j] - by_diagonal[count + j] * prior
        by_sd[j] = ((gamma[j] * gamma[j] - 2.0 * by_diagonal[count + j]) * prior - 1.0) / sd[j]
    for i in range(cotangent.size):
        spare[i] = 0.0
    less_baseline(spare, geos, v[count:], v if geos > 1 else np.zeros(1), a, spare)
    for i in range(cotangent.size):
        cotangent[i] += precision * a.w[i] * spare[i]
    return -by_log * precision
