"""Sample in the coordinates of earlier draws: ``q = mean + factor z``, where the earlier draws have unit variance.

The factor is dense for the first coordinates, in which the earlier draws become uncorrelated, and diagonal for the others: a
diagonal metric in ``z`` is a dense one in ``q``. The density stays exact whatever the map is: one that does not fit costs
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
    factor : array, (dense, dense)
        Lower triangular, with a positive diagonal; of the first coordinates.
    scale : array, (dim - dense,)
        Of the others, positive.
    """

    mean: Floats
    factor: Floats
    scale: Floats

    def forward(self, z: Floats) -> Floats:
        """Unconstrained vectors (..., dim) of whitened ones."""
        first = len(self.factor)
        q: Floats = self.mean + np.concatenate([z[..., :first] @ self.factor.T, self.scale * z[..., first:]], axis=-1)
        return q

    def pull(self, gradient: Floats) -> Floats:
        """Gradient (dim,) by the whitened vector of one by the unconstrained vector."""
        first = len(self.factor)
        return np.concatenate([gradient[:first] @ self.factor, self.scale * gradient[first:]])

    def back(self, q: Floats) -> Floats:
        """Whitened vectors (..., dim) of unconstrained ones."""
        flat, first = (q - self.mean).reshape(-1, len(self.mean)), len(self.factor)
        z = np.concatenate([np.linalg.solve(self.factor, flat[:, :first].T).T, flat[:, first:] / self.scale], axis=1)
        return z.reshape(q.shape)


def of_draws(draws: Floats, dense: int | None = None) -> Affine:
    """Map under which draws have mean 0 and about unit covariance.

    Correlations are shrunk by ``dense / (dense + n)``, with ``n`` the median effective sample size: with as many effective
    draws as coordinates by a half. A coordinate that does not move keeps its scale.

    Parameters
    ----------
    draws : array, (chain, draw, dim)
    dense : int, optional
        How many of the first coordinates are made uncorrelated; all by default.
    """
    flat = draws.reshape(-1, draws.shape[-1])
    dim = flat.shape[1] if dense is None else dense
    sd = flat.std(axis=0)
    sd = np.where(np.isfinite(sd) & (sd > 0), sd, 1.0)
    scaled = ((flat - flat.mean(axis=0)) / sd)[:, :dim]
    _, bulk, _ = rhat_and_ess(np.moveaxis(draws[..., :dim], -1, 0))
    moving = bulk[np.isfinite(bulk)]
    size = float(np.median(moving)) if moving.size else 0.0
    correlation = scaled.T @ scaled / len(flat) * (size / (dim + size))
    np.fill_diagonal(correlation, 1.0)
    return Affine(flat.mean(axis=0), sd[:dim, None] * np.linalg.cholesky(correlation), sd[dim:])


def whitened(target: Target, affine: Affine) -> Target:
    """Return the same density over ``z``, without the front ends that state the model in their own words."""

    def compiled() -> Callable[[Floats], tuple[float, Floats]]:
        assert target.compiled is not None
        inner = target.compiled()

        def value_and_gradient(z: Floats) -> tuple[float, Floats]:
            value, gradient = inner(affine.forward(z))
            return value, affine.pull(gradient)

        return value_and_gradient

    def native() -> Native:
        from mmx.infer import whiten_load

        assert target.native is not None
        return whiten_load.whitened(target.native(), affine.mean, affine.factor, affine.scale)

    return replace(
        target,
        log_density=_log_density(target.log_density),
        inputs={"mean": affine.mean, "factor": affine.factor, "scale": affine.scale, "inputs": target.inputs},
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
        factor = jnp.asarray(inputs["factor"])
        spread = jnp.concatenate([factor @ z[: len(factor)], inputs["scale"] * z[len(factor) :]])
        return inner(inputs["mean"] + spread, inputs["inputs"])

    return log_density
