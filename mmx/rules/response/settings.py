"""Settings of the response model: priors, what is taken from the days before, and how the posterior is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmx.spec import GateSettings, SamplerSettings

Method = Literal["laplace", "nuts", "auto"]


@dataclass(frozen=True)
class Slope:
    """Prior of a slope: its account mean is normal, ad sets lie normally around it, and their spread is half-normal.

    Attributes
    ----------
    mean, sd : float
        Of the account mean.
    spread : float
        Scale of the standard deviation between ad sets; 0 where all ad sets share the slope.
    """

    mean: float
    sd: float
    spread: float = 0.0


@dataclass(frozen=True)
class ResponsePriors:
    """Priors; scales are those of half-normal laws, on the log scale of what is modelled.

    The elasticities of impressions, click rate and conversion rate in the budget sum to about .51, give or take .16, and fall
    by .18 where the budget is e times its reference (``curvature``; see ``bases.bend``): what randomised accounts of the
    simulator say under wide priors (``experiments/response_model/learn_priors.py``). Single accounts say little of either.
    """

    impressions: Slope = Slope(0.95, 0.03, 0.05)
    clicks: Slope = Slope(0.0, 0.04, 0.06)
    purchases: Slope = Slope(-0.44, 0.15, 0.10)
    delivery: Slope = Slope(0.0, 0.10, 0.08)
    curvature: Slope = Slope(-0.13, 0.10)
    fatigue: Slope = Slope(-0.15, 0.15, 0.10)
    delivered_impressions: Slope = Slope(0.9, 0.2)
    delivered_rates: Slope = Slope(0.0, 0.2)
    level: float = 1.0
    campaign: float = 0.5
    adset: float = 0.5
    weekday: float = 0.2
    day: float = 0.2
    drift: float = 0.3
    noise: float = 0.5
    amount: float = 1.0
    day_correlation: tuple[float, float] = (2.0, 2.0)


LEAST_PROPOSALS = 50
_SAMPLER = SamplerSettings(
    name="nutpie",
    chains=4,
    tune=400,
    warm_tune=200,
    draws=500,
    thin=1,
    target_accept=0.9,
    max_depth=10,
    retry_target_accept=0.98,
)
_GATE = GateSettings(max_rhat=1.01, min_ess=400, min_ebfmi=0.3, max_divergences=0)


@dataclass(frozen=True)
class ResponseSettings:
    """How a response model is built and fitted.

    Attributes
    ----------
    priors : ResponsePriors
    cap : float
        Largest share of a day's budget that a platform spends on the day (Meta documents 1.75).
    exposure_half_life : float
        Days after which half of the impressions of the past no longer tire.
    knot_days : int
        Distance of the knots between which an ad set's level drifts in straight lines.
    knot_correlation : float
        Correlation of neighbouring knots.
    reported : tuple of float or None
        Share of a day's purchases that is reported after 0, 1, ... days; all after that. None: immature days are left out.
    draws : int
        Posterior draws that are kept.
    proposals : int
        Points of a round at which the quick path weighs the scales; there are more rounds where weights are uneven.
    method : {"laplace", "nuts", "auto"}
        ``auto`` is the quick path, and NUTS for a part whose weights have a Pareto k above ``max_khat``.
    max_khat, least_effective : float
        The quick path fails where the weights' Pareto k is above the one (Vehtari et al. 2024, Pareto smoothed importance
        sampling) and their effective number below the other, as a share of the points: of weights that are nearly equal the k
        says little.
    least_variation : float
        Standard deviation of an ad set's log budget around its own and the day's mean below which nothing can be learned.
    least_learned : float
        Posterior over prior standard deviation of an elasticity above which it is called prior-dominated.
    sampler, gate
        Of NUTS.
    """

    priors: ResponsePriors = ResponsePriors()
    cap: float = 1.75
    exposure_half_life: float = 28.0
    knot_days: int = 14
    knot_correlation: float = 0.8
    reported: tuple[float, ...] | None = None
    draws: int = 128
    proposals: int = 128
    method: Method = "laplace"
    max_khat: float = 0.7
    least_effective: float = 0.5
    least_variation: float = 0.05
    least_learned: float = 0.8
    sampler: SamplerSettings = _SAMPLER
    gate: GateSettings = _GATE

    def __post_init__(self) -> None:
        if self.proposals < LEAST_PROPOSALS:
            raise ValueError(f"proposals: at least {LEAST_PROPOSALS} points are needed to judge their weights")
