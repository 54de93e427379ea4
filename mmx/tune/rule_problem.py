"""The parameters of rules as a search problem: every vector is rolled forward, with state, through the folds of a backtest.

    score of a vector in a fold = mean over posterior draws of what its roll-out was worth

All objectives that can be computed are recorded; those with a weight are searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmx.errors import ConfigError, Problem
from mmx.tune.problem import Floats, Scores, SearchProblem
from mmx.tune.samplers import make_sampler
from mmx.tune.storage import open_storage
from mmx.validate.rule_scores import CONSTRAINTS, OBJECTIVES

if TYPE_CHECKING:
    from mmx.tune_settings import TuneSettings
    from mmx.validate.rule_backtest import Backtest

MONEY = ("profit", "revenue")  # In currency; reported per day.
UNITS = {
    "roas": "revenue per spend",
    "ctr": "clicks per impression",
    "stability": "minus the share of the money moved per day",
    "utilisation": "spend per budget",
}


@dataclass(frozen=True)
class RuleEvaluator:
    """Scores of parameter vectors by the folds of a backtest; can be pickled for workers.

    Attributes
    ----------
    backtest : Backtest
    """

    backtest: Backtest

    def __call__(self, vectors: Floats) -> Scores:
        """Roll vectors, (n, parameter), through every fold."""
        return Scores(*self.backtest.by_fold(vectors))


def rule_problem(backtest: Backtest) -> SearchProblem:
    """Return the search problem of a prepared backtest."""
    return SearchProblem(backtest.engine.space, backtest.objectives, tuple(backtest.limits), RuleEvaluator(backtest))


def recorded(margin: float | None) -> tuple[str, ...]:
    """Objectives that are computed for every trial: all, profit only where the margin is known."""
    return tuple(name for name in OBJECTIVES if name != "profit" or margin is not None)


def unit_of(objective: str, currency: str) -> str:
    """Unit of an objective as it is reported; money is per day."""
    return f"{currency or 'money'} per day" if objective in MONEY else UNITS[objective]


def check_search(settings: TuneSettings, margin: float | None) -> None:
    """Refuse what would fail only after the response models were fitted.

    Raises
    ------
    ConfigError
        For profit without a margin, unknown constraints and limits not above 0, engines without their package, and storages
        that cannot be used.
    """
    problems = []
    if margin is None and settings.objectives.get("profit", 0.0) > 0.0:
        came, expected = "profit has a weight, and rules.margin is not known", "the share of revenue left before advertising"
        remedy = "Set rules.margin, for example 0.3, or take tune.objectives: {profit: 0, revenue: 1}."
        problems.append(Problem("tune.objectives", came, expected, remedy))
    for name, limit in settings.constraints.items():
        if name not in CONSTRAINTS:
            expected = f"one of {', '.join(CONSTRAINTS)}"
            problems.append(Problem(f"tune.constraints.{name}", "unknown constraint", expected, "Take it out."))
        elif not limit > 0.0:
            problems.append(Problem(f"tune.constraints.{name}", f"the limit {limit:g}", "a limit above 0", "Correct it."))
    if problems:
        raise ConfigError("the search cannot start", problems)
    searched = sum(weight > 0.0 for weight in settings.objectives.values()) if settings.multi else 1
    make_sampler(settings.engine, 0, settings.evolution.population, searched)
    open_storage(settings.storage).close()
