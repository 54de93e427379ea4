"""Priors: distributions as settings, by their parameters or by median and 90 % quantile."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]


class Frozen(BaseModel):
    """Immutable settings that refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Prior(Frozen):
    """A prior distribution, by its parameters or by ``median`` and ``q90`` (the 90 % quantile).

    ``lognormal``: ``median, q90`` or ``mu, sigma`` (of the logarithm). ``normal``: ``median, q90`` or ``mean, sd``.
    ``half_normal``: ``sd``. ``beta``: ``a, b``.
    """

    family: Literal["lognormal", "normal", "half_normal", "beta"]
    median: float | None = None
    q90: float | None = None
    mu: float | None = None
    sigma: Positive | None = None
    mean: float | None = None
    sd: Positive | None = None
    a: Positive | None = None
    b: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        ways = {
            "lognormal": ({"median", "q90"}, {"mu", "sigma"}),
            "normal": ({"median", "q90"}, {"mean", "sd"}),
            "half_normal": ({"sd"},),
            "beta": ({"a", "b"},),
        }[self.family]
        numbers = ("median", "q90", "mu", "sigma", "mean", "sd", "a", "b")
        given = {k for k in numbers if getattr(self, k) is not None}
        if given not in ways:
            options = " or ".join(", ".join(sorted(w)) for w in ways)
            hint = "; write family beside the new ones to replace those inherited" if any(w < given for w in ways) else ""
            raise ValueError(
                f"a {self.family} prior takes {options}; it was given {', '.join(sorted(given)) or 'nothing'}{hint}"
            )
        if self.median is not None and self.q90 is not None and self.q90 <= self.median:
            raise ValueError(f"q90 ({self.q90:g}) must be above the median ({self.median:g})")
        if self.family == "lognormal" and self.median is not None and self.median <= 0:
            raise ValueError(f"a lognormal median must be positive, not {self.median:g}")
        return self

    def location_scale(self) -> tuple[float, float]:
        """Return mean and sd of a normal prior, or those of the logarithm of a lognormal one."""
        z90 = NormalDist().inv_cdf(0.9)
        if self.family == "lognormal":
            if self.mu is not None and self.sigma is not None:
                return self.mu, self.sigma
            if self.median is not None and self.q90 is not None:
                return math.log(self.median), math.log(self.q90 / self.median) / z90
        if self.mean is not None and self.sd is not None:
            return self.mean, self.sd
        if self.median is not None and self.q90 is not None:
            return self.median, (self.q90 - self.median) / z90
        raise ValueError(f"a {self.family} prior has no location and scale")


class EffectPrior(Prior):
    """The prior on what a channel does.

    ``kind`` says on what: its ``roas`` over the training window, its ``mroas`` there (of 1 % more in every cell), its
    ``contribution`` (share of the KPI) or its ``coefficient`` (effect of one unit of the saturation curve, which is full
    saturation where the curve ends, in units of the mean KPI). At model level ``contribution`` is the share
    of all channels together.
    """

    kind: Literal["roas", "mroas", "contribution", "coefficient"]
    family: Literal["lognormal", "normal"]
