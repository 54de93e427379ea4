"""Delayed adstock: lag weights ``alpha ** ((l - theta)^2)``, ``l = 0 .. window - 1``, normalised to sum to one.

``theta`` is stated as a share of ``window - 1``: the lag at which the effect peaks. Source: Jin et al. (2017), eq. 2.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp
from mmx.response import windowed

PARAMETERS = ("alpha", "theta")


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods, with a peak after ``theta * (window - 1)`` periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``alpha``, (media,) in (0, 1): retention; ``theta``, (media,) in (0, 1): peak as a share of the window.
    window : int
        Number of lags that count.

    Returns
    -------
    array, (time, ..., media)
    """
    return windowed.convolve(x, weights(params, window, window))


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media); zero from ``window`` on."""
    lag = jnp.arange(max(length, window))[:, None]
    distance = lag - params["theta"] * (window - 1)
    return windowed.shares(distance**2 * jnp.log(params["alpha"]), window, length)
