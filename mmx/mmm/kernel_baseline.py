"""The collapsed likelihood with its closed-form gradient, for the compiled kernel. Equations: ``mmx.mmm.collapse``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def drift_scale(value, special, prior_sd, frequency):  # type: ignore[no-untyped-def]
    """Prior standard deviations of all columns; the last ones are the drift's (Matern 5/2)."""
    sd = prior_sd.copy()
    if special[1] < 0:
        return sd
    fixed = sd.size - frequency.size
    decay = 5.0 / value[special[2]] ** 2
    for j in range(frequency.size):
        log_density = np.log(16.0 / 3.0) + 2.5 * np.log(decay) - 3.0 * np.log(decay + frequency[j] ** 2)
        sd[fixed + j] = value[special[1]] * np.exp(0.5 * log_density)
    return sd


@njit(**OPTIONS)
def _project(weighted, z_cell, z_time):  # type: ignore[no-untyped-def]
    """Design transposed times cells."""
    times, geos = weighted.shape
    cells, rest = z_cell.shape[2], z_time.shape[1]
    out = np.zeros(cells + rest)
    for t in range(times):
        total = 0.0
        for g in range(geos):
            total += weighted[t, g]
            for p in range(cells):
                out[p] += z_cell[t, g, p] * weighted[t, g]
        for p in range(rest):
            out[cells + p] += z_time[t, p] * total
    return out


@njit(**OPTIONS)
def _factorise(matrix):  # type: ignore[no-untyped-def]
    """Overwrite a symmetric matrix by its upper Cholesky factor and return the inverse of the lower one."""
    n = matrix.shape[0]
    for k in range(n):
        pivot = np.sqrt(matrix[k, k])
        for j in range(k, n):
            matrix[k, j] /= pivot
        for i in range(k + 1, n):
            scale = matrix[k, i]
            for j in range(i, n):
                matrix[i, j] -= scale * matrix[k, j]
    inverse = np.zeros((n, n))
    for i in range(n):
        inverse[i, i] = 1.0
        for k in range(i):
            scale = matrix[k, i]
            for j in range(k + 1):
                inverse[i, j] -= scale * inverse[k, j]
        for j in range(i + 1):
            inverse[i, j] /= matrix[i, i]
    return inverse


@njit(**OPTIONS)
def collapsed(residual, sd, noise, w, z_cell, z_time, zz, z_geo, w_geo, geo_sd, rows_used, log_weight):  # type: ignore[no-untyped-def]
    """Log marginal density and its gradients by prediction (time, geo), prior scales (column,) and noise."""
    times, geos = residual.shape
    n = sd.size
    precision = 1.0 / noise**2
    weighted = w * residual * precision
    square = (weighted * residual).sum()
    matrix = zz * precision
    rhs = _project(weighted, z_cell, z_time)
    log_det = 0.0
    for j in range(n):
        matrix[j, j] += sd[j] ** -2.0
        log_det += 2.0 * np.log(sd[j])
    geo_precision, geo_rhs = np.ones(geos), np.zeros(geos)
    cross = z_geo * precision
    if geos > 1:
        for g in range(geos):
            geo_precision[g] = precision * w_geo[g] + geo_sd**-2.0
            for t in range(times):
                geo_rhs[g] += weighted[t, g]
            square -= geo_rhs[g] ** 2 / geo_precision[g]
            log_det += np.log(geo_precision[g]) + 2.0 * np.log(geo_sd)
            for i in range(n):
                scale = cross[g, i] / geo_precision[g]
                rhs[i] -= scale * geo_rhs[g]
                for j in range(n):
                    matrix[i, j] -= scale * cross[g, j]
    inverse = _factorise(matrix)
    mean, variance = np.zeros(n), np.zeros(n)
    for i in range(n):
        half = 0.0
        for j in range(i + 1):
            half += inverse[i, j] * rhs[j]
        square -= half * half
        log_det += 2.0 * np.log(matrix[i, i])
        for j in range(i + 1):
            mean[j] += inverse[i, j] * half
            variance[j] += inverse[i, j] ** 2
    log_det += rows_used * (np.log(2.0 * np.pi) + 2.0 * np.log(noise)) - log_weight
    cotangent, by_noise = _errors(
        residual, mean, variance, inverse, sd, noise, cross, geo_precision, geo_rhs, w, z_cell, z_time, geo_sd, rows_used
    )
    by_sd = (mean**2 + variance) / sd**3 - 1.0 / sd
    return -0.5 * (square + log_det), cotangent, by_sd, by_noise


@njit(**OPTIONS)
def _errors(residual, mean, variance, inverse, sd, noise, cross, geo_precision, geo_rhs, w, z_cell, z_time, geo_sd, rows_used):  # type: ignore[no-untyped-def]
    """Gradient by prediction, the weighted error of the fitted baseline, and by noise."""
    times, geos = residual.shape
    n, cells = sd.size, z_cell.shape[2]
    coefficients = n - (variance / sd**2).sum()
    geo_mean = np.zeros(geos)
    if geos > 1:
        for g in range(geos):
            along, spread = 0.0, 0.0
            for i in range(n):
                along += cross[g, i] * mean[i]
                part = 0.0
                for j in range(i + 1):
                    part += inverse[i, j] * cross[g, j]
                spread += part * part
            geo_mean[g] = (geo_rhs[g] - along) / geo_precision[g]
            geo_variance = 1.0 / geo_precision[g] + spread / geo_precision[g] ** 2
            coefficients += 1.0 - geo_variance / geo_sd**2
    cotangent = np.empty((times, geos))
    square = 0.0
    for t in range(times):
        steady = 0.0
        for p in range(n - cells):
            steady += z_time[t, p] * mean[cells + p]
        for g in range(geos):
            error = residual[t, g] - steady - geo_mean[g]
            for p in range(cells):
                error -= z_cell[t, g, p] * mean[p]
            cotangent[t, g] = w[t, g] * error / noise**2
            square += cotangent[t, g] * error
    return cotangent, (square + coefficients - rows_used) / noise
