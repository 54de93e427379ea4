"""Multi-path Pathfinder: normal approximations along the paths of an optimiser, corrected by importance sampling.

Each path is an L-BFGS run from its own starting point. Its history of steps and gradient changes gives a low-rank estimate of
the covariance at every iterate; the iterate whose normal distribution has the largest evidence bound stands for the path.
Proposals come from all paths alike and are weighted by their mixture. A quick look, not a posterior: see
``mmx.infer.approximation``. Source: Zhang, Carpenter, Gelman and Vehtari (2022), Pathfinder: parallel quasi-Newton variational
inference, algorithms 1-5.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.infer.approximation import Gradient, corrected, gradient_of, log_densities
from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Progress, Target, initial_point
from mmx.spec import SamplerSettings

Floats = npt.NDArray[np.float64]
PATHS = 8
HISTORY = 6
BOUND_DRAWS = 10  # Per iterate, for its evidence bound.


@dataclass(frozen=True)
class Normal:
    """A normal distribution whose covariance is ``diag(alpha) + beta gamma beta'``, by its factors.

    Attributes
    ----------
    mean, root : array, (dim,)
        ``root`` is the square root of ``alpha``.
    basis : array, (dim, rank)
        Orthonormal.
    inner : array, (rank, rank)
        Lower triangular: the covariance is ``R (I + Q (L L' - I) Q') R`` with the root, basis and inner factor.
    """

    mean: Floats
    root: Floats
    basis: Floats
    inner: Floats

    def forward(self, u: Floats) -> Floats:
        """Points (sample, dim) of standard normal ones."""
        along = u @ self.basis
        points: Floats = self.mean + self.root * (u + (along @ self.inner.T - along) @ self.basis.T)
        return points

    def log_density(self, q: Floats) -> Floats:
        """Log density at points (sample, dim): (sample,)."""
        from scipy.linalg import solve_triangular

        scaled = (q - self.mean) / self.root
        along = scaled @ self.basis
        inside = solve_triangular(self.inner, along.T, lower=True)
        square = (scaled**2).sum(axis=1) - (along**2).sum(axis=1) + (inside**2).sum(axis=0)
        log_root = np.log(self.root).sum() + np.log(np.diag(self.inner)).sum()
        value: Floats = -0.5 * square - log_root - 0.5 * len(self.mean) * np.log(2 * np.pi)
        return value


def sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, cores: int, progress: Progress | None
) -> Draws:
    """Draw from the mixture of the paths' approximations, weighted; see ``mmx.infer.sample``."""
    began = time.perf_counter()
    gradient = gradient_of(target)
    gradient(np.zeros(target.dim))
    compiled_after = time.perf_counter() - began
    began = time.perf_counter()
    rng = np.random.default_rng([seed % 2**32, 3])
    if start is None:
        points = [initial_point(target.dim, seed + path) for path in range(PATHS)]
    else:
        points = [start.points[path % len(start.points)] for path in range(PATHS)]
    normals = [n for n in (best_on_path(gradient, point, rng) for point in points) if n is not None]
    if not normals:
        raise ValueError("no path of Pathfinder reached a point with a finite density: the model or its data are wrong")
    share = -(-settings.proposals // len(normals))
    proposals = np.concatenate([n.forward(rng.standard_normal((share, target.dim))) for n in normals])
    log_proposal = np.logaddexp.reduce([n.log_density(proposals) for n in normals], axis=0) - np.log(len(normals))
    log_target = log_densities(gradient, proposals, cores)
    seconds = {"compile": compiled_after, "sample": time.perf_counter() - began}
    return corrected(proposals, log_target, log_proposal, settings, seed=seed, seconds=seconds)


def best_on_path(gradient: Gradient, point: Floats, rng: np.random.Generator) -> Normal | None:
    """Approximation with the largest evidence bound along one path; None where there is none."""
    points, slopes = path(gradient, point)
    alpha = np.ones(len(point))
    steps: list[Floats] = []
    changes: list[Floats] = []
    best, highest = None, -np.inf
    for before, after, slope_before, slope in zip(points[:-1], points[1:], slopes[:-1], slopes[1:], strict=True):
        step, change = after - before, slope_before - slope
        if step @ change > 1e-12 * (change @ change):  # The curvature condition of algorithm 3.
            alpha = _diagonal(alpha, step, change)
            steps, changes = [*steps, step][-HISTORY:], [*changes, change][-HISTORY:]
        if not steps:
            continue
        normal = _normal(after, slope, alpha, np.array(steps).T, np.array(changes).T)
        if normal is None:
            continue
        q = normal.forward(rng.standard_normal((BOUND_DRAWS, len(point))))
        bound = float((log_densities(gradient, q, 1) - normal.log_density(q)).mean())
        if bound > highest:
            best, highest = normal, bound
    return best


def path(gradient: Gradient, point: Floats) -> tuple[Floats, Floats]:
    """Iterates of L-BFGS and the gradients of the log density there, (iterate, dim) each."""
    from scipy.optimize import minimize

    def negative(q: Floats) -> tuple[float, Floats]:
        value, slope = gradient(q)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return np.inf, np.zeros_like(q)
        return -value, -slope

    points = [point]
    minimize(
        negative,
        point,
        jac=True,
        method="L-BFGS-B",
        callback=lambda q: points.append(np.array(q)),
        options={"maxiter": 1000, "maxcor": HISTORY},
    )
    return np.array(points), np.array([gradient(q)[1] for q in points])


def _diagonal(alpha: Floats, step: Floats, change: Floats) -> Floats:
    """Update the diagonal of the inverse Hessian: Gilbert and Lemarechal (1989), algorithm 3 of the paper."""
    a, b, c = change @ (alpha * change), change @ step, step @ (step / alpha)
    updated: Floats = 1.0 / (a / (b * alpha) + change**2 / b - a * step**2 / (b * c * alpha**2))
    return updated if np.isfinite(updated).all() and (updated > 0).all() else alpha


def _normal(point: Floats, slope: Floats, alpha: Floats, steps: Floats, changes: Floats) -> Normal | None:
    """Normal approximation at an iterate from the last steps and gradient changes, (dim, history) each; algorithm 4."""
    products = np.triu(steps.T @ changes)
    diagonal = np.diag(products)
    if not (diagonal > 0).all():
        return None
    inverse = np.linalg.inv(products)
    corner = inverse.T @ (np.diag(diagonal) + changes.T @ (alpha[:, None] * changes)) @ inverse
    beta = np.hstack([alpha[:, None] * changes, steps])
    gamma = np.block([[np.zeros_like(inverse), -inverse], [-inverse.T, corner]])
    root = np.sqrt(alpha)
    basis, triangle = np.linalg.qr(beta / root[:, None])
    try:
        inner = np.linalg.cholesky(np.eye(basis.shape[1]) + triangle @ gamma @ triangle.T)
    except np.linalg.LinAlgError:
        return None
    mean = point + alpha * slope + beta @ (gamma @ (beta.T @ slope))
    return Normal(mean, root, basis, inner) if np.isfinite(mean).all() else None
