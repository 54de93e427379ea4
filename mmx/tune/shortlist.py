"""The few trials that are shown one by one: defaults, winner, knee, front, and the best that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import ConfigError, Problem
from mmx.tune.pareto import Indices, front, prefer

if TYPE_CHECKING:
    from mmx.tune.problem import Floats
    from mmx.tune.search import Tuning
    from mmx.tune.trials import Trials


@dataclass(frozen=True)
class Listed:
    """A trial with the parts that it plays.

    Attributes
    ----------
    row : int
        Of the trials.
    roles : tuple of str
        Of ``defaults``, ``winner``, ``knee``, ``front``, ``best``.
    """

    row: int
    roles: tuple[str, ...]


def shortlist(tuning: Tuning, shown: int) -> tuple[Listed, ...]:
    """Return the winner, the knee, the front, the ``shown`` best by the weighted gain, and the defaults, in this order."""
    trials, goals = tuning.trials, tuning.search.goals
    gain = goals.weighted(trials.by_fold).mean(axis=1)
    kept = np.flatnonzero(trials.violation <= 0.0)
    best = kept[np.argsort(-gain[kept], kind="stable")][:shown]
    parts: list[tuple[str, Indices]] = [("winner", np.array([tuning.winner]))]
    if goals.multi:
        parts += [("knee", np.array([tuning.knee])), ("front", tuning.front)]
    parts += [("best", best), ("defaults", default_rows(trials, tuning.search.base)[:1])]
    roles: dict[int, list[str]] = {}
    for role, rows in parts:
        for row in rows:
            roles.setdefault(int(row), []).append(role)
    return tuple(Listed(row, tuple(own)) for row, own in roles.items())


def default_rows(trials: Trials, default: Floats) -> Indices:
    """Rows whose vector is that of the defaults."""
    return np.flatnonzero((trials.vectors == default).all(axis=1))


def ranked(trials: Trials, preferences: Mapping[str, float]) -> Indices:
    """Stored trials on the front of the preferred objectives, best first; nothing is evaluated.

    Parameters
    ----------
    trials : Trials
    preferences : mapping of str to float
        Weights of recorded objectives, searched or not.

    Raises
    ------
    ConfigError
        For objectives that were not recorded, negative weights, or none above 0.
    """
    problems = []
    for name, weight in preferences.items():
        if name not in trials.objectives:
            near = get_close_matches(name, trials.objectives, 1, 0.0)[0]
            expected = f"one of {', '.join(trials.objectives)}"
            problems.append(Problem(f"--prefer {name}", "not recorded in these trials", expected, f"Did you mean {near!r}?"))
        elif not (np.isfinite(weight) and weight >= 0.0):
            problems.append(Problem(f"--prefer {name}", f"the weight {weight:g}", "a number >= 0", "Correct it."))
    named = [name for name, weight in preferences.items() if weight > 0.0]
    if not problems and not named:
        problems.append(Problem("--prefer", "no weight above 0", "one at least", "Write for example profit=1,stability=.5."))
    if problems:
        raise ConfigError("the preferences cannot be used", problems)
    columns = [trials.objectives.index(name) for name in named]
    values = trials.by_fold[..., columns].mean(axis=1)
    rows = front(values, trials.violation)
    weights = np.array([preferences[name] for name in named])
    return rows[prefer(values[rows], trials.violation[rows], weights)]
