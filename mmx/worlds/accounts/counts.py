"""Counts and order values as functions of one random number, so that luck can be shared between policies.

A count is the quantile of a negative binomial of mean m and variance m + m^2 / size: exact below ``EXACT``, above it that of
the gamma distribution with the same two moments, by Wilson and Hilferty (1931, doi:10.1073/pnas.17.12.684), rounded. The value
of n orders is log-normal with the mean and variance of a sum of n log-normal ones (Fenton 1960).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from mmx.worlds.accounts.luck import Floats

EXACT = 15.0


def negative_binomial(uniform: Floats, mean: Floats, size: float) -> Floats:
    """Counts, never decreasing in ``uniform`` and, up to rounding, in ``mean``.

    Parameters
    ----------
    uniform : array, (...)
        In (0, 1).
    mean : array, (...)
        >= 0.
    size : float
        > 0; the variance is ``mean + mean**2 / size``.
    """
    out = np.zeros(mean.shape)
    large = mean > EXACT
    small = (mean > 0.0) & ~large
    out[large] = _gamma_quantile(uniform[large], mean[large], size)
    out[small] = _exact_quantile(uniform[small], mean[small], size)
    return out


def order_total(normal: Floats, orders: Floats, value: Floats, spread: float) -> Floats:
    """Money of a number of orders, (...).

    Parameters
    ----------
    normal : array, (...)
        Standard normals.
    orders : array, (...)
        Number of orders, >= 0.
    value : array, (...)
        Mean order value, currency.
    spread : float
        Standard deviation of the logarithm of one order's value.
    """
    variance = np.log1p(np.expm1(spread**2) / np.maximum(orders, 1.0))
    return np.asarray(orders * value * np.exp(np.sqrt(variance) * normal - 0.5 * variance))


def _gamma_quantile(uniform: Floats, mean: Floats, size: float) -> Floats:
    shape = mean * size / (mean + size)
    root = 1.0 - 1.0 / (9.0 * shape) + ndtri(uniform) / (3.0 * np.sqrt(shape))
    return np.asarray(np.floor(mean * np.maximum(root, 0.0) ** 3 + 0.5))


def _exact_quantile(uniform: Floats, mean: Floats, size: float) -> Floats:
    """Smallest k whose distribution function reaches ``uniform``, by the recursion of the probabilities."""
    ratio = mean / (mean + size)
    probability = np.exp(size * np.log1p(-ratio))
    total = probability.copy()
    count = np.zeros(mean.shape)
    k = 0.0
    open_ = total < uniform
    while open_.any() and k < 1000.0:
        count += open_
        probability = probability * ratio * (size + k) / (k + 1.0)
        total = total + probability
        k += 1.0
        open_ = total < uniform
    return count
