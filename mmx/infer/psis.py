"""Pareto-smoothed importance sampling: weights with a fitted tail, and the tail's shape as a diagnostic.

The largest ``min(S / 5, 3 sqrt(S))`` importance ratios are replaced by quantiles of a generalised Pareto distribution. Its
shape ``k`` says how far the approximation can be trusted: above 0.7 the error of estimates does not shrink at a usable rate.
Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling; the fit is that of Zhang
and Stephens (2009). Tests hold weights and shape equal to ArviZ.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FEWEST = 25  # Ratios: five in the tail.


def smooth(log_ratios: Floats) -> tuple[Floats, float]:
    """Smooth importance ratios.

    Parameters
    ----------
    log_ratios : array, (sample,)
        Log target minus log proposal density, up to a constant; minus infinity where the target is zero.

    Returns
    -------
    array, (sample,)
        Log weights; their exponentials sum to one.
    float
        Shape ``k`` of the tail; infinite where no tail can be fitted: fewer than 25 ratios, one that is not a number or plus
        infinity, a tail of equal values.
    """
    if len(log_ratios) < FEWEST or not (log_ratios < np.inf).all() or np.isneginf(log_ratios).all():
        return np.full(len(log_ratios), -np.log(max(len(log_ratios), 1))), np.inf
    values = log_ratios - log_ratios.max()
    count = len(values)
    tail = int(3 * np.sqrt(count)) if count > 225 else count // 5
    order = np.argsort(values)
    places, cutoff = order[-tail:], np.exp(values[order[-tail - 1]])
    shape, scale = _generalised_pareto(np.exp(values[places]) - cutoff)
    if np.isfinite(shape) and scale > 0:
        steps = -np.log1p(-(np.arange(tail) + 0.5) / tail)
        excess = scale * (steps if shape == 0 else np.expm1(shape * steps) / shape)
        values[places] = np.minimum(np.log(cutoff + excess), 0.0)
    else:
        shape = np.inf
    return values - np.log(np.exp(values).sum()), float(shape)


def _generalised_pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale of sorted excesses over a threshold: the posterior mean of Zhang and Stephens (2009).

    The shape is drawn towards 0.5 with the weight of ten observations; Vehtari et al. (2024), appendix G.
    """
    count = len(excess)
    quartile = excess[int(count / 4 + 0.5) - 1]
    if quartile <= excess[0] or not np.isfinite(excess[-1]):
        return np.inf, np.nan
    points = 30 + int(np.sqrt(count))
    grid = (1 - np.sqrt(points / (np.arange(points) + 0.5))) / (3 * quartile) + 1 / excess[-1]
    shapes = np.log1p(-grid[:, None] * excess).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        profile = count * (np.log(-grid / shapes) - shapes - 1)
        weight = np.exp(profile - profile.max())
        weight /= weight.sum()
        weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
        best = float((grid * weight).sum() / weight.sum())
        shape = float(np.log1p(-best * excess).mean())
    if not np.isfinite(shape):
        return np.inf, np.nan
    return (count * shape + 5.0) / (count + 10.0), -shape / best


def effective(log_weights: Floats) -> float:
    """Effective number of normalised weights: one over the sum of their squares (Kong 1992)."""
    return float(1.0 / np.exp(2 * log_weights).sum())


def resample(log_weights: Floats, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Places of ``count`` draws with these weights, in random order, by systematic resampling.

    Each place comes as often as its weight says, rounded down or up, so that means over the draws are unbiased and a heavy
    draw stands there several times.
    """
    steps = (np.arange(count) + rng.uniform()) / count
    edges = np.cumsum(np.exp(log_weights))
    places = np.searchsorted(edges / edges[-1], steps)
    return rng.permutation(np.minimum(places, len(log_weights) - 1))
