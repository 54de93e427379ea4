"""Coordinates of a baseline that is sampled: standard normal where a normal likelihood would have integrated it out.

Given media and scales ``theta``, a normal reference model of the same design has the posterior ``N(m(theta), A(theta)^-1)`` of
the baseline's coefficients ``gamma``. They are sampled as ``gamma = m + L^-T z``, ``A = L L'``: in ``z`` the posterior is close
to a standard normal that does not move with ``theta``, so that a sampler walks about as it does without a baseline. The
reference shapes coordinates alone; with the Jacobian the density of ``gamma`` is the model's own, whatever the reference. After
Papaspiliopoulos, Roberts and Skold (2007), A general framework for the parametrization of hierarchical models, section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.data.panel import Floats
from mmx.jax_setup import jax, jnp
from mmx.mmm import collapse
from mmx.mmm.structure import Structure


def of_kpi(structure: Structure, y: Floats, size: Floats, center: float, w: Floats) -> tuple[Floats, float]:
    """KPI that the reference explains, (time, geo), and its variance beside the noise.

    Of counts, their scaled values or the logarithms of these, whose variance from the counting is one over the mean count.

    Parameters
    ----------
    structure : Structure
    y : array, (time, geo)
        What the likelihood is of, 0 in rows without weight.
    size : array, (geo,)
        Counts per scaled unit.
    center : float
    w : array, (time, geo)
        Row weights.
    """
    if structure.likelihood != "negative_binomial":
        return y, 0.0
    scaled = np.log((y + 0.5) / size) if structure.multiplicative else y / size
    return np.where(w > 0, scaled - center, 0.0), 1.0 / max(float(np.average(y, weights=w)), 1.0)


def coefficients(
    structure: Structure, params: dict[str, jax.Array], effect: jax.Array, prior_sd: jax.Array, inputs: dict[str, Any]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Coefficients of the baseline at the sampled coordinates.

    Parameters
    ----------
    structure, params, inputs
    effect : array, (time, geo)
        Media and controls with a sign.
    prior_sd : array, (column,)

    Returns
    -------
    shared : array, (column,)
    own : array, (local column, geo)
    log_volume : array, ()
        Log of the volume of the coefficients per volume of the coordinates.
    """
    noise = jnp.sqrt(jnp.mean(params["noise"] ** 2) + inputs["reference_variance"])
    normal = collapse.normal_equations(inputs["reference"] - effect, prior_sd, noise, inputs)
    log_volume = -jnp.sum(jnp.log(jnp.diag(normal.factor)))
    own = jnp.zeros((structure.own_columns, structure.geos))
    if structure.geos > 1:
        own = params["local"].reshape(own.shape)
        log_volume = log_volume - 0.5 * jnp.sum(jnp.log(normal.geo_precision))
    shared, own = collapse.draw_back(normal, noise, inputs, params["baseline"], own)
    return shared, own, log_volume


def log_jacobian(
    structure: Structure,
    params: dict[str, jax.Array],
    coefficients: tuple[jax.Array, jax.Array, jax.Array],
    prior_sd: jax.Array,
    inputs: dict[str, Any],
) -> jax.Array:
    """Log density of the coefficients by their prior, over that of the coordinates by the standard normal, volumes counted."""
    shared, own, log_volume = coefficients
    total = log_volume - jnp.sum(jnp.log(prior_sd)) - 0.5 * jnp.sum((shared / prior_sd) ** 2 - params["baseline"] ** 2)
    if structure.geos > 1:
        sd = inputs["local_sd"][:, None]
        total = total - structure.geos * jnp.sum(jnp.log(sd)) - 0.5 * jnp.sum((own / sd) ** 2)
        total = total + 0.5 * jnp.sum(params["local"] ** 2)
    return total
