"""Root (power) saturation: ``h(u) = u ** exponent`` with an exponent between 0 and 1, without an upper limit.

The coefficient is the effect of the mean active exposure. Source: the PyMC-Marketing documentation, ``RootSaturation``; the
constant-elasticity response of Little (1979), Aggregate advertising models.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS = ("exponent",)


def apply(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    """Saturate adstocked exposure.

    Parameters
    ----------
    u : array, (..., media)
        Adstocked exposure, >= 0, in multiples of the medium's mean active exposure.
    params : dict
        ``exponent``, (media,) in (0, 1): the elasticity of the response.

    Returns
    -------
    array, (..., media)
        At least 0; 1 at the mean active exposure.
    """
    active = u > 0
    return jnp.where(active, jnp.exp(params["exponent"] * jnp.log(jnp.where(active, u, 1.0))), 0.0)
