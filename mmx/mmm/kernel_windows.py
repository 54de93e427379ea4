"""Lag weights of finite windows with their tangents, for compiled code. Equations: ``mmx.response``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def weights(adstock, first, second, weight, by_first, by_second):  # type: ignore[no-untyped-def]
    """Fill the weights (lag,) and their derivatives by the family's two parameters; without a second one that is zero."""
    exponents(adstock, first, second, weight, by_first, by_second)
    window = weight.size
    top, norm = -np.inf, 0.0
    for lag in range(window):
        top = max(top, weight[lag])
    for lag in range(window):
        weight[lag] = np.exp(weight[lag] - top)
        norm += weight[lag]
    mean_first, mean_second = 0.0, 0.0
    for lag in range(window):
        weight[lag] /= norm
        mean_first += weight[lag] * by_first[lag]
        mean_second += weight[lag] * by_second[lag]
    for lag in range(window):
        by_first[lag] = weight[lag] * (by_first[lag] - mean_first)
        by_second[lag] = weight[lag] * (by_second[lag] - mean_second)


@njit(**OPTIONS)
def exponents(adstock, first, second, weight, by_first, by_second):  # type: ignore[no-untyped-def]
    """Fill the logarithms of the weights, up to a constant, with their derivatives: one branch per family."""
    window = weight.size
    if adstock == 1:  # delayed: alpha, theta
        log_alpha = np.log(first)
        for lag in range(window):
            distance = lag - second * (window - 1)
            weight[lag] = distance**2 * log_alpha
            by_first[lag] = distance**2 / first
            by_second[lag] = -2.0 * distance * (window - 1) * log_alpha
    elif adstock == 4:  # weibull_pdf: shape, scale
        for lag in range(window):
            log_ratio = np.log((lag + 1.0) / second)
            power = np.exp(first * log_ratio)
            weight[lag] = (first - 1.0) * log_ratio - power
            by_first[lag] = log_ratio * (1.0 - power)
            by_second[lag] = (first * (power - 1.0) + 1.0) / second
    elif adstock == 5:  # weibull_cdf: shape, scale
        total, total_first = 0.0, 0.0
        for lag in range(window):
            if lag > 0:
                log_ratio = np.log(lag / second)
                power = np.exp(first * log_ratio)
                total += power
                total_first += log_ratio * power
            weight[lag] = -total
            by_first[lag] = -total_first
            by_second[lag] = first * total / second
    else:  # binomial: alpha
        for lag in range(window):
            log_left = np.log(1.0 - lag / window)
            weight[lag] = (1.0 / first - 1.0) * log_left
            by_first[lag] = -log_left / first**2
            by_second[lag] = 0.0
