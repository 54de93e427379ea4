"""Hill saturation: ``h(u) = u^slope / (u^slope + half_saturation^slope)``, with ``h(0) = 0`` and ``h(inf) = 1``.

Written as a logistic function of ``log u``, so that value and gradient are finite everywhere. Source: Jin et al. (2017),
eq. 3, with a free slope.
"""

from __future__ import annotations

from mmx.jax_setup import jax, jnp

PARAMETERS = ("half_saturation", "slope")


def apply(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    """Saturate adstocked exposure.

    Parameters
    ----------
    u : array, (..., media)
        Adstocked exposure, >= 0, in multiples of the medium's mean active exposure.
    params : dict
        ``half_saturation``, (media,) > 0, in the unit of ``u``; ``slope``, (media,) > 0.

    Returns
    -------
    array, (..., media)
        Between 0 and 1.
    """
    active = u > 0
    log_ratio = jnp.log(jnp.where(active, u, 1.0)) - jnp.log(params["half_saturation"])
    return jnp.where(active, jax.nn.sigmoid(params["slope"] * log_ratio), 0.0)
