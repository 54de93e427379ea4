"""The collapsed likelihood with its closed-form gradient, for the compiled kernel. Equations: ``mmx.mmm.collapse``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import exp, log
from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def scales(value, special, prior_sd, frequency, sparse):  # type: ignore[no-untyped-def]
    """Prior standard deviations of all columns; the last ones are the drift's (Matern 5/2, or knots)."""
    sd = prior_sd.copy()
    for k in range(sparse.size):
        slab, free = sd[sparse[k]], value[special[6] + k] * value[special[7]]
        sd[sparse[k]] = slab * free / np.sqrt(slab**2 + free**2)
    if special[1] < 0:
        return sd
    drift = sd[sd.size - frequency.size :]
    if special[2] < 0:  # Knots.
        for j in range(drift.size):
            drift[j] = value[special[1]]
        return sd
    decay = 5.0 / value[special[2]] ** 2
    height = np.log(value[special[1]]) + 0.5 * (np.log(16.0 / 3.0) + 2.5 * np.log(decay))
    for j in range(frequency.size):
        drift[j] = exp(height - 1.5 * log(decay + frequency[j] ** 2))
    return sd


@njit(**OPTIONS)
def scales_back(value, special, by_sd, sd, frequency, sparse, by_value):  # type: ignore[no-untyped-def]
    """Carry the gradient of the columns' scales to the parameters that they are made of."""
    for k in range(sparse.size):
        local, whole = value[special[6] + k], value[special[7]]
        by_free = by_sd[sparse[k]] * (sd[sparse[k]] / (local * whole)) ** 3
        by_value[special[6] + k] += by_free * whole
        by_value[special[7]] += by_free * local
    if special[1] < 0:
        return
    fixed = sd.size - frequency.size
    by_drift, drift = by_sd[fixed:], sd[fixed:]
    if special[2] < 0:
        for j in range(drift.size):
            by_value[special[1]] += by_drift[j]
        return
    length = value[special[2]]
    decay = 5.0 / length**2
    total, by_decay = 0.0, 0.0
    for j in range(frequency.size):
        by_log = by_drift[j] * drift[j]
        total += by_log
        by_decay += by_log * 0.5 * (2.5 / decay - 3.0 / (decay + frequency[j] ** 2))
    by_value[special[1]] += total / value[special[1]]
    by_value[special[2]] += by_decay * (-2.0 * decay / length)


@njit(**OPTIONS)
def project(weighted, geos, z_cell, z_time):  # type: ignore[no-untyped-def]
    """Design transposed times cells."""
    cells, rest = z_cell.shape[0], z_time.shape[1]
    out = np.zeros(cells + rest)
    for p in range(cells):
        column = z_cell[p]
        total = 0.0
        for i in range(weighted.size):
            total += column[i] * weighted[i]
        out[p] = total
    steady = out[cells:]
    for t in range(z_time.shape[0]):
        total = 0.0
        for g in range(t * geos, (t + 1) * geos):
            total += weighted[g]
        row = z_time[t]
        for p in range(rest):
            steady[p] += row[p] * total
    return out


@njit(**OPTIONS)
def factorise(matrix, both, first):  # type: ignore[no-untyped-def]
    """Fill ``both``: the upper Cholesky factor of a matrix (n, n), and from column ``first`` on the inverse of the lower one.

    What stands between them on entry leaves multiplied by that inverse. Row by row, four earlier rows at a time; the columns
    that a row touches lie side by side. ``first`` and the width, which is ``first`` and n rounded up, are multiples of eight.
    """
    n, wide = matrix.shape[0], matrix.shape[0] + (-matrix.shape[0]) % 8
    for i in range(n):
        start = i - i % 8
        whole, source = both[i], matrix[i]
        for j in range(wide):
            whole[j] = 0.0
        for j in range(first, whole.size):
            whole[j] = 0.0
        for j in range(start, n):
            whole[j] = source[j]
        whole[first + i] = 1.0
        row = both[i, start : first + start + 8]
        k = 0
        while k + 3 < i:
            a, b, c, d = both[k, i], both[k + 1, i], both[k + 2, i], both[k + 3, i]
            r0, r1 = both[k, start : first + start + 8], both[k + 1, start : first + start + 8]
            r2, r3 = both[k + 2, start : first + start + 8], both[k + 3, start : first + start + 8]
            for j in range(row.size):
                row[j] -= a * r0[j] + b * r1[j] + c * r2[j] + d * r3[j]
            k += 4
        while k < i:
            a, r0 = both[k, i], both[k, start : first + start + 8]
            for j in range(row.size):
                row[j] -= a * r0[j]
            k += 1
        scale = 1.0 / np.sqrt(row[i - start])
        for j in range(row.size):
            row[j] *= scale


@njit(**OPTIONS)
def weigh(residual, precision, a, weighted):  # type: ignore[no-untyped-def]
    """Fill the weighted residual (cell,); return its sum of squares."""
    square = 0.0
    for i in range(residual.size):
        weighted[i] = a.w[i] * residual[i] * precision
    for i in range(residual.size):
        square += weighted[i] * residual[i]
    return square


@njit(**OPTIONS)
def collapsed(residual, geos, sd, noise, a, cotangent):  # type: ignore[no-untyped-def]
    """Log marginal density of the residual (cell,) of several geos and its gradients; of one: ``kernel_national``.

    Fills the gradient by prediction (cell,); returns the value and the gradients by prior scales (column,) and noise.
    """
    n = sd.size
    precision = 1.0 / noise**2
    square = weigh(residual, precision, a, cotangent)
    matrix, wide = np.empty((n, n)), n + (-n) % 8
    both, by_prior = np.empty((n, 2 * wide)), np.empty(n)
    for i in range(n):
        by_prior[i] = 1.0 / (sd[i] * sd[i])
    for i in range(n):
        row, source = matrix[i], a.zz[i]
        for j in range(n):
            row[j] = precision * source[j]
        row[i] += by_prior[i]
    rhs = project(cotangent, geos, a.z_cell, a.z_time)
    geo_precision, geo_rhs = np.ones(a.own_w.size), np.zeros(a.own_w.size)
    square, log_det = geos_out(cotangent, precision, a, geo_precision, geo_rhs, matrix, rhs, square)
    factorise(matrix, both, wide)
    inverse = both[:, wide:]
    mean, variance = np.zeros(wide), np.zeros(wide)
    product = 1.0
    for i in range(n):
        row = inverse[i, : i + 8 - i % 8]
        half = 0.0
        for j in range(i + 1):
            half += row[j] * rhs[j]
        square -= half * half
        for j in range(row.size):
            mean[j] += row[j] * half
            variance[j] += row[j] * row[j]
        product *= both[i, i] * sd[i]
        if i % 4 == 3 or i == n - 1:  # A logarithm of a few factors at a time cannot overflow.
            log_det += 2.0 * log(product)
            product = 1.0
    log_det += a.rows_used * (np.log(2.0 * np.pi) + 2.0 * np.log(noise)) - a.log_weight
    coefficients = float(n)
    by_sd = np.empty(n)
    for j in range(n):
        coefficients -= variance[j] * by_prior[j]
        by_sd[j] = ((mean[j] * mean[j] + variance[j]) * by_prior[j] - 1.0) / sd[j]
    geo_mean = np.zeros(a.own_w.size)
    coefficients += _geos_back(precision, a, geo_precision, geo_rhs, inverse, mean, geo_mean)
    fitted = errors(residual, geos, precision, mean[:n], geo_mean, a, cotangent)
    by_noise = (fitted + coefficients - a.rows_used) / noise
    return -0.5 * (square + log_det), by_sd, by_noise


@njit(**OPTIONS)
def project_own(weighted, geos, local, out):  # type: ignore[no-untyped-def]
    """Add the geos' own columns transposed times cells to an array (own,)."""
    for t in range(weighted.size // geos):
        row = weighted[t * geos : (t + 1) * geos]
        for g in range(geos):
            out[g] += row[g]
    for k in range(local.shape[0]):
        own = out[(k + 1) * geos : (k + 2) * geos]
        for t in range(weighted.size // geos):
            row, column = weighted[t * geos : (t + 1) * geos], local[k, t * geos : (t + 1) * geos]
            for g in range(geos):
                own[g] += column[g] * row[g]


@njit(**OPTIONS)
def geos_out(weighted, precision, a, geo_precision, geo_rhs, matrix, rhs, square):  # type: ignore[no-untyped-def]
    """Eliminate the geos' own coefficients from the normal equations; return the square and the log determinant so far."""
    geos, n = geo_rhs.size // (1 + a.local.shape[0]), rhs.size
    project_own(weighted, geos, a.local, geo_rhs)
    log_det = 0.0
    for g in range(geo_rhs.size):
        geo_precision[g] = precision * a.own_w[g] + a.own_sd[g] ** -2.0
        square -= geo_rhs[g] ** 2 / geo_precision[g]
        log_det += log(geo_precision[g] * a.own_sd[g] ** 2)
        scale = precision / geo_precision[g] * geo_rhs[g]
        row = a.own_z[g]
        for i in range(n):
            rhs[i] -= scale * row[i]
    for k in range(a.class_first.size):
        scale = precision**2 / geo_precision[a.class_first[k]]
        for i in range(n):
            row, source = matrix[i], a.class_cross[k, i]
            for j in range(n):
                row[j] -= scale * source[j]
    return square, log_det


@njit(**OPTIONS)
def _geos_back(precision, a, geo_precision, geo_rhs, inverse, mean, geo_mean):  # type: ignore[no-untyped-def]
    """Fill the posterior means of the geos' own coefficients; return how many coefficients they are worth."""
    own, n = geo_rhs.size, a.zz.shape[0]
    for g in range(own):
        row = a.own_z[g]
        along = 0.0
        for i in range(n):
            along += row[i] * mean[i]
        geo_mean[g] = (geo_rhs[g] - precision * along) / geo_precision[g]
    worth = float(own)
    covariance = np.zeros((n, n))  # Lower half, the off-diagonal counted twice.
    for k in range(n):
        row = inverse[k]
        for i in range(k + 1):
            scale = row[i]
            target = covariance[i]
            for j in range(i + 1):
                target[j] += scale * row[j]
    for k in range(a.class_first.size):
        first = a.class_first[k]
        spread = 0.0
        for i in range(n):
            row, source = covariance[i], a.class_cross[k, i]
            along = 0.0
            for j in range(i):
                along += row[j] * source[j]
            spread += 2.0 * along + row[i] * source[i]
        ratio = precision / geo_precision[first]
        worth -= (a.class_size[k] / geo_precision[first] + ratio * ratio * spread) * a.own_sd[first] ** -2.0
    return worth


@njit(**OPTIONS)
def less_baseline(residual, geos, mean, geo_mean, a, out):  # type: ignore[no-untyped-def]
    """Fill the residual (cell,) less a baseline of coefficients (column,) and of the geos' own (own,)."""
    cells = a.z_cell.shape[0]
    steady = mean[cells:]
    for t in range(residual.size // geos):
        row = a.z_time[t]
        level = 0.0
        for p in range(steady.size):
            level += row[p] * steady[p]
        row_out, source = out[t * geos : (t + 1) * geos], residual[t * geos : (t + 1) * geos]
        for g in range(geos):
            row_out[g] = source[g] - level - geo_mean[g]
    if geos > 1:
        for k in range(a.local.shape[0]):
            own = geo_mean[(k + 1) * geos : (k + 2) * geos]
            for t in range(residual.size // geos):
                row_out, column = out[t * geos : (t + 1) * geos], a.local[k, t * geos : (t + 1) * geos]
                for g in range(geos):
                    row_out[g] -= column[g] * own[g]
    for p in range(cells):
        column = a.z_cell[p]
        scale = mean[p]
        for i in range(residual.size):
            out[i] -= scale * column[i]


@njit(**OPTIONS)
def errors(residual, geos, precision, mean, geo_mean, a, cotangent):  # type: ignore[no-untyped-def]
    """Fill the weighted error of the fitted baseline (cell,); return its weighted sum of squares."""
    less_baseline(residual, geos, mean, geo_mean, a, cotangent)
    square = 0.0
    for i in range(residual.size):
        error = cotangent[i]
        cotangent[i] = a.w[i] * error * precision
        square += cotangent[i] * error
    return square
