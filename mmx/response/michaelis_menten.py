"""Michaelis-Menten saturation: ``h(u) = u / (half_saturation + u)``, between 0 and 1: Hill's curve with a slope of one.

Source: Michaelis and Menten (1913); the PyMC-Marketing documentation, ``MichaelisMentenSaturation``.
"""

from __future__ import annotations

from mmx.jax_setup import jax

PARAMETERS = ("half_saturation",)


def apply(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    """Saturate adstocked exposure.

    Parameters
    ----------
    u : array, (..., media)
        Adstocked exposure, >= 0, in multiples of the medium's mean active exposure.
    params : dict
        ``half_saturation``, (media,) > 0, in the unit of ``u``.

    Returns
    -------
    array, (..., media)
        Between 0 and 1.
    """
    return u / (params["half_saturation"] + u)
