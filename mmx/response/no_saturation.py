"""No saturation: ``h(u) = u``, so that the coefficient is the effect of the mean active exposure."""

from __future__ import annotations

from mmx.jax_setup import jax

PARAMETERS: tuple[str, ...] = ()


def apply(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    """Return adstocked exposure (..., media) as it is; ``params`` is not used."""
    return u
