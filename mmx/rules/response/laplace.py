"""The quick path: effects integrated out by Laplace's method, scales weighed at points of their own.

For scales theta and effects x,

    log p(theta | data) ~ max_x log p(theta, x, data) - 1/2 log det H(theta) + const,   H = -d2/dx2 log p at the maximum

(Tierney and Kadane 1986; Rue, Martino and Chopin 2009). Scales are searched and drawn in coordinates in which their prior is
normal (``coordinates``). Points come from the law at the maximum and, while weights are uneven, from laws of the points before
(``proposals``); each is weighed by the approximation, weights are Pareto-smoothed, and each kept point gets a draw of x from
its normal law. H is an arrow (``arrow``): a step of Newton's method costs some milliseconds at 20 ad sets and 120 days. One
compiled function does all of it; derivatives by theta, of which there are few, are differences (``climb``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.jax_setup import jax
from mmx.rules.response.climb import Evaluation, Function, Maximum, maximum
from mmx.rules.response.coordinates import Coordinates, coordinates
from mmx.rules.response.density import Inputs
from mmx.rules.response.effects import compiled, root_of, vectors_of
from mmx.rules.response.proposals import Law, Split, adapted, mixture, smoothed, systematic
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]

NEVER = -1e12  # Log density of scales at which the effects have no maximum.
PROBE = 1.5  # Standard deviations from the maximum at which the width of a half is measured.
STRETCH = (0.5, 3.0)
FIRST = -0.3  # Where the search over scales begins: a little below the prior's median.
ROUNDS = 4  # Laws that points are drawn from, at most.


@dataclass(frozen=True)
class Laplace:
    """Draws of the quick path.

    Attributes
    ----------
    q : array, (draw, dim)
        Unconstrained vectors, equally weighted.
    khat : float
        Pareto k of the weights over scales.
    points : int
        At which scales were weighed.
    effective : float
        Effective number of the weighted points.
    converged : bool
        Whether the search over scales ended at a maximum.
    top : Maximum
        The largest marginal density over scales, in the coordinates of ``coordinates``: where a fit of similar data may begin.
    """

    q: Floats
    khat: float
    points: int
    effective: float
    converged: bool
    top: Maximum


class _Marginal:
    """Laplace's value of scales in normal coordinates, with the effects it was found at."""

    def __init__(self, structure: Structure, inputs: Inputs) -> None:
        self.size = structure.dim - structure.hyper_size
        self._arrays, self._function = jax.device_put(inputs), compiled(structure)
        self._coordinates = coordinates(structure, inputs)

    def drawn(self, z: Floats, x: Floats, normals: Floats) -> tuple[float, Floats, Floats]:
        """Value, effects of the largest density, and an unconstrained vector with effects drawn from their normal law."""
        theta = self._coordinates.scales(z)
        value, best, vector = self._function(theta, self._arrays, x, normals)
        height = float(value) + float(self._coordinates.log_volume(z))
        return (height, np.asarray(best), np.asarray(vector)) if np.isfinite(height) else (NEVER, x, np.asarray(vector))

    def __call__(self, z: Floats, x: Floats) -> Evaluation:
        return Evaluation(*self.drawn(z, x, np.zeros(self.size))[:2])


def sample(structure: Structure, inputs: Inputs, draws: int, proposals: int, seed: int, start: Floats | None = None) -> Laplace:
    """Draw from the approximate posterior of one part.

    Parameters
    ----------
    structure, inputs
        Of ``data.prepare``.
    draws, proposals : int
        Draws that are kept, and points of one round; there is another, at most ``ROUNDS`` in all, while the Pareto k of the
        weights is above what their number can bear (Vehtari et al. 2024: the smaller of .7 and 1 - 1 / log10(points)).
    seed : int
    start : array, (hyper_size,), optional
        ``top.theta`` of a fit of similar data.

    Returns
    -------
    Laplace
    """
    function, none = _Marginal(structure, inputs), np.zeros(structure.dim - structure.hyper_size)
    first = np.full(structure.hyper_size, FIRST) if start is None else start
    top = maximum(function, first, none, structure.slices["dispersion"].start)
    rng = np.random.default_rng([seed % 2**32, 29])
    directions = _spread(top.hessian)
    split = Split(top.theta, directions, _stretch(function, top, directions))
    laws: list[Law] = [split]
    z, values, vectors = np.empty((0, len(first))), np.empty(0), np.empty((0, structure.dim))
    for _ in range(ROUNDS):
        fresh = laws[-1].draw(proposals, rng)
        found = [
            function.drawn(point, top.x + top.slopes @ (point - top.theta), rng.standard_normal(len(none))) for point in fresh
        ]
        z, values = np.concatenate([z, fresh]), np.concatenate([values, [entry[0] for entry in found]])
        vectors = np.concatenate([vectors, [entry[2] for entry in found]])
        weights, khat = smoothed(values - mixture(laws, z))
        if khat <= min(0.7, 1.0 - 1.0 / np.log10(len(z))):
            break
        laws.append(adapted(z, weights, split))
    chosen = systematic(weights, draws, rng)
    return Laplace(vectors[chosen], khat, len(z), float(1.0 / np.square(weights).sum()), top.found, top)


def normal_draws(structure: Structure, inputs: Inputs, top: Maximum, draws: int, seed: int) -> Floats:
    """Unconstrained vectors of the normal law at the maximum, (draw, dim): a first guess of a sampler's metric."""
    known: Coordinates = coordinates(structure, inputs)
    root = np.asarray(root_of(structure)(known.scales(top.theta), jax.device_put(inputs), top.x))
    rng = np.random.default_rng([seed % 2**32, 41])
    moves = rng.standard_normal((draws, len(top.theta))) @ _spread(top.hessian).T
    x = top.x + moves @ top.slopes.T + rng.standard_normal((draws, len(top.x))) @ root
    return np.asarray(vectors_of(structure)(known.scales(top.theta + moves), x))


def _spread(hessian: Floats) -> Floats:
    """Factor of the covariance over scales; directions that are flat or curved upward get the prior's standard deviation."""
    values, directions = np.linalg.eigh(hessian)
    found: Floats = directions / np.sqrt(np.maximum(values, 1.0))
    return found


def _stretch(function: Function, top: Maximum, directions: Floats) -> Floats:
    """By how much the law is wider than its curvature says, below and above the maximum in each direction, (2, direction)."""
    best = function(top.theta, top.x).value
    found = np.ones((2, directions.shape[1]))
    for side, sign in enumerate((-1.0, 1.0)):
        for k, direction in enumerate(directions.T):
            move = sign * PROBE * direction
            drop = best - function(top.theta + move, top.x + top.slopes @ move).value
            found[side, k] = np.clip(PROBE / np.sqrt(2.0 * max(drop, 1e-3)), *STRETCH) if np.isfinite(drop) else 1.0
    return found
