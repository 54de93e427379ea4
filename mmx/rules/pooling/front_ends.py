"""The hierarchical model in NumPyro's and in PyMC's words: priors as distributions, the optima's likelihood as a factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.jax_setup import jax, jnp
from mmx.rules.pooling import density


def numpyro_model(inputs: dict[str, Any]) -> None:
    """NumPyro model of the arrays of ``density.make_inputs``."""
    import numpyro
    import numpyro.distributions as dist

    params, sizes = {}, {s.name: s.place.stop - s.place.start for s in density.shape_of(inputs).sites}
    params["w"] = numpyro.sample("w", dist.Normal(inputs["w_mean"], inputs["w_sd"]).to_event(1))
    params["spread"] = numpyro.sample("spread", dist.HalfNormal(inputs["spread"]).expand((sizes["spread"],)).to_event(1))
    if "mix" in sizes:
        params["mix"] = numpyro.sample("mix", dist.Normal(0.0, inputs["mix"]).expand((sizes["mix"],)).to_event(1))
    if "beyond" in sizes:  # Flat above 0: the normal density of an optimum over this range is its probability.
        positive = dist.constraints.independent(dist.constraints.positive, 1)
        params["beyond"] = numpyro.sample("beyond", dist.ImproperUniform(positive, (), (sizes["beyond"],)))
    numpyro.factor("optima", density.log_likelihood(params, inputs))


def pymc_model(inputs: dict[str, Any]) -> Any:
    """``pymc.Model`` of the arrays of ``density.make_inputs``; the likelihood is reached through JAX."""
    import pymc as pm
    import pytensor

    arrays = {k: v if k in ("customer", "coordinate") else jnp.asarray(v) for k, v in inputs.items()}
    sizes = {s.name: s.place.stop - s.place.start for s in density.shape_of(inputs).sites}

    def log_likelihood(*values: Any) -> jax.Array:
        return density.log_likelihood(dict(zip(sizes, values, strict=True)), arrays)

    with pm.Model() as model:
        params = [
            pm.Normal("w", mu=np.asarray(inputs["w_mean"]), sigma=np.asarray(inputs["w_sd"]), shape=sizes["w"]),
            pm.HalfNormal("spread", sigma=float(inputs["spread"]), shape=sizes["spread"]),
        ]
        if "mix" in sizes:
            params.append(pm.Normal("mix", mu=0.0, sigma=float(inputs["mix"]), shape=sizes["mix"]))
        if "beyond" in sizes:
            params.append(pm.HalfFlat("beyond", shape=sizes["beyond"]))
        pm.Potential("optima", pytensor.wrap_jax(log_likelihood)(*params))
    return model
