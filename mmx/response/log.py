"""Logarithmic saturation: ``h(u) = log(1 + lam u)``, without an upper limit.

Source: the semilogarithmic response of Simon and Arndt (1980), The shape of the advertising response function, kept at zero
without exposure.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS = ("lam",)


def apply(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    """Saturate adstocked exposure.

    Parameters
    ----------
    u : array, (..., media)
        Adstocked exposure, >= 0, in multiples of the medium's mean active exposure.
    params : dict
        ``lam``, (media,) > 0, per the unit of ``u``.

    Returns
    -------
    array, (..., media)
        At least 0.
    """
    return jnp.log1p(params["lam"] * u)
