"""The model's side of the settings: priors, families, sampler, and the specification with its resolved constants."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmx.priors import EffectPrior as EffectPrior
from mmx.priors import Frozen as Frozen
from mmx.priors import Positive as Positive
from mmx.priors import Prior as Prior

Adstock = Literal["none", "geometric", "half_life", "two_stage", "delayed", "weibull_pdf", "weibull_cdf", "binomial"]
Saturation = Literal["none", "hill", "logistic", "exponential", "michaelis_menten", "root", "log", "tanh"]
Effectiveness = Literal["constant", "shared", "own"]
Likelihood = Literal["normal", "student_t", "lognormal", "negative_binomial"]
TargetKind = Literal["money", "count", "index"]
EffectKind = Literal["roas", "mroas", "contribution", "coefficient", "total"]
Share = Annotated[float, Field(ge=0, le=1)]
Shape = Literal[
    "alpha",
    "half_life",
    "theta",
    "stage",
    "weibull_shape",
    "weibull_scale",
    "half_saturation",
    "slope",
    "lam",
    "exponent",
]
SHAPES: dict[Shape, str] = {  # Shape parameters of all families, and the family of their priors.
    "alpha": "beta",
    "half_life": "lognormal",
    "theta": "beta",
    "stage": "beta",
    "weibull_shape": "lognormal",
    "weibull_scale": "lognormal",
    "half_saturation": "lognormal",
    "slope": "lognormal",
    "lam": "lognormal",
    "exponent": "beta",
}


COLLAPSED = ("normal", "lognormal")  # Likelihoods of which the baseline is integrated out.
MONEY_KINDS = ("roas", "mroas")  # Meanings of an effect that need spend and a KPI worth money.


def check_shape(name: Shape, prior: Prior) -> None:
    """Refuse a prior of another family than the shape parameter takes.

    Raises
    ------
    ValueError
    """
    where = {"beta": "lies between 0 and 1", "lognormal": "is positive"}[SHAPES[name]]
    if prior.family != SHAPES[name]:
        raise ValueError(f"{name} {where} and takes a {SHAPES[name]} prior, not {prior.family}")


class ShapePriors(Frozen):
    """Priors on the response curve of a channel; a channel uses those that its families have.

    ``alpha``: retention per period, and how long a binomial adstock stays. ``half_life``: of the effect, in periods. ``theta``:
    peak delay as a share of the adstock window. ``stage``: retention of the second of two stages over that of the first.
    ``weibull_shape``, ``weibull_scale``: of the Weibull adstocks, the second in periods. ``half_saturation``: of Hill and
    Michaelis-Menten, in multiples of the channel's mean active exposure. ``slope``: of Hill. ``lam``: rate of the logistic,
    exponential, log and tanh curves, per mean active exposure. ``exponent``: of the root.
    """

    alpha: Prior
    half_life: Prior
    theta: Prior
    stage: Prior
    weibull_shape: Prior
    weibull_scale: Prior
    half_saturation: Prior
    slope: Prior
    lam: Prior
    exponent: Prior

    @model_validator(mode="after")
    def _families(self) -> Self:
        for name in SHAPES:
            check_shape(name, getattr(self, name))
        return self


class BaselinePriors(Frozen):
    """Prior standard deviations of the baseline over the training rows.

    ``media_share`` is the share of the KPI that media bring by the prior: the intercept's prior mean is the rest.
    ``intercept`` and ``geo_intercept`` are in multiples of the root mean square of the KPI (of 1 on a logarithm),
    ``geo_effect`` and ``group_effect`` are on the log of a channel's effect, all others are in standard deviations of the KPI
    (within geos). ``geo_effect`` is of a geo in its group or in all, ``group_effect`` of a group of geos against the others;
    ``geo_intercept`` (in the middle of the training rows) and ``geo_trend`` are of a geo's deviation from the others.
    ``trend_change`` is of the change of slope at each knot of a piecewise trend. A control with a sign has a half-normal prior
    of scale ``control``; sparse ones share a half-Cauchy scale of size ``sparse`` and are cut off at ``control`` (the
    regularised horseshoe of Piironen and Vehtari, 2017). ``noise``, ``drift``, ``geo_effect`` and ``group_effect`` scale
    half-normal priors, as does ``effectiveness`` of its change over time, on the logarithm, with ``effectiveness_length`` in
    years; ``drift`` is the standard deviation of the slow drift, or with knots of its change within a year;
    ``drift_length`` is its length in years.
    """

    media_share: Share
    intercept: Positive
    trend: Positive
    trend_change: Positive
    season: Positive
    control: Positive
    sparse: Positive
    event: Positive
    treatment: Positive
    noise: Positive
    degrees: Prior
    autocorrelation: Prior
    drift: Positive
    drift_length: Prior
    effectiveness: Positive
    effectiveness_length: Prior
    geo_intercept: Positive
    geo_trend: Positive
    geo_effect: Positive
    group_effect: Positive

    @model_validator(mode="after")
    def _families(self) -> Self:
        for name in ("drift_length", "effectiveness_length"):
            if (family := getattr(self, name).family) != "lognormal":
                raise ValueError(f"{name} is positive and takes a lognormal prior, not {family}")
        if self.degrees.family != "lognormal":
            raise ValueError(
                f"degrees is of the degrees of freedom above 2 and takes a lognormal prior, not {self.degrees.family}"
            )
        if self.autocorrelation.family != "beta":
            raise ValueError(f"autocorrelation lies between 0 and 1 and takes a beta prior, not {self.autocorrelation.family}")
        return self


class Seasonality(Frozen):
    """Fourier pairs of the year, the month and the week; pair k has the prior scale of the first over ``k**decay``."""

    yearly: Annotated[int, Field(ge=0, le=20)]
    monthly: Annotated[int, Field(ge=0, le=10)]
    weekly: Annotated[int, Field(ge=0, le=3)]
    decay: Annotated[float, Field(ge=0, le=5)]


class ControlSettings(Frozen):
    """What is known of a control: the sign of its coefficient, or that it probably has none worth keeping (``sparse``)."""

    sign: Literal["positive", "negative"] | None = None
    sparse: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.sign is not None and self.sparse:
            raise ValueError("a control has a sign or is sparse, not both: a sparse prior is symmetric around zero")
        return self


class ModelSettings(Frozen):
    """The model family and its priors."""

    adstock: Adstock
    adstock_window: Annotated[int, Field(ge=2, le=104)]
    adstock_first: bool
    saturation: Saturation
    effectiveness: Effectiveness
    likelihood: Likelihood
    link: Literal["log", "identity"] | None
    noise: Literal["shared", "geo"]
    autocorrelation: bool
    trend: Literal["none", "linear", "piecewise"]
    trend_knots: Annotated[int, Field(ge=1, le=50)]
    seasonality: Seasonality
    drift: bool | Literal["knots"]
    drift_spacing: Positive
    controls: dict[str, ControlSettings]
    priors: EffectPrior
    organic_priors: EffectPrior
    split_sd: Positive
    silent_prior: Prior
    shapes: ShapePriors
    baseline: BaselinePriors

    @model_validator(mode="after")
    def _likelihood(self) -> Self:
        if (self.link is not None) != (self.likelihood == "negative_binomial"):
            raise ValueError(
                "link (log or identity) goes with likelihood: negative_binomial, which needs it; normal and student_t are "
                "additive, lognormal is multiplicative by itself: set link: null"
            )
        if self.autocorrelation and self.likelihood not in COLLAPSED:
            raise ValueError(
                f"autocorrelation needs a likelihood with normal noise: take normal or lognormal, not {self.likelihood}"
            )
        return self

    @model_validator(mode="after")
    def _organic(self) -> Self:
        if (kind := self.organic_priors.kind) in MONEY_KINDS:
            raise ValueError(
                f"organic_priors.kind cannot be {kind}: organic media have no spend; use contribution or coefficient"
            )
        if self.priors.kind == "contribution" and self.priors.family != "lognormal":
            raise ValueError("priors of kind contribution are on the share of all channels together and take family: lognormal")
        if self.silent_prior.family not in ("lognormal", "normal"):
            raise ValueError(f"silent_prior takes a lognormal or normal prior, not {self.silent_prior.family}")
        return self


class SamplerSettings(Frozen):
    """Which sampler, how long, and what the one automatic retry does.

    ``tune`` steps from scratch; ``warm_tune`` from an earlier fit whose metric is taken over. Every ``thin``-th draw of a
    chain is kept, ``draws`` of them; from an earlier fit ``warm_draws``, by default as many as its effective draws say.
    """

    name: Literal["nutpie", "numpyro", "pymc"]
    chains: Annotated[int, Field(ge=2, le=64)]
    tune: Annotated[int, Field(ge=50)]
    warm_tune: Annotated[int, Field(ge=20)]
    draws: Annotated[int, Field(ge=50)]
    warm_draws: Annotated[int, Field(ge=50)] | None = None
    thin: Annotated[int, Field(ge=1, le=100)]
    target_accept: Annotated[float, Field(gt=0.5, lt=1)]
    max_depth: Annotated[int, Field(ge=3, le=15)]
    retry_target_accept: Annotated[float, Field(gt=0.5, lt=1)]


class GateSettings(Frozen):
    """When a posterior counts as converged."""

    max_rhat: Annotated[float, Field(gt=1)]
    min_ess: Positive
    min_ebfmi: Positive
    max_divergences: Annotated[int, Field(ge=0)]


class MediaSpec(Frozen):
    """What the model says about one medium, its overrides filled in.

    With ``follows_demand`` the baseline has a column that moves with the medium's exposure: what the KPI has in common with it
    need not be its effect. The column has the prior of a control.
    """

    adstock: Adstock
    adstock_window: int
    adstock_first: bool
    saturation: Saturation
    effectiveness: Effectiveness
    shapes: ShapePriors
    priors: EffectPrior
    own_prior: bool
    follows_demand: bool = False

    def prior_of(self, kind: str, model: ModelSettings) -> Prior:
        """Return the prior of the effect, given what the effect means once the training rows are known."""
        return self.priors if kind in (self.priors.kind, "total") else model.silent_prior


class Constants(Frozen):
    """Everything derived from data, as explicit numbers, from the training rows only.

    Attributes
    ----------
    kpi_scale : float
        KPI units (per head) that make 1 inside: the mean absolute KPI.
    kpi_mean, kpi_sd : float
        Mean and standard deviation of the scaled KPI.
    kpi_center : float
        Prior mean of the baseline: the mean of the scaled KPI less the share of media that the prior expects.
    geo_scale : tuple of float, (geo,)
        Population over its mean, or each geo's mean KPI over their mean without population; 1 for one geo.
    media_scale : tuple of float, (media,)
        Mean active exposure per head of each medium: paid channels, then organic.
    kind : tuple of str, (media,)
        What the effect parameter of each medium means: ``roas``, ``mroas``, ``contribution``, ``coefficient`` or ``total``.
    numerator : tuple of float, (media,)
        KPI money per unit of the effect parameter: spend for ``roas`` and ``mroas``, total KPI money for ``contribution``.
    frequency_scale : tuple of float, (channel with reach,)
        Mean frequency of active cells.
    column_mean, column_sd : tuple of float
        Standardisation of treatments, then controls. A treatment is measured from its minimum (``column_mean``).
    demand_mean, demand_sd : tuple of float, (medium that follows demand,)
        Standardisation of exposure per head, in media scales.
    drift_terms : int
        Number of basis functions of the drift, or of its knots but the first; 0 without drift.
    effectiveness_terms : int
        Number of basis functions of effectiveness over time.
    drift_center, drift_half_range : float
        Centre and half range of time for the drift, in periods from the first row.
    periods_per_year : float
    time_center, time_range : float
        Trend: ``(t - time_center) / time_range``.
    """

    kpi_scale: float
    kpi_mean: float
    kpi_center: float
    kpi_sd: float
    geo_scale: tuple[float, ...]
    media_scale: tuple[float, ...]
    frequency_scale: tuple[float, ...]
    kind: tuple[EffectKind, ...]
    numerator: tuple[float, ...]
    column_mean: tuple[float, ...]
    column_sd: tuple[float, ...]
    drift_terms: int
    effectiveness_terms: int
    drift_center: float
    drift_half_range: float
    periods_per_year: float
    time_center: float
    time_range: float
    demand_mean: tuple[float, ...] = ()
    demand_sd: tuple[float, ...] = ()


class LiftTest(Frozen):
    """An experiment: what a channel brought more, or less, in some periods and geos than it would have without it.

    All signs are *with the test less without it*. A test that added spend has a positive ``delta_spend`` and, where the channel
    works, a positive ``value`` in KPI units. One that took spend away (a channel gone dark) has a negative ``delta_spend`` and
    a negative ``value``. Their ratio, a ``value`` of metric ``roas``, is positive in both.

    Attributes
    ----------
    test, channel : str
    start, end : date
        First and last day, inclusive; all periods that they touch count as a whole.
    geos : tuple of str
        Empty for all.
    metric : {"kpi", "roas"}
        Of ``value``: KPI units, or KPI money per unit of ``delta_spend``.
    value, se : float
        Estimate and its standard error.
    delta_spend : float, optional
        Spend with the test less spend without it, summed over its cells, not 0; by default their whole spend, so that without
        the test there is none. Never more than was spent there.
    inflation : float
        Factor on the standard error, for what the experiment's own does not hold: spill-over, another season, a bad match.
    """

    test: str
    channel: str
    start: dt.date
    end: dt.date
    geos: tuple[str, ...] = ()
    metric: Literal["kpi", "roas"]
    value: float
    se: Positive
    delta_spend: float | None = None
    inflation: Annotated[float, Field(ge=1)] = 1.0


class Spec(Frozen):
    """A model specification; ``constants`` is None until ``mmx.mmm.resolve`` has filled it in.

    Lift tests as ``likelihood`` are observations beside the KPI; as ``prior`` they update the prior of their channel's ROAS
    when the specification is resolved, and are then gone from it.
    """

    name: str
    target_kind: TargetKind
    channels: dict[str, MediaSpec]
    organic: dict[str, MediaSpec]
    model: ModelSettings
    sampler: SamplerSettings
    gate: GateSettings
    lift_tests: tuple[LiftTest, ...] = ()
    lift_tests_as: Literal["likelihood", "prior"] = "likelihood"
    constants: Constants | None = None

    @property
    def follows_demand(self) -> tuple[int, ...]:
        """Places, among all media, of those whose exposure follows demand."""
        media = [*self.channels.values(), *self.organic.values()]
        return tuple(place for place, medium in enumerate(media) if medium.follows_demand)
