"""Finite-window adstock: lag weights that are the normalised exponentials of some exponents, and their convolution.

A family states the logarithm of its weights up to a constant; normalising them to sum to one is the same for all.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp


def shares(exponent: jax.Array, window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media), from their logarithms up to a constant.

    Parameters
    ----------
    exponent : array, (lag, media)
        Of at least ``window`` lags: the weights are shares of the sum over the window, and zero after it.
    window, length : int

    Returns
    -------
    array, (length, media)
    """
    inside = jnp.arange(len(exponent))[:, None] < window
    # Shares are the same with any peak. Its gradient is not taken: it counts exponents equal to the peak, and a compiler that
    # computes them twice with other roundings finds none.
    peak = jax.lax.stop_gradient(jnp.max(jnp.where(inside, exponent, -jnp.inf), axis=0))
    raw = jnp.where(inside, jnp.exp(jnp.where(inside, exponent, 0.0) - peak), 0.0)
    return (raw / raw.sum(axis=0))[:length]


def convolve(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
    weights : array, (lag, media)

    Returns
    -------
    array, (time, ..., media)
    """
    window = len(weights)
    padded = jnp.concatenate([jnp.zeros((window - 1, *x.shape[1:])), x])
    carried = jnp.zeros_like(x)
    for lag in range(window):
        start = window - 1 - lag
        carried = carried + weights[lag] * padded[start : start + x.shape[0]]
    return carried
