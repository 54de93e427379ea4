"""Prior settings to the parameters of distributions."""

from __future__ import annotations

import math

from scipy.special import ndtri

from mmx.schema import MediaSpec, ModelSettings, Prior

_Z90 = float(ndtri(0.9))


def log_location_scale(prior: Prior) -> tuple[float, float]:
    """``mu, sigma`` of the logarithm of a lognormal prior."""
    if prior.mu is not None and prior.sigma is not None:
        return prior.mu, prior.sigma
    assert prior.median is not None and prior.q90 is not None
    return math.log(prior.median), math.log(prior.q90 / prior.median) / _Z90


def location_scale(prior: Prior) -> tuple[float, float]:
    """``mean, sd`` of a normal prior, or ``mu, sigma`` of the logarithm of a lognormal one."""
    if prior.family == "lognormal":
        return log_location_scale(prior)
    if prior.mean is not None and prior.sd is not None:
        return prior.mean, prior.sd
    assert prior.median is not None and prior.q90 is not None
    return prior.median, (prior.q90 - prior.median) / _Z90


def effect_prior(medium: MediaSpec, kind: str, model: ModelSettings) -> Prior:
    """Prior of a medium's effect, given what the effect means once the training rows are known."""
    if kind in (medium.priors.kind, "total"):
        return medium.priors
    return model.silent_prior
