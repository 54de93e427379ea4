"""Logistic saturation: ``h(u) = (1 - exp(-lam u)) / (1 + exp(-lam u)) = tanh(lam u / 2)``, between 0 and 1.

Source: the PyMC-Marketing documentation, ``LogisticSaturation``.
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
    return jnp.tanh(0.5 * params["lam"] * u)
