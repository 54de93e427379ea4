"""The hierarchical model of customers' optima: one log density, in JAX.

    theta*_c | theta_c  ~ N(theta_c, P_c^-1)          the optimum of a customer's search, of precision P_c
    theta_c             ~ N(W' z_c, L L')             L = diag(spread) T, T a unit triangle

``theta_c`` is integrated out (``marginal``), which needs no inverse of P and ignores what P does not see. Where an optimum lies
at an end of the search, the place beyond it is a parameter of its own: the likelihood is that of the interval. Rows of T are
``(m_i1, ..., 1) / norm`` with ``m ~ N(0, mix)``; all coordinates are unconstrained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmx.infer.target import Site
from mmx.jax_setup import jax, jnp
from mmx.rules.pooling.marginal import marginal
from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.smoother import Floats
from mmx.tune_settings import PoolPriors


@dataclass(frozen=True)
class Shape:
    """Sizes of the model.

    Attributes
    ----------
    coordinates, covariates, ends : int
        Of theta, of z, and number of optima at an end over all customers.
    """

    coordinates: int
    covariates: int
    ends: int

    @property
    def sites(self) -> tuple[Site, ...]:
        """Variables of the front ends, in the order of the unconstrained vector; empty ones are left out."""
        d = self.coordinates
        sizes = {"w": self.covariates * d, "spread": d, "mix": d * (d - 1) // 2, "beyond": self.ends}
        found, begin = [], 0
        for name, size in sizes.items():
            if size:
                found.append(Site(name, slice(begin, begin + size), "log" if name in ("spread", "beyond") else "identity"))
            begin += size
        return tuple(found)

    @property
    def dim(self) -> int:
        """Length of the unconstrained vector."""
        stop: int = self.sites[-1].place.stop
        return stop


def make_inputs(optima: list[Optimum], covariates: Floats, default: Floats, priors: PoolPriors, edge: float) -> dict[str, Any]:
    """Arrays that the density takes.

    Parameters
    ----------
    optima : list of Optimum
        One per customer.
    covariates : array, (customer, covariate)
        The first is 1.
    default : array, (coordinate,)
        The defaults in unconstrained coordinates: the prior mean of the common level.
    priors : PoolPriors
    edge : float
        End of the searches.
    """
    side = np.stack([o.side for o in optima])
    precision = np.stack([o.precision for o in optima])
    error = np.stack([o.error for o in optima])
    customer, coordinate = np.nonzero(side)
    precision[customer, coordinate, coordinate] = error[customer, coordinate] ** -2.0
    mean = np.zeros((covariates.shape[1], side.shape[1]))
    mean[0] = default
    sd = np.full_like(mean, priors.slope)
    sd[0] = priors.level
    return {
        "z": covariates,
        "point": np.stack([o.point for o in optima]),
        "precision": precision,
        "customer": customer,
        "coordinate": coordinate,
        "side": side[customer, coordinate],
        "edge": np.array(edge),
        "w_mean": mean.ravel(),
        "w_sd": sd.ravel(),
        "spread": np.array(priors.spread),
        "mix": np.array(priors.mix),
    }


def shape_of(inputs: dict[str, Any]) -> Shape:
    """Sizes from the arrays."""
    return Shape(inputs["point"].shape[1], inputs["z"].shape[1], len(inputs["side"]))


def factor(spread: jax.Array, mix: jax.Array | None) -> jax.Array:
    """``L``, (coordinate, coordinate), lower triangular, with rows of length ``spread``."""
    d = spread.shape[0]
    rows, columns = np.tril_indices(d, -1)
    triangle = jnp.eye(d) if mix is None else jnp.eye(d).at[rows, columns].set(mix)
    lower: jax.Array = spread[:, None] * triangle / jnp.linalg.norm(triangle, axis=1, keepdims=True)
    return lower


def residuals(w: jax.Array, beyond: jax.Array | None, inputs: dict[str, Any]) -> jax.Array:
    """Optima less what the covariates say, (customer, coordinate), those at an end moved beyond it."""
    point = inputs["point"]
    if beyond is not None:
        moved = inputs["side"] * (inputs["edge"] + beyond)
        point = jnp.asarray(point).at[inputs["customer"], inputs["coordinate"]].set(moved)
    left: jax.Array = point - inputs["z"] @ w.reshape(inputs["z"].shape[1], -1)
    return left


def log_likelihood(params: dict[str, jax.Array], inputs: dict[str, Any]) -> jax.Array:
    """Log density of all optima given ``w, spread, mix, beyond``, up to a constant."""
    r = residuals(params["w"], params.get("beyond"), inputs)
    return marginal()(r, factor(params["spread"], params.get("mix")), jnp.asarray(inputs["precision"]))


def log_density(q: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Log posterior density over the unconstrained vector, (dim,) -> (), up to a constant."""
    params, log_jacobian = {}, jnp.zeros(())
    for site in shape_of(inputs).sites:
        value = q[site.place]
        if site.transform == "log":
            log_jacobian += value.sum()
            value = jnp.exp(value)
        params[site.name] = value
    prior = -0.5 * jnp.square((params["w"] - inputs["w_mean"]) / inputs["w_sd"]).sum()
    prior += -0.5 * jnp.square(params["spread"] / inputs["spread"]).sum()
    if "mix" in params:
        prior += -0.5 * jnp.square(params["mix"] / inputs["mix"]).sum()
    return prior + log_jacobian + log_likelihood(params, inputs)


def names_of(shape: Shape, coordinates: tuple[str, ...], covariates: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the unconstrained coordinates, (dim,)."""
    rows, columns = np.tril_indices(shape.coordinates, -1)
    w = [f"w[{z}, {c}]" for z in covariates for c in coordinates]
    mix = [f"mix[{coordinates[i]}, {coordinates[j]}]" for i, j in zip(rows, columns, strict=True)]
    return (*w, *(f"spread[{c}]" for c in coordinates), *mix, *(f"beyond[{i}]" for i in range(shape.ends)))
