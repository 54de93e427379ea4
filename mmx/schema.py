"""Validated settings: what a configuration may say.

Every value stands once, in ``configs/default.yaml``; the classes here only say which keys exist, their types and limits. The
model's side is in ``mmx.spec``.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mmx.budget_settings import BudgetSettings
from mmx.errors import ConfigError, Problem
from mmx.lift_settings import LiftSettings, ModelConfig
from mmx.spec import (
    MONEY_KINDS,
    Adstock,
    Effectiveness,
    EffectPrior,
    Frozen,
    GateSettings,
    MediaSpec,
    ModelSettings,
    Positive,
    Prior,
    SamplerSettings,
    Saturation,
    Shape,
    Share,
    Spec,
    TargetKind,
    check_shape,
)
from mmx.tune_settings import PoolSettings, TuneSettings


class Window(Frozen):
    """First and last period of the KPI window, inclusive; null means the first or last row."""

    start: dt.date | None
    end: dt.date | None

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"the window ends ({self.end}) before it starts ({self.start})")
        return self


class MediaSettings(Frozen):
    """What a medium overrides of the model."""

    adstock: Adstock | None = None
    adstock_window: Annotated[int, Field(ge=2, le=104)] | None = None
    adstock_first: bool | None = None
    saturation: Saturation | None = None
    effectiveness: Effectiveness | None = None
    shapes: dict[Shape, Prior] = Field(default_factory=dict)
    priors: EffectPrior | None = None
    follows_demand: bool = False

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        for name, prior in self.shapes.items():
            check_shape(name, prior)
        return self


class ChannelSettings(MediaSettings):
    """One paid channel: its columns, and what it overrides of the model."""

    spend: str
    exposure: str | None = None
    reach: str | None = None
    frequency: str | None = None

    @model_validator(mode="after")
    def _reach(self) -> Self:
        if (self.reach is None) != (self.frequency is None):
            raise ValueError("reach and frequency go together: name both columns, or exposure")
        if self.reach is not None and self.exposure is not None:
            raise ValueError("a channel has an exposure, or reach and frequency: take one of them out")
        if self.reach is not None and self.adstock_first is not None:
            raise ValueError("with reach and frequency the curve is on frequency, before the adstock: take adstock_first out")
        return self


class OrganicSettings(MediaSettings):
    """One organic medium: exposure without spend."""

    exposure: str

    @model_validator(mode="after")
    def _no_roas(self) -> Self:
        if self.priors is not None and self.priors.kind in MONEY_KINDS:
            raise ValueError(f"an organic medium has no spend, hence no {self.priors.kind}; use contribution or coefficient")
        return self


class EventColumn(Frozen):
    """A text column whose levels are events; ``none`` are the levels that mean no event."""

    column: str
    none: tuple[str, ...] = ()


class DatedEvent(Frozen):
    """An event with its first and last day, inclusive, and how it builds up before or fades after them.

    ``flat`` acts on these days alone; ``bell`` has Gaussian flanks on both sides, ``build_up`` only before and ``fade`` only
    after them, of ``width`` days (their standard deviation).
    """

    name: str
    start: dt.date
    end: dt.date
    shape: Literal["flat", "bell", "build_up", "fade"] = "flat"
    width: Positive | None = None

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"event {self.name!r} ends ({self.end}) before it starts ({self.start})")
        if (self.width is None) != (self.shape == "flat"):
            raise ValueError(f"event {self.name!r}: width (days) goes with shape bell, build_up or fade, and these need it")
        return self


class Holidays(Frozen):
    """Public holidays of a country, each an event of the name it bears there; ``names`` picks some of them."""

    country: str
    subdivision: str | None = None
    names: tuple[str, ...] | None = None


class LongLayout(Frozen):
    """Column names of a long table: one row per date, geo and variable."""

    variable: str
    value: str


class Policies(Frozen):
    """What to do where the data break the contract: ``error`` refuses, anything else repairs and is recorded."""

    missing_spend: Literal["error", "zero"]
    missing_exposure: Literal["error", "zero"]
    missing_controls: Literal["error", "previous"]
    negative_spend: Literal["error", "zero"]
    duplicates: Literal["error", "sum"]
    silent_channel: Literal["error", "drop"]
    low_frequency: Literal["error", "one"]


class DataSettings(Frozen):
    """Where the table is and what its columns mean."""

    path: str | None
    date: str
    window: Window
    geo: str | None
    group: str | None
    population: str | None
    target: str
    target_kind: TargetKind
    unit_value: str | Positive | None
    currency: str | None
    channels: Annotated[dict[str, ChannelSettings], Field(min_length=1)]
    organic: dict[str, OrganicSettings]
    treatments: tuple[str, ...]
    controls: tuple[str, ...]
    events: EventColumn | tuple[DatedEvent, ...] | None
    holidays: tuple[Holidays, ...]
    long: LongLayout | None
    policies: Policies

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.target_kind == "count" and self.unit_value is None:
            raise ValueError("target_kind: count needs unit_value, a column or a number: what one unit of the KPI is worth")
        if self.target_kind != "count" and self.unit_value is not None:
            raise ValueError(f"unit_value is for target_kind: count; this one is {self.target_kind}: take unit_value out")
        if self.group is not None and self.geo is None:
            raise ValueError("group needs geo: name the geo column, of which the group column names the level above")
        if self.population is not None and self.geo is None:
            raise ValueError("population needs geo: name the geo column, or take population out")
        both = sorted(set(self.channels) & set(self.organic))
        if both:
            raise ValueError(f"{', '.join(both)} stands under both channels and organic: keep one")
        same = sorted(set(self.treatments) & (set(self.channels) | set(self.organic)))
        if same:
            raise ValueError(f"{', '.join(same)} is the name of a medium and of a treatment: give the medium another name")
        names = [e.name for e in self.events] if isinstance(self.events, tuple) else []
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"events has {', '.join(twice)} more than once: give each date range its own name")
        return self


class CheckSettings(Frozen):
    """Limits of the data contract and the pre-model checks."""

    unmatched_share: Share
    vif: Positive
    correlation: Share
    weeks_of_spend: Annotated[int, Field(ge=1)]
    periods_per_parameter: Positive
    prior_media_share: tuple[Positive, Positive]
    collinear_tolerance: Positive
    test_agreement: Share


class TrackingSettings(Frozen):
    """Where runs are logged; ``uri: null`` logs nowhere."""

    uri: str | None
    experiment: str


class OutputSettings(Frozen):
    """Where output folders go when ``--out`` is not given."""

    dir: str


def _media_spec(settings: ChannelSettings | OrganicSettings, model: ModelSettings, priors: EffectPrior) -> MediaSpec:
    return MediaSpec(
        adstock=settings.adstock or model.adstock,
        adstock_window=settings.adstock_window or model.adstock_window,
        adstock_first=model.adstock_first if settings.adstock_first is None else settings.adstock_first,
        saturation=settings.saturation or model.saturation,
        effectiveness=settings.effectiveness or model.effectiveness,
        shapes=model.shapes.model_copy(update={str(k): v for k, v in settings.shapes.items()}),
        priors=settings.priors or priors,
        own_prior=settings.priors is not None,
        follows_demand=settings.follows_demand,
    )


class Config(Frozen):
    """A whole configuration, validated."""

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    data: DataSettings
    model: ModelConfig
    sampler: SamplerSettings
    gate: GateSettings
    budget: BudgetSettings
    checks: CheckSettings
    lift: LiftSettings
    tune: TuneSettings
    pool: PoolSettings
    tracking: TrackingSettings
    output: OutputSettings

    @model_validator(mode="after")
    def _roas_needs_money(self) -> Self:
        if self.data.target_kind == "index":
            asks = [f"channel {k}" for k, c in self.data.channels.items() if c.priors and c.priors.kind in MONEY_KINDS]
            if self.model.priors.kind in MONEY_KINDS:
                asks.insert(0, "model.priors")
            if asks:
                raise ValueError(
                    f"target_kind: index has no money value, so a prior of kind roas or mroas means nothing "
                    f"({', '.join(asks)}); "
                    "use kind: contribution (share of the KPI that all channels bring) or coefficient"
                )
        return self

    @model_validator(mode="after")
    def _likelihood(self) -> Self:
        if self.model.likelihood == "negative_binomial" and self.data.target_kind == "money":
            raise ValueError(
                "likelihood: negative_binomial is for counts, and target_kind: money is none: take likelihood: lognormal or "
                "student_t, or name the count as target with target_kind: count and its unit_value"
            )
        media = {**self.data.channels, **self.data.organic}
        varying = [name for name, m in media.items() if (m.effectiveness or self.model.effectiveness) != "constant"]
        if varying and (self.model.likelihood == "lognormal" or self.model.link == "log"):
            raise ValueError(
                f"effectiveness of {', '.join(varying)} over time is not supported in a multiplicative model, where it would "
                "also change with all else that multiplies: take likelihood: normal or student_t, or effectiveness: constant"
            )
        if self.model.noise == "geo" and self.data.geo is None:
            raise ValueError("noise: geo needs data.geo: a national model has one noise; take noise: shared")
        if self.model.noise == "geo" and self.model.likelihood == "negative_binomial":
            raise ValueError(
                "noise: geo with likelihood: negative_binomial is not supported, whose variance follows the size of each geo "
                "already: take noise: shared"
            )
        return self

    @model_validator(mode="after")
    def _controls(self) -> Self:
        if unknown := sorted(set(self.model.controls) - set(self.data.controls)):
            raise ValueError(f"model.controls names {', '.join(unknown)}, which data.controls does not have")
        return self

    @property
    def spec(self) -> Spec:
        """The model specification of this configuration, without data-derived constants.

        Raises
        ------
        ConfigError
            While ``model.lift_tests`` names a file: ``mmx.with_lift_tests(config, panel)`` reads it.
        """
        rows = self.model.lift_tests
        if isinstance(rows, str):
            problem = Problem(
                "model.lift_tests",
                f"it names the file {rows}, which has not been read",
                "lift tests as rows",
                "Call config = mmx.with_lift_tests(config, panel) first: it reads the file and holds it against the panel.",
            )
            raise ConfigError("the configuration has no specification yet", [problem])
        tests = tuple(row.as_test() for row in rows)
        return self.spec_without_tests.model_copy(update={"lift_tests": tests, "lift_tests_as": self.model.lift_tests_as})

    @property
    def spec_without_tests(self) -> Spec:
        """The model specification without lift tests and data-derived constants."""
        model = self.model.settings
        return Spec(
            name=self.name,
            target_kind=self.data.target_kind,
            channels={k: _media_spec(c, model, model.priors) for k, c in self.data.channels.items()},
            organic={k: _media_spec(c, model, model.organic_priors) for k, c in self.data.organic.items()},
            model=model,
            sampler=self.sampler,
            gate=self.gate,
        )

    def as_mapping(self) -> dict[str, Any]:
        """Plain mapping of all settings, ready for YAML."""
        return self.model_dump(mode="json")
