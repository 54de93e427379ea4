"""Sample in the coordinates of an earlier fit: ``q = mean + factor z``, where the earlier draws have unit covariance.

A diagonal metric in ``z`` is a dense one in ``q``. The density stays exact whatever the map is: one that does not fit costs
gradients, and the gate still judges the draws. Its Jacobian is a constant and left out, so log densities are those of ``q``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.infer.diagnostics import rhat_and_ess
from mmx.infer.target import Native, Target
from mmx.jax_setup import jax, jnp

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """An affine map of the unconstrained vector.

    Attributes
    ----------
    mean : array, (dim,)
    factor : array, (dim, dim)
        Lower triangular, with a positive diagonal.
    """

    mean: Floats
    factor: Floats

    def forward(self, z: Floats) -> Floats:
        """Unconstrained vectors (..., dim) of whitened ones."""
        q: Floats = self.mean + z @ self.factor.T
        return q

    def back(self, q: Floats) -> Floats:
        """Whitened vectors (..., dim) of unconstrained ones."""
        from scipy.linalg import solve_triangular

        flat = (q - self.mean).reshape(-1, len(self.mean))
        z: Floats = solve_triangular(self.factor, flat.T, lower=True).T
        return z.reshape(q.shape)


def of_draws(draws: Floats) -> Affine:
    """Map under which draws have mean 0 and about unit covariance.

    Correlations are shrunk by ``dim / (dim + n)``, with ``n`` the median effective sample size: with as many effective draws
    as coordinates by a half. A coordinate that does not move keeps its scale.

    Parameters
    ----------
    draws : array, (chain, draw, dim)
    """
    flat = draws.reshape(-1, draws.shape[-1])
    dim = flat.shape[1]
    sd = flat.std(axis=0)
    sd = np.where(np.isfinite(sd) & (sd > 0), sd, 1.0)
    scaled = (flat - flat.mean(axis=0)) / sd
    _, bulk, _ = rhat_and_ess(np.moveaxis(draws, -1, 0))
    moving = bulk[np.isfinite(bulk)]
    size = float(np.median(moving)) if moving.size else 0.0
    correlation = scaled.T @ scaled / len(flat) * (size / (dim + size))
    np.fill_diagonal(correlation, 1.0)
    return Affine(flat.mean(axis=0), sd[:, None] * np.linalg.cholesky(correlation))


def of_covariance(mean: Floats, covariance: Floats) -> Affine:
    """Map under which a normal distribution is the standard one."""
    return Affine(mean, np.linalg.cholesky(covariance))


def whitened(target: Target, affine: Affine) -> Target:
    """Return the same density over ``z``, without the front ends that state the model in their own words."""

    def compiled() -> Callable[[Floats], tuple[float, Floats]]:
        assert target.compiled is not None
        inner = target.compiled()

        def value_and_gradient(z: Floats) -> tuple[float, Floats]:
            value, gradient = inner(affine.forward(z))
            return value, gradient @ affine.factor

        return value_and_gradient

    def native() -> Native:
        from mmx.infer import whiten_native

        assert target.native is not None
        return whiten_native.whitened(target.native(), affine.mean, affine.factor)

    return replace(
        target,
        log_density=_log_density(target.log_density),
        inputs={"mean": affine.mean, "factor": affine.factor, "inputs": target.inputs},
        numpyro_model=None,
        pymc_model=None,
        compiled=compiled if target.compiled is not None else None,
        native=native if target.native is not None else None,
        sites=(),
    )


@cache
def _log_density(inner: Callable[..., jax.Array]) -> Callable[[jax.Array, dict[str, Any]], jax.Array]:
    """Return the density over ``z``; one object per density, so that it compiles once for all maps."""

    def log_density(z: jax.Array, inputs: dict[str, Any]) -> jax.Array:
        return inner(inputs["mean"] + jnp.asarray(inputs["factor"]) @ z, inputs["inputs"])

    return log_density
