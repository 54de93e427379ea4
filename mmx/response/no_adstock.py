"""No adstock: exposure acts in its own period only."""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS: tuple[str, ...] = ()


def apply(x: jax.Array, params: dict[str, jax.Array], window: int) -> jax.Array:
    """Return the exposure (time, ..., media) as it is; ``params`` and ``window`` are not used."""
    return x


def weights(params: dict[str, jax.Array], window: int, length: int) -> jax.Array:
    """Weights of lags ``0 .. length - 1``, (length, 1), the same for all media."""
    return jnp.zeros((length, 1)).at[0].set(1.0)
