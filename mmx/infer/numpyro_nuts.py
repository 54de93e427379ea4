"""NUTS by NumPyro: all chains in one vectorised program, on CPU or GPU."""

from __future__ import annotations

import time

import numpy as np

from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Progress, Target, from_sites, initial_point, tree_depth
from mmx.jax_setup import jax, jnp, load_jax
from mmx.spec import SamplerSettings


def sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, cores: int, progress: Progress | None
) -> Draws:
    """Sample with NumPyro; see ``mmx.infer.sample``. NumPyro reports no progress from inside its program."""
    load_jax()
    from numpyro.infer import MCMC, NUTS

    if target.numpyro_model is None:
        raise ValueError("this model has no NumPyro front end")
    kernel = NUTS(
        target.numpyro_model,
        target_accept_prob=settings.target_accept,
        max_tree_depth=settings.max_depth,
    )
    mcmc = MCMC(
        kernel,
        num_warmup=settings.tune,
        num_samples=settings.draws,
        num_chains=settings.chains,
        chain_method="vectorized",
        progress_bar=False,
    )
    points = np.stack([initial_point(target.dim, seed + 1000 * chain, start) for chain in range(settings.chains)])
    began = time.perf_counter()
    mcmc.run(
        jax.random.PRNGKey(seed),
        jax.tree.map(jnp.asarray, target.inputs),
        init_params={site.name: jnp.asarray(points[:, site.place]) for site in target.sites},
        extra_fields=("potential_energy", "energy", "num_steps", "accept_prob", "diverging"),
    )
    sites = {name: np.asarray(value) for name, value in mcmc.get_samples(group_by_chain=True).items()}
    extra = {name: np.asarray(value) for name, value in mcmc.get_extra_fields(group_by_chain=True).items()}
    seconds = time.perf_counter() - began
    steps = extra["num_steps"]
    return Draws(
        q=from_sites(target.sites, sites),
        stats={
            "lp": -extra["potential_energy"],
            "acceptance_rate": extra["accept_prob"],
            "diverging": extra["diverging"].astype(bool),
            "energy": extra["energy"],
            "n_steps": steps,
            "tree_depth": tree_depth(steps),
            "reached_max_depth": steps >= 2**settings.max_depth - 1,
        },
        seconds={"compile": 0.0, "sample": seconds},
        sampler="numpyro",
        settings={**settings.model_dump(), "seed": seed},
    )
