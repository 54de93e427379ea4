"""The collapsed likelihood with any normal noise, for the compiled kernel: of each geo's own scale, autocorrelated, or plain.

Equations: ``mmx.mmm.correlated``. The precision of a geo's rows is a sum of parts, ``K_g = sum_k p[k,g] S_k``. With errors
``e`` of the fitted baseline, ``V`` the joint covariance of its coefficients and ``X_g`` their columns in a geo, the derivative
of the density by ``p[k,g]`` is ``-(e' S_k e + tr(V X_g' S_k X_g)) / 2`` plus that of the rows' own determinant.
Source: Rasmussen and Williams (2006), eq. 5.9, with their eq. 2.37-2.43.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_baseline import factorise, less_baseline, project, project_own
from mmx.mmm.kernel_options import CALLED, OPTIONS


@njit(**OPTIONS)
def _parts(noise, rho, part, by_rho):  # type: ignore[no-untyped-def]
    """Fill the factors of the precision's parts (part, geo), and their derivatives by the autocorrelation."""
    for g in range(part.shape[1]):
        sd = noise[g if noise.size > 1 else 0]
        scale = 1.0 / ((1.0 - rho * rho) * sd * sd)
        steep = 2.0 * rho / (1.0 - rho * rho) * scale
        part[0, g], by_rho[0, g] = scale, steep
        if part.shape[0] > 1:
            part[1, g], by_rho[1, g] = -rho * scale, -scale - rho * steep
            part[2, g], by_rho[2, g] = rho * rho * scale, 2.0 * rho * scale + rho * rho * steep


@njit(**OPTIONS)
def _rows(cells, geos, part, a, out, square):  # type: ignore[no-untyped-def]
    """Fill rows times their precision (cell,), and add the products of the rows with each of its parts (part, geo)."""
    times, inner = cells.size // geos, a.features.inner
    for t in range(times):
        first, last = t * geos, (t + 1) * geos
        source, weight, target = cells[first:last], a.w[first:last], out[first:last]
        for g in range(geos):
            used = weight[g] * source[g]
            square[0, g] += used * source[g]
            target[g] = part[0, g] * used
        if part.shape[0] == 1:
            continue
        kept = inner[first:last]
        for g in range(geos):
            used = kept[g] * source[g]
            square[2, g] += used * source[g]
            target[g] += part[2, g] * used
        for near in (t - 1, t + 1):
            if near < 0 or near == times:
                continue
            beside, its = cells[near * geos : (near + 1) * geos], a.w[near * geos : (near + 1) * geos]
            for g in range(geos):
                used = its[g] * beside[g] if weight[g] > 0.0 else 0.0
                square[1, g] += used * source[g]
                target[g] += part[1, g] * used


@njit(**OPTIONS)
def _inverted(matrix):  # type: ignore[no-untyped-def]
    """Turn a small positive definite matrix into its inverse, by Gauss-Jordan; return the log determinant."""
    n, log_det = matrix.shape[0], 0.0
    for k in range(n):
        pivot = matrix[k, k]
        log_det += np.log(pivot)
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] /= pivot
        for i in range(n):
            if i != k:
                scale = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= scale * matrix[k, j]
    return log_det


@njit(**OPTIONS)
def _shared_precision(part, sd, f, matrix):  # type: ignore[no-untyped-def]
    """Fill the posterior precision of the shared coefficients, the geos' own held at zero."""
    n, groups = sd.size, f.parts_zz.shape[1]
    for i in range(n):
        row = matrix[i]
        for j in range(n):
            row[j] = 0.0
        row[i] = 1.0 / (sd[i] * sd[i])
    for k in range(part.shape[0]):
        for g in range(groups):
            scale = part[k, g]
            for i in range(n):
                row, source = matrix[i], f.parts_zz[k, g, i]
                for j in range(n):
                    row[j] += scale * source[j]


@njit(**OPTIONS)
def _own_out(own_rhs, part, a, own, follow, fitted, matrix, rhs):  # type: ignore[no-untyped-def]
    """Eliminate the geos' own coefficients from the normal equations.

    Fills their covariance ``own`` (geo, own column, own column) and means ``fitted`` (own,) given shared coefficients of zero,
    and how they follow the shared ones, ``follow`` (geo, own column, column). Returns the log determinant.
    """
    f = a.features
    geos, q, n = follow.shape
    log_det = 0.0
    cross = np.empty((q, n))
    for g in range(geos):
        covariance, pull = own[g], follow[g]
        for i in range(q):
            row = cross[i]
            for j in range(n):
                row[j] = 0.0
            for j in range(q):
                covariance[i, j] = 0.0
            covariance[i, i] = a.own_sd[i * geos] ** -2.0
            log_det += 2.0 * np.log(a.own_sd[i * geos])
            for k in range(part.shape[0]):
                scale, source = part[k, g], f.parts_cross[k, g, i]
                for j in range(q):
                    covariance[i, j] += scale * f.parts_own[k, g, i, j]
                for j in range(n):
                    row[j] += scale * source[j]
        log_det += _inverted(covariance)
        for i in range(q):
            mean, row = 0.0, pull[i]
            for j in range(n):
                row[j] = 0.0
            for k in range(q):
                scale, source = covariance[i, k], cross[k]
                mean += scale * own_rhs[k * geos + g]
                for j in range(n):
                    row[j] += scale * source[j]
            fitted[i * geos + g] = mean
            source = cross[i]
            for j in range(n):
                rhs[j] -= mean * source[j]
                target, scale = matrix[j], source[j]
                for p in range(n):
                    target[p] -= scale * row[p]
    return log_det


@njit(**OPTIONS)
def _traces(part, covariance, own, follow, f, trace):  # type: ignore[no-untyped-def]
    """Add ``tr(V X_g' S_k X_g)`` to an array (part, geo); what geos share of it stands with the first."""
    geos, q, n = follow.shape
    for k in range(part.shape[0]):
        for g in range(f.parts_zz.shape[1]):
            for i in range(n):
                row, source = covariance[i], f.parts_zz[k, g, i]
                total = 0.0
                for j in range(n):
                    total += row[j] * source[j]
                trace[k, g] += total
    moved = np.empty(n)
    for g in range(geos):
        for i in range(q):
            for j in range(n):
                moved[j] = 0.0
            for p in range(n):
                scale, row = follow[g, i, p], covariance[p]
                for j in range(n):
                    moved[j] += scale * row[j]
            for o in range(q):
                along, row = own[g, i, o], follow[g, o]
                for j in range(n):
                    along += moved[j] * row[j]
                for k in range(part.shape[0]):
                    trace[k, g] += along * f.parts_own[k, g, i, o]
            for k in range(part.shape[0]):
                total, row = 0.0, f.parts_cross[k, g, i]
                for j in range(n):
                    total += moved[j] * row[j]
                trace[k, g] -= 2.0 * total


@njit(**OPTIONS)
def _shared_out(matrix, rhs, sd, covariance, mean, by_sd):  # type: ignore[no-untyped-def]
    """Fill covariance, mean and the gradient by prior scales of the shared coefficients; return the log determinant."""
    n, wide = sd.size, sd.size + (-sd.size) % 8
    both = np.empty((n, 2 * wide))
    factorise(matrix, both, wide)
    log_det = 0.0
    for i in range(n):
        row = covariance[i]
        for j in range(n):
            row[j] = 0.0
    for k in range(n):
        row, half = both[k, wide : wide + k + 1], 0.0
        for j in range(k + 1):
            half += row[j] * rhs[j]
        for j in range(k + 1):
            mean[j] += row[j] * half
            scale, target = row[j], covariance[j]
            for i in range(k + 1):
                target[i] += scale * row[i]
        log_det += 2.0 * np.log(both[k, k] * sd[k])
    for j in range(n):
        prior = 1.0 / (sd[j] * sd[j])
        by_sd[j] = ((mean[j] * mean[j] + covariance[j, j]) * prior - 1.0) / sd[j]
    return log_det


@njit(**CALLED)
def collapsed_correlated(residual, geos, sd, noise, rho, a, error, cotangent, by_sd, by_noise):  # type: ignore[no-untyped-def]
    """Log marginal density of the residual (cell,) and its gradients.

    Fills those by prediction (cell,), prior scales (column,) and noise; ``error`` (cell,) is scratch. Returns the value and the
    gradient by autocorrelation.
    """
    f, n, rows = a.features, sd.size, a.rows_used / geos
    count, q = f.parts_zz.shape[0], f.parts_own.shape[2]
    part, steep, square = np.empty((count, geos)), np.empty((count, geos)), np.zeros((count, geos))
    _parts(noise, rho, part, steep)
    _rows(residual, geos, part, a, cotangent, square)
    rhs = project(cotangent, geos, a.z_cell, a.z_time)
    matrix, covariance, mean = np.empty((n, n)), np.empty((n, n)), np.zeros(n)
    _shared_precision(part, sd, f, matrix)
    own, follow, own_mean = np.empty((geos, q, q)), np.empty((geos, q, n)), np.zeros(max(q, 1) * geos)
    log_det = 0.0
    if q > 0:
        own_rhs = np.zeros(q * geos)
        project_own(cotangent, geos, a.local, own_rhs)
        log_det = _own_out(own_rhs, part, a, own, follow, own_mean, matrix, rhs)
    log_det += _shared_out(matrix, rhs, sd, covariance, mean, by_sd)
    for g in range(geos):
        for i in range(q):
            for j in range(n):
                own_mean[i * geos + g] -= follow[g, i, j] * mean[j]
    less_baseline(residual, geos, mean, own_mean, a, error)
    trace = np.zeros((count, geos))
    _rows(error, geos, part, a, cotangent, trace)
    _traces(part, covariance, own, follow, f, trace)
    quadratic, by_rho = 0.0, geos * (rows - 1.0) * rho / (1.0 - rho * rho)
    for i in range(residual.size):
        quadratic += residual[i] * cotangent[i]
    log_det += a.rows_used * np.log(2.0 * np.pi) - a.log_weight + geos * (rows - 1.0) * np.log1p(-rho * rho)
    for g in range(noise.size):
        by_noise[g] = 0.0
    for g in range(geos):
        at = g if noise.size > 1 else 0
        for k in range(count):
            by_noise[at] += trace[k, g] * part[k, g] / noise[at]
            by_rho -= 0.5 * trace[k, g] * steep[k, g]
        by_noise[at] -= rows / noise[at]
        log_det += 2.0 * rows * np.log(noise[at])
    return -0.5 * (quadratic + log_det), by_rho
