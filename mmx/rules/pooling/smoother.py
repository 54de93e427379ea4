"""Smooth surrogates of a search's scores: quadratics with ridge, Gaussian processes, chosen by leave-one-out error.

Scores of rules are piecewise constant in the parameters, so their slopes say nothing; a smooth function of the parameters that
predicts them does. Each surrogate is linear in the scores, ``f(x) = a(x)' y``, so that one fit serves all folds, and its exact
leave-one-out residual is ``r_i / (1 - h_ii)`` with ``h`` the diagonal of its smoother matrix.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surrogate:
    """A smooth function per fold.

    Attributes
    ----------
    kind : str
        ``separable``, ``quadratic`` or ``process``.
    error : float
        Root mean square leave-one-out error of the mean over folds, over the standard deviation of the scores.
    value : callable
        ``x (coordinate,) -> (fold,)``.
    gradient : callable
        ``x -> (fold, coordinate)``.
    hessian : callable
        ``x -> (coordinate, coordinate)``, of the mean over folds, without what is noise of the fit.
    noise : callable
        ``x -> (coordinate, coordinate)``: covariance of the mean gradient that comes of what the surrogate does not fit.
    """

    kind: str
    error: float
    value: Callable[[Floats], Floats]
    gradient: Callable[[Floats], Floats]
    hessian: Callable[[Floats], Floats]
    noise: Callable[[Floats], Floats]


def quadratic(points: Floats, scores: Floats, penalties: tuple[float, ...], *, interactions: bool) -> Surrogate:
    """Least squares on ``1, x, x^2`` (and ``x_i x_j``) with a ridge on all but the constant.

    Curvatures are shrunk by their own error, ``c max(0, 1 - var(c) / c^2)``: a coordinate without effect is flat.

    Parameters
    ----------
    points : array, (trial, coordinate)
    scores : array, (trial, fold)
    penalties : tuple of float
        Candidate ridges in units of the trials; the one with the smallest leave-one-out error is taken.
    interactions : bool
    """
    centre, scale = points.mean(axis=0), points.std(axis=0) + 1e-12
    d = points.shape[1]
    first, second = np.triu_indices(d) if interactions else (np.arange(d), np.arange(d))

    def features(z: Floats) -> Floats:
        return np.concatenate([z, z[..., first] * z[..., second]], axis=-1)

    design = features((points - centre) / scale)
    middle = design.mean(axis=0)
    left, size, right = np.linalg.svd(design - middle, full_matrices=False)
    target = scores - scores.mean(axis=0)
    along = left.T @ target
    best: tuple[float, float] | None = None
    for penalty in penalties:
        shrink = size**2 / (size**2 + penalty * len(points))
        residual = (target - left @ (shrink[:, None] * along)).mean(axis=1)
        leverage = 1.0 / len(points) + (left**2) @ shrink
        loo = float(np.sqrt(np.mean((residual / np.maximum(1.0 - leverage, 1e-3)) ** 2)))
        if best is None or loo < best[0]:
            best = (loo, penalty)
    assert best is not None
    loo, penalty = best
    weight = size / (size**2 + penalty * len(points))
    coefficients = right.T @ (weight[:, None] * along)  # (feature, fold)
    spread = (right.T * weight**2) @ right * loo**2  # Of the coefficients, from what is not fitted.
    constant = scores.mean(axis=0) - middle @ coefficients

    def slopes(x: Floats) -> Floats:
        z = (x - centre) / scale
        jacobian = np.zeros((d, d + len(first)))
        jacobian[:, :d] = np.eye(d)
        np.add.at(jacobian, (first, d + np.arange(len(first))), z[second])
        np.add.at(jacobian, (second, d + np.arange(len(first))), z[first])
        return jacobian / scale[:, None]

    mean, variance = coefficients.mean(axis=1)[d:], np.diag(spread)[d:]
    known = mean * np.maximum(0.0, 1.0 - variance / np.maximum(mean**2, 1e-300))

    def hessian(x: Floats) -> Floats:
        curved = np.zeros((d, d))
        np.add.at(curved, (first, second), known)
        np.add.at(curved, (second, first), known)
        return curved / np.outer(scale, scale)

    return Surrogate(
        kind="quadratic" if interactions else "separable",
        error=loo / (float(scores.mean(axis=1).std()) + 1e-300),
        value=lambda x: constant + features((x - centre) / scale) @ coefficients,
        gradient=lambda x: (slopes(x) @ coefficients).T,
        hessian=hessian,
        noise=lambda x: slopes(x) @ spread @ slopes(x).T,
    )


def process(points: Floats, scores: Floats, seed: int) -> Surrogate:
    """A Gaussian process with a squared exponential kernel, a length per coordinate (scikit-learn's marginal likelihood).

    Parameters
    ----------
    points : array, (trial, coordinate)
    scores : array, (trial, fold)
    seed : int
        Of the restart of its optimiser.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    spread = float(scores.mean(axis=1).std()) + 1e-300
    level = scores.mean(axis=0)
    target = (scores - level) / spread
    lengths = np.full(points.shape[1], 2.0 * np.sqrt(points.shape[1]))
    kernel = ConstantKernel(4.0, (1e-2, 1e4)) * RBF(lengths, (0.3, 100.0)) + WhiteKernel(0.1, (1e-6, 10.0))
    with warnings.catch_warnings():  # That a length reached its bound: the coordinate has no effect.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        model = GaussianProcessRegressor(kernel, random_state=seed).fit(points, target.mean(axis=1))
    amplitude, length = float(model.kernel_.k1.k1.constant_value), np.asarray(model.kernel_.k1.k2.length_scale)
    nugget = float(model.kernel_.k2.noise_level)

    def near(x: Floats) -> Floats:
        return amplitude * np.exp(-0.5 * np.square((points - x) / length).sum(axis=1))

    apart = np.square((points[:, None, :] - points[None, :, :]) / length).sum(axis=2)
    inverse = np.linalg.inv(amplitude * np.exp(-0.5 * apart) + nugget * np.eye(len(points)))
    weights = inverse @ target  # (trial, fold)
    loo = weights.mean(axis=1) / np.diag(inverse)
    mean = weights.mean(axis=1)

    def slopes(x: Floats) -> Floats:
        pulled: Floats = near(x)[:, None] * (points - x) / length**2  # (trial, coordinate)
        return pulled

    def hessian(x: Floats) -> Floats:
        away = (points - x) / length**2
        pull = near(x) * mean
        curved: Floats = spread * (np.einsum("n,ni,nj->ij", pull, away, away) - pull.sum() * np.diag(1.0 / length**2))
        return curved

    def noise(x: Floats) -> Floats:
        own = slopes(x)
        return spread**2 * (amplitude * np.diag(1.0 / length**2) - own.T @ inverse @ own)

    return Surrogate(
        kind="process",
        error=float(np.sqrt(np.mean(loo**2))),
        value=lambda x: level + spread * (near(x) @ weights),
        gradient=lambda x: spread * (slopes(x).T @ weights).T,
        hessian=hessian,
        noise=noise,
    )


def choose(candidates: list[Surrogate]) -> Surrogate:
    """The one with the smallest leave-one-out error."""
    return min(candidates, key=lambda surrogate: surrogate.error)
