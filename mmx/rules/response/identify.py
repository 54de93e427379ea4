"""What the data say of elasticities: how far budgets moved, and how much narrower the posterior is than the prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.rules.response.data import Constants
from mmx.rules.response.settings import ResponsePriors, ResponseSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Identification:
    """Evidence on the elasticity of purchases in the budget; arrays are (ad set,).

    Attributes
    ----------
    variation : array
        Standard deviation of the log budget around the ad set's and the day's mean.
    learned : array
        Posterior over prior standard deviation.
    account_learned : float
        The same of the account's mean elasticity.
    prior_dominated : array of bool
    verdict : {"learned", "partly prior-dominated", "prior-dominated"}
    sentence : str
    """

    variation: Floats
    learned: Floats
    account_learned: float
    prior_dominated: npt.NDArray[np.bool_]
    verdict: str
    sentence: str


def prior_sd(priors: ResponsePriors) -> tuple[float, float]:
    """Prior standard deviation of the total elasticity of an ad set, and of the account's mean."""
    slopes = (priors.impressions, priors.clicks, priors.purchases)
    account = sum(slope.sd**2 for slope in slopes)
    return float(np.sqrt(account + sum(slope.spread**2 for slope in slopes))), float(np.sqrt(account))


def identify(constants: Constants, slope: Floats, settings: ResponseSettings, adsets: tuple[str, ...]) -> Identification:
    """Judge what was learned.

    Parameters
    ----------
    constants : Constants
    slope : array, (link, ad set, draw)
        Elasticities of impressions, click rate and conversion rate in the budget.
    settings : ResponseSettings
    adsets : tuple of str
    """
    total = slope.sum(axis=0)
    one, account = prior_sd(settings.priors)
    variation = constants.variation[: len(adsets)]
    learned = total.std(axis=1) / one
    account_learned = float(total.mean(axis=0).std() / account)
    moved = variation >= settings.least_variation
    dominated = ~moved | (learned > settings.least_learned)
    share = float(dominated.mean())
    typical = float(np.median(variation))
    if share == 1.0:
        verdict = "prior-dominated"
        sentence = (
            f"No ad set's budget says how purchases answer to it: typically budgets moved by {100 * typical:.1f} % around "
            f"the ad set's and the day's mean, and the posterior of elasticities is {100 * float(np.median(learned)):.0f} % "
            "as wide as the prior. What follows rests on the prior; move budgets, at random if possible, to learn."
        )
    else:
        verdict = "learned" if share == 0.0 else "partly prior-dominated"
        sentence = (
            f"Budgets moved by {100 * typical:.1f} % around ad-set and day means, the account's mean elasticity is known to "
            f"{100 * account_learned:.0f} % of its prior's width; {int(dominated.sum())} of {len(adsets)} ad sets are "
            "prior-dominated."
        )
    return Identification(variation, learned, account_learned, dominated, verdict, sentence)
