"""What the trials of one customer's search say of its optimum, and the space that a pool leaves to a new one's search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmx.errors import InputError
from mmx.rules.parameters import Space
from mmx.rules.pooling.optimum import Optimum, find_optimum
from mmx.tune.problem import Floats
from mmx.tune.shortlist import default_rows
from mmx.tune.trials import Trials
from mmx.tune_settings import OptimumSettings

ROOM = 0.25  # Logits that a narrowed range leaves on either side of the default.


@dataclass(frozen=True)
class SearchedOptimum:
    """An optimum over the parameters that a customer searched.

    Attributes
    ----------
    searched : tuple of str, (coordinate,)
    optimum : Optimum
    trials : int
        That keep the constraints, of which the optimum was read off.
    """

    searched: tuple[str, ...]
    optimum: Optimum
    trials: int


def searched_optimum(
    name: str, trials: Trials, weights: Mapping[str, float], space: Space, settings: OptimumSettings, seed: int
) -> SearchedOptimum:
    """Read a customer's optimum off its trials.

    Parameters
    ----------
    name : str
        Of the customer, for messages.
    trials : Trials
    weights : mapping of str to float
        Of the objectives, as they were searched.
    space : Space
        Of the rules.
    settings : OptimumSettings
    seed : int

    Raises
    ------
    InputError
        If the trials are of other rules, lack the defaults, or are too few.
    """
    if not set(trials.parameters) <= set(space.names):
        odd = ", ".join(sorted(set(trials.parameters) - set(space.names))[:5])
        raise InputError(f"{name}: its trials are of other rules ({odd}); tune it again with this version of mmx")
    default = space.default[[space.index(n) for n in trials.parameters]]
    first = default_rows(trials, default)[:1]
    if not len(first):
        raise InputError(f"{name}: none of its trials is that of the defaults, from which gains are counted; tune it again")
    moved = np.flatnonzero(np.ptp(trials.vectors, axis=0) > 0.0)
    kept = trials.violation <= 0.0
    folds, count = trials.by_fold.shape[1], int(kept.sum())
    if folds < 3 or count <= len(moved) + 2:
        raise InputError(
            f"{name}: {count} trials keep the constraints, in {folds} folds; an optimum of {len(moved)} parameters needs more "
            f"than {len(moved) + 2} trials and three folds. Tune it again with more tune.trials and tune.backtest.folds"
        )
    gains = weighted_gains(trials, weights, trials.by_fold[first[0]].mean(axis=0))
    whole = np.tile(space.default, (len(trials), 1))
    whole[:, [space.index(n) for n in trials.parameters]] = trials.vectors
    names = tuple(trials.parameters[i] for i in moved)
    free = space.to_free(whole)[:, [space.index(n) for n in names]]
    return SearchedOptimum(names, find_optimum(free[kept], gains[kept], settings, seed), count)


def weighted_gains(trials: Trials, weights: Mapping[str, float], default: Floats) -> Floats:
    """Weighted relative gain over the defaults, (trial, fold); see ``Goals.weighted``."""
    names = [name for name, weight in weights.items() if weight > 0.0]
    columns = [trials.objectives.index(name) for name in names]
    scale = np.where(default == 0.0, 1.0, np.abs(default))[columns]
    gain: Floats = ((trials.by_fold[..., columns] - default[columns]) / scale) @ np.array([weights[name] for name in names])
    return gain


def narrowed(space: Space, parameters: Sequence[str], low: Floats, high: Floats) -> Space:
    """The space with the ranges of some parameters cut to where a pool expects their optimum; the defaults stay inside.

    Parameters
    ----------
    space : Space
    parameters : sequence of str, (coordinate,)
    low, high : array, (coordinate,)
        Ends in unconstrained coordinates.
    """
    free, places = space.to_free(space.default), [space.index(name) for name in parameters]
    ends = []
    for bound, pick, room in ((low, np.minimum, -ROOM), (high, np.maximum, ROOM)):
        whole = free.copy()
        whole[places] = pick(bound, free[places] + room)
        ends.append(space.from_free(whole))
    own = list(space.parameters)
    for place in places:
        own[place] = replace(own[place], low=float(ends[0][place]), high=float(ends[1][place]))
    return Space(space.names, tuple(own))
