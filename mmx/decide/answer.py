"""A budget question asked of a fit and answered: the plan, its draws, and what the total was chosen by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mmx.budget_settings import Question
from mmx.data.panel import Floats
from mmx.decide import totals
from mmx.decide.ask import Cells, problem_of
from mmx.decide.fit_response import FitResponse, response_of
from mmx.decide.kept import Kept
from mmx.decide.objective import CVaR, Mean, MeanMinusSd, Objective, ProbabilityAbove
from mmx.decide.optima import optima
from mmx.decide.problem import Problem, is_sum, is_total
from mmx.decide.solve import Solution, solve
from mmx.errors import DecisionError

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior
    from mmx.mmm.reference_window import Reference

Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """A question with everything that an answer needs.

    Attributes
    ----------
    question : Question
    window : Reference
    worth : float
        KPI money per unit of the KPI over the horizon, the mean.
    fit : FitResponse
    response : Kept
        The same, which remembers.
    cells : Cells
    channel : array of int, (cell,)
        Channel of each cell, from 0.
    problem : Problem
    """

    question: Question
    window: Reference
    worth: float
    fit: FitResponse
    response: Kept
    cells: Cells
    channel: npt.NDArray[np.intp]
    problem: Problem

    @cached_property
    def reach(self) -> tuple[Floats, Floats]:
        """Least and largest money of each channel by its own limits, (channel,) each."""
        problem, count = self.problem, len(self.window.channels)
        ends = []
        for of_cells, side, tighter in ((problem.low, "low", max), (problem.high, "high", min)):
            sums, rest = np.zeros(count), np.ones(len(of_cells), dtype=bool)
            for row in problem.rows:
                cells = np.asarray(row.weights) > 0
                if is_sum(row) and not is_total(row) and len(set(self.channel[cells])) == 1 and rest[cells].all():
                    sums[self.channel[cells][0]] += tighter(getattr(row, side), float(of_cells[cells].sum()))
                    rest &= ~cells
            ends.append(sums + np.bincount(self.channel[rest], weights=of_cells[rest], minlength=count))
        return ends[0], ends[1]

    def plain(self, total: float) -> Floats:
        """The current plan scaled to a total, (cell,)."""
        current = self.problem.current
        return current * (total / float(current.sum()))

    def draws(self, money: Floats) -> Floats:
        """KPI money of a plan over no spend, (sample,)."""
        value: Floats = self.response.value(money).sum(axis=1)
        return value


@dataclass(frozen=True)
class Answer:
    """The best plan of a question.

    Attributes
    ----------
    asked : Asked
    objective : str
        In words.
    goal : str
        How the total was chosen, in words.
    solution : Solution
    draws, plain : array, (sample,), money
        KPI money of the plan, and of the current plan scaled to the same total.
    """

    asked: Asked
    objective: str
    goal: str
    solution: Solution
    draws: Floats
    plain: Floats

    @property
    def total(self) -> float:
        """Money of the plan."""
        return float(self.solution.money.sum())

    @property
    def gain(self) -> Floats:
        """KPI money over the current plan scaled to the same total, (sample,)."""
        return self.draws - self.plain


def ask(posterior: Posterior, question: Question) -> Asked:
    """Ask a question of a posterior.

    Raises
    ------
    DecisionError
        If the data are too short for the horizon, or the question does not fit the plan.
    """
    try:
        window = posterior.reference(question.horizon, question.reference)
    except ValueError as error:
        raise DecisionError(f"{error}. Take a shorter horizon, or another reference") from error
    panel = posterior.panel
    geo = "geo" in question.by and posterior.structure.geos > 1
    periods = np.arange(question.horizon) // question.every if "period" in question.by else None
    response = response_of(posterior, window, geos="each" if geo else None, periods=periods)
    channels, geos, spans = response.shape
    starts = [""] if periods is None else [window.starts[int(np.flatnonzero(periods == k)[0])] for k in range(spans)]
    places = list(panel.names("geo")) if geo else [""]
    labels = [(c, g, p) for c in panel.names("channel") for g in places for p in starts]
    names = tuple(
        " ".join(part for part in (c, f"in {g}" if g else "", f"from {p}" if p else "") if part) for c, g, p in labels
    )
    channel_of, geo_of, period_of = (tuple(label[k] for label in labels) for k in range(3))
    spans_of = np.full(1, question.horizon) if periods is None else np.bincount(periods)
    length = np.tile(spans_of.astype(float), channels * geos)
    cells = Cells(names, channel_of, geo_of, period_of, response.current, length)
    problem = problem_of(question, cells, panel.currency)
    channel = np.repeat(np.arange(channels), geos * spans)
    if question.goal is not None and question.goal.cpa is not None and panel.target_kind == "money":
        raise DecisionError("a cost per unit needs a KPI that counts units (target_kind: count): take goal: {roas: ...}")
    worth = float((window.money / posterior.size).mean())
    return Asked(question, window, worth, response, Kept(response), cells, channel, problem)


def answer(asked: Asked, *, seed: int, say: Say | None = None) -> Answer:
    """Answer a question.

    Raises
    ------
    DecisionError
        If no plan is allowed, or no total reaches the goal.
    """
    question, problem, response = asked.question, asked.problem, asked.response
    objective, words = _objective(asked)
    if question.profit:
        assert question.margin is not None
        found = totals.best_profit(problem, response, objective, margin=question.margin, seed=seed, say=say)
        goal, solution = f"total with the most profit at a margin of {100 * question.margin:.4g} %", found.solution
    elif question.goal is not None:
        goal, solution = _by_goal(asked, objective, seed, say)
    else:
        goal, solution = "fixed total", solve(problem, response, objective, seed=seed, say=say)
    plain = asked.plain(float(solution.money.sum()))
    return Answer(asked, words, goal, solution, asked.draws(solution.money), asked.draws(plain))


def _by_goal(asked: Asked, objective: Objective, seed: int, say: Say | None) -> tuple[str, Solution]:
    goal = asked.question.goal
    assert goal is not None
    names = {"roas": totals.roas_at_least, "mroas": totals.marginal_roas_at_least, "cpa": totals.roas_at_least}
    words = {"roas": "ROAS of at least", "mroas": "marginal ROAS of at least", "cpa": "cost per unit of at most"}
    name = next(name for name in words if getattr(goal, name) is not None)
    target = float(getattr(goal, name))
    least = asked.worth / target if name == "cpa" else target  # a cost per unit is a ROAS, as a unit is worth
    try:
        found = names[name](asked.problem, asked.response, objective, target=least, seed=seed, say=say)
    except DecisionError as error:
        if name != "cpa":
            raise
        raise DecisionError(
            f"a cost of {target:,.4g} per unit of the KPI, worth {asked.worth:,.4g}, is a ROAS of {least:,.4g}: {error}"
        ) from error
    return f"largest total with a {words[name]} {target:.6g}", found.solution


def _objective(asked: Asked) -> tuple[Objective, str]:
    """The objective of a question, and in words.

    Risk is that of the gain over the current plan, scaled to a fixed total: what all plans share is no risk of a plan. Where
    the total is to be found it is that of the KPI money itself.
    """
    question, problem = asked.question, asked.problem
    fixed = problem.total
    name = question.objective
    if name == "mean":
        return Mean(), "mean"
    less = f"mean less {question.risk:.4g} standard deviations"
    worst = f"mean of the worst {100 * question.level:.4g} % of draws"
    if fixed is None:
        return (MeanMinusSd(question.risk), less) if name == "mean_sd" else (CVaR(question.level), worst)
    plain = asked.draws(asked.plain(fixed.high))
    if name == "mean_sd":
        return MeanMinusSd(question.risk, offset=plain), f"{less} of the gain over the current plan"
    if name == "cvar":
        return CVaR(question.level, offset=plain), f"{worst} of the gain over the current plan"
    if name == "regret":
        best = optima(problem, asked.response, np.clip(problem.current, problem.low, problem.high), asked.channel).value
        return CVaR(question.level, offset=best), f"{worst} of what is missed against the best plan of each draw"
    if name == "beat":
        return ProbabilityAbove(plain), "probability of more than the current plan"
    assert question.target is not None
    return ProbabilityAbove(plain + question.target), f"probability of a gain above {question.target:,.0f}"
