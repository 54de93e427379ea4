"""Exponential saturation (Mitscherlich): ``h(u) = 1 - exp(-lam u)``, between 0 and 1.

Source: Mitscherlich (1909), The law of the minimum and the law of diminishing returns in soil productivity.
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
    return -jnp.expm1(-params["lam"] * u)
