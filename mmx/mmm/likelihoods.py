"""Likelihoods whose baseline is not integrated out: one function each, of the KPI given what media and baseline add up to."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.mmm.structure import Structure

Params = dict[str, Any]


def log_density(structure: Structure, params: Params, level: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Log density of the KPI of all training cells.

    Parameters
    ----------
    structure, params, inputs
    level : array, (time, geo)
        Media plus baseline, on the scaled KPI or on its logarithm, less the centre.
    """
    if structure.likelihood == "student_t":
        cells = student_t(inputs["y"], level, params["noise"], params["degrees"][0], inputs["w"])
    else:
        expected = expected_count(structure, level, inputs)
        cells = inputs["w"] * negative_binomial(inputs["y"], expected, params["noise"])
    return jnp.sum(jnp.where(inputs["w"] > 0, cells, 0.0))


def student_t(y: jax.Array, level: jax.Array, noise: jax.Array, degrees: jax.Array, w: jax.Array) -> jax.Array:
    """Log density of Student's t per cell, (time, geo), with scale ``noise / sqrt(w)``.

    Source: Gelman et al. (2013), Bayesian Data Analysis, appendix A.
    """
    scale = noise / jnp.sqrt(jnp.where(w > 0, w, 1.0))
    ratio = (jnp.where(w > 0, y, 0.0) - level) / scale
    norm = jax.scipy.special.gammaln(0.5 * (degrees + 1)) - jax.scipy.special.gammaln(0.5 * degrees)
    norm = norm - 0.5 * jnp.log(jnp.pi * degrees) - jnp.log(scale)
    return norm - 0.5 * (degrees + 1) * jnp.log1p(ratio**2 / degrees)


def expected_count(structure: Structure, level: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Expected counts, (time, geo); not positive where the identity link leads below zero."""
    whole = level + inputs["center"]
    expected: jax.Array = inputs["size"] * (jnp.exp(whole) if structure.multiplicative else whole)
    return expected


def negative_binomial(y: jax.Array, expected: jax.Array, noise: jax.Array) -> jax.Array:
    """Log probability of counts per cell, (time, geo), of variance ``mu + noise**2 mu**2``; minus infinity unless ``mu > 0``.

    Source: Hilbe (2011), Negative Binomial Regression, NB2; ``noise = 1 / sqrt(size)``.
    """
    size = noise**-2.0
    mu = jnp.where(expected > 0, expected, 1.0)
    gammaln = jax.scipy.special.gammaln
    cells = gammaln(y + size) - gammaln(size) - gammaln(y + 1.0)
    cells = cells - size * jnp.log1p(mu / size) + y * (jnp.log(mu) - jnp.log(mu + size))
    return jnp.where(expected > 0, cells, -jnp.inf)
