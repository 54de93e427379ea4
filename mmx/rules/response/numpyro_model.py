"""A part of the response model in NumPyro's words: priors and laws as distributions of that library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmx.jax_setup import jnp
from mmx.rules.response import density
from mmx.rules.response.structure import Structure


def build(structure: Structure) -> Callable[[dict[str, Any]], None]:
    """Return a NumPyro model that takes the inputs of ``data.prepare``."""
    import numpyro
    import numpyro.distributions as dist

    def model(inputs: dict[str, Any]) -> None:
        params = {}
        for name, size, transform in structure.hyper:
            prior = inputs["prior"][name]
            law = dist.HalfNormal(prior) if transform == "log" else dist.Beta(*prior)
            params[name] = numpyro.sample(name, law.expand((size,)).to_event(1))
        for name, size, _ in (*structure.shared, *structure.own):
            params[name] = numpyro.sample(name, dist.Normal(0.0, 1.0).expand((size,)).to_event(1))
        eta = density.predictor(structure, params, inputs)
        cells = _law(structure, eta, density.log_dispersion(structure, params), inputs)
        numpyro.factor("cells", jnp.sum(inputs["weight"] * cells))

    return model


def _law(structure: Structure, eta: Any, log_dispersion: Any, inputs: dict[str, Any]) -> Any:
    import numpyro.distributions as dist

    value, size, spread = inputs["value"], inputs["size"], jnp.exp(log_dispersion)
    if structure.family == "beta_binomial":
        first = spread**-2.0
        return dist.BetaBinomial(first, first * jnp.exp(-eta), total_count=size).log_prob(value)
    if structure.family == "negative_binomial":
        return dist.NegativeBinomial2(jnp.exp(eta), spread**-2.0).log_prob(value)
    if structure.family == "amount":
        variance = jnp.log1p(jnp.expm1(spread**2) / size)
        return dist.Normal(eta - variance / 2.0, jnp.sqrt(variance)).log_prob(value)
    law = dist.Normal(eta, spread)
    if structure.family == "delivery":
        return jnp.where(size > 0.5, dist.Normal(-eta, spread).log_cdf(-value), law.log_prob(value))
    return law.log_prob(value)
