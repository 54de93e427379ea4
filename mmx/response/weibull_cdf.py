"""Weibull adstock by distribution: what is left after period ``j`` is the share ``1 - F(j)`` of what was there before it.

Lag weights ``prod_{j = 1 .. l} exp(-(j / scale) ** shape)``, ``l = 0 .. window - 1``, normalised to sum to one: a decay whose
rate changes with age, fastest at once where ``shape`` is small. Source: Robyn, ``adstock_weibull(type = "cdf")``.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp
from mmx.response import windowed

PARAMETERS = ("weibull_shape", "weibull_scale")


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``weibull_shape``, (media,) > 0; ``weibull_scale``, (media,) > 0, in periods.
    window : int
        Number of lags that count.

    Returns
    -------
    array, (time, ..., media)
    """
    return windowed.convolve(x, weights(params, window, window))


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media); zero from ``window`` on."""
    age = jnp.arange(1.0, max(length, window))[:, None]
    hazard = jnp.exp(params["weibull_shape"] * (jnp.log(age) - jnp.log(params["weibull_scale"])))
    start = jnp.zeros((1, *params["weibull_shape"].shape))
    return windowed.shares(jnp.concatenate([start, -jnp.cumsum(hazard, axis=0)]), window, length)
