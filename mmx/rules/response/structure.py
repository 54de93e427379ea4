"""The five parts of the response model and how the unconstrained vector of each is laid out.

A part is a generalised linear model of one link of the chain budget -> spend -> impressions -> clicks -> purchases -> revenue,
given the link before it. Its linear predictor of ad set a on day t is

    eta[t,a] = offset + level_a + sum_j x_j[t,a] slope_ja + weekday[t] + day[t] + drift_a[t]

where levels are nested in campaign and account, the first slopes are pooled over ad sets and the others shared, day effects
are an autoregressive process of the account, and drift is one of each ad set, in straight lines between knots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from mmx.infer.target import Site

Family = Literal["delivery", "log_normal", "beta_binomial", "negative_binomial", "amount"]
PARTS: tuple[str, ...] = ("delivery", "impressions", "clicks", "purchases", "amounts")
WEEKDAYS = 6  # Contrasts of seven days.
SCALES = ("campaign_sd", "adset_sd", "slope_sd", "day_sd", "drift_sd", "dispersion", "dispersion_sd")


@dataclass(frozen=True)
class Structure:
    """Shape of a part; equal structures share compiled code.

    Attributes
    ----------
    family : str
        Law of what is observed given the linear predictor.
    days, adsets, campaigns : int
        Padded sizes.
    pooled : int
        Slopes that differ between ad sets.
    slopes : int
        All slopes.
    knots : int
        Knots of the drift; 0 without.
    daily : bool
        Whether there are weekday and day effects.
    own_dispersion : bool
        Whether each ad set has a dispersion of its own.
    """

    family: Family
    days: int
    adsets: int
    campaigns: int
    pooled: int
    slopes: int
    knots: int
    daily: bool
    own_dispersion: bool

    @cached_property
    def hyper(self) -> tuple[tuple[str, int, str], ...]:
        """Scales and what else is not Gaussian: name, size, transform."""
        found = [("campaign_sd", 1, "log"), ("adset_sd", 1, "log"), ("slope_sd", self.pooled, "log")]
        if self.daily:
            found += [("day_sd", 1, "log"), ("day_correlation", 1, "logit")]
        found += [("drift_sd", int(self.knots > 0), "log"), ("dispersion", 1, "log")]
        if self.own_dispersion:
            found += [("dispersion_sd", 1, "log")]
        return tuple(entry for entry in found if entry[1])

    @cached_property
    def shared(self) -> tuple[tuple[str, int, str], ...]:
        """Effects that several ad sets share, Gaussian given the scales."""
        found = [("mean", 1, "identity"), ("campaign", self.campaigns, "identity"), ("slope_mean", self.slopes, "identity")]
        if self.daily:
            found += [("weekday", WEEKDAYS, "identity"), ("day", self.days, "identity")]
        return tuple(entry for entry in found if entry[1])

    @cached_property
    def own(self) -> tuple[tuple[str, int, str], ...]:
        """Effects of each ad set, Gaussian given the scales: rows of (ad set, column)."""
        found = [("level", self.adsets), ("slope", self.adsets * self.pooled), ("drift", self.adsets * self.knots)]
        found += [("dispersion_z", self.adsets * self.own_dispersion)]
        return tuple((name, size, "identity") for name, size in found if size)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Place of every named block in the unconstrained vector."""
        places, begin = {}, 0
        for name, size, _ in (*self.hyper, *self.shared, *self.own):
            places[name] = slice(begin, begin + size)
            begin += size
        return places

    @property
    def columns(self) -> int:
        """Effects of one ad set: its level, slopes, knots of its drift, dispersion."""
        return 1 + self.pooled + self.knots + self.own_dispersion

    @property
    def hyper_size(self) -> int:
        """Length of the part of the vector that is not Gaussian given the rest."""
        return sum(size for _, size, _ in self.hyper)

    @property
    def shared_size(self) -> int:
        """Length of the shared effects."""
        return sum(size for _, size, _ in self.shared)

    @property
    def dim(self) -> int:
        """Length of the unconstrained vector."""
        return self.hyper_size + self.shared_size + self.adsets * self.columns

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The named variables of the front ends."""
        return tuple(Site(name, self.slices[name], kind) for name, _, kind in (*self.hyper, *self.shared, *self.own))
