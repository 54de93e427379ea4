"""Geometric adstock by its half-life: the effect of a unit of exposure halves every ``half_life`` periods.

``alpha = 0.5 ** (1 / half_life)``; see ``mmx.response.geometric``.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp
from mmx.response import geometric

PARAMETERS = ("half_life",)


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Carry exposure over to later periods.

    Parameters
    ----------
    x : array, (time, ..., media)
        Exposure, >= 0.
    params : dict
        ``half_life``, (media,) > 0, in periods.
    window : int
        Not used: the recurrence has no end.

    Returns
    -------
    array, (time, ..., media)
        In the unit of ``x``; a constant exposure converges to itself.
    """
    return geometric.apply(x, _retention(params), window)


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, media)."""
    return geometric.weights(_retention(params), window, length)


def _retention(params: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {"alpha": jnp.exp(-jnp.log(2.0) / params["half_life"])}
