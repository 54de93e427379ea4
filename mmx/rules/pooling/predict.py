"""From the pool to a new customer: predictive draws, points to start a search from, and what its own trials add."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import norm

from mmx.rules.parameters import Space
from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.pool import PooledParameters, conditional
from mmx.rules.pooling.smoother import Floats
from mmx.rules.pooling.traits import Trait


def predict(pooled: PooledParameters, traits: Mapping[str, Trait], rng: np.random.Generator) -> Floats:
    """Draws of a new customer's parameters before any search of its own, (draw, coordinate), unconstrained."""
    mean = pooled.encoding.encode(traits) @ pooled.w
    draws: Floats = mean + np.einsum("dij,dj->di", pooled.lower, rng.normal(size=mean.shape))
    return draws


def update(pooled: PooledParameters, traits: Mapping[str, Trait], optimum: Optimum, rng: np.random.Generator) -> Floats:
    """The same with the customer's own optimum: others and own data together, (draw, coordinate).

    Each draw of the hierarchy is weighed by the density of the optimum under it and resampled; the parameters are then drawn
    exactly. An optimum at an end weighs by the probability of lying beyond it.
    """
    mean = pooled.encoding.encode(traits) @ pooled.w
    inner = optimum.side == 0.0
    centre, root, log = conditional(mean, pooled.lower, np.tile(optimum.point, (len(mean), 1)), optimum.precision)
    theta = centre + np.einsum("dij,dj->di", root, rng.normal(size=mean.shape))
    if not inner.all():
        side, error = optimum.side[~inner], optimum.error[~inner]
        log = log + norm.logcdf((side * theta[:, ~inner] - pooled.edge) / error).sum(axis=1)
    weight = np.exp(log - log.max())
    chosen = rng.choice(len(weight), size=len(weight), p=weight / weight.sum())
    kept: Floats = theta[chosen]
    return kept


def to_vectors(pooled: PooledParameters, space: Space, theta: Floats) -> Floats:
    """Vectors of the whole space, (n, parameter), of unconstrained coordinates; parameters outside the pool at defaults."""
    places = [space.index(name) for name in pooled.parameters]
    free = np.tile(space.to_free(space.default), (len(theta), 1))
    free[:, places] = np.clip(theta, -pooled.edge, pooled.edge)
    vectors = np.tile(space.default, (len(theta), 1))
    vectors[:, places] = space.from_free(free)[:, places]
    return vectors


def starting_points(pooled: PooledParameters, space: Space, theta: Floats, count: int) -> Floats:
    """Vectors to evaluate first, (count, parameter): the mean of the draws, then draws that lie far from those chosen before.

    Distances are measured in standard deviations of the draws (Gonzalez 1985, farthest point first), among the half of the
    draws that is nearest to the mean.
    """
    mean, spread = theta.mean(axis=0), theta.std(axis=0) + 1e-12
    z = (theta - mean) / spread
    near = z[np.argsort(np.square(z).sum(axis=1), kind="stable")[: max(count, len(z) // 2)]]
    chosen = [np.zeros(theta.shape[1])]
    apart = np.square(near).sum(axis=1)
    while len(chosen) < count:
        chosen.append(near[int(np.argmax(apart))])
        apart = np.minimum(apart, np.square(near - chosen[-1]).sum(axis=1))
    return to_vectors(pooled, space, mean + np.array(chosen) * spread)
