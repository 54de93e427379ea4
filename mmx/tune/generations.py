"""The vectorised search on a study: it starts from what the study holds, and writes its front and its best into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmx.tune.asking import Progress
from mmx.tune.evolution import Evolution, evolve
from mmx.tune.pareto import crowding, front, prefer
from mmx.tune.problem import Floats, Scores, total_violation
from mmx.tune.storage import open_storage
from mmx.tune.study import EVOLVED, START, Search, add_evaluated, open_study, quiet, trials_of
from mmx.tune.trials import Trials
from mmx.tune_settings import EvolutionSettings, TuneSettings

if TYPE_CHECKING:
    import optuna


def evolve_study(
    name: str, search: Search, settings: TuneSettings, seed: int, starts: Floats, progress: Progress | None
) -> Trials:
    """Evolve; returns every evaluation of this run, the starting points, (start, parameter), first."""
    shelf = open_storage(settings.storage)
    try:
        study = open_study(shelf, name, search, settings, seed, starts[:0])
        with quiet():
            earlier = trials_of(study, search)
        begin = np.concatenate([starts, earlier.vectors])
        _, first = np.unique(begin, axis=0, return_index=True)
        begin = begin[np.sort(first)][: settings.evolution.population]
        vectors, scores = _evolve(search, settings, seed, begin, progress)
        engines = tuple(START if row < len(starts) else EVOLVED for row in range(len(vectors)))
        number = np.arange(len(vectors), dtype=np.int64)
        trials = replace(
            earlier,
            number=number,
            vectors=vectors,
            by_fold=scores.by_fold,
            violations=scores.violations,
            engine=engines,
        )
        _write_back(study, search, trials, earlier, settings.evolution)
        return trials
    finally:
        shelf.close()


def _evolve(
    search: Search, settings: TuneSettings, seed: int, begin: Floats, progress: Progress | None
) -> tuple[Floats, Scores]:
    """Every vector in the order of its evaluation, with its scores."""
    space, own = search.problem.space, settings.evolution
    fixed, given, blocks = space.to_unit(search.base), {v.tobytes(): v for v in begin}, []
    units = space.to_unit(begin)
    exact = dict(zip((u.tobytes() for u in units[:, search.live]), given.values(), strict=True))

    def fitness(points: Floats) -> tuple[Floats, Floats]:
        whole = np.tile(fixed, (len(points), 1))
        whole[:, search.live] = points
        vectors = np.tile(search.base, (len(points), 1))
        vectors[:, search.live] = space.from_unit(whole)[:, search.live]
        for row, point in enumerate(points):  # A starting point is evaluated as it was given, not as it is rounded.
            if exact and point.tobytes() in exact:
                vectors[row] = exact.pop(point.tobytes())
        scores = search.problem.score(vectors)
        blocks.append((vectors, scores))
        return search.goals.values(scores.by_fold), total_violation(scores.violations)

    report: Callable[[int], None] | None = None if progress is None else lambda done: progress(done, settings.trials)
    evolve(
        fitness,
        len(search.live),
        settings.trials,
        Evolution(own.population, own.crossover, own.crossover_eta, own.mutation_eta, own.mutations),
        rng=np.random.default_rng([seed, 2]),
        starts=units[:, search.live],
        progress=report,
    )
    every = [s for _, s in blocks]
    scores = Scores(np.concatenate([s.by_fold for s in every]), np.concatenate([s.violations for s in every]))
    return np.concatenate([v for v, _ in blocks]), scores


def _write_back(study: optuna.Study, search: Search, trials: Trials, earlier: Trials, own: EvolutionSettings) -> None:
    """Front, thinned by crowding distance, and best by equal weights, as far as the study does not hold them yet."""
    values = search.goals.values(trials.by_fold)
    best = prefer(values, trials.violation, np.ones(values.shape[1]))[: own.top]
    known = {vector.tobytes() for vector in earlier.vectors}
    ends = front(values, trials.violation)
    ends = ends[np.argsort(-crowding(values[ends]), kind="stable")[: own.front]]
    rows = np.unique(np.concatenate([ends, best]))
    rows = np.array([row for row in rows if trials.vectors[row].tobytes() not in known], dtype=np.intp)
    with quiet():
        scores = Scores(trials.by_fold[rows], trials.violations[rows])
        add_evaluated(study, search, trials.vectors[rows], scores, EVOLVED)
