"""Experiments in a configuration: lift tests as a user writes them, and how ``mmx lift`` estimates one."""

from __future__ import annotations

import datetime as dt
from statistics import NormalDist
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mmx.spec import Frozen, LiftTest, ModelSettings, Positive, Share


def _split(value: Any) -> Any:
    """Read ``a;b;c``, as a table of lift tests has it, as a list."""
    return tuple(name.strip() for name in value.split(";") if name.strip()) if isinstance(value, str) else value


class LiftRow(Frozen):
    """One lift test as a user writes it: with a standard error, or with a central interval and its probability mass.

    ``se = (high - low) / (2 z)`` with ``z`` the normal quantile of ``(1 + mass) / 2``; ``value`` is then the middle where it is
    not given. Everything else as in ``LiftTest``.
    """

    test: Annotated[str, Field(min_length=1)]
    channel: str
    start: dt.date
    end: dt.date
    geos: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    metric: Literal["kpi", "roas"]
    value: float | None = None
    se: Positive | None = None
    low: float | None = None
    high: float | None = None
    mass: Annotated[float, Field(gt=0, lt=1)] | None = None
    delta_spend: float | None = None
    inflation: Annotated[float, Field(ge=1)] = 1.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"the test ends ({self.end}) before it starts ({self.start})")
        if self.delta_spend == 0:
            raise ValueError(
                "delta_spend is 0: a test that moved no spend says nothing of the channel; leave it empty where the test was "
                "of the whole spend of its periods and geos"
            )
        if twice := sorted({g for g in self.geos if self.geos.count(g) > 1}):
            raise ValueError(f"geos names {', '.join(twice)} more than once")
        interval = {"low": self.low, "high": self.high, "mass": self.mass}
        given = [name for name, value in interval.items() if value is not None]
        if self.se is not None and given:
            raise ValueError(f"it has both se and an interval ({', '.join(given)}): give one of the two")
        if self.se is None and not given:
            raise ValueError("it has neither se nor an interval: give se, or low, high and mass")
        if self.se is None and len(given) < 3:
            missing = [name for name in interval if name not in given]
            raise ValueError(f"its interval lacks {', '.join(missing)}: low, high and mass go together")
        if self.value is None and self.se is not None:
            raise ValueError("value is missing: with se it must be given, only an interval has a middle")
        return self._ordered()

    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None:
            if self.low >= self.high:
                raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
            if self.value is not None and not self.low <= self.value <= self.high:
                raise ValueError(f"value ({self.value:g}) lies outside its own interval, {self.low:g} to {self.high:g}")
        return self

    def as_test(self) -> LiftTest:
        """Return the test with its value and standard error."""
        value, se = self.value, self.se
        if self.low is not None and self.high is not None and self.mass is not None:
            se = (self.high - self.low) / (2 * NormalDist().inv_cdf((1 + self.mass) / 2))
            value = (self.low + self.high) / 2 if value is None else value
        same = self.model_dump(exclude={"value", "se", "low", "high", "mass"})
        return LiftTest(value=value, se=se, **same)  # type: ignore[arg-type]  # _complete has seen to both


class ModelConfig(ModelSettings):
    """The model of a configuration: its settings, and the experiments that it is to agree with.

    ``lift_tests`` is a CSV file or a list of rows; ``mmx.data.lift`` reads the first into the second.
    """

    lift_tests: str | tuple[LiftRow, ...]
    lift_tests_as: Literal["likelihood", "prior"]

    @property
    def settings(self) -> ModelSettings:
        """The settings alone."""
        return ModelSettings(**{name: getattr(self, name) for name in ModelSettings.model_fields})


class LiftSettings(Frozen):
    """How ``mmx lift`` reads an experiment on geos.

    ``mass`` of the interval; ``ridge`` over the mean squared donor before the test, 0 for weights on the simplex alone, null
    for the value that predicts left-out periods best among ``ridge_grid``; ``pre_over_post``: how many times the test's length
    is needed before it; ``fit_ratio``: a root mean square error before the test above this share of that of equal weights is a
    bad match; ``power`` that the smallest detectable effect is stated for; ``shown``: donors that are printed.
    """

    mass: Annotated[float, Field(gt=0, lt=1)]
    ridge: Annotated[float, Field(ge=0)] | None
    ridge_grid: Annotated[tuple[Positive, ...], Field(min_length=1)]
    pre_over_post: Annotated[float, Field(ge=1)]
    fit_ratio: Share
    power: Annotated[float, Field(gt=0, lt=1)]
    shown: Annotated[int, Field(ge=1)]
