"""A whole search: screening, engine, front, knee, choice by preference, importances, and how much of the winner is luck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmx.errors import ConfigError, Problem
from mmx.tune.asking import Progress, work
from mmx.tune.generations import evolve_study
from mmx.tune.overfitting import Deflated, Overfitting, deflate, overfitting
from mmx.tune.pareto import Indices, front, knee, prefer
from mmx.tune.problem import Floats, Goals, Scores, SearchProblem, make_goals
from mmx.tune.screening import Screening, importances, screen
from mmx.tune.storage import open_storage
from mmx.tune.study import Search, open_study, quiet, trials_of
from mmx.tune.trials import Trials
from mmx.tune.workers import run_workers
from mmx.tune_settings import TuneSettings


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    study : str
        Name of the study.
    search : Search
        Problem, goals, and the coordinates that were searched.
    screening : Screening
    trials : Trials
        Everything that was evaluated for the search.
    front : array of int, (point,)
        Rows of the trials that nothing dominates; one row where a single value is searched.
    knee, winner : int
        Rows: the knee of the front, and the choice by preference.
    default : Scores
        Of the defaults, one vector.
    importances : dict of float
        By parameter, largest first.
    luck : Overfitting or None
        None with a single fold.
    deflated : Deflated
        In the unit of the weighted gain.
    """

    study: str
    search: Search
    screening: Screening
    trials: Trials
    front: Indices
    knee: int
    winner: int
    default: Scores
    importances: dict[str, float]
    luck: Overfitting | None
    deflated: Deflated

    @property
    def vector(self) -> Floats:
        """The winner, (parameter,)."""
        chosen: Floats = self.trials.vectors[self.winner]
        return chosen

    def choose(self, preferences: Mapping[str, float]) -> int:
        """Row of the best trial of the front by other preferences; nothing is evaluated anew.

        Raises
        ------
        ConfigError
            If they name no goal of the search with a weight above 0.
        """
        return _choice(self.trials, self.search.goals, self.front, preferences)


def tune(
    problem: SearchProblem,
    settings: TuneSettings,
    *,
    study: str,
    seed: int,
    starts: Floats | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Search the parameters of a problem; a study that exists in the storage is taken up again.

    Parameters
    ----------
    problem : SearchProblem
    settings : TuneSettings
    study : str
        Its name in the storage. The same name needs the same problem, objectives and screening.
    seed : int
        With one worker, the same seed gives the same trials.
    starts : array, (start, parameter), optional
        Vectors to evaluate right after the defaults, which always come first; those that are the same in what is searched once.
    progress : callable, optional
        Called with complete trials and all trials; not with several workers.

    Raises
    ------
    ConfigError
        For unknown objectives or constraints, engines without their package, storages that cannot be used.
    """
    _check_constraints(problem, settings)
    space = problem.space
    default = problem.score(space.default[None])
    goals = make_goals(problem, {str(k): v for k, v in settings.objectives.items()}, default, settings.multi)
    found = screen(problem, goals, settings.screening, np.random.default_rng([seed, 1]))
    search = Search(problem, goals, found.live, space.default)
    given = space.default[None] if starts is None else np.concatenate([space.default[None], starts])
    first = np.tile(space.default, (len(given), 1))
    first[:, found.live] = given[:, found.live]
    first = first[np.sort(np.unique(first, axis=0, return_index=True)[1])]
    run = evolve_study if settings.engine == "evolution" else _optuna
    trials = run(study, search, settings, seed, first, progress)
    return _read(study, search, found, trials, default, settings)


def _check_constraints(problem: SearchProblem, settings: TuneSettings) -> None:
    unknown = [name for name in settings.constraints if name not in problem.constraints]
    if unknown:
        known = ", ".join(problem.constraints) or "none"
        wrong = [Problem(f"tune.constraints.{n}", "unknown constraint", f"one of {known}", "Take it out.") for n in unknown]
        raise ConfigError("the constraints cannot be used", wrong)


def _optuna(name: str, search: Search, settings: TuneSettings, seed: int, starts: Floats, progress: Progress | None) -> Trials:
    if settings.workers > 1:
        run_workers(name, search, settings, seed, starts)
    shelf = open_storage(settings.storage)
    try:
        study = open_study(shelf, name, search, settings, seed, starts)
        work(study, shelf, search, settings, progress)  # With several workers: what they left open.
        with quiet():
            return trials_of(study, search)
    finally:
        shelf.close()


def _choice(trials: Trials, goals: Goals, rows: Indices, preferences: Mapping[str, float]) -> int:
    weights = np.array([preferences.get(name, 0.0) for name in goals.names])
    if not (weights > 0.0).any():
        came, expected = "no goal of this search has a weight above 0", f"one of {', '.join(goals.names)}"
        raise ConfigError("the preferences cannot be used", [Problem("tune.preferences", came, expected, "Name one.")])
    order = prefer(goals.each(trials.by_fold[rows]), trials.violation[rows], weights)
    return int(rows[order[0]])


def _read(name: str, search: Search, found: Screening, trials: Trials, default: Scores, settings: TuneSettings) -> Tuning:
    goals = search.goals
    values = goals.values(trials.by_fold)
    rows = front(values, trials.violation)
    preferences = settings.objectives if settings.preferences is None else settings.preferences
    winner = _choice(trials, goals, rows, {str(k): v for k, v in preferences.items()}) if goals.multi else int(rows[0])
    folds = goals.weighted(trials.by_fold[trials.violation <= 0.0] if (trials.violation <= 0.0).any() else trials.by_fold)
    own = goals.weighted(default.by_fold)[0]
    enough = folds.shape[1] > 1 and len(np.unique(folds, axis=0)) > 1
    return Tuning(
        study=name,
        search=search,
        screening=found,
        trials=trials,
        front=rows,
        knee=int(rows[knee(values[rows])]),
        winner=winner,
        default=default,
        importances=importances(trials, search, settings.screening.quantile),
        luck=overfitting(folds, own, settings.verdict.blocks) if enough else None,
        deflated=deflate(folds, own),
    )
