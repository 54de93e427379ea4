"""Laws of what is observed in one cell (day, ad set) given the linear predictor: log densities, elementwise.

``delivery``: log of spend over budget, normal, censored at the cap. ``log_normal``: log impressions. ``beta_binomial``: clicks
of impressions; the click rate has the mean ``1 / (1 + exp(-eta))`` and about the relative standard deviation ``dispersion``
(first shape ``dispersion^-2``). ``negative_binomial``: purchases with mean ``exp(eta)`` and variance ``m + (dispersion m)^2``.
``amount``: log of revenue per purchase; the mean of n log-normal amounts is taken as log-normal with the same mean and
variance (Fenton 1960).
"""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.rules.response.special import HALF_LOG_2PI, log_gamma


def log_cells(family: str, eta: Any, log_dispersion: Any, value: Any, size: Any) -> Any:
    """Log density of every cell, up to terms that hold data only.

    Parameters
    ----------
    family : str
    eta : array, (day, ad set)
        Linear predictor with the offset.
    log_dispersion : array, (ad set,) or ()
    value, size : array, (day, ad set)
        What is observed, and what belongs to it: 1 where a delivery is censored; impressions; purchases of an amount.

    Returns
    -------
    array, (day, ad set)
    """
    if family == "beta_binomial":
        return _beta_binomial(eta, log_dispersion, value, size)
    if family == "negative_binomial":
        return _negative_binomial(eta, log_dispersion, value)
    if family == "amount":
        variance = jnp.log1p(jnp.expm1(jnp.exp(2.0 * log_dispersion)) / size)
        return _normal(value, eta - 0.5 * variance, 0.5 * jnp.log(variance))
    plain = _normal(value, eta, log_dispersion)
    if family == "log_normal":
        return plain
    return jnp.where(size > 0.5, jax.scipy.special.log_ndtr((eta - value) * jnp.exp(-log_dispersion)), plain)


def _normal(value: Any, mean: Any, log_sd: Any) -> Any:
    return -0.5 * ((value - mean) * jnp.exp(-log_sd)) ** 2 - log_sd - HALF_LOG_2PI


def _negative_binomial(eta: Any, log_dispersion: Any, value: Any) -> Any:
    size = jnp.exp(-2.0 * log_dispersion)
    log_share = -jnp.log1p(jnp.exp(eta) / size)
    counts = log_gamma(value + size) - log_gamma(size) - log_gamma(value + 1.0)
    return counts + size * log_share + value * (eta - jnp.log(size) + log_share)


def _beta_binomial(eta: Any, log_dispersion: Any, value: Any, size: Any) -> Any:
    first = jnp.exp(-2.0 * log_dispersion)
    second = first * jnp.exp(-eta)
    counts = log_gamma(size + 1.0) - log_gamma(value + 1.0) - log_gamma(size - value + 1.0)
    hits = log_gamma(value + first) - log_gamma(first)
    misses = log_gamma(size - value + second) - log_gamma(second)
    return counts + hits + misses - log_gamma(size + first + second) + log_gamma(first + second)
