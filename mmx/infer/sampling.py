"""Sample a target by the sampler of one's choice, under one vocabulary."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from mmx.infer import pilot, starts, whiten
from mmx.infer.diagnostics import smallest_ebfmi
from mmx.infer.target import Draws, Progress, Target
from mmx.spec import SamplerSettings

SAMPLERS = {
    "nutpie": "mmx.infer.nutpie_nuts",
    "numpyro": "mmx.infer.numpyro_nuts",
    "pymc": "mmx.infer.pymc_nuts",
}
WHITENED = ("nutpie",)  # The others sample their own statement of the model, in its own coordinates.


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
        An earlier fit: each chain starts from another one of its draws, and adapts its step size anew. nutpie takes over
        the metric as well: it walks in coordinates in which the earlier draws are uncorrelated, and tunes for
        ``warm_tune`` steps. ``warm_draws`` are drawn, or ``draws`` where that is None.
    cores : int, optional
        Chains that run side by side; all cores by default.
    progress : callable, optional
        Called with finished draws, total draws and divergences.

    Returns
    -------
    Draws
        With the settings as used.

    Raises
    ------
    ValueError
        If the earlier fit has another number of parameters, or fewer different draws than there are chains.
    """
    kept = settings.draws if start is None else settings.warm_draws or settings.draws
    whole = settings.model_copy(update={"draws": kept * settings.thin, "thin": 1})
    draws = _sample(target, whole, seed=seed, start=start, cores=cores or os.cpu_count() or 1, progress=progress)
    thin = thinned(draws, settings.thin)
    return replace(thin, q=target.canonical(thin.q))


def thinned(draws: Draws, thin: int) -> Draws:
    """Keep every ``thin``-th draw; steps and divergences of those between are counted to it."""
    if thin == 1:
        return draws
    whole = {name: values.reshape(len(values), -1, thin) for name, values in draws.stats.items()}
    over: dict[str, Callable[..., Any]] = {
        "acceptance_rate": np.mean,
        "diverging": np.any,
        "n_steps": np.sum,
        "tree_depth": np.max,
        "reached_max_depth": np.any,
    }
    kept = {name: over[name](values, axis=2) if name in over else values[..., -1] for name, values in whole.items()}
    return replace(
        draws,
        q=draws.q[:, thin - 1 :: thin],
        stats=kept,
        settings={**draws.settings, "draws": draws.q.shape[1] // thin, "thin": thin},
        ebfmi=smallest_ebfmi(draws.stats["energy"]),
    )


def _sample(
    target: Target, settings: SamplerSettings, *, seed: int, start: Draws | None, cores: int, progress: Progress | None
) -> Draws:
    """Draw, and keep every draw."""
    module = import_module(SAMPLERS[settings.name])
    if start is None:
        first = partial(pilot.sample, module) if settings.name in WHITENED else partial(module.sample, start=None)
        scratch: Draws = first(target, settings, seed=seed, cores=cores, progress=progress)
        return scratch
    if start.q.shape[-1] != target.dim:  # Here: a sampler's threads would wrap the error.
        raise ValueError(
            f"the earlier fit has {start.q.shape[-1]} parameters and this one {target.dim}: it cannot start from there"
        )
    points = starts.distinct(start.q, settings.chains, seed)
    keys = starts.keys(settings.name, seed, settings.chains)
    if settings.name not in WHITENED:
        chosen = starts.Starts(points, keys)
        own: Draws = module.sample(target, settings, seed=seed, start=chosen, cores=cores, progress=progress)
        return own
    affine = whiten.of_draws(start.q, target.dense)
    settings = settings.model_copy(update={"tune": settings.warm_tune})
    chosen = starts.Starts(affine.back(points), keys)
    inside = whiten.whitened(target, affine)
    draws: Draws = module.sample(inside, settings, seed=seed, start=chosen, cores=cores, progress=progress)
    return replace(draws, q=affine.forward(draws.q))
