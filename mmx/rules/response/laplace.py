"""The quick path: effects integrated out by Laplace's method, scales weighed at points of their own.

For scales theta and effects x,

    log p(theta | data) ~ max_x log p(theta, x, data) - 1/2 log det H(theta) + const,   H = -d2/dx2 log p at the maximum

(Tierney and Kadane 1986; Rue, Martino and Chopin 2009). The maximum over theta and the curvature there give a law of two
halves in each direction (Martins, Simpson, Lindgren and Rue 2013), from which points are drawn; each is weighed by the
approximation, weights are Pareto-smoothed, and each kept point gets a draw of x from its normal law. H is an arrow
(``arrow``): a step of Newton's method costs some milliseconds at 20 ad sets and 120 days.
One compiled function does all of it; derivatives by theta, of which there are few, are differences (``climb``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmx.jax_setup import jax, jnp
from mmx.rules.response import arrow, density
from mmx.rules.response.climb import Evaluation, Maximum, maximum
from mmx.rules.response.families import log_cells
from mmx.rules.response.special import HALF_LOG_2PI
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]

NEWTON = 50
LARGEST_MOVE = 2.0  # Of a linear predictor in one step.
CLOSE = 0.1  # Move after which exact curvature is used; before, what is never negative.
NEAR = 3e-3  # Last move of a linear predictor; what is left is about its square.
NEVER = -1e12  # Log density of scales at which the effects have no maximum.
PROBE = 1.5  # Standard deviations from the maximum at which the width of a half is measured.
STRETCH = (0.5, 3.0)
FREEDOM = 8.0  # Degrees of freedom of the law that points are drawn from.


def columns(structure: Structure, params: density.Params, inputs: density.Inputs) -> tuple[Any, Any]:
    """What the linear predictor is linear in: own columns, (day, ad set, k), and shared ones but day effects."""
    days, adsets = inputs["weight"].shape
    one = jnp.ones((days, adsets, 1))
    own, shared = [one], [one * inputs["level_sd"]]
    shared.append(
        jnp.broadcast_to(jax.nn.one_hot(inputs["campaign_of"], structure.campaigns), (days, adsets, structure.campaigns))
    )
    if structure.pooled:
        own.append(inputs["x"][..., : structure.pooled] * params["slope_sd"])
    if structure.slopes:
        shared.append(inputs["x"] * inputs["slope_sd"])
    if structure.daily:
        shared.append(jnp.broadcast_to(inputs["weekday_basis"][:, None, :], (days, adsets, inputs["weekday_basis"].shape[1])))
    if structure.knots:
        drift = params["drift_sd"] * inputs["drift_basis"]
        own.append(jnp.broadcast_to(drift[:, None, :], (days, adsets, structure.knots)))
    return jnp.concatenate(own, axis=-1), jnp.concatenate(shared, axis=-1)


def base(structure: Structure, inputs: density.Inputs) -> Any:
    """The linear predictor where all effects are zero, (day, ad set)."""
    start = inputs["offset"] + inputs["level_mean"]
    return start + inputs["x"] @ inputs["slope_mean"] if structure.slopes else start


def prior_precision(structure: Structure, params: density.Params) -> tuple[Any, Any]:
    """Prior precision of effects: the diagonal of an ad set's own, (k,), and the matrix of the shared ones, (g, g)."""
    own = jnp.concatenate([params["adset_sd"] ** -2.0, jnp.ones(structure.pooled + structure.knots)])
    few = structure.shared_size - (structure.days if structure.daily else 0)
    diagonal = jnp.ones(few).at[1 : 1 + structure.campaigns].set(params["campaign_sd"][0] ** -2.0)
    shared = jnp.zeros((structure.shared_size, structure.shared_size)).at[:few, :few].set(jnp.diag(diagonal))
    if structure.daily:
        rho, unit = params["day_correlation"][0], params["day_sd"][0] ** -2.0 / (1.0 - params["day_correlation"][0] ** 2)
        middle = jnp.full(structure.days, 1.0 + rho**2).at[np.array([0, -1])].set(1.0)
        beside = jnp.full(structure.days - 1, -rho)
        day = jnp.diag(middle) + jnp.diag(beside, 1) + jnp.diag(beside, -1)
        shared = shared.at[few:, few:].set(unit * day)
    return own, shared


def curvature(structure: Structure, weight: Any, own: Any, shared: Any, prior: tuple[Any, Any]) -> arrow.Arrow:
    """Negative second derivative of the log density by effects, from that of cells by the linear predictor, (day, ad set)."""
    weighted = weight[..., None] * own
    between = jnp.einsum("tak,tam->akm", weighted, shared)
    whole = jnp.einsum("ta,tam,tan->mn", weight, shared, shared)
    if structure.daily:
        between = jnp.concatenate([between, jnp.moveaxis(weighted, 0, 2)], axis=2)
        days = jnp.einsum("ta,tam->mt", weight, shared)
        whole = jnp.block([[whole, days], [days.T, jnp.diag(jnp.sum(weight, axis=1))]])
    block = jnp.einsum("tak,tal->akl", weighted, own) + jnp.diag(prior[0])
    return arrow.Arrow(block, between, whole + prior[1])


def with_dispersion(matrix: arrow.Arrow, cross: Any, bend: Any, sd: Any, own: Any, shared: Any) -> arrow.Arrow:
    """The curvature with a last own effect, the standard normal behind an ad set's dispersion.

    ``cross`` and ``bend`` are negative second derivatives of cells by predictor and log dispersion, and by the latter twice.
    """
    side = sd * jnp.einsum("ta,tak->ak", cross, own)
    corner = 1.0 + sd**2 * jnp.sum(bend, axis=0)
    block = jnp.concatenate([matrix.own, side[:, :, None]], axis=2)
    last = jnp.concatenate([side, corner[:, None]], axis=1)
    between = jnp.concatenate([matrix.between, sd * jnp.einsum("ta,tam->am", cross, shared)[:, None, :]], axis=1)
    return arrow.Arrow(jnp.concatenate([block, last[:, None, :]], axis=1), between, matrix.shared)


def _predict(structure: Structure, start: Any, own: Any, shared: Any, x: tuple[Any, Any]) -> Any:
    few = shared.shape[-1]
    eta = start + jnp.einsum("tak,ak->ta", own, x[0][:, : own.shape[-1]]) + shared @ x[1][:few]
    return eta + x[1][few:, None] if structure.daily else eta


def _problem(structure: Structure, theta: Any, inputs: density.Inputs) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    """Functions of effects: gradient (own, shared) and curvature there; and how far a move takes predictors and dispersions."""
    params = density.constrain(structure, jnp.concatenate([theta, jnp.zeros(structure.dim - structure.hyper_size)]))
    own, shared = columns(structure, params, inputs)
    prior, start = prior_precision(structure, params), base(structure, inputs)
    common = jnp.log(params["dispersion"])

    def total(eta: Any, spread: Any) -> Any:
        return jnp.sum(inputs["weight"] * log_cells(structure.family, eta, spread, inputs["value"], inputs["size"]))

    def at(x: tuple[Any, Any], near: Any) -> tuple[Any, arrow.Arrow]:
        eta, one = _predict(structure, start, own, shared, x), jnp.ones_like(inputs["weight"])
        spread = common + params["dispersion_sd"] * x[0][:, -1] if structure.own_dispersion else common
        spread = jnp.broadcast_to(spread, eta.shape) if structure.own_dispersion else spread
        derivatives = jax.jvp(lambda eta: jax.grad(total)(eta, spread), (eta,), (one,))
        slope, bend = jax.lax.optimization_barrier(derivatives)  # Else computed anew for every column they are times.
        matrix = curvature(structure, jnp.where(near, -bend, jnp.maximum(-bend, 0.0)), own, shared, prior)
        by_shared = jnp.einsum("ta,tam->m", slope, shared)
        if structure.daily:
            by_shared = jnp.concatenate([by_shared, jnp.sum(slope, axis=1)])
        by_own = jnp.einsum("ta,tak->ak", slope, own)
        by_own = by_own - prior[0] * x[0][:, : own.shape[-1]]
        if structure.own_dispersion:
            sd, both = params["dispersion_sd"][0], jax.grad(total, (0, 1))
            (_, by_spread), (cross, twice) = jax.jvp(lambda spread: both(eta, spread), (spread,), (one,))
            most = jnp.maximum(-twice, 2.0 * inputs["weight"])  # Two is what a normal law expects: no step is too far.
            matrix = with_dispersion(matrix, jnp.where(near, -cross, 0.0), jnp.where(near, -twice, most), sd, own, shared)
            by_own = jnp.concatenate([by_own, (sd * jnp.sum(by_spread, axis=0) - x[0][:, -1])[:, None]], axis=1)
        return (by_own, by_shared - prior[1] @ x[1]), matrix

    def moved(x: tuple[Any, Any]) -> Any:
        far = jnp.max(jnp.abs(inputs["weight"] * _predict(structure, 0.0, own, shared, x)))
        return jnp.maximum(far, jnp.max(jnp.abs(params["dispersion_sd"] * x[0][:, -1]))) if structure.own_dispersion else far

    return at, moved


class _State(NamedTuple):
    x: tuple[Any, Any]
    factor: arrow.Factor
    far: Any
    lost: Any
    count: Any


def _newton(structure: Structure, theta: Any, inputs: density.Inputs, x: tuple[Any, Any]) -> tuple[Any, Any, arrow.Factor]:
    """Effects of the largest density at fixed scales, and the factor of the curvature there.

    The last round only computes the factor. Where exact curvature is not positive definite, what is never negative stays.
    """
    at, moved = _problem(structure, theta, inputs)

    def step(state: _State) -> _State:
        gradient, matrix = at(state.x, (state.far < CLOSE) & ~state.lost)
        factor = arrow.factorise(matrix)
        move = arrow.solve(factor, *gradient)
        lost = jnp.isnan(move[1][0]) & ~state.lost
        far = moved(move)
        share = jnp.where(lost | (state.far < NEAR), 0.0, jnp.minimum(1.0, LARGEST_MOVE / far))
        there = jax.tree.map(lambda a, b: jnp.where(share > 0.0, a + share * b, a), state.x, move)
        far = jnp.where(state.far < NEAR, 0.0, jnp.where(lost, jnp.inf, far))
        return _State(there, factor, far, state.lost | lost, state.count + 1)

    own, size = structure.columns, structure.shared_size
    empty = arrow.Factor(*(jnp.zeros(s) for s in ((structure.adsets, own, own), (structure.adsets, own, size), (size, size))))
    start = _State(x, empty, jnp.asarray(jnp.inf), jnp.asarray(False), 0)
    end = jax.lax.while_loop(lambda state: (state.far > 0.0) & (state.count < NEWTON), step, start)
    return end.x[0], end.x[1], end.factor


def vector(structure: Structure, theta: Any, x: tuple[Any, Any]) -> tuple[Any, Any]:
    """The unconstrained vector of scales and effects, and the logarithm of the volume of effects per volume of it.

    Effects are levels and day effects as they are, here, and standard normals there.
    """
    params = density.constrain(structure, jnp.concatenate([theta, jnp.zeros(structure.dim - structure.hyper_size)]))
    own, shared = x[0].at[:, 0].divide(params["adset_sd"]), x[1]
    place = slice(1, 1 + structure.campaigns)
    shared = shared.at[place].divide(params["campaign_sd"])
    volume = structure.adsets * jnp.log(params["adset_sd"][0]) + structure.campaigns * jnp.log(params["campaign_sd"][0])
    if structure.daily:
        rho, day = params["day_correlation"][0], x[1][-structure.days :] / params["day_sd"]
        rest = jnp.sqrt(1.0 - rho**2)
        shared = shared.at[-structure.days :].set(jnp.concatenate([day[:1], (day[1:] - rho * day[:-1]) / rest]))
        volume += structure.days * jnp.log(params["day_sd"][0]) + (structure.days - 1) * jnp.log(rest)
    ends = np.cumsum([0, 1, structure.pooled, structure.knots, structure.own_dispersion])
    parts = [own[:, begin:end].ravel() for begin, end in itertools.pairwise(ends)]
    return jnp.concatenate([theta, shared, *parts]), volume


def marginal(structure: Structure, theta: Any, inputs: density.Inputs, x: Any, normals: Any) -> tuple[Any, Any, Any]:
    """Log marginal density of scales by Laplace's method.

    Parameters
    ----------
    structure, inputs
    theta : array, (hyper_size,)
        Unconstrained scales.
    x : array, (size,)
        Where the search for effects begins: own ones, (ad set, column), then shared ones, flat.
    normals : array, (size,)
        Standard normals.

    Returns
    -------
    value : array, ()
    x : array, (size,)
        Effects of the largest density.
    q : array, (dim,)
        Unconstrained vector with effects drawn from their normal law.
    """
    own, shared, factor = _newton(structure, theta, inputs, _split(structure, x))
    q, volume = vector(structure, theta, (own, shared))
    value = density.log_density(structure, q, inputs) - volume
    value = value + x.size * HALF_LOG_2PI - 0.5 * arrow.log_determinant(factor)
    drawn = arrow.back(factor, *_split(structure, normals))
    return value, jnp.concatenate([own.ravel(), shared]), vector(structure, theta, (own + drawn[0], shared + drawn[1]))[0]


def _split(structure: Structure, x: Any) -> tuple[Any, Any]:
    own = structure.adsets * structure.columns
    return x[:own].reshape(structure.adsets, structure.columns), x[own:]


@cache
def compiled(structure: Structure) -> Any:
    """``marginal`` of a structure, compiled: ``(theta, inputs, x, normals)``."""
    return jax.jit(lambda theta, inputs, x, normals: marginal(structure, theta, inputs, x, normals))


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


def sample(
    structure: Structure, inputs: density.Inputs, draws: int, proposals: int, seed: int, start: Floats | None = None
) -> Laplace:
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


def normal_draws(structure: Structure, inputs: density.Inputs, top: Maximum, draws: int, seed: int) -> Floats:
    """Unconstrained vectors of the normal law at the maximum, (draw, dim): a first guess of a sampler's metric."""
    root = np.asarray(_root(structure)(top.theta, jax.device_put(inputs), top.x))
    rng = np.random.default_rng([seed % 2**32, 41])
    moves = rng.standard_normal((draws, len(top.theta))) @ _spread(top.hessian).T
    x = top.x + moves @ top.slopes.T + rng.standard_normal((draws, len(top.x))) @ root
    return np.asarray(_vectors(structure)(top.theta + moves, x))


@cache
def _root(structure: Structure) -> Any:
    """Compiled ``(theta, inputs, x) -> rows that standard normals are multiplied with for a draw of effects``."""

    def root(theta: Any, inputs: density.Inputs, x: Any) -> Any:
        at, _ = _problem(structure, theta, inputs)
        factor = arrow.factorise(at(_split(structure, x), True)[1])

        def row(unit: Any) -> Any:
            own, shared = arrow.back(factor, *_split(structure, unit))
            return jnp.concatenate([own.ravel(), shared])

        return jax.vmap(row)(jnp.eye(x.size))

    return jax.jit(root)


@cache
def _vectors(structure: Structure) -> Any:
    return jax.jit(jax.vmap(lambda theta, x: vector(structure, theta, _split(structure, x))[0]))


def first_scales(structure: Structure, inputs: density.Inputs) -> Floats:
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
