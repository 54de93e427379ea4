"""A customer's optimum and how well it is known, from the trials of one search.

The optimum maximises the surrogate ``f(x) = mean_f f_f(x)``. As an estimate it is that of estimating equations, so its
precision is that of the sandwich ``H^-1 J H^-1``: with ``H`` the curvature there and ``J`` the covariance of the mean gradient
over folds, ``P = H J^-1 H`` (Huber 1967). Stated as a precision, a direction in which the surrogate is flat weighs nothing.
``J`` comes from a block bootstrap over folds, whose covariance of a mean has a closed form, plus the surrogate's own noise. A
coordinate whose optimum is at the end of the search says only that it lies beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mmx.rules.pooling.smoother import Floats, Surrogate, choose, process, quadratic
from mmx.tune_settings import OptimumSettings

STARTS = 8  # Best trials from which the optimum is sought.
FLAT = 1e-9  # Of the largest curvature: less is rounding.


@dataclass(frozen=True)
class Optimum:
    """What one customer's trials say.

    Attributes
    ----------
    point : array, (coordinate,)
        Optimum in unconstrained coordinates, within ``[-edge, edge]``.
    precision : array, (coordinate, coordinate)
        Of the point, positive semi-definite; rows of coordinates at an end are zero.
    side : array, (coordinate,)
        1 or -1 where the optimum is at the upper or lower end, 0 elsewhere.
    error : array, (coordinate,)
        Standard error of the distance to what lies beyond, where ``side`` is not 0, else 1.
    surrogate, fit : str, float
        Which one was taken, and its leave-one-out error over the standard deviation of the scores.
    """

    point: Floats
    precision: Floats
    side: Floats
    error: Floats
    surrogate: str
    fit: float


def find_optimum(points: Floats, scores: Floats, settings: OptimumSettings, seed: int) -> Optimum:
    """Optimum of one customer.

    Parameters
    ----------
    points : array, (trial, coordinate)
        Unconstrained coordinates (``Space.to_free``) of trials that keep the constraints.
    scores : array, (trial, fold)
        To be maximised.
    settings : OptimumSettings
    seed : int
        Of a Gaussian process.

    Raises
    ------
    ValueError
        With fewer than three folds, or fewer trials than coordinates.
    """
    if scores.shape[1] < 3 or len(points) <= points.shape[1]:
        raise ValueError(f"needs three folds and more trials than coordinates; it has {scores.shape[1]} and {len(points)}")
    near = np.argsort(-scores.mean(axis=1), kind="stable")[: max(points.shape[1] + 2, round(settings.share * len(points)))]
    points, scores = np.clip(points[near], -settings.edge, settings.edge), scores[near]
    candidates = [quadratic(points, scores, settings.penalties, interactions=both) for both in (False, True)]
    if settings.processes:
        candidates.append(process(points, scores, seed))
    surrogate = choose(candidates)
    point = maximum(surrogate, points[:STARTS], settings.edge)
    slope = surrogate.gradient(point)
    covariance = fold_covariance(slope, settings.block) + surrogate.noise(point)
    at_end = np.abs(point) > settings.edge - 1e-6
    curvature = -surrogate.hessian(point)
    own = np.diag(curvature)
    error = np.where(own > 0.0, np.sqrt(np.diag(covariance)) / np.where(own > 0.0, own, 1.0), np.inf)
    told = at_end & (error < 2.0 * settings.edge)  # Where less is known than the width of the search, nothing is said.
    side = np.where(told, np.sign(point), 0.0)
    precision = sandwich(curvature, covariance, ~at_end)
    return Optimum(point, precision, side, np.where(told, error, 1.0), surrogate.kind, surrogate.error)


def maximum(surrogate: Surrogate, starts: Floats, edge: float) -> Floats:
    """Where the mean over folds is largest within ``[-edge, edge]``, the best of several ascents, (coordinate,)."""

    def loss(x: Floats) -> tuple[float, Floats]:
        return -float(surrogate.value(x).mean()), -surrogate.gradient(x).mean(axis=0)

    bounds = [(-edge, edge)] * starts.shape[1]
    found = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    point: Floats = min(found, key=lambda result: float(result.fun)).x
    return point


def fold_covariance(gradients: Floats, block: int) -> Floats:
    """Covariance of the mean over folds by the circular block bootstrap, (coordinate, coordinate), shrunk to its diagonal.

    Blocks of neighbours, the last followed by the first, are drawn until there are as many folds as before; the covariance of
    the mean over such draws is that of the block means times ``block / folds`` (Politis and Romano 1992). It is corrected by
    ``folds / (folds - block)`` for the mean that was estimated, and by ``(folds - 1) / (folds - 3)``, the variance of Student's
    distribution, because the covariance is estimated as well. Few folds leave most correlations unknown: they are shrunk
    towards 0 by as much as their own error suggests (Schaefer and Strimmer 2005).

    Parameters
    ----------
    gradients : array, (fold, coordinate)
    block : int
    """
    folds = len(gradients)
    block = min(block, folds - 1)
    means = np.mean([np.roll(gradients, -shift, axis=0) for shift in range(block)], axis=0)
    centred = means - means.mean(axis=0)
    covariance = centred.T @ centred / folds * block / (folds - block)
    covariance = covariance * ((folds - 1) / (folds - 3) if folds > 3 else 1.0)
    return _shrunk(covariance, centred)


def _shrunk(covariance: Floats, centred: Floats) -> Floats:
    """Correlations times ``1 - lambda``, ``lambda = sum Var(r_ij) / sum r_ij^2`` over pairs, from standardised products."""
    spread = centred.std(axis=0)
    z = centred / np.where(spread > 0.0, spread, 1.0)
    products = z[:, :, None] * z[:, None, :]
    mean, folds = products.mean(axis=0), len(z)
    variance = np.square(products - mean).sum(axis=0) / (folds * (folds - 1))
    off = ~np.eye(len(spread), dtype=bool)
    total = float(np.square(mean[off]).sum())
    shrink = 1.0 if total == 0.0 else float(np.clip(variance[off].sum() / total, 0.0, 1.0))
    shrunk: Floats = covariance * np.where(off, 1.0 - shrink, 1.0)
    return shrunk


def sandwich(curvature: Floats, covariance: Floats, inner: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """Precision ``H J^-1 H`` over the inner coordinates, zero elsewhere; directions that curve upwards count as flat.

    It is formed in the directions that are curved, ``V D (V' J V)^-1 D V'``: what the gradient does in a flat one says nothing.
    """
    precision = np.zeros_like(curvature)
    if inner.any():
        own = np.ix_(inner, inner)
        values, vectors = np.linalg.eigh(curvature[own])
        curved = values > FLAT * max(float(values.max()), 0.0)
        bent, along = values[curved], vectors[:, curved]
        noise = along.T @ covariance[own] @ along
        jitter = (1e-12 * float(np.trace(noise)) + 1e-300) * np.eye(len(bent))
        precision[own] = along @ (bent[:, None] * np.linalg.solve(noise + jitter, np.diag(bent))) @ along.T
    return 0.5 * (precision + precision.T)
