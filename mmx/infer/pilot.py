"""A first, short run: what its chains learn of scale, correlation and place is what the run that counts starts from.

Tuning is spent twice. A pilot with a diagonal metric finds the posterior; then each chain goes on from where its pilot ended,
in coordinates in which the pilot's draws are uncorrelated. In mixes of 6 channels that halves the steps for the same effective
draws, because slope, half saturation, carryover and effect of one channel move together.

A pilot that ended in a mode of negligible weight is not continued: its chain goes on from another chain's pilot, and the fit
says so. The weight of a chain's surroundings is estimated by mean log density plus log volume, the sum of the log standard
deviations; the limit is where the weight falls below about one in twenty thousand, and wider where many dimensions make the
estimate rough.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import numpy.typing as npt

from mmx.infer import starts, whiten
from mmx.infer.target import Draws, Progress, Target
from mmx.spec import SamplerSettings

Floats = npt.NDArray[np.float64]

SHORTEST = 200  # Tuning steps below which they are not split.
PILOT, RECORDED = 5 / 8, 2 / 5  # Share of the tuning that is the pilot; share of the pilot that is recorded.
TARGET_ACCEPT = 0.8
NEGLIGIBLE = 10.0


def sample(
    module: ModuleType, target: Target, settings: SamplerSettings, *, seed: int, cores: int, progress: Progress | None
) -> Draws:
    """Sample from scratch with a pilot, or plainly where the tuning is too short for one or the target has no compiled twin.

    Parameters
    ----------
    module : module
        Of the sampler, with a function ``sample``.
    """
    if settings.tune < SHORTEST or target.native is None:
        plain: Draws = module.sample(target, settings, seed=seed, start=None, cores=cores, progress=progress)
        return plain
    steps = int(PILOT * settings.tune)
    recorded = int(RECORDED * steps)
    short = settings.model_copy(update={"tune": steps - recorded, "draws": recorded, "target_accept": TARGET_ACCEPT})
    whole = settings.chains * (settings.tune + settings.draws)
    first: Draws = module.sample(
        target, short, seed=(seed + 104729) % 2**32, start=None, cores=cores, progress=_part(progress, 0, whole)
    )
    q = target.canonical(first.q)
    weight = log_weights(q, first.stats["lp"])
    kept = weight >= weight.max() - limit(target.dim)
    affine = whiten.of_draws(q[kept], target.dense)
    begin = starts.Starts(affine.back(ends(q, kept)), starts.keys(settings.name, seed, settings.chains))
    rest = settings.model_copy(update={"tune": settings.tune - steps})
    draws: Draws = module.sample(
        whiten.whitened(target, affine),
        rest,
        seed=seed,
        start=begin,
        cores=cores,
        progress=_part(progress, settings.chains * steps, whole),
    )
    spent = first.tune_steps, draws.tune_steps
    return replace(
        draws,
        q=affine.forward(draws.q),
        seconds={k: v + first.seconds[k] for k, v in draws.seconds.items()},
        settings={**draws.settings, "tune": settings.tune},
        tune_steps=None if None in spent else sum(s for s in spent if s) + int(first.stats["n_steps"].sum()),
        notes=tuple(
            f"Chain {chain} goes on from another chain's place: after {steps} steps it stood in a mode whose weight is "
            f"about exp(-{weight.max() - weight[chain]:.0f}) of the best."
            for chain in np.flatnonzero(~kept)
        ),
    )


def limit(dim: int) -> float:
    """How far below the best chain's a log weight may lie; its standard error is below a sixth of the second term."""
    return NEGLIGIBLE + 0.5 * math.sqrt(dim)


def log_weights(q: Floats, lp: Floats) -> Floats:
    """Log weight of each chain's surroundings, (chain,), up to a constant.

    Parameters
    ----------
    q : array, (chain, draw, dim)
    lp : array, (chain, draw)
        Log density.
    """
    with np.errstate(divide="ignore"):  # A chain that never moved has no volume, and no weight.
        weight: Floats = lp.mean(axis=1) + np.log(q.std(axis=1)).sum(axis=1)
    return np.where(np.isfinite(weight), weight, -np.finfo(float).max)


def ends(q: Floats, kept: npt.NDArray[np.bool_]) -> Floats:
    """Where the chains go on, (chain, dim): each at its last draw, those not kept at earlier draws of chains that are."""
    points, donors = q[:, -1].copy(), np.flatnonzero(kept)
    others = np.flatnonzero(~kept)
    for i, chain in enumerate(others):
        points[chain] = q[donors[i % len(donors)], (i + 1) * q.shape[1] // (len(others) + 2)]
    return points


def _part(progress: Progress | None, done_before: int, whole: int) -> Progress | None:
    if progress is None:
        return None

    def call(done: int, total: int, divergences: int) -> None:
        progress(done_before + done, whole, divergences)

    return call
