"""Tuned rules as one value: what was searched, what was found, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmx.tune.problem import Floats
from mmx.tune.rule_evidence import Evidence
from mmx.tune.rule_problem import MONEY, unit_of
from mmx.tune.search import Tuning
from mmx.tune.shortlist import Listed
from mmx.validate.rule_folds import RuleFolds

if TYPE_CHECKING:
    from mmx.rules.parameters import Parameter


@dataclass(frozen=True)
class Change:
    """One tuned parameter that differs from its default.

    Attributes
    ----------
    name : str
    parameter : Parameter
    value : float
    importance : float
        Share of what sets the best trials apart.
    """

    name: str
    parameter: Parameter
    value: float
    importance: float


@dataclass(frozen=True)
class RuleTuning:
    """A search over the parameters of an account's rules, judged.

    Attributes
    ----------
    name, account, platform, currency : str
    margin : float or None
        Share of revenue that is left before advertising.
    dates : tuple of str
        First and last day of the history.
    adsets : int
    folds : RuleFolds
    horizon : int
        Days that are rolled.
    tuning : Tuning
    evidence : Evidence
    listed : tuple of Listed
    starts : mapping of str to array
        Starting points beside the defaults, by where they come from.
    notes : tuple of str
        What a reader should know of the data and the search.
    engine, storage : str
    hashes : mapping of str to str
        Of data, configuration, and the settings that make the study.
    seed : int
    """

    name: str
    account: str
    platform: str
    currency: str
    margin: float | None
    dates: tuple[str, str]
    adsets: int
    folds: RuleFolds
    horizon: int
    tuning: Tuning
    evidence: Evidence
    listed: tuple[Listed, ...]
    starts: Mapping[str, Floats]
    notes: tuple[str, ...]
    engine: str
    storage: str
    hashes: Mapping[str, str]
    seed: int

    def unit(self, objective: str) -> str:
        """Unit of an objective as it is reported."""
        return unit_of(objective, self.currency)

    def reported(self, objective: str, value: Any) -> Any:
        """A score, a sum over the horizon where it is money, as it is reported: per day."""
        return value / self.horizon if objective in MONEY else value

    @property
    def scores(self) -> dict[str, tuple[float, float]]:
        """Objective: mean over folds of the defaults and of the winner, as reported."""
        tuning = self.tuning
        default = tuning.default.by_fold[0].mean(axis=0)
        winner = tuning.trials.by_fold[tuning.winner].mean(axis=0)
        pairs = zip(tuning.trials.objectives, default, winner, strict=True)
        return {name: (float(self.reported(name, a)), float(self.reported(name, b))) for name, a, b in pairs}

    @property
    def spend(self) -> tuple[float, float]:
        """Mean spend per day of the defaults and of the winner in the folds, currency; without a margin by way of ROAS."""
        scores = self.scores
        if self.margin is None:
            pairs = zip(scores["revenue"], scores["roas"], strict=True)
            default, winner = (revenue / roas if roas > 0.0 else 0.0 for revenue, roas in pairs)
        else:
            pairs = zip(scores["revenue"], scores["profit"], strict=True)
            default, winner = (self.margin * revenue - profit for revenue, profit in pairs)
        return default, winner

    @property
    def changes(self) -> tuple[Change, ...]:
        """Parameters of the winner that differ from the defaults, the most important first."""
        space, tuning = self.tuning.search.problem.space, self.tuning
        own = space.differing(tuning.vector)
        found = [
            Change(name, space.parameters[space.index(name)], value, tuning.importances.get(name, 0.0))
            for name, value in own.items()
        ]
        return tuple(sorted(found, key=lambda change: -change.importance))
