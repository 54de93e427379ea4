"""Counts as functions of numbers drawn beforehand, so that policies can share their luck.

A negative binomial count is a Poisson count of a random mean. The mean is log-normal here, with the mean and the variance of
the gamma law: ``m exp(s z - s^2 / 2)``, ``s^2 = log(1 + dispersion^2)``. The shape is another one where days vary widely: at
a dispersion of 1 and a mean of 3 no count at all has the chance .19 instead of .25; at a half they agree to .01. The Poisson
quantile of a uniform number is summed up where the mean is small, else Giles' normal expansion (2016, Approximation of the
inverse Poisson cumulative distribution function, equations 6 and 7).
"""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp

SMALL, TERMS = 3.0, 11


def poisson(mean: Any, uniform: Any, normal: Any) -> Any:
    """Poisson quantiles, elementwise.

    Parameters
    ----------
    mean : array
        At least 0.
    uniform : array
        In (0, 1).
    normal : array
        Standard normal quantile of ``uniform``.
    """
    low = jnp.minimum(mean, SMALL)
    term = jnp.exp(-low)
    total, few = term, jnp.zeros_like(low)
    for k in range(1, TERMS):
        few = few + (uniform > total)
        term = term * low * (1.0 / k)
        total = total + term
    root = jnp.sqrt(jnp.maximum(mean, SMALL))
    square = normal * normal
    many = mean + root * normal + (2.0 + square) * (1.0 / 6.0) - normal * (2.0 + square) * (1.0 / 72.0) / root
    return jnp.where(mean < SMALL, few, jnp.maximum(jnp.floor(many), 0.0))


def mixed(mean: Any, dispersion: Any, rate: Any, uniform: Any, normal: Any) -> Any:
    """Counts with a mean and the variance ``mean + (dispersion mean)^2``.

    ``rate`` is standard normal; ``uniform`` and ``normal`` are those of ``poisson``.
    """
    variance = jnp.log1p(dispersion * dispersion)
    spread, variance = jax.lax.optimization_barrier((jnp.sqrt(variance), variance))  # of a draw, not of each of its ad sets
    return poisson(mean * jnp.exp(spread * rate - 0.5 * variance), uniform, normal)
