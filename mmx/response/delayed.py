"""Delayed adstock: lag weights ``alpha ** ((l - theta)^2)``, ``l = 0 .. window - 1``, normalised to sum to one.

``theta`` is stated as a share of ``window - 1``: the lag at which the effect peaks. Source: Jin et al. (2017), eq. 2.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

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
    lag_weights = weights(params, window, window)
    padded = jnp.concatenate([jnp.zeros((window - 1, *x.shape[1:])), x])
    carried = jnp.zeros_like(x)
    for lag in range(window):
        start = window - 1 - lag
        carried = carried + lag_weights[lag] * padded[start : start + x.shape[0]]
    return carried


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media); zero from ``window`` on."""
    lag = jnp.arange(max(length, window))[:, None]  # All of the window: the weights are shares of its sum.
    distance = lag - params["theta"] * (window - 1)
    exponent = distance**2 * jnp.log(params["alpha"])
    inside = lag < window
    peak = jnp.max(jnp.where(inside, exponent, -jnp.inf), axis=0)
    raw = jnp.where(inside, jnp.exp(exponent - peak), 0.0)
    return (raw / raw.sum(axis=0))[:length]
