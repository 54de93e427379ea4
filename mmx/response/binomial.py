"""Binomial adstock: lag weights ``(1 - l / window) ** (1 / alpha - 1)``, ``l = 0 .. window - 1``, normalised to sum to one.

``alpha`` of 1/2 is a straight line down to zero; above it the effect stays and then falls, below it falls at once.
Source: the Google Meridian documentation, "binomial" decay of media adstock, with ``window = max_lag + 1``.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp
from mmx.response import windowed

PARAMETERS = ("alpha",)


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``alpha``, (media,) in (0, 1): how long the effect stays.
    window : int
        Number of lags that count.

    Returns
    -------
    array, (time, ..., media)
    """
    return windowed.convolve(x, weights(params, window, window))


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media); zero from ``window`` on."""
    left = 1.0 - jnp.minimum(jnp.arange(max(length, window)), window - 1)[:, None] / window
    return windowed.shares((1.0 / params["alpha"] - 1.0) * jnp.log(left), window, length)
