"""Which parameters matter: Morris' elementary effects, or PED-ANOVA.

Morris: along a path that moves one parameter after the other by ``delta`` of its range, the elementary effect of a parameter is
``(f(after) - f(before)) / delta``; ``mu* = mean |effect|`` over paths ranks parameters, and a parameter that never changed
anything is called dead (Morris 1991; Campolongo, Cariboni and Saltelli 2007). PED-ANOVA: how far the distribution of a
parameter among the best vectors is from that among all (Watanabe, Bansal and Hutter 2023), from Optuna.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.tune.evolution import first_population
from mmx.tune.problem import Floats, Goals, Scores, SearchProblem, total_violation
from mmx.tune.study import Search, add_evaluated, quiet
from mmx.tune_settings import ScreeningSettings

if TYPE_CHECKING:
    from mmx.tune.trials import Trials

LEVELS = 4  # Of Morris' grid; delta = LEVELS / (2 (LEVELS - 1)) covers it evenly.
MOST = 500  # Trials that importances are computed from: more take seconds.


@dataclass(frozen=True)
class Screening:
    """Parameters in the order of their importance.

    Attributes
    ----------
    method : {"off", "morris", "pedanova"}
    names : tuple of str, (parameter,)
        Most important first.
    share : array, (parameter,)
        Of the importance, summing to 1; over several goals their mean.
    dead : tuple of str
        Those that changed no objective and no constraint in any evaluation (known from Morris only).
    live : array of int, (kept,)
        Places of the kept ones in the space, ascending.
    evaluations : int
    """

    method: str
    names: tuple[str, ...]
    share: Floats
    dead: tuple[str, ...]
    live: np.ndarray[Any, np.dtype[np.intp]]
    evaluations: int

    @property
    def sentence(self) -> str:
        """What screening found, in words."""
        if self.method == "off":
            return f"All {len(self.live)} parameters are searched."
        found = f"{len(self.live)} of {len(self.names)} parameters are searched"
        kept = float(self.share[: len(self.live)].sum())
        none = f"; {len(self.dead)} changed nothing in {self.evaluations} evaluations: {', '.join(self.dead)}"
        return f"{found}, with {100 * kept:.0f} % of the effect on the objectives{none if self.dead else ''}."


def screen(problem: SearchProblem, goals: Goals, settings: ScreeningSettings, rng: np.random.Generator) -> Screening:
    """Rank the parameters of a problem and keep those that are worth searching."""
    size = len(problem.space)
    if settings.method == "off":
        even = np.full(size, 1.0 / size)
        return Screening("off", problem.space.names, even, (), np.arange(size), 0)
    if settings.method == "morris":
        share, moved, evaluations = _morris(problem, goals, settings.trajectories, rng)
    else:
        share, evaluations = _ped_anova(problem, goals, settings, rng), settings.samples
        moved = np.ones(size, dtype=bool)
    order = np.argsort(-share, kind="stable")
    most = min(settings.keep[1], int(moved.sum()))
    enough = 1 + int(np.searchsorted(np.cumsum(share[order]), settings.coverage - 1e-12))
    kept = order[moved[order]][: max(min(enough, most), min(settings.keep[0], most))]
    names = problem.space.names
    dead = tuple(names[i] for i in np.flatnonzero(~moved))
    return Screening(settings.method, tuple(names[i] for i in order), share[order], dead, np.sort(kept), evaluations)


def trajectories(size: int, paths: int, rng: np.random.Generator) -> tuple[Floats, np.ndarray[Any, Any], float]:
    """Morris' design on the unit cube.

    Returns
    -------
    array, (path, 1 + size, size)
        Points; each differs from the one before it in one coordinate, by delta.
    array of int, (path, size)
        Which coordinate moves at each step.
    float
        Delta.
    """
    delta = LEVELS / (2.0 * (LEVELS - 1.0))
    low = rng.integers(LEVELS // 2, size=(paths, size)) / (LEVELS - 1.0)
    up = rng.random((paths, size)) < 0.5
    order = rng.permuted(np.tile(np.arange(size), (paths, 1)), axis=1)
    step = np.argsort(order, axis=1)  # When a coordinate moves.
    after = np.arange(size + 1)[None, :, None] > step[:, None, :]
    return low[:, None, :] + delta * (after == up[:, None, :]), order, delta


def _morris(
    problem: SearchProblem, goals: Goals, paths: int, rng: np.random.Generator
) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]], int]:
    points, order, delta = trajectories(len(problem.space), paths, rng)
    scores = problem.score(problem.space.from_unit(points.reshape(-1, points.shape[-1])))
    value = goals.each(scores.by_fold).reshape(*points.shape[:2], -1)
    effects = np.abs(np.diff(value, axis=1)) / delta  # (path, step, goal)
    own = np.argsort(order, axis=1)
    mu = np.take_along_axis(effects, own[:, :, None], axis=1).mean(axis=0)  # (parameter, goal)
    everything = np.concatenate([scores.by_fold.reshape(len(scores.by_fold), -1), scores.violations], axis=1)
    changed = (np.diff(everything.reshape(*points.shape[:2], -1), axis=1) != 0.0).any(axis=2)
    moved = np.take_along_axis(changed, own, axis=1).any(axis=0)
    return _shares(mu, goals), moved, len(scores.by_fold)


def _shares(mu: Floats, goals: Goals) -> Floats:
    """Mean over goals, by their weights, of each parameter's share of the effect, (parameter,)."""
    total = mu.sum(axis=0)
    each = mu / np.where(total > 0.0, total, 1.0)
    share = each @ (goals.weights * (total > 0.0))
    return share / share.sum() if share.sum() > 0.0 else np.full(len(mu), 1.0 / len(mu))


def _ped_anova(problem: SearchProblem, goals: Goals, settings: ScreeningSettings, rng: np.random.Generator) -> Floats:
    space = problem.space
    vectors = space.from_unit(first_population(len(space), settings.samples, rng))
    scores = problem.score(vectors)
    found = _importances(Search(problem, goals, np.arange(len(space)), space.default), vectors, scores, settings.quantile)
    return np.array([found[name] for name in space.names])


def importances(trials: Trials, search: Search, quantile: float) -> dict[str, float]:
    """Importance of each searched parameter for being among the best ``quantile`` of trials, summing to 1, largest first.

    PED-ANOVA on the weighted gain, or on the goals' front where several are searched. Trials that break constraints are left
    out, where others remain; of many trials 500 evenly spaced ones are used.
    """
    kept = np.flatnonzero(trials.violation <= 0.0)
    kept = kept if len(kept) >= len(search.live) else np.arange(len(trials))
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(MOST, len(kept))).astype(int))]
    scores = Scores(trials.by_fold[kept], trials.violations[kept])
    return _importances(search, trials.vectors[kept], scores, quantile)


def _importances(search: Search, vectors: Floats, scores: Scores, quantile: float) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    width = search.goals.values(scores.by_fold[:1]).shape[1]
    with quiet():
        study = optuna.create_study(directions=["maximize"] * width)
        penalty = total_violation(scores.violations)
        # A vector that breaks constraints is no example of a good one: without constraints in the study, its scores say so.
        lowered = scores.by_fold - (penalty * (1.0 + np.ptp(scores.by_fold)))[:, None, None]
        add_evaluated(study, search, vectors, Scores(lowered, scores.violations), "screening")
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile))
    total = sum(found.values())
    return {name: value / total if total > 0.0 else 1.0 / len(found) for name, value in found.items()}
