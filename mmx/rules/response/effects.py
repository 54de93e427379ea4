"""Effects of the largest density at fixed scales, by Newton's method, and Laplace's value of the scales there.

Here effects are levels and day effects as they are, in which the curvature is an arrow (``arrow``) with a sparse prior; the
density's coordinates are standard normals (``vector`` goes from one to the other).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mmx.jax_setup import jax, jnp
from mmx.rules.response import arrow, density
from mmx.rules.response.families import log_cells
from mmx.rules.response.special import HALF_LOG_2PI
from mmx.rules.response.structure import Structure

NEWTON = 50
LARGEST_MOVE = 2.0  # Of a linear predictor in one step.
CLOSE = 0.1  # Move after which exact curvature is used; before, what is never negative.
NEAR = 3e-3  # Last move of a linear predictor; what is left is about its square.


def columns(structure: Structure, params: density.Params, inputs: density.Inputs) -> tuple[Any, Any]:
    """What the linear predictor is linear in: own columns, (day, ad set, k), and shared ones without days, (day, ad set, m)."""
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


def _problem(structure: Structure, theta: Any, inputs: density.Inputs) -> tuple[Callable[..., Any], Callable[..., Any]]:
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

    The last round only computes the factor. Where exact curvature is not positive definite, the other one stays in use.
    """
    at, moved = _problem(structure, theta, inputs)

    def step(state: _State) -> _State:
        gradient, matrix = at(state.x, near=(state.far < CLOSE) & ~state.lost)
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


@cache
def root_of(structure: Structure) -> Any:
    """Compiled ``(theta, inputs, x) -> rows that standard normals are multiplied with for a draw of effects``."""

    def root(theta: Any, inputs: density.Inputs, x: Any) -> Any:
        at, _ = _problem(structure, theta, inputs)
        factor = arrow.factorise(at(_split(structure, x), near=True)[1])

        def row(unit: Any) -> Any:
            own, shared = arrow.back(factor, *_split(structure, unit))
            return jnp.concatenate([own.ravel(), shared])

        return jax.vmap(row)(jnp.eye(x.size))

    return jax.jit(root)


@cache
def vectors_of(structure: Structure) -> Any:
    """Compiled ``(thetas, xs) -> unconstrained vectors``."""
    return jax.jit(jax.vmap(lambda theta, x: vector(structure, theta, _split(structure, x))[0]))
