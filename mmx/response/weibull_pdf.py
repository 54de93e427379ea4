"""Weibull adstock by density: lag weights proportional to the Weibull density at ``l + 1``, ``l = 0 .. window - 1``.

With a shape above 1 the effect builds up to a peak after ``scale * (1 - 1 / shape) ** (1 / shape) - 1`` periods; at or below 1
it decays from the start. Normalised to sum to one. Source: Robyn, ``adstock_weibull(type = "pdf")``; Weibull (1951).
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
    lag = jnp.arange(1.0, max(length, window) + 1.0)[:, None]
    shape, log_ratio = params["weibull_shape"], jnp.log(lag) - jnp.log(params["weibull_scale"])
    return windowed.shares((shape - 1.0) * log_ratio - jnp.exp(shape * log_ratio), window, length)
