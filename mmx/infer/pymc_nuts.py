"""NUTS by PyMC on the PyMC statement of the model, whose likelihood is reached through ``pytensor.wrap_jax``."""

from __future__ import annotations

import time
import warnings

import numpy as np

from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Progress, Target, from_sites, initial_point, to_sites, tree_depth
from mmx.jax_setup import load_jax
from mmx.spec import SamplerSettings


def sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, cores: int, progress: Progress | None
) -> Draws:
    """Sample with PyMC's own NUTS; see ``mmx.infer.sample``.

    Chains run one after another: PyMC's worker processes are forked, which JAX does not survive. PyTensor's compile cache
    is not used, because the same seed gives other draws with a cold than with a warm one: every fit compiles, some seconds.
    """
    load_jax()
    import pymc as pm
    import pytensor

    if target.pymc_model is None:
        raise ValueError("this model has no PyMC front end")
    began = time.perf_counter()
    model = target.pymc_model()
    starts = [to_sites(target.sites, initial_point(target.dim, seed + 1000 * chain, start)) for chain in range(settings.chains)]
    compiled_after = time.perf_counter() - began
    began = time.perf_counter()
    with model, pytensor.config.change_flags(numba__cache=False), warnings.catch_warnings():
        # That numba calls the JAX density through Python is what this front end is made for.
        warnings.filterwarnings("ignore", message="Numba will use object mode", category=UserWarning)
        trace = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            random_seed=seed,
            nuts_sampler="pymc",
            init="adapt_diag",
            initvals=starts,
            nuts={"target_accept": settings.target_accept, "max_treedepth": settings.max_depth},
            progressbar=False,
            quiet=True,
            compute_convergence_checks=False,
        )
    stats, posterior = trace["sample_stats"], trace["posterior"]
    values = {site.name: np.array(posterior[site.name].values) for site in target.sites}
    return Draws(
        q=from_sites(target.sites, values),
        stats={
            "lp": np.array(stats["lp"].values),
            "acceptance_rate": np.array(stats["acceptance_rate"].values),
            "diverging": np.array(stats["diverging"].values, dtype=bool),
            "energy": np.array(stats["energy"].values),
            "n_steps": np.array(stats["n_steps"].values, dtype=np.int64),
            "tree_depth": tree_depth(stats["n_steps"].values),
            "reached_max_depth": np.array(stats["reached_max_treedepth"].values, dtype=bool),
        },
        seconds={"compile": compiled_after, "sample": time.perf_counter() - began},
        sampler="pymc",
        settings={**settings.model_dump(), "seed": seed},
    )
