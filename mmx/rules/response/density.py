"""The log density of a part of the response model, stated once, in JAX; see ``structure`` for the linear predictor.

Given the scales everything else is Gaussian: campaign and ad-set levels, pooled slopes, and the two autoregressive processes.
All are sampled as standard normals that the scales multiply (Betancourt and Girolami 2015): few campaigns, quiet days and short
histories say too little of an effect for its own coordinate, and the quick path gives samplers the linear correlations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.rules.response.families import log_cells
from mmx.rules.response.special import HALF_LOG_2PI, log_gamma
from mmx.rules.response.structure import Structure

type Inputs = dict[str, Any]
type Params = dict[str, jax.Array]


def constrain(structure: Structure, q: jax.Array) -> Params:
    """Named parameters of an unconstrained vector (dim,)."""
    inverse = {"identity": lambda v: v, "log": jnp.exp, "logit": jax.nn.sigmoid}
    return {site.name: inverse[site.transform](q[site.place]) for site in structure.sites}


def slopes_of(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Slopes of each ad set, (ad set, slope)."""
    if not structure.slopes:
        return jnp.zeros((structure.adsets, 0))
    mean = inputs["slope_mean"] + inputs["slope_sd"] * params["slope_mean"]
    slopes = jnp.broadcast_to(mean, (structure.adsets, structure.slopes))
    if structure.pooled:
        own = params["slope_sd"] * params["slope"].reshape(structure.adsets, structure.pooled)
        slopes = slopes.at[:, : structure.pooled].add(own)
    return slopes


def log_dispersion(structure: Structure, params: Params) -> jax.Array:
    """Logarithm of the dispersion, (ad set,) or (1,)."""
    common = jnp.log(params["dispersion"])
    return common + params["dispersion_sd"] * params["dispersion_z"] if structure.own_dispersion else common


def autoregressive(correlation: jax.Array, innovations: jax.Array) -> jax.Array:
    """Stationary process of unit variance from standard normals, (day,)."""
    lag = jnp.arange(innovations.size)[:, None] - jnp.arange(innovations.size)
    rest = jnp.where(jnp.arange(innovations.size) > 0, jnp.sqrt(1.0 - correlation**2), 1.0)
    return jnp.where(lag >= 0, correlation ** jnp.maximum(lag, 0) * rest, 0.0) @ innovations


def predictor(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Linear predictor of every cell, (day, ad set)."""
    level = inputs["level_mean"] + inputs["level_sd"] * params["mean"] + params["adset_sd"] * params["level"]
    level = level + params["campaign_sd"] * params["campaign"][inputs["campaign_of"]]
    eta: jax.Array = inputs["offset"] + level
    if structure.slopes:
        eta = eta + jnp.einsum("taj,aj->ta", inputs["x"], slopes_of(structure, params, inputs))
    if structure.daily:
        day = params["day_sd"] * autoregressive(params["day_correlation"], params["day"])
        eta = eta + (inputs["weekday_basis"] @ params["weekday"] + day)[:, None]
    if structure.knots:
        knots = params["drift_sd"] * params["drift"].reshape(structure.adsets, structure.knots)
        eta = eta + inputs["drift_basis"] @ knots.T
    return eta


def log_likelihood(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Log density of all cells, each times its weight."""
    eta = predictor(structure, params, inputs)
    cells = log_cells(structure.family, eta, log_dispersion(structure, params), inputs["value"], inputs["size"])
    return jnp.sum(inputs["weight"] * cells)


def log_hyper(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Log prior of what is not Gaussian given the rest, over its unconstrained coordinates."""
    total = jnp.zeros(())
    for name, _, transform in structure.hyper:
        value = params[name]
        if transform == "log":
            scale = inputs["prior"][name]
            total += jnp.sum(0.5 * jnp.log(2.0 / jnp.pi) - jnp.log(scale) - 0.5 * (value / scale) ** 2 + jnp.log(value))
        else:
            a, b = inputs["prior"][name]
            norm = log_gamma(a + b) - log_gamma(a) - log_gamma(b)
            total += jnp.sum(norm + a * jnp.log(value) + b * jnp.log1p(-value))
    return total


def _standard(value: jax.Array) -> jax.Array:
    return jnp.sum(-0.5 * value**2 - HALF_LOG_2PI)


def log_density(structure: Structure, q: jax.Array, inputs: Inputs) -> jax.Array:
    """Log posterior density of the unconstrained vector, up to the evidence."""
    params = constrain(structure, q)
    prior = log_hyper(structure, params, inputs) + _standard(q[structure.hyper_size :])
    return prior + log_likelihood(structure, params, inputs)


@cache
def log_density_of(structure: Structure) -> Callable[[jax.Array, Inputs], jax.Array]:
    """The log density of a structure; the same object for equal structures, so that it compiles once a process."""
    return partial(log_density, structure)
