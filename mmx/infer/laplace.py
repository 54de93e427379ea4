"""Laplace's approximation: a normal distribution at the posterior's mode, corrected by importance sampling.

The mode is the best that L-BFGS reaches from several points, polished by Newton steps; the precision is minus the Hessian
there, by central differences of the gradient. All of it lies in the unconstrained space. A quick look, not a posterior: see
``mmx.infer.approximation``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.infer.approximation import Gradient, corrected, gradient_of, log_densities
from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Progress, Target, initial_point
from mmx.infer.whiten import Affine, of_covariance
from mmx.spec import SamplerSettings

Floats = npt.NDArray[np.float64]
STEP = float(np.finfo(float).eps ** (1 / 3))  # Balances rounding and curvature of a central difference.
NEWTON_STEPS = 3


@dataclass(frozen=True)
class Mode:
    """A mode with its curvature.

    Attributes
    ----------
    point : array, (dim,)
    log_density : float
    covariance : array, (dim, dim)
        Inverse of minus the Hessian; directions in which the density does not fall have the curvature of the priors, one.
    gradients : int
        Number of gradient evaluations.
    """

    point: Floats
    log_density: float
    covariance: Floats
    gradients: int


def sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, cores: int, progress: Progress | None
) -> Draws:
    """Draw from Laplace's approximation, weighted; see ``mmx.infer.sample``."""
    began = time.perf_counter()
    gradient = gradient_of(target)
    gradient(np.zeros(target.dim))
    compiled_after = time.perf_counter() - began
    began = time.perf_counter()
    keys = range(seed, seed + settings.chains) if start is None else start.keys
    mode = find(gradient, [initial_point(target.dim, key, start) for key in keys])
    affine = of_covariance(mode.point, mode.covariance)
    z = np.random.default_rng([seed % 2**32, 5]).standard_normal((settings.proposals, target.dim))
    proposals = affine.forward(z)
    log_target = log_densities(gradient, proposals, cores)
    seconds = {"compile": compiled_after, "sample": time.perf_counter() - began}
    return corrected(proposals, log_target, log_normal(affine, z), settings, seed=seed, seconds=seconds)


def log_normal(affine: Affine, z: Floats) -> Floats:
    """Log density of ``mean + factor z`` with ``z`` (sample, dim) standard normal: (sample,)."""
    constant = 0.5 * z.shape[1] * np.log(2 * np.pi) + np.log(np.diag(affine.factor)).sum()
    value: Floats = -0.5 * (z**2).sum(axis=1) - constant
    return value


def find(gradient: Gradient, points: list[Floats]) -> Mode:
    """Find the best mode that is reached from some starting points.

    Parameters
    ----------
    gradient : callable
        ``q -> (log density, gradient)``.
    points : list of array, (dim,)

    Raises
    ------
    ValueError
        If the density is finite nowhere on the way.
    """
    from scipy.optimize import minimize

    count = 0

    def negative(q: Floats) -> tuple[float, Floats]:
        nonlocal count
        count += 1
        value, slope = gradient(q)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return np.inf, np.zeros_like(q)
        return -value, -slope

    found = [minimize(negative, p, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "maxcor": 20}) for p in points]
    best = min(found, key=lambda f: float(f.fun))
    if not np.isfinite(best.fun):
        raise ValueError("the log density is finite at no starting point: the model or its data are wrong")
    point, value = np.asarray(best.x), -float(best.fun)
    for _ in range(NEWTON_STEPS):
        covariance = _covariance(hessian(negative, point))
        ahead = point - covariance @ negative(point)[1]
        reached = -negative(ahead)[0]
        if not reached > value:
            break
        point, value = ahead, reached
    return Mode(point, value, _covariance(hessian(negative, point)), count)


def hessian(gradient: Gradient, point: Floats) -> Floats:
    """Second derivatives (dim, dim) by central differences of the gradient."""
    rows = []
    for i, centre in enumerate(point):
        step = np.zeros(len(point))
        step[i] = STEP * max(1.0, abs(centre))
        rows.append((gradient(point + step)[1] - gradient(point - step)[1]) / (2 * step[i]))
    matrix = np.array(rows)
    symmetric: Floats = 0.5 * (matrix + matrix.T)
    return symmetric


def _covariance(precision: Floats) -> Floats:
    """Inverse of a precision; directions without positive curvature get that of a standard normal."""
    values, vectors = np.linalg.eigh(precision)
    floor = len(values) * np.finfo(float).eps ** (2 / 3) * values.max()
    covariance: Floats = (vectors / np.where(values > floor, values, 1.0)) @ vectors.T
    return 0.5 * (covariance + covariance.T)
