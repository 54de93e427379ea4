"""Likelihoods whose baseline is not integrated out, for the compiled kernel. Equations: ``mmx.mmm.likelihoods``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import exp, log
from mmx.mmm.kernel_options import CALLED, OPTIONS
from mmx.mmm.kernel_special import log1p, log_gamma, log_rising


@njit(**OPTIONS)
def _precisions(noise, precision, out):  # type: ignore[no-untyped-def]
    """Fill one over the squared noise scales, one or one per geo, and the same for every cell."""
    for g in range(noise.size):
        precision[g] = 1.0 / (noise[g] * noise[g])
    if noise.size == 1:
        for i in range(out.size):
            out[i] = precision[0]
        return
    for t in range(out.size // noise.size):
        row = out[t * noise.size : (t + 1) * noise.size]
        for g in range(noise.size):
            row[g] = precision[g]


@njit(**OPTIONS)
def _sum_by_noise(cells, by_noise):  # type: ignore[no-untyped-def]
    """Fill the sums of an array (cell,) that belong to each noise scale."""
    count = by_noise.size
    for g in range(count):
        by_noise[g] = 0.0
    if count == 1:
        total = 0.0
        for i in range(cells.size):
            total += cells[i]
        by_noise[0] = total
        return
    for t in range(cells.size // count):
        row = cells[t * count : (t + 1) * count]
        for g in range(count):
            by_noise[g] += row[g]


@njit(**CALLED)
def student_t(error, noise, degrees, a, ratio, share, cotangent, by_noise):  # type: ignore[no-untyped-def]
    """Log density of errors (cell,) under Student's t, of scale ``noise / sqrt(w)``.

    Fills the gradients by prediction (cell,) and noise; ``ratio`` and ``share`` (cell,) are scratch. Returns the value and the
    gradient by degrees of freedom.
    """
    _precisions(noise, by_noise, ratio)
    for i in range(error.size):
        precision = ratio[i] * a.w[i]
        ratio[i] = precision * error[i] * error[i]
        pull = 1.0 / (degrees + ratio[i])
        share[i] = ratio[i] * pull
        cotangent[i] = (degrees + 1.0) * precision * error[i] * pull
    logs, shares = 0.0, 0.0
    for i in range(error.size):
        logs += log(1.0 + ratio[i] / degrees)
    for i in range(error.size):
        shares += share[i]
    _sum_by_noise(share, by_noise)
    rows, spread = a.rows_used / noise.size, 0.0
    for g in range(noise.size):
        by_noise[g] = ((degrees + 1.0) * by_noise[g] - rows) / noise[g]
        spread += rows * np.log(noise[g])
    upper, by_upper = log_gamma(0.5 * (degrees + 1.0))
    lower, by_lower = log_gamma(0.5 * degrees)
    norm = upper - lower - 0.5 * np.log(np.pi * degrees)
    by_degrees = a.rows_used * 0.5 * (by_upper - by_lower - 1.0 / degrees)
    by_degrees += 0.5 * (degrees + 1.0) / degrees * shares - 0.5 * logs
    value = a.rows_used * norm - spread + 0.5 * a.log_weight - 0.5 * (degrees + 1.0) * logs
    return value, by_degrees


@njit(**OPTIONS)
def _expected(left, f, expected):  # type: ignore[no-untyped-def]
    """Fill the expected counts (cell,)."""
    geos = f.size.size
    for i in range(left.size):
        expected[i] = f.center + f.reference[i] - left[i]
    if f.multiplicative:
        for i in range(left.size):
            expected[i] = exp(expected[i])
    for t in range(left.size // geos):
        row = expected[t * geos : (t + 1) * geos]
        for g in range(geos):
            row[g] *= f.size[g]


@njit(**CALLED)
def negative_binomial(left, noise, a, expected, size, cotangent, by_noise):  # type: ignore[no-untyped-def]
    """Log probability of the counts given the reference less the prediction (cell,): variance ``mu + noise^2 mu^2``.

    Fills the gradients by prediction (cell,) and by noise; ``expected`` and ``size`` (cell,) are scratch. Minus infinity where
    counts are expected below zero.
    """
    f, precision = a.features, np.empty(noise.size)
    _expected(left, f, expected)
    _precisions(noise, precision, size)
    lowest = np.inf
    for i in range(left.size):
        lowest = min(lowest, expected[i] if a.w[i] > 0.0 else np.inf)
        expected[i] = expected[i] if expected[i] > 0.0 else 1.0
    value = -f.log_factorials
    for i in range(left.size):
        y, r, mu = a.y[i], size[i], expected[i]
        rising, by_size = log_rising(y, r)
        over, whole = log1p(mu / r), mu + r
        value += a.w[i] * (rising - (y + r) * over + y * log(mu))
        cotangent[i] = a.w[i] * r * (y - mu) / whole
        size[i] = a.w[i] * (by_size - (over - mu / r) + mu * (y - mu) / (r * whole))
    if not f.multiplicative:
        geos = f.size.size
        for t in range(left.size // geos):
            for g in range(geos):
                cotangent[t * geos + g] *= f.size[g] / expected[t * geos + g]
    _sum_by_noise(size, by_noise)
    for g in range(noise.size):
        by_noise[g] *= -2.0 * precision[g] / noise[g]
    return value if lowest > 0.0 else -np.inf
