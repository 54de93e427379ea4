"""The problem that all engines search: rules of one account in chosen coordinates, rolled through a fitted response model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mmx.config import read_config
from mmx.rules.engine import Engine
from mmx.rules.parameters import Space
from mmx.rules.response.fit import fit
from mmx.rules.response.generate import simulate
from mmx.rules.response.settings import ResponseSettings
from mmx.tune.evolution import first_population
from mmx.tune.problem import Floats, Goals, Scores, SearchProblem, make_goals
from mmx.tune.rule_problem import rule_problem
from mmx.tune.screening import screen
from mmx.tune_settings import ScreeningSettings
from mmx.validate.rule_backtest import Backtest, Customer, make_stage

RULES = Path(__file__).parents[1] / "rule_defaults" / "rules.yaml"
MARGIN = 0.5


class OutOfTimeError(Exception):
    """The engine's seconds are over."""


@dataclass
class Clocked:
    """An evaluator that keeps what it said and when, in CPU seconds since its start, and stops at the end.

    Attributes
    ----------
    whole : SearchProblem
        Over all parameters.
    places : array of int
        Those that are searched.
    seconds : float
    """

    whole: SearchProblem
    places: np.ndarray[Any, np.dtype[np.intp]]
    seconds: float = float("inf")
    began: float = field(default_factory=time.process_time)
    times: list[float] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)

    def __call__(self, vectors: Floats) -> Scores:
        """Evaluate vectors of the searched coordinates, (n, coordinate)."""
        full = np.tile(self.whole.space.default, (len(vectors), 1))
        full[:, self.places] = vectors
        scores = self.whole.evaluate(full)
        spent = time.process_time() - self.began
        if spent > self.seconds:
            raise OutOfTimeError
        self.times += [spent] * len(vectors)
        self.values += list(scores.by_fold.mean(axis=1))
        return scores


def make_problem(settings: dict[str, Any]) -> SearchProblem:
    """The rules of one simulated account under a fitted response model, one fold; everything is compiled and imported."""
    import_module("optuna")
    own, account, seed = ResponseSettings(), settings["account"], settings["seed"]
    history, _ = simulate(seed, own, days=account["days"], adsets=account["ad_sets"], campaigns=account["campaigns"])
    rules = read_config(RULES).rules
    customer = Customer(rules.model_copy(update={"margin": MARGIN}))
    sizes = settings["problem"]
    model = fit(history, own, seed=seed)
    stage = make_stage(history, model, customer, days=sizes["horizon"], draws=sizes["draws"], seed=seed)
    problem = rule_problem(Backtest(Engine(), (stage,), stage, customer, tuple(settings["goals"]), {}))
    problem.score(problem.space.default[None])
    return problem


def goals_of(problem: SearchProblem, settings: dict[str, Any], multi: bool = True) -> Goals:
    """Equal weights for all goals."""
    default = problem.score(problem.space.default[None])
    return make_goals(problem, dict.fromkeys(settings["goals"], 1.0), default, multi)


def chosen(problem: SearchProblem, settings: dict[str, Any]) -> list[str]:
    """Names of the coordinates that screening keeps."""
    own = settings["coordinates"]
    screening = ScreeningSettings(
        method="morris", keep=(2, own["most"]), coverage=1.0, trajectories=own["trajectories"], samples=50, quantile=0.1
    )
    found = screen(problem, goals_of(problem, settings), screening, np.random.default_rng(settings["seed"]))
    return [problem.space.names[i] for i in found.live]


def within(problem: SearchProblem, names: list[str], seconds: float) -> tuple[SearchProblem, Clocked]:
    """The problem in some of its coordinates, others at their defaults, with a clock that starts now."""
    places = np.array([problem.space.index(name) for name in names], dtype=np.intp)
    space = Space(tuple(names), tuple(problem.space.parameters[i] for i in places))
    clocked = Clocked(problem, places, seconds)
    return SearchProblem(space, problem.objectives, problem.constraints, clocked), clocked


def reference_of(problem: SearchProblem, names: list[str], settings: dict[str, Any]) -> Floats:
    """Reference point: the lowest tenth, by objective, of random vectors."""
    inner, clocked = within(problem, names, float("inf"))
    rng = np.random.default_rng([settings["seed"], 3])
    inner.evaluate(inner.space.from_unit(first_population(len(names), settings["random"], rng)))
    return np.asarray(np.quantile(np.array(clocked.values), 0.1, axis=0))
