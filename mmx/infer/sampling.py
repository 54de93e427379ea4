"""Sample a target by the sampler of one's choice, under one vocabulary."""

from __future__ import annotations

import os
from importlib import import_module

from mmx.infer.target import Draws, Progress, Target
from mmx.spec import SamplerSettings

SAMPLERS = {
    "nutpie": "mmx.infer.nutpie_nuts",
    "numpyro": "mmx.infer.numpyro_nuts",
    "pymc": "mmx.infer.pymc_nuts",
}


def sample(
    target: Target,
    settings: SamplerSettings,
    *,
    seed: int,
    start: Draws | None = None,
    cores: int | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Draw from a target's posterior.

    Parameters
    ----------
    target : Target
    settings : SamplerSettings
        ``name`` chooses the sampler.
    seed : int
        Fixes the draws, whatever the number of cores.
    start : Draws, optional
        An earlier fit: each chain starts from one of its draws, and adapts anew.
    cores : int, optional
        Chains that run side by side; all cores by default.
    progress : callable, optional
        Called with finished draws, total draws and divergences.

    Returns
    -------
    Draws

    Raises
    ------
    ValueError
        If the earlier fit has another number of parameters.
    """
    if start is not None and start.q.shape[-1] != target.dim:  # Here: a sampler's threads would wrap the error.
        raise ValueError(
            f"the earlier fit has {start.q.shape[-1]} parameters and this one {target.dim}: it cannot start from there"
        )
    module = import_module(SAMPLERS[settings.name])
    draws: Draws = module.sample(
        target, settings, seed=seed, start=start, cores=cores or os.cpu_count() or 1, progress=progress
    )
    return draws
