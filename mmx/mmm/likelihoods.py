"""Likelihoods whose baseline is not integrated out: one function each, of the KPI given what media and baseline add up to."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.mmm.structure import Structure

FAR = 100.0  # From here on three terms of Stirling's series are good to rounding.

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
    cells = log_rising(y, size) - jax.scipy.special.gammaln(y + 1.0) + y * jnp.log(mu) - (y + size) * jnp.log1p(mu / size)
    return jnp.where(expected > 0, cells, -jnp.inf)


def log_rising(y: jax.Array, size: jax.Array) -> jax.Array:
    """Logarithm of ``gamma(y + size) / (gamma(size) size^y)``; where ``size`` is large, by the difference of Stirling's series.

    Without it the large parts of both logarithms would leave nothing of the difference. Source: Abramowitz and Stegun (1964),
    6.1.41.
    """
    gammaln, far = jax.scipy.special.gammaln, size > FAR
    near, large = jnp.where(far, 1.0, size), jnp.where(far, size, FAR)
    exact = gammaln(y + near) - gammaln(near) - y * jnp.log(near)
    series = (large + y - 0.5) * jnp.log1p(y / large) - y + _stirling(y + large) - _stirling(large)
    return jnp.where(far, series, exact)


def _stirling(z: jax.Array) -> jax.Array:
    square = z**-2.0
    return (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)) / z
