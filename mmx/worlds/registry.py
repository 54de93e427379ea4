"""The named worlds, stated as values: what is true in each of them except for the seed's draws.

A new world is one entry of ``WORLDS``. Effects of levers and demand are shares of the KPI without media; ranges are drawn
from uniformly, by seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Pattern = Literal["always_on", "bursts", "flights", "seasonal"]
Range = tuple[float, float]


@dataclass(frozen=True)
class Medium:
    """One medium of a world.

    Attributes
    ----------
    name : str
    pattern : {"always_on", "bursts", "flights", "seasonal"}
        How it is bought: all weeks; long bursts with long pauses; short flights; all weeks with a peak season.
    level : float
        Money (paid) or exposure (organic) in a typical active period.
    alpha : (low, high)
        Retention per period.
    delay : (low, high)
        Periods to the peak, for the delayed adstock.
    active : bool
        False for a medium without any effect.
    paid : bool
        False for organic media: exposure without spend.
    unit_cost : float or None
        Money per unit of exposure where exposure is measured apart from spend.
    adstock, saturation, window
        Families of the response curve, and the lags of the delayed adstock.
    """

    name: str
    pattern: Pattern
    level: float
    alpha: Range = (0.2, 0.6)
    delay: Range = (1.0, 3.0)
    active: bool = True
    paid: bool = True
    unit_cost: float | None = None
    adstock: Literal["geometric", "delayed"] = "geometric"
    saturation: Literal["hill", "logistic"] = "hill"
    window: int = 13


@dataclass(frozen=True)
class Lever:
    """A control, treatment or event with its effect.

    Attributes
    ----------
    name : str
    kind : {"control", "treatment", "event"}
        A control is an autocorrelated series around 0; a treatment a depth >= 0 in some periods; an event a few periods.
    effect : (low, high)
        Share of the KPI without media per standard deviation (control), per unit (treatment), in the period (event).
    rows : tuple of int
        Periods of an event; empty for the others.
    """

    name: str
    kind: Literal["control", "treatment", "event"]
    effect: Range
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Demand:
    """Demand that drives both spend and KPI.

    Attributes
    ----------
    channels : tuple of str
        Channels whose spend follows demand.
    spend : float
        Change of log spend per standard deviation of demand.
    kpi : float
        Share of the KPI without media per standard deviation.
    index : str
        Column of the observed index.
    index_noise : float
        Standard deviation of its error, in standard deviations of demand.
    """

    channels: tuple[str, ...]
    spend: float
    kpi: float
    index: str = "demand_index"
    index_noise: float = 0.3


@dataclass(frozen=True)
class Irregular:
    """What makes a baseline unlike a line, two Fourier pairs and a smooth drift with independent noise.

    Attributes
    ----------
    wander : (low, high)
        Standard deviation over time of a random walk, of changes of level or of a broken line, one of them by seed, in
        multiples of ``drift_sd``.
    bump : (low, high)
        Height of the largest yearly bump: a Christmas peak, school holidays or spring and autumn, one of them by seed; half
        of the Fourier season stays.
    spikes : (low, high)
        Height of single weeks that return every year.
    spike_weeks : (fewest, most)
        How many of them.
    rho : (low, high)
        Correlation of the noise of neighbouring weeks.
    local_trend, local_season : float
        Between geos, standard deviation of the change from the first to the last period and of the log of the bumps.
    """

    wander: Range = (1.0, 2.0)
    bump: Range = (0.12, 0.35)
    spikes: Range = (0.06, 0.2)
    spike_weeks: tuple[int, int] = (0, 2)
    rho: Range = (0.0, 0.5)
    local_trend: float = 0.06
    local_season: float = 0.25


@dataclass(frozen=True)
class Baseline:
    """The KPI without media, relative to its level.

    Attributes
    ----------
    trend : (low, high)
        Change from the first to the last period.
    season : float
        Amplitude of the first yearly Fourier pair; the second has half of it.
    drift_sd, drift_years : float
        Slow Gaussian drift: standard deviation and length scale.
    irregular : Irregular or None
        What takes the place of the drift and of half of the season.
    """

    trend: Range = (-0.1, 0.25)
    season: float = 0.08
    drift_sd: float = 0.03
    drift_years: float = 0.5
    irregular: Irregular | None = None


@dataclass(frozen=True)
class Noise:
    """Noise of a cell as a share of its mean KPI; Student-t with ``dof`` degrees of freedom where given."""

    sd: float = 0.03
    dof: float | None = None


@dataclass(frozen=True)
class Geos:
    """Regions of a world.

    Attributes
    ----------
    count : int
    population : (median, sd of the logarithm)
    level : float
        Standard deviation of the log KPI per head between geos.
    effect : float
        Standard deviation of the log effect of a medium between geos.
    spend : float
        Standard deviation of the log spend per head between geos, and again between weeks of a geo.
    """

    count: int
    population: Range = (1.5e6, 0.6)
    level: float = 0.2
    effect: float = 0.15
    spend: float = 0.3


@dataclass(frozen=True)
class World:
    """A complete statement of how the data of a world come about.

    Attributes
    ----------
    about : str
        One sentence.
    media : tuple of Medium
    levers : tuple of Lever
    roas : (median, sd of the logarithm)
        Of the lognormal that true ROAS are drawn from.
    media_share : (low, high)
        Paid media as a share of the noiseless KPI.
    organic_share : (low, high)
        The same of each organic medium.
    spend_correlation : float
        Share of the variance of log spend that all channels have in common.
    demand : Demand or None
    noise : Noise
    baseline : Baseline
    geos : Geos or None
    half_saturation, slope, lam : (median, sd of the logarithm)
        Of the lognormals that the saturation parameters are drawn from.
    foreign_curves : bool
        Whether carryover and saturation are drawn from families that the default model does not have.
    """

    about: str
    media: tuple[Medium, ...]
    levers: tuple[Lever, ...] = ()
    roas: Range = (1.2, 0.6)
    media_share: Range = (0.26, 0.325)
    organic_share: Range = (0.01, 0.03)
    spend_correlation: float = 0.0
    demand: Demand | None = None
    noise: Noise = field(default_factory=Noise)
    baseline: Baseline = field(default_factory=Baseline)
    geos: Geos | None = None
    half_saturation: Range = (1.2, 0.3)
    slope: Range = (1.2, 0.25)
    lam: Range = (1.2, 0.3)
    foreign_curves: bool = False


SIX = (
    Medium("tv", "bursts", 120_000, alpha=(0.4, 0.75)),
    Medium("search", "always_on", 60_000, alpha=(0.05, 0.3)),
    Medium("social", "flights", 45_000, alpha=(0.15, 0.45)),
    Medium("display", "seasonal", 25_000, alpha=(0.15, 0.5)),
    Medium("video", "flights", 35_000, alpha=(0.25, 0.6)),
    Medium("radio", "bursts", 30_000, alpha=(0.3, 0.6)),
)
CLEAN = World("Everything is as the default model says: geometric adstock, Hill saturation, Gaussian noise.", SIX)

WORLDS: dict[str, World] = {
    "clean": CLEAN,
    "geo": replace(
        CLEAN,
        about="The clean world in 20 geos with population: spend, KPI per head and effects differ between geos.",
        geos=Geos(20),
        noise=Noise(0.06),
    ),
    "confounded": replace(
        CLEAN,
        about="Demand drives the KPI and the spend of search, social and display; an index shows demand with error.",
        demand=Demand(("search", "social", "display"), spend=0.4, kpi=0.08),
    ),
    "zero": replace(
        CLEAN,
        about="The clean world, but video has no effect at all.",
        media=tuple(replace(m, active=m.name != "video") for m in SIX),
    ),
    "delayed": replace(
        CLEAN,
        about="Every effect peaks one to three weeks after the spend.",
        media=tuple(replace(m, adstock="delayed", alpha=(0.5, 0.8)) for m in SIX),
    ),
    "collinear": replace(
        CLEAN,
        about="All channels are always on and most of the variation of their spend is common.",
        media=tuple(replace(m, pattern="always_on") for m in SIX),
        spend_correlation=0.85,
    ),
    "heavy": replace(CLEAN, about="Noise has heavy tails: Student-t with 3 degrees of freedom.", noise=Noise(0.03, dof=3)),
    "drift": replace(CLEAN, about="The baseline wanders widely.", baseline=Baseline(drift_sd=0.12)),
    "s_shaped": replace(CLEAN, about="Every response is S-shaped: little money brings next to nothing.", slope=(2.5, 0.15)),
}
