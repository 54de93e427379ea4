"""What the priors say about media before any data: the share of the KPI that they imply.

``share_c = roas_c * spend_c / KPI money`` for a prior on ROAS, the prior itself for one on the contribution; a prior on a
coefficient or a marginal ROAS implies no share without the response curve and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmx.config import Config
from mmx.data.cells import Floats
from mmx.spec import EffectPrior

Z90 = 1.2815515655446004  # standard normal quantile of 0.9


@dataclass(frozen=True)
class Implied:
    """Prior share of the KPI of one medium, or of all channels together.

    Attributes
    ----------
    name : str
    paid : bool
    prior : EffectPrior
    factor : float
        Share of the KPI per unit of the prior's quantity.
    """

    name: str
    paid: bool
    prior: EffectPrior
    factor: float

    @property
    def median(self) -> float:
        """Prior median of the share."""
        return self.quantile(0.0)

    def quantile(self, z: float) -> float:
        """Share at a quantile, given as a standard normal score."""
        location, scale = self.prior.location_scale()
        value = math.exp(location + scale * z) if self.prior.family == "lognormal" else location + scale * z
        return value * self.factor

    def draws(self, rng: np.random.Generator, count: int) -> Floats:
        """Draws of the share, (draw,)."""
        location, scale = self.prior.location_scale()
        values = rng.normal(location, scale, count)
        return self.factor * (np.exp(values) if self.prior.family == "lognormal" else values)


def implied_shares(config: Config, spend: Mapping[str, float], organic: tuple[str, ...], money: float) -> tuple[Implied, ...]:
    """Prior shares of all media that have one.

    Parameters
    ----------
    spend : mapping of channel to float
        Money in the window; channels that a policy dropped are left out.
    organic : tuple of str
        Organic media in the panel.
    money : float
        KPI money in the window, or the KPI's sum for an index.
    """
    out = []
    together = False
    for name, channel in config.data.channels.items():
        prior = channel.priors or config.model.priors
        if name not in spend or prior.kind in ("coefficient", "mroas"):
            continue
        if prior.kind == "roas":
            out.append(Implied(name, True, prior, spend[name] / money))
        elif channel.priors is not None:
            out.append(Implied(name, True, prior, 1.0))
        elif not together:
            together = True
            out.append(Implied("channels together", True, prior, 1.0))
    for name in organic:
        prior = config.data.organic[name].priors or config.model.organic_priors
        if prior.kind == "contribution":
            out.append(Implied(name, False, prior, 1.0))
    return tuple(out)
