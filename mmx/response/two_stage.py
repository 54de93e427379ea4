"""Two geometric stages in a row: the second has the share ``stage`` of the first one's retention.

``s[t] = (1 - alpha) x[t] + alpha s[t-1]``, ``a[t] = (1 - b) s[t] + b a[t-1]``, ``b = stage * alpha``. At ``stage = 0`` this is
the geometric adstock; towards 1 the effect builds up before it decays, with a peak after the first period. The weights sum to
one.

Source: the rational lag of second order, Jorgenson (1966), Rational distributed lag functions; at ``stage = 1`` the Pascal lag
of Solow (1960), On a family of lag distributions.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS = ("alpha", "stage")


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``alpha``, (media,): retention per period, in (0, 1). ``stage``, (media,): retention of the second stage over that of
        the first, in (0, 1).
    window : int
        Not used: the recurrence has no end.

    Returns
    -------
    array, (time, ..., media)
        In the unit of ``x``; a constant exposure converges to itself.
    """
    alpha, second = params["alpha"], params["alpha"] * params["stage"]

    def step(carry: tuple[jax.Array, jax.Array], now: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        first = alpha * carry[0] + (1.0 - alpha) * now
        last = second * carry[1] + (1.0 - second) * first
        return (first, last), last

    start = (jnp.zeros(x.shape[1:]), jnp.zeros(x.shape[1:]))
    return jax.lax.scan(step, start, x)[1]


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media)."""
    impulse = jnp.zeros((length, *params["alpha"].shape)).at[0].set(1.0)
    return apply(impulse, params, window)
