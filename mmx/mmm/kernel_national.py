"""The collapsed likelihood of one geo with its closed-form gradient, for the compiled kernel. Equations: ``mmx.mmm.collapse``.

The columns whose prior scale is fixed come rotated (``kernel_arrays``), so that their part of the precision is diagonal at
every noise: they are eliminated one by one, and what is left to factorise are the drift's.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_baseline import errors, factorise, project, weigh
from mmx.mmm.kernel_math import log
from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def _subtract_products(matrix, rows):  # type: ignore[no-untyped-def]
    """Take ``rows' rows`` of rows (fixed, n) from the upper half of a matrix (n, n), and from some of the lower."""
    n, count = matrix.shape[0], rows.shape[0]
    for start in range(0, n, 8):
        i = 0
        while i + 3 < count:
            r0, r1, r2, r3 = rows[i, start:], rows[i + 1, start:], rows[i + 2, start:], rows[i + 3, start:]
            for j in range(min(8, n - start)):
                a, b, c, d = r0[j], r1[j], r2[j], r3[j]
                row = matrix[start + j, start:]
                for k in range(row.size):
                    row[k] -= a * r0[k] + b * r1[k] + c * r2[k] + d * r3[k]
            i += 4
        while i < count:
            r0 = rows[i, start:]
            for j in range(min(8, n - start)):
                a, row = r0[j], matrix[start + j, start:]
                for k in range(row.size):
                    row[k] -= a * r0[k]
            i += 1


@njit(**OPTIONS)
def collapsed_national(residual, sd, noise, a, cotangent):  # type: ignore[no-untyped-def]
    """Log marginal density of the residual (time,) and its gradients.

    Fills the gradient by prediction (time,); returns the value and the gradients by prior scales (column,), those of the drift
    alone, and by noise.
    """
    fixed, drift = a.cross.shape
    precision = 1.0 / noise**2
    square = weigh(residual, precision, a, cotangent)
    rhs = project(cotangent, 1, a.z_cell, a.z_time)
    shrink, root, scaled = np.empty(fixed), np.empty(fixed), np.empty((fixed, drift))
    log_det, product = 0.0, 1.0
    for i in range(fixed):
        grown = precision * a.roots[i] + 1.0
        shrink[i] = 1.0 / grown
        square -= rhs[i] * rhs[i] * shrink[i]
        product *= grown
        if i % 4 == 3 or i == fixed - 1:  # A logarithm of a few factors at a time cannot overflow.
            log_det += log(product)
            product = 1.0
    for i in range(fixed):
        root[i] = np.sqrt(shrink[i])
        out, source = scaled[i], a.cross[i]
        for j in range(drift):
            out[j] = precision * root[i] * source[j]
    mean = np.empty(fixed + drift)
    by_sd = np.zeros(fixed + drift)
    coefficients = float(fixed)
    for i in range(fixed):
        mean[i] = rhs[i] * root[i]
        coefficients -= shrink[i]
    if drift > 0:
        more_square, more_det, more = _drift_out(
            sd[fixed:], precision, a, rhs[fixed:], shrink, root, scaled, mean, by_sd[fixed:]
        )
        square, log_det, coefficients = square - more_square, log_det + more_det, coefficients + more
    for i in range(fixed):
        mean[i] *= root[i]
    log_det += a.rows_used * (np.log(2.0 * np.pi) + 2.0 * np.log(noise)) - a.log_weight
    fitted = errors(residual, 1, precision, mean, np.zeros(1), a, cotangent)
    return -0.5 * (square + log_det), by_sd, (fitted + coefficients - a.rows_used) / noise


@njit(**OPTIONS)
def _drift_out(sd, precision, a, rhs, shrink, root, scaled, mean, by_sd):  # type: ignore[no-untyped-def]
    """Eliminate the drift's columns: fill means and gradients; return square, log determinant and worth in coefficients.

    ``mean`` holds ``rhs root`` of the fixed columns when it comes, and their posterior mean over ``root`` when it goes.
    """
    fixed, n = scaled.shape
    wide = n + (-n) % 8
    first = wide + fixed + (-fixed) % 8
    matrix, both = np.empty((n, n)), np.empty((n, first + wide))
    for j in range(n):
        row, source = matrix[j], a.zz[j]
        for k in range(n):
            row[k] = precision * source[k]
        row[j] += 1.0 / (sd[j] * sd[j])
    _subtract_products(matrix, scaled)
    for j in range(n):
        row, source = both[j, wide:first], a.cross_back[j]
        for i in range(fixed):
            row[i] = precision * root[i] * source[i]
        for i in range(fixed, row.size):
            row[i] = 0.0
    for i in range(fixed):
        row = scaled[i]
        for j in range(n):
            rhs[j] -= row[j] * mean[i]
    factorise(matrix, both, first)
    found, variance = np.zeros(wide), np.zeros(wide)
    square, log_det, product = 0.0, 0.0, 1.0
    for j in range(n):
        row = both[j, first : first + j + 8 - j % 8]
        half = 0.0
        for k in range(j + 1):
            half += row[k] * rhs[k]
        square += half * half
        for k in range(row.size):
            found[k] += row[k] * half
            variance[k] += row[k] * row[k]
        product *= both[j, j] * sd[j]
        if j % 4 == 3 or j == n - 1:
            log_det += 2.0 * log(product)
            product = 1.0
    worth = float(n)
    slow = mean[fixed:]
    for j in range(n):
        prior = 1.0 / (sd[j] * sd[j])
        worth -= variance[j] * prior
        by_sd[j] = ((found[j] * found[j] + variance[j]) * prior - 1.0) / sd[j]
        slow[j] = found[j]
    for j in range(n):
        row = both[j, wide:first]
        for i in range(fixed):
            worth -= shrink[i] * row[i] * row[i]
    for i in range(fixed):
        row = scaled[i]
        total = 0.0
        for j in range(n):
            total += row[j] * found[j]
        mean[i] -= total
    return square, log_det, worth
