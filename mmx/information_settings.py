"""Settings of the question what to test next: which experiments come into question, and how closely they are valued."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from mmx.spec import Frozen, Positive

Change = Annotated[float, Field(ge=-1)]
GeoShare = Annotated[float, Field(gt=0, le=1)]


class InformationSettings(Frozen):
    """Candidate experiments, and how they are valued.

    ``changes`` of a channel's spend, as a factor less one: -1 is dark, 0.5 half as much again; ``periods`` that a test lasts;
    ``geo_shares``: shares of the geos that are treated, where there are several (1 is all, without a comparison).
    ``inflation`` of the standard error of a read-out, for what the model's noise does not hold: matches that are not quite,
    spill-over, other shocks. ``draws`` of the posterior and simulated ``results`` per test. A ROAS interval wider than
    ``widest`` is called too wide to be of use (Lewis and Rao 2015); a move of which less than the share ``gone`` is left
    counts as gone.
    """

    changes: Annotated[tuple[Change, ...], Field(min_length=1)]
    periods: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    geo_shares: Annotated[tuple[GeoShare, ...], Field(min_length=1)]
    inflation: Annotated[float, Field(ge=1)]
    draws: Annotated[int, Field(ge=100)]
    results: Annotated[int, Field(ge=20)]
    widest: Positive
    gone: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _moves_something(self) -> Self:
        if 0 in self.changes:
            raise ValueError("changes holds 0: a test that moves no spend says nothing; take -1 for dark or .5 for half more")
        return self
