"""A correlated normal with closed form, stated for all samplers: two free numbers, one positive, one share."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.infer.target import Site, Target
from mmx.jax_setup import jax, jnp

MEAN = np.array([1.0, -2.0, 0.3, 0.5])
SD = np.array([1.0, 0.2, 0.5, 0.8])
CORRELATION = np.array([[1.0, 0.8, 0.0, 0.3], [0.8, 1.0, 0.2, 0.0], [0.0, 0.2, 1.0, -0.4], [0.3, 0.0, -0.4, 1.0]])
COVARIANCE = CORRELATION * np.outer(SD, SD)
NAMES = ("level[a]", "level[b]", "scale", "share")
SITES = (Site("level", slice(0, 2), "identity"), Site("scale", slice(2, 3), "log"), Site("share", slice(3, 4), "logit"))


def log_density(q: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Normal density of the unconstrained vector, up to a constant."""
    error = q - inputs["mean"]
    return -0.5 * error @ inputs["precision"] @ error


def target() -> Target:
    """The target with both front ends."""
    inputs = {"mean": MEAN, "precision": np.linalg.inv(COVARIANCE)}
    return Target(
        dim=4,
        log_density=log_density,
        inputs=inputs,
        names=NAMES,
        numpyro_model=_numpyro_model,
        pymc_model=lambda: _pymc_model(inputs),
        compiled=None,
        sites=SITES,
    )


def _numpyro_model(inputs: dict[str, Any]) -> None:
    """Improper flat priors in the transformed space, by taking the Jacobians back out of the density."""
    import numpyro
    import numpyro.distributions as dist

    positive, share = dist.constraints.positive, dist.constraints.unit_interval
    level = numpyro.sample("level", dist.ImproperUniform(dist.constraints.real_vector, (), (2,)))
    scale = numpyro.sample("scale", dist.ImproperUniform(dist.constraints.independent(positive, 1), (), (1,)))
    part = numpyro.sample("share", dist.ImproperUniform(dist.constraints.independent(share, 1), (), (1,)))
    q = jnp.concatenate([level, jnp.log(scale), jnp.log(part) - jnp.log1p(-part)])
    jacobian = jnp.sum(jnp.log(scale)) + jnp.sum(jnp.log(part) + jnp.log1p(-part))
    numpyro.factor("density", log_density(q, inputs) - jacobian)


def _pymc_model(inputs: dict[str, Any]) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model() as model:
        level = pm.Flat("level", shape=2)
        scale = pm.HalfFlat("scale", shape=1)
        share = pm.Beta("share", alpha=1.0, beta=1.0, shape=1)
        q = pt.concatenate([level, pt.log(scale), pt.log(share) - pt.log1p(-share)])
        error = q - inputs["mean"]
        jacobian = pt.sum(pt.log(scale)) + pt.sum(pt.log(share) + pt.log1p(-share))
        pm.Potential("density", -0.5 * pt.dot(error, pt.dot(inputs["precision"], error)) - jacobian)
    return model
