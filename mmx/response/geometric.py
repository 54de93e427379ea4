"""Geometric adstock: ``a[t] = (1 - alpha) x[t] + alpha a[t-1]``, weights summing to one, no truncation.

Source: Broadbent (1979), One way TV advertisements work; normalised as in Jin et al. (2017), eq. 1.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS = ("alpha",)


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``alpha``, (media,): retention per period, in (0, 1).
    window : int
        Not used: the recurrence has no end.

    Returns
    -------
    array, (time, ..., media)
        In the unit of ``x``; a constant exposure converges to itself.
    """
    alpha = params["alpha"]
    gain = 1.0 - alpha

    def step(carry: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        carry = alpha * carry + gain * now
        return carry, carry

    return jax.lax.scan(step, jnp.zeros(x.shape[1:]), x)[1]


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media)."""
    lag = jnp.arange(length)[:, None]
    return (1.0 - params["alpha"]) * params["alpha"] ** lag
