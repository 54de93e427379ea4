"""The model in PyMC's words: priors as distributions, the collapsed likelihood as a potential reached through JAX."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.mmm import density
from mmx.mmm.structure import Structure, site_name


def build(structure: Structure, inputs: dict[str, Any]) -> Any:
    """Return the ``pymc.Model`` of a structure and its data."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    arrays = jax.tree.map(jnp.asarray, inputs)
    names = [block.name for block in structure.blocks]

    def log_likelihood(*values: Any) -> jax.Array:
        return density.log_likelihood(structure, dict(zip(names, values, strict=True)), arrays)

    with pm.Model() as model:
        params = []
        for block in structure.blocks:
            prior, site = inputs["prior"][block.name], site_name(block)
            if block.kind == "beta":
                value = pm.Beta(site, alpha=prior[0], beta=prior[1], shape=block.size)
            elif block.kind == "half_normal":
                value = pm.HalfNormal(site, sigma=prior[0], shape=block.size)
            elif block.kind == "half_cauchy":
                value = pm.HalfCauchy(site, beta=prior[0], shape=block.size)
            else:
                z = pm.Normal(site, mu=0.0, sigma=1.0, shape=block.size)
                value = prior[0] + prior[1] * z
                if block.kind in ("lognormal", "degrees"):
                    value = pt.exp(value) + (2.0 if block.kind == "degrees" else 0.0)
                elif block.kind == "effect":
                    value = pt.switch(inputs["lognormal"], pt.exp(value), value)
            params.append(value)
        pm.Potential("kpi", pytensor.wrap_jax(log_likelihood)(*params))
    return model
