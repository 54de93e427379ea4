"""The quick path: effects integrated out by Laplace's method, scales weighed at points of their own.

For scales theta and effects x,

    log p(theta | data) ~ max_x log p(theta, x, data) - 1/2 log det H(theta) + const,   H = -d2/dx2 log p at the maximum

(Tierney and Kadane 1986; Rue, Martino and Chopin 2009). The maximum over theta and the curvature there give a law of two halves
in each direction (Martins, Simpson, Lindgren and Rue 2013), from which points are drawn; each is weighed by the approximation,
weights are Pareto-smoothed, and each kept point gets a draw of x from its normal law. H is an arrow (``arrow``): a step of
Newton's method costs some milliseconds at 20 ad sets and 120 days. One compiled function does all of it; derivatives by theta,
of which there are few, are differences (``climb``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.jax_setup import jax
from mmx.rules.response.climb import Evaluation, Maximum, maximum
from mmx.rules.response.density import Inputs
from mmx.rules.response.effects import compiled, root_of, vectors_of
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]

NEVER = -1e12  # Log density of scales at which the effects have no maximum.
PROBE = 1.5  # Standard deviations from the maximum at which the width of a half is measured.
STRETCH = (0.5, 3.0)
FREEDOM = 8.0  # Degrees of freedom of the law that points are drawn from.


@dataclass(frozen=True)
class Laplace:
    """Draws of the quick path.

    Attributes
    ----------
    q : array, (draw, dim)
        Unconstrained vectors, equally weighted.
    khat : float
        Pareto k of the weights over scales.
    effective : float
        Effective number of the weighted points.
    converged : bool
        Whether the search over scales ended at a maximum.
    top : Maximum
        The largest marginal density over scales: where a fit of similar data may begin.
    """

    q: Floats
    khat: float
    effective: float
    converged: bool
    top: Maximum


def sample(structure: Structure, inputs: Inputs, draws: int, proposals: int, seed: int, start: Floats | None = None) -> Laplace:
    """Draw from the approximate posterior of one part.

    Parameters
    ----------
    structure, inputs
        Of ``data.prepare``.
    draws, proposals : int
        Draws that are kept, and points at which the scales are weighed.
    seed : int
    start : array, (hyper_size,), optional
        ``top.theta`` of a fit of similar data.

    Returns
    -------
    Laplace
    """
    arrays, size = jax.device_put(inputs), structure.dim - structure.hyper_size
    function, none = compiled(structure), np.zeros(size)

    def evaluate(theta: Floats, x: Floats) -> Evaluation:
        value, best, _ = function(theta, arrays, x, none)
        return Evaluation(float(value), np.asarray(best)) if np.isfinite(value) else Evaluation(NEVER, np.asarray(x))

    top = maximum(
        evaluate, first_scales(structure, inputs) if start is None else start, none, structure.slices["dispersion"].start
    )
    rng = np.random.default_rng([seed % 2**32, 29])
    normals = rng.standard_normal((proposals, len(top.theta)))
    normals /= np.sqrt(rng.chisquare(FREEDOM, size=(proposals, 1)) / FREEDOM)
    directions = _spread(top.hessian)
    stretch = _stretch(evaluate, top, directions)[(normals > 0).astype(int), np.arange(len(top.theta))]
    moves = (normals * stretch) @ directions.T
    values, vectors = np.empty(proposals), np.empty((proposals, structure.dim))
    for i, move in enumerate(moves):
        begin = top.x + top.slopes @ move
        values[i], _, vectors[i] = function(top.theta + move, arrays, begin, rng.standard_normal(size))
    log_proposal = -0.5 * (FREEDOM + len(top.theta)) * np.log1p(np.square(normals).sum(axis=1) / FREEDOM) - np.log(stretch).sum(
        axis=1
    )
    weights, khat = _smoothed(values - log_proposal)
    chosen = _systematic(weights, draws, rng)
    return Laplace(vectors[chosen], khat, float(1.0 / np.square(weights).sum()), top.found, top)


def normal_draws(structure: Structure, inputs: Inputs, top: Maximum, draws: int, seed: int) -> Floats:
    """Unconstrained vectors of the normal law at the maximum, (draw, dim): a first guess of a sampler's metric."""
    root = np.asarray(root_of(structure)(top.theta, jax.device_put(inputs), top.x))
    rng = np.random.default_rng([seed % 2**32, 41])
    moves = rng.standard_normal((draws, len(top.theta))) @ _spread(top.hessian).T
    x = top.x + moves @ top.slopes.T + rng.standard_normal((draws, len(top.x))) @ root
    return np.asarray(vectors_of(structure)(top.theta + moves, x))


def first_scales(structure: Structure, inputs: Inputs) -> Floats:
    """Half the prior's scale for every standard deviation, correlation 1/2."""
    parts = []
    for name, size, transform in structure.hyper:
        scale = np.broadcast_to(np.asarray(inputs["prior"][name]), (size,)) if transform == "log" else np.full(size, 2.0)
        parts.append(np.log(0.5 * scale))
    return np.concatenate(parts)


def _spread(hessian: Floats) -> Floats:
    """Factor of the covariance over scales; directions that are flat or curved upward get a standard deviation of two."""
    values, directions = np.linalg.eigh(hessian)
    found: Floats = directions / np.sqrt(np.maximum(values, 0.25))
    return found


def _stretch(function: Callable[[Floats, Floats], Evaluation], top: Maximum, directions: Floats) -> Floats:
    """By how much the law is wider than its curvature says, below and above the maximum in each direction, (2, direction)."""
    best = function(top.theta, top.x).value
    found = np.ones((2, directions.shape[1]))
    for side, sign in enumerate((-1.0, 1.0)):
        for k, direction in enumerate(directions.T):
            move = sign * PROBE * direction
            drop = best - function(top.theta + move, top.x + top.slopes @ move).value
            found[side, k] = np.clip(PROBE / np.sqrt(2.0 * max(drop, 1e-3)), *STRETCH) if np.isfinite(drop) else 1.0
    return found


def _smoothed(log_weights: Floats) -> tuple[Floats, float]:
    """Pareto-smoothed weights that sum to one, and the k of their tail."""
    from arviz_stats.base.array import array_stats

    finite = np.where(np.isfinite(log_weights), log_weights, -1e300)
    smoothed, khat = array_stats.psislw(-finite)  # It takes the log of the inverse.
    weights = np.exp(smoothed - smoothed.max())
    total: Floats = weights / weights.sum()
    return total, float(khat)


def _systematic(weights: Floats, draws: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Systematic resampling: each point as often as its weight says, give or take one; in random order."""
    places = (rng.uniform() + np.arange(draws)) / draws
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    return rng.permutation(chosen)
