"""The model in NumPyro's words: priors as distributions, the collapsed likelihood as a factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmx.jax_setup import jnp
from mmx.mmm import density
from mmx.mmm.structure import Structure, site_name


def build(structure: Structure) -> Callable[[dict[str, Any]], None]:
    """Return a NumPyro model that takes the inputs of ``mmx.mmm.inputs.prepare``."""
    import numpyro
    import numpyro.distributions as dist

    def model(inputs: dict[str, Any]) -> None:
        params = {}
        for block in structure.blocks:
            prior, site = inputs["prior"][block.name], site_name(block)
            if block.kind == "beta":
                params[block.name] = numpyro.sample(site, dist.Beta(prior[0], prior[1]).to_event(1))
            elif block.kind == "half_normal":
                params[block.name] = numpyro.sample(site, dist.HalfNormal(prior[0]).to_event(1))
            elif block.kind == "half_cauchy":
                params[block.name] = numpyro.sample(site, dist.HalfCauchy(prior[0]).to_event(1))
            else:
                z = numpyro.sample(site, dist.Normal(0.0, 1.0).expand((block.size,)).to_event(1))
                linear = prior[0] + prior[1] * z
                if block.kind in ("lognormal", "degrees"):
                    linear = jnp.exp(linear) + (2.0 if block.kind == "degrees" else 0.0)
                elif block.kind == "effect":
                    linear = jnp.where(inputs["lognormal"], jnp.exp(linear), linear)
                params[block.name] = linear
        numpyro.factor("kpi", density.log_likelihood(structure, params, inputs))

    return model
