"""Integrate the baseline out where geos have noise of their own, or noise is autocorrelated.

As ``mmx.mmm.collapse``, with a precision of the rows that is not one number: ``K_g(rho) / sd_g^2``, ``K`` that of a stationary
first-order autoregression of unit variance. Normal equations are sums of products that do not depend on the parameters.
Source of ``K``: Hamilton (1994), Time Series Analysis, eq. 5.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.data.panel import Floats
from mmx.jax_setup import jax, jnp


def weights_of(rho: jax.Array, noise: jax.Array, geos: int) -> jax.Array:
    """Factors of the products of rows with themselves, with their neighbours, and of inner rows, (3, geo).

    ``K(rho) = (P0 - rho P1 + rho^2 P2) / (1 - rho^2)``, see ``shifted``.
    """
    scale = 1.0 / ((1.0 - rho**2) * jnp.broadcast_to(noise, geos) ** 2)
    return jnp.stack([scale, -rho * scale, rho**2 * scale])


def log_marginal(
    residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, rho: jax.Array, inputs: dict[str, Any]
) -> jax.Array:
    """Log density of the KPI with the baseline integrated out, all constants included.

    Parameters
    ----------
    residual : array, (time, geo)
    prior_sd : array, (column,)
    noise : array, (1,) or (geo,)
    rho : array, ()
        0 without autocorrelation.
    inputs : dict
    """
    factor, rhs, own_factor, own_rhs, _ = normal_equations(residual, prior_sd, noise, rho, inputs)
    quadratic = _square(residual, noise, rho, inputs) - jnp.sum(_solve(factor, rhs) ** 2)
    log_det = 2.0 * jnp.sum(jnp.log(jnp.diag(factor))) + 2.0 * jnp.sum(jnp.log(prior_sd))
    if residual.shape[1] > 1:
        half = jax.vmap(_solve)(own_factor, own_rhs)
        quadratic = quadratic - jnp.sum(half**2)
        diagonal = jnp.diagonal(own_factor, axis1=1, axis2=2)
        log_det = log_det + 2.0 * jnp.sum(jnp.log(diagonal)) + 2.0 * jnp.sum(jnp.log(inputs["local_sd"])) * residual.shape[1]
    rows = inputs["rows_used"] / residual.shape[1]
    spread = 2.0 * jnp.sum(jnp.log(jnp.broadcast_to(noise, residual.shape[1]))) * rows
    log_det = log_det + inputs["rows_used"] * jnp.log(2.0 * jnp.pi) + spread - inputs["log_weight"]
    log_det = log_det + residual.shape[1] * (rows - 1.0) * jnp.log1p(-(rho**2))
    value: jax.Array = -0.5 * (quadratic + log_det)
    return value


def _solve(factor: jax.Array, rhs: jax.Array) -> jax.Array:
    return jax.scipy.linalg.solve_triangular(factor, rhs, lower=True)


def _square(residual: jax.Array, noise: jax.Array, rho: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Return ``r' K r`` over all geos."""
    parts = jnp.einsum("tg,ktg->kg", residual, shifted(residual, inputs))
    return jnp.sum(weights_of(rho, noise, residual.shape[1]) * parts)


def products(z: Floats, local: Floats, w: Floats) -> dict[str, Floats]:
    """Sums that the normal equations are made of.

    Parameters
    ----------
    z : array, (time, geo, column)
    local : array, (local column, time, geo)
    w : array, (time, geo)
        Row weights; with autocorrelation 0 or 1, and those of 1 in a row.

    Returns
    -------
    dict of array
        ``first, last (time, geo)`` bool, the ends of the rows; ``parts_zz (3, geo, column, column)``, ``parts_own (3, geo,
        local column, local column)``, ``parts_cross (3, geo, local column, column)``.
    """
    order = np.cumsum(w > 0, axis=0)
    ends = {"first": (w > 0) & (order == 1), "last": (w > 0) & (order == order[-1])}
    own = np.moveaxis(local, 0, 2)
    both = np.concatenate([own, z], axis=2)
    found = np.einsum("tgi,ktgj->kgij", both, np.asarray(shifted(both, {"w": w, **ends})))
    count = own.shape[2]
    parts = {"parts_zz": found[..., count:, count:], "parts_own": found[..., :count, :count]}
    return {**ends, **parts, "parts_cross": found[..., :count, count:]}


def shifted(cells: jax.Array | Floats, inputs: dict[str, Any]) -> jax.Array:
    """Rows times the three parts of the precision, (3, time, geo, ...): themselves, their neighbours, the inner ones."""
    more = (...,) + (None,) * (cells.ndim - 2)
    w, first, last = inputs["w"][more], inputs["first"][more], inputs["last"][more]
    used = w * cells
    before = jnp.concatenate([jnp.zeros_like(used[:1]), used[:-1]])
    after = jnp.concatenate([used[1:], jnp.zeros_like(used[:1])])
    inner = jnp.where(first | last, 0.0, used)
    return jnp.stack([used, jnp.where(w > 0, before + after, 0.0), inner])


def normal_equations(
    residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, rho: jax.Array, inputs: dict[str, Any]
) -> tuple[jax.Array, ...]:
    """Posterior of the baseline coefficients given the rest.

    Returns
    -------
    factor : array, (column, column)
        Lower Cholesky factor of the posterior precision of the shared coefficients, the geos' own integrated out.
    rhs : array, (column,)
    own_factor, own_rhs : array, (geo, local column, local column) and (geo, local column)
        The same of the geos' own coefficients, given shared ones of zero.
    cross : array, (geo, local column, column)
        Precision between both.
    """
    geos = residual.shape[1]
    part = weights_of(rho, noise, geos)
    pulled = jnp.einsum("kg,ktg->tg", part, shifted(residual, inputs))
    by_cell = jnp.einsum("tgp,tg->p", inputs["z_cell"], pulled)
    rhs = jnp.concatenate([by_cell, inputs["z_time"].T @ pulled.sum(axis=1)])
    shared = jnp.einsum("kg,kgpq->pq", part, inputs["parts_zz"]) + jnp.diag(prior_sd**-2.0)
    if geos == 1:
        return jnp.linalg.cholesky(shared), rhs, jnp.ones((1, 1, 1)), jnp.zeros((1, 1)), jnp.zeros((1, 1, len(rhs)))
    own = jnp.einsum("kg,kgij->gij", part, inputs["parts_own"]) + jnp.diag(inputs["local_sd"] ** -2.0)
    own_factor, own_rhs = jnp.linalg.cholesky(own), jnp.einsum("itg,tg->gi", inputs["local"], pulled)
    cross = jnp.einsum("kg,kgip->gip", part, inputs["parts_cross"])
    half_cross, half = jax.vmap(_solve)(own_factor, cross), jax.vmap(_solve)(own_factor, own_rhs)
    shared = shared - jnp.einsum("gip,giq->pq", half_cross, half_cross)
    rhs = rhs - jnp.einsum("gip,gi->p", half_cross, half)
    return jnp.linalg.cholesky(shared), rhs, own_factor, own_rhs, cross


def draw_back(equations: tuple[jax.Array, ...], shared_noise: jax.Array, geo_noise: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Draw the baseline coefficients from their exact conditional posterior: see ``mmx.mmm.collapse.draw_back``."""
    factor, rhs, own_factor, own_rhs, cross = equations
    shared = _solve_back(factor, _solve(factor, rhs) + shared_noise)
    if geo_noise.shape[1] == 1:
        return shared, jnp.zeros(geo_noise.shape)
    half = jax.vmap(_solve)(own_factor, own_rhs - cross @ shared)
    return shared, jax.vmap(_solve_back)(own_factor, half + geo_noise.T).T


def _solve_back(factor: jax.Array, value: jax.Array) -> jax.Array:
    return jax.scipy.linalg.solve_triangular(factor, value, lower=True, trans=1)
