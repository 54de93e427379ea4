"""Hyperbolic tangent saturation: ``h(u) = tanh(lam u)``, between 0 and 1: the logistic curve at twice the rate.

Source: the PyMC-Marketing documentation, ``TanhSaturation``, with ``lam = 1 / (b c)``.
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
        Between 0 and 1.
    """
    return jnp.tanh(params["lam"] * u)
