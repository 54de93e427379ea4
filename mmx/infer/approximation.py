"""From an approximation of a posterior to draws of it: proposals, importance weights, resampling.

Shared by the quick looks, ``mmx.infer.laplace`` and ``mmx.infer.pathfinder``. Their draws are independent, so R-hat says
nothing about them; what does is the Pareto shape of the importance weights.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from mmx.infer import psis
from mmx.infer.target import Draws, Importance, Target
from mmx.spec import SamplerSettings

Floats = npt.NDArray[np.float64]
Gradient = Callable[[Floats], tuple[float, Floats]]
_CHUNK = 250


def gradient_of(target: Target) -> Gradient:
    """Value and gradient of a target: its compiled twin, or the JAX density."""
    if target.compiled is not None:
        return target.compiled()
    from mmx.infer.nutpie_nuts import through_jax

    return through_jax(target)


def log_densities(gradient: Gradient, q: Floats, cores: int) -> Floats:
    """Log density of many points (sample, dim): (sample,); minus infinity where it is not finite."""

    def some(start: int) -> list[float]:
        return [gradient(point)[0] for point in q[start : start + _CHUNK]]

    with ThreadPoolExecutor(cores) as pool:
        values = np.array([v for part in pool.map(some, range(0, len(q), _CHUNK)) for v in part])
    return np.where(np.isfinite(values), values, -np.inf)


def corrected(
    proposals: Floats,
    log_target: Floats,
    log_proposal: Floats,
    settings: SamplerSettings,
    *,
    seed: int,
    seconds: dict[str, float],
) -> Draws:
    """Draws of a posterior from those of its approximation.

    Parameters
    ----------
    proposals : array, (sample, dim)
    log_target, log_proposal : array, (sample,)
    settings : SamplerSettings
        ``chains`` times ``draws`` are resampled.
    seed : int
    seconds : dict of float

    Returns
    -------
    Draws
        With ``importance`` set; the statistics are ``lp`` and ``log_weight`` (of the proposal that a draw is).
    """
    log_weights, shape = psis.smooth(log_target - log_proposal)
    rng = np.random.default_rng([seed % 2**32, 11])
    places = psis.resample(log_weights, settings.chains * settings.draws, rng)
    size = (settings.chains, settings.draws)
    return Draws(
        q=proposals[places].reshape(*size, -1),
        stats={"lp": log_target[places].reshape(size), "log_weight": log_weights[places].reshape(size)},
        seconds=seconds,
        sampler=settings.name,
        settings={**settings.model_dump(), "seed": seed},
        importance=Importance(pareto_k=shape, ess=psis.effective(log_weights)),
    )
