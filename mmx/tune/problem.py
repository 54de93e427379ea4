"""What a search needs to know: a space, named objectives and constraints, and an evaluator of many vectors at once.

An evaluator is any function from vectors to scores; backtests of rules are one. Objectives are maximised. A constraint is
kept where its value is at most 0, so evaluators state limits as ``value / limit - 1`` or in other relative units: violations
of several constraints are added where vectors that break some are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from mmx.errors import ConfigError, InputError, Problem
from mmx.rules.parameters import Space

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What an evaluator says of n vectors.

    Attributes
    ----------
    by_fold : array, (n, fold, objective)
        To be maximised, each objective in its own unit.
    violations : array, (n, constraint)
        Kept where <= 0.
    """

    by_fold: Floats
    violations: Floats


Evaluate = Callable[[Floats], Scores]


@dataclass(frozen=True)
class SearchProblem:
    """A space with an evaluator.

    Attributes
    ----------
    space : Space
    objectives, constraints : tuple of str
        Names of the last dimensions of the scores.
    evaluate : callable
        ``vectors (n, parameter) -> Scores``. The same vector must get the same scores. It must be picklable for several
        worker processes.
    """

    space: Space
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    evaluate: Evaluate

    def score(self, vectors: Floats) -> Scores:
        """Evaluate vectors, (n, parameter), and hold the answer against what was announced.

        Raises
        ------
        InputError
            If shapes differ or a score is not finite.
        """
        scores = self.evaluate(vectors)
        n, problems = len(vectors), []
        for name, came, last in (
            ("by_fold", scores.by_fold.shape, len(self.objectives)),
            ("violations", scores.violations.shape, len(self.constraints)),
        ):
            if came[0] != n or came[-1] != last or len(came) != (3 if name == "by_fold" else 2):
                shape = f"({n}, fold, {last})" if name == "by_fold" else f"({n}, {last})"
                problems.append(Problem(name, f"shape {came}", f"shape {shape}", "Correct the evaluator."))
        if not problems:
            problems = [
                _not_finite(name, values)
                for name, values in [
                    *((f"objective {o}", scores.by_fold[..., i]) for i, o in enumerate(self.objectives)),
                    *((f"constraint {c}", scores.violations[:, i]) for i, c in enumerate(self.constraints)),
                ]
                if not np.isfinite(values).all()
            ]
        if problems:
            raise InputError("the evaluator's scores cannot be used", problems)
        return scores


def _not_finite(name: str, values: Floats) -> Problem:
    rows = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    shown = ", ".join(str(r) for r in rows[:5])
    came = f"{len(rows)} of {len(values)} vectors have no finite value (rows {shown})"
    return Problem(name, came, "finite numbers", "Evaluate these vectors alone to see why.")


@dataclass(frozen=True)
class Goals:
    """Which objectives a search maximises, and how they become one number.

    A weighted sum compares gains over the defaults, each divided by its scale: ``sum_k w_k (f_k - default_k) / scale_k``. The
    scale is the size of the defaults' score (1 where that is 0), so that a weight of 1 values one percent of each alike.

    Attributes
    ----------
    names : tuple of str
    columns : array of int, (goal,)
        Their places among the problem's objectives.
    weights, default, scale : array, (goal,)
        Importance, and the defaults' scores with their sizes.
    multi : bool
        Several values, or their weighted sum.
    """

    names: tuple[str, ...]
    columns: npt.NDArray[np.intp]
    weights: Floats
    default: Floats
    scale: Floats
    multi: bool

    def each(self, by_fold: Floats) -> Floats:
        """Mean over folds of each goal, (n, goal)."""
        mean: Floats = by_fold[..., self.columns].mean(axis=1)
        return mean

    def weighted(self, by_fold: Floats) -> Floats:
        """Weighted relative gain over the defaults in each fold, (n, fold)."""
        gain: Floats = ((by_fold[..., self.columns] - self.default) / self.scale) @ self.weights
        return gain

    def values(self, by_fold: Floats) -> Floats:
        """What is searched for: each goal, (n, goal), or their weighted sum, (n, 1)."""
        return self.each(by_fold) if self.multi else self.weighted(by_fold).mean(axis=1, keepdims=True)


def make_goals(problem: SearchProblem, weights: Mapping[str, float], default: Scores, multi: bool) -> Goals:
    """Goals from weights by name; those of weight 0 are only recorded.

    Raises
    ------
    ConfigError
        For a name that the problem lacks, and where no weight is positive.
    """
    for name in weights:
        if name not in problem.objectives:
            near = get_close_matches(name, problem.objectives, 1, 0.0)
            known = ", ".join(problem.objectives)
            what = Problem(f"tune.objectives.{name}", "unknown objective", f"one of {known}", f"Did you mean {near[0]!r}?")
            raise ConfigError("the objectives cannot be used", [what])
    names = tuple(name for name, weight in weights.items() if weight > 0)
    if not names:
        what = Problem("tune.objectives", "no objective has a weight above 0", "one at least", "Write for example profit: 1.")
        raise ConfigError("the objectives cannot be used", [what])
    columns = np.array([problem.objectives.index(name) for name in names], dtype=np.intp)
    means = default.by_fold.mean(axis=(0, 1))[columns]
    scale = np.where(means == 0.0, 1.0, np.abs(means))
    return Goals(names, columns, np.array([weights[name] for name in names]), means, scale, multi and len(names) > 1)


def total_violation(violations: Floats) -> Floats:
    """Sum of what is above 0, (n,); 0 where every constraint is kept."""
    total: Floats = np.maximum(violations, 0.0).sum(axis=1)
    return total
