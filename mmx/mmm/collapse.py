"""Integrate the linear-Gaussian baseline out of the likelihood, and draw it back.

With residual ``r = y - media``, design ``Z`` (shared columns) plus deviations of each geo's intercept and trend, Gaussian
priors and noise ``sd^2 / w``, the coefficients are eliminated geo by geo and then jointly: the marginal density of ``r``
needs one Cholesky factor of the size of the shared columns. Source: Rasmussen and Williams (2006), eq. 2.37-2.43.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from mmx.jax_setup import jax, jnp


class Normal(NamedTuple):
    """Normal equations of the baseline given media and scales.

    Attributes
    ----------
    factor : array, (column, column)
        Lower Cholesky factor of the posterior precision of the shared coefficients.
    rhs : array, (column,)
        Precision times their posterior mean.
    geo_precision, geo_rhs : array, (local column, geo)
        The same for the geo deviations, given shared coefficients of zero; a geo's columns are orthogonal.
    """

    factor: jax.Array
    rhs: jax.Array
    geo_precision: jax.Array
    geo_rhs: jax.Array


def drift_sd(frequency: jax.Array, sd: jax.Array, length: jax.Array) -> jax.Array:
    """Prior standard deviations of the drift's coefficients: Matern 5/2 of ``sd`` and ``length`` (years).

    Source: Rasmussen and Williams (2006), eq. 4.15, in one dimension.
    """
    decay = 5.0 / length**2
    log_density = jnp.log(16.0 / 3.0) + 2.5 * jnp.log(decay) - 3.0 * jnp.log(decay + frequency**2)
    return sd * jnp.exp(0.5 * log_density)


def sparse_sd(slab: jax.Array, local: jax.Array, whole: jax.Array) -> jax.Array:
    """Prior standard deviations of sparse coefficients: ``local * whole``, not above the slab.

    Source: Piironen and Vehtari (2017), Sparsity information and regularization in the horseshoe, eq. 2.8, with a fixed slab.
    """
    free = local * whole
    return slab * free / jnp.sqrt(slab**2 + free**2)


def project(cells: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Design transposed times cells (time, geo): (column,). Most columns are the same in all geos."""
    by_cell = jnp.einsum("tgp,tg->p", inputs["z_cell"], cells)
    return jnp.concatenate([by_cell, inputs["z_time"].T @ cells.sum(axis=1)])


def predict(coefficients: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Design times shared coefficients (column,): (time, geo)."""
    cells = inputs["z_cell"].shape[2]
    by_time = inputs["z_time"] @ coefficients[cells:]
    by_cell: jax.Array = jnp.einsum("tgp,p->tg", inputs["z_cell"], coefficients[:cells])
    total: jax.Array = by_cell + by_time[:, None]
    return total


def normal_equations(residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, inputs: dict[str, Any]) -> Normal:
    """Posterior of the baseline coefficients given the rest.

    Parameters
    ----------
    residual : array, (time, geo)
        Scaled KPI minus media.
    prior_sd : array, (column,)
    noise : array, ()
        Standard deviation of a row of weight one.
    inputs : dict
        Of ``mmx.mmm.inputs.prepare``.
    """
    precision = 1.0 / noise**2
    weighted = inputs["w"] * residual
    shared = precision * inputs["zz"] + jnp.diag(prior_sd**-2.0)
    rhs = precision * project(weighted, inputs)
    geos = residual.shape[1]
    if geos == 1:
        return Normal(jnp.linalg.cholesky(shared), rhs, jnp.ones((1, 1)), jnp.zeros((1, 1)))
    geo_precision = precision * inputs["local_w"] + inputs["local_sd"][:, None] ** -2.0
    geo_rhs = precision * jnp.einsum("ktg,tg->kg", inputs["local"], weighted)
    cross = precision * inputs["local_z"]
    shared = shared - jnp.einsum("kgp,kgq,kg->pq", cross, cross, 1.0 / geo_precision)
    rhs = rhs - jnp.einsum("kgp,kg->p", cross, geo_rhs / geo_precision)
    return Normal(jnp.linalg.cholesky(shared), rhs, geo_precision, geo_rhs)


def log_marginal(residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Log density of the KPI with the baseline integrated out, on the scaled KPI, all constants included.

    Parameters
    ----------
    residual : array, (time, geo)
        Scaled KPI minus media.
    prior_sd : array, (column,)
    noise : array, ()
    inputs : dict
        Data; no gradient flows into them.
    """
    value: jax.Array = _with_gradient()(residual, prior_sd, noise, inputs)
    return value


@cache
def _with_gradient() -> Callable[..., jax.Array]:
    """Join the log density with its closed-form gradient; here, because importing this module does not load JAX."""

    @jax.custom_vjp
    def value(residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, inputs: dict[str, Any]) -> jax.Array:
        return _log_marginal(residual, prior_sd, noise, inputs)[0]

    value.defvjp(_log_marginal, _gradient)
    return value


def _log_marginal(
    residual: jax.Array, prior_sd: jax.Array, noise: jax.Array, inputs: dict[str, Any]
) -> tuple[jax.Array, tuple[Any, ...]]:
    normal = normal_equations(residual, prior_sd, noise, inputs)
    half = jax.scipy.linalg.solve_triangular(normal.factor, normal.rhs, lower=True)
    quadratic = jnp.sum(inputs["w"] * residual**2) / noise**2 - half @ half
    log_det = 2.0 * jnp.sum(jnp.log(jnp.diag(normal.factor))) + 2.0 * jnp.sum(jnp.log(prior_sd))
    if residual.shape[1] > 1:
        quadratic = quadratic - jnp.sum(normal.geo_rhs**2 / normal.geo_precision)
        log_det = log_det + jnp.sum(jnp.log(normal.geo_precision) + 2.0 * jnp.log(inputs["local_sd"])[:, None])
    log_det = log_det + inputs["rows_used"] * (jnp.log(2.0 * jnp.pi) + 2.0 * jnp.log(noise)) - inputs["log_weight"]
    return -0.5 * (quadratic + log_det), (residual, prior_sd, noise, inputs, normal, half)


def _gradient(kept: tuple[Any, ...], cotangent: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    """Closed form: with posterior mean ``g``, covariance ``V`` and error ``e`` of the fitted baseline.

    ``d/dr = -w e / noise^2``; ``d/dsd_j = (g_j^2 + V_jj) / sd_j^3 - 1 / sd_j``; and, because ``tr(V Z'WZ) / noise^2`` is
    the number of coefficients minus ``tr(V prior precision)``, ``d/dnoise`` needs the same diagonal only.
    """
    residual, prior_sd, noise, inputs, normal, half = kept
    inverse = jax.scipy.linalg.solve_triangular(normal.factor, jnp.eye(prior_sd.shape[0]), lower=True)
    mean = inverse.T @ half
    variance = jnp.sum(inverse**2, axis=0)
    error = residual - predict(mean, inputs)
    coefficients = prior_sd.shape[0] - jnp.sum(variance / prior_sd**2)
    if residual.shape[1] > 1:
        cross = inputs["local_z"] / noise**2
        geo_mean = (normal.geo_rhs - cross @ mean) / normal.geo_precision
        spread = jnp.sum((cross @ inverse.T) ** 2, axis=2) / normal.geo_precision**2
        geo_variance = 1.0 / normal.geo_precision + spread
        error = error - jnp.einsum("ktg,kg->tg", inputs["local"], geo_mean)
        coefficients = coefficients + geo_mean.size - jnp.sum(geo_variance / inputs["local_sd"][:, None] ** 2)
    weighted = inputs["w"] * error / noise**2
    by_noise = (jnp.sum(weighted * error) + coefficients - inputs["rows_used"]) / noise
    by_sd = (mean**2 + variance) / prior_sd**3 - 1.0 / prior_sd
    return -cotangent * weighted, cotangent * by_sd, cotangent * by_noise, None


def draw_back(
    normal: Normal, noise: jax.Array, inputs: dict[str, Any], shared_noise: jax.Array, geo_noise: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Draw the baseline coefficients from their exact conditional posterior.

    Parameters
    ----------
    normal : Normal
    noise : array, ()
    inputs : dict
    shared_noise, geo_noise : array, (column,) and (local column, geo)
        Independent standard normals.

    Returns
    -------
    array, (column,) and array, (local column, geo)
        Shared coefficients, and the geos' own of the columns ``inputs["local"]`` (zero for one geo).
    """
    half = jax.scipy.linalg.solve_triangular(normal.factor, normal.rhs, lower=True)
    shared = jax.scipy.linalg.solve_triangular(normal.factor, half + shared_noise, lower=True, trans=1)
    if inputs["w"].shape[1] == 1:
        return shared, jnp.zeros((1, 1))
    mean = (normal.geo_rhs - noise**-2.0 * (inputs["local_z"] @ shared)) / normal.geo_precision
    return shared, mean + geo_noise / jnp.sqrt(normal.geo_precision)
