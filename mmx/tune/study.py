"""A study: what was asked, by whom, and what came of it, kept where several workers can reach it.

Values of the study are the goals' (maximised), constraints are Optuna's, and each trial carries its fold-wise scores. CMA-ES
knows no constraints: it is told values below every other where some are broken, the lower the more they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.errors import ConfigError, Problem
from mmx.tune.problem import Floats, Goals, Scores, SearchProblem, total_violation
from mmx.tune.samplers import make_sampler
from mmx.tune.storage import Shelf, open_storage
from mmx.tune.trials import Trials
from mmx.tune_settings import StorageSettings, TuneSettings

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

BY_FOLD, ENGINE, SEARCHED = "by_fold", "engine", "searched"
EVOLVED, START = "evolution", "start"
WORST = 1e6  # In units of the weighted gain, which is of the order of 1.


@contextmanager
def quiet() -> Iterator[None]:
    """Without a line per trial, and without warnings on what is experimental or asked one by one with heartbeats."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
            warnings.filterwarnings("ignore", message="Constraints have been set, but CmaEsSampler")  # Its values know them.
            yield
    finally:
        optuna.logging.set_verbosity(before)


@dataclass(frozen=True)
class Search:
    """What a study searches: the problem, its goals, and the coordinates that move.

    Attributes
    ----------
    problem : SearchProblem
    goals : Goals
    live : array of int, (coordinate,)
        Places of the parameters that are searched; the others stay at ``base``.
    base : array, (parameter,)
    """

    problem: SearchProblem
    goals: Goals
    live: np.ndarray[Any, np.dtype[np.intp]]
    base: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the searched parameters."""
        return tuple(self.problem.space.names[i] for i in self.live)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Ranges of the searched parameters, on the scale of the search."""
        from optuna.distributions import FloatDistribution

        chosen = [self.problem.space.parameters[i] for i in self.live]
        pairs = zip(self.names, chosen, strict=True)
        return {name: FloatDistribution(p.low, p.high, log=p.scale == "log") for name, p in pairs}

    def vectors(self, params: Sequence[dict[str, float]]) -> Floats:
        """Whole vectors, (n, parameter), of searched values by name."""
        found = np.tile(self.base, (len(params), 1))
        rows = [[values[name] for name in self.names] for values in params]
        found[:, self.live] = np.array(rows, dtype=float).reshape(len(params), len(self.live))
        return found

    def as_mapping(self) -> dict[str, Any]:
        """What must be the same when a study is taken up again, as plain values."""
        chosen = zip(self.names, (self.problem.space.parameters[i] for i in self.live), strict=True)
        weights = {} if self.goals.multi else dict(zip(self.goals.names, self.goals.weights.tolist(), strict=True))
        return {
            "parameters": {name: [p.low, p.high] for name, p in chosen},
            "objectives": list(self.goals.names),
            "weights": weights,
            "constraints": list(self.problem.constraints),
        }

    def params(self, vector: Floats) -> dict[str, float]:
        """Searched values of a vector by name."""
        return {name: float(vector[i]) for name, i in zip(self.names, self.live, strict=True)}


def open_study(shelf: Shelf, name: str, search: Search, settings: TuneSettings, seed: int, starts: Floats) -> optuna.Study:
    """Make the study or take it up again; a new one begins with the starting points, (start, parameter).

    Raises
    ------
    ConfigError
        If the study that exists searches something else.
    """
    import optuna

    goals = search.goals
    width = len(goals.names) if goals.multi else 1
    with quiet(), shelf.alone(name):
        study = optuna.create_study(
            study_name=name,
            storage=shelf.storage,
            sampler=make_sampler(settings.engine, seed, settings.evolution.population, width),
            directions=["maximize"] * width,
            load_if_exists=True,
        )
        known = study.user_attrs.get(SEARCHED)
        if known is None:
            study.set_metric_names(list(goals.names) if goals.multi else ["gain"])
            for start in starts:
                study.enqueue_trial(search.params(start), user_attrs={ENGINE: START})
            study.set_user_attr(SEARCHED, search.as_mapping())
        elif known != search.as_mapping():
            differing = [key for key, value in search.as_mapping().items() if known.get(key) != value]
            remedy = "Give the study another name, or go back to the settings that it began with."
            raise ConfigError(
                f"the study {name} cannot be taken up again",
                [Problem(f"study {name}", f"it has other {', '.join(differing)}", "those of this search", remedy)],
            )
        return study


def study_values(goals: Goals, scores: Scores, penalised: bool) -> Floats:
    """What the study is told, (n, value)."""
    values = goals.values(scores.by_fold)
    violation = total_violation(scores.violations)[:, None]
    return np.where(violation > 0.0, -WORST * (1.0 + violation), values) if penalised else values


def tell(study: optuna.Study, search: Search, trial: optuna.Trial, scores: Scores, engine: str) -> None:
    """Finish a trial with its scores (of one vector); saying it twice, or too late, changes nothing."""
    from optuna.exceptions import UpdateFinishedTrialError

    values = study_values(search.goals, scores, engine == "cmaes")[0].tolist()
    try:
        known = trial.constraints
        for name, value in zip(search.problem.constraints, scores.violations[0].tolist(), strict=True):
            if name not in known:
                trial.set_constraint(name, value)
        trial.set_user_attr(BY_FOLD, scores.by_fold[0].tolist())
        if trial.user_attrs.get(ENGINE) != START:
            trial.set_user_attr(ENGINE, engine)
        study.tell(trial, values, skip_if_finished=True)
    except UpdateFinishedTrialError:
        return  # It was given up as lost, and is tried again elsewhere.


def add_evaluated(study: optuna.Study, search: Search, vectors: Floats, scores: Scores, engine: str) -> None:
    """Write vectors, (n, parameter), that were evaluated elsewhere into the study as complete trials."""
    from optuna.trial import create_trial

    values, names = search.goals.values(scores.by_fold), search.problem.constraints
    distributions = search.distributions
    study.add_trials(
        [
            create_trial(
                params=search.params(vector),
                distributions=distributions,
                values=values[i].tolist(),
                constraints=dict(zip(names, scores.violations[i].tolist(), strict=True)) or None,
                user_attrs={ENGINE: engine, BY_FOLD: scores.by_fold[i].tolist()},
            )
            for i, vector in enumerate(vectors)
        ]
    )


def complete_in(settings: StorageSettings, name: str) -> int:
    """How many finished trials a study holds already; 0 where there is none of this name."""
    import optuna

    shelf = open_storage(settings)
    try:
        with quiet():
            return len(complete_trials(optuna.load_study(study_name=name, storage=shelf.storage)))
    except KeyError:
        return 0
    finally:
        shelf.close()


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials with scores, by number."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def trials_of(study: optuna.Study, search: Search) -> Trials:
    """All finished trials of a study."""
    found, problem = complete_trials(study), search.problem
    shape = (len(found), len(problem.constraints))
    rows = [[t.constraints[name] for name in problem.constraints] for t in found]
    return Trials(
        parameters=problem.space.names,
        objectives=problem.objectives,
        constraints=problem.constraints,
        number=np.array([t.number for t in found], dtype=np.int64),
        vectors=search.vectors([t.params for t in found]),
        by_fold=np.array([t.user_attrs[BY_FOLD] for t in found], dtype=float),
        violations=np.array(rows, dtype=float).reshape(shape),
        engine=tuple(str(t.user_attrs[ENGINE]) for t in found),
    )
