"""Recommend a budget: ask a question of a fit, answer it, and say why, for exports that all tell the same.

The value of a plan is KPI money over the horizon and the carryover tail, with today's carry-in, per posterior draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.budget_settings import BudgetSettings, Question
from mmx.config import read_budget
from mmx.data.panel import Floats
from mmx.decide.answer import Answer, Asked, Say, answer, ask
from mmx.decide.channels import channel_plans, modes, unknowns
from mmx.decide.intervals import interval
from mmx.decide.kept import Kept
from mmx.decide.menu import menu_of
from mmx.decide.next_test import tests_worth
from mmx.decide.objective import CVaR, Mean
from mmx.decide.optima import MeanCurves, Optima, optima
from mmx.decide.plan_curves import plan_curves
from mmx.decide.problem import Problem, total_row
from mmx.decide.reasons import flips
from mmx.decide.recommendation import Cell, Flip, Frontier, Recommendation, Scenario, TestValue
from mmx.decide.solve import solve
from mmx.decide.turnover import earlier, turnover
from mmx.errors import DecisionError, NotConvergedError

if TYPE_CHECKING:
    from mmx.mmm.fit import Fit

WORST = 0.1  # Share of draws whose mean gain stands beside every plan of the frontier.
FRONTIER_STARTS = 4  # Random starts of a plan of the frontier that is searched: it begins at the recommended one.
SAME = 1e-9  # Relative difference below which two plans are one.
SOME = 1000  # Draws at most whose own best plans are shown, and on which plans of the frontier are looked for.


def recommend(
    fit: Fit,
    settings: BudgetSettings | None = None,
    *,
    allow_unconverged: bool = False,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
    since: Recommendation | Mapping[str, Any] | None = None,
    **keys: Any,
) -> Recommendation:
    """Recommend spend for the periods after the fit's last row.

    Parameters
    ----------
    fit : Fit
    settings : BudgetSettings, optional
        ``config.budget``; the shipped defaults otherwise.
    allow_unconverged : bool
        Go on although the fit failed its gate; every output then says so.
    seed : int
        Of random starts, where a plan is searched.
    say : callable, optional
        Called with a sentence per step.
    since : Recommendation or mapping, optional
        An earlier recommendation, or the content of its ``recommendation.json``: how much moves since then, and what keeping
        that plan would lose.
    keys : dict
        Settings that differ, by the names of ``BudgetSettings``: ``total=2e6, objective="cvar", by=("channel", "geo")``.

    Returns
    -------
    Recommendation

    Raises
    ------
    NotConvergedError
        If the fit failed its gate and ``allow_unconverged`` is False.
    DecisionError
        If no plan is allowed (with the smallest set of constraints that conflict), no total reaches the goal, or the data are
        too short.
    InputError
        If ``since`` is damaged, or of other channels, geos, periods or money.
    ConfigError
        If a setting is unknown or has a wrong value.
    """
    settings = _settings(settings, keys)
    if not fit.converged and not allow_unconverged:
        reasons = "; ".join(fit.gate.reasons)
        raise NotConvergedError(
            f"the fit {fit.spec.name} has not converged ({reasons}), so no budget is recommended from it. "
            "Sample longer (sampler.tune, sampler.draws), simplify the model, or pass --allow-unconverged"
        )
    say = say or (lambda _: None)
    say(f"asking {fit.posterior.samples} draws")
    asked_for = ask(fit.posterior, settings.question)
    others = _asked(fit, settings)  # A question that cannot be asked is refused before the first is answered.
    before = None if since is None else earlier(since, asked_for, money=_money(fit), frequency=fit.panel.frequency)
    made = answer(asked_for, seed=seed, say=say)
    say("the best plan of each draw")
    asked = made.asked
    best = optima(_at_total(made), _some(asked.response), made.solution.money, asked.channel)
    say("what would change the advice")
    turned = _flips(made)
    say("the frontier and the scenarios")
    frontier = tuple(_frontier(made, level, seed) for level in settings.frontier)
    scenarios = _scenarios(others, settings, made, seed, say)
    tests = _tests(fit, settings, made, seed, say)
    told = _told(fit, made, best, turned, frontier, scenarios, tests)
    return told if before is None else replace(told, turnover=turnover(before, made))


def _settings(settings: BudgetSettings | None, keys: dict[str, Any]) -> BudgetSettings:
    """Settings with some keys replaced, validated as those of a configuration."""
    if settings is not None and not keys:
        return settings
    base = {} if settings is None else settings.model_dump(mode="json")
    return read_budget({**base, **keys})


def _at_total(made: Answer) -> Problem:
    """The problem with the plan's own total, where that was chosen, for what is compared at one total."""
    problem = made.asked.problem
    if problem.total is not None:
        return problem
    return replace(problem, rows=(*problem.rows, total_row(len(problem.cells), made.total)))


def _some(response: Kept) -> Kept:
    """Evenly spaced draws."""
    if response.samples <= SOME:
        return response
    return response.thinned(_evenly(response.samples))


def _evenly(samples: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, samples - 1, min(SOME, samples)).astype(np.intp)


def _flips(made: Answer) -> tuple[Flip, ...]:
    """What would change the advice."""
    asked, problem, money = made.asked, _at_total(made), made.solution.money
    curves = MeanCurves(menu_of(problem, _some(asked.response), money, asked.channel))
    return flips(problem, asked.channel, asked.window.channels, money, curves)


def _frontier(made: Answer, level: float, seed: int) -> Frontier:
    """The plan with the best mean gain of the worst share of draws, at the same total."""
    some = _some(made.asked.response)
    objective = Mean() if level == 1.0 else CVaR(level, offset=made.plain[_evenly(len(made.plain))])
    found = solve(_at_total(made), some, objective, seed=seed, start=made.solution.money, starts=FRONTIER_STARTS)
    gain = made.asked.draws(found.money) - made.plain
    worst = np.sort(gain)[: max(1, round(WORST * len(gain)))].mean()
    return Frontier(level, interval(gain), float(worst), float((gain > 0).mean()), _spend(made, found.money))


def _tests(fit: Fit, settings: BudgetSettings, made: Answer, seed: int, say: Say) -> tuple[TestValue, ...]:
    """What experiments would be worth to this plan, largest first."""
    if not settings.next_test:
        return ()
    asked = made.asked
    say("what to test next")
    problem = _at_total(made)
    money, channel, information = made.solution.money, asked.channel, settings.information
    return tests_worth(fit, problem, asked.fit, money, settings=information, seed=seed, channels=channel, say=say)


def _asked(fit: Fit, settings: BudgetSettings) -> dict[str, Asked]:
    """Ask the question of every scenario."""
    found = {}
    for name in settings.scenarios:
        try:
            found[name] = ask(fit.posterior, settings.scenario(name))
        except DecisionError as error:
            raise DecisionError(f"scenario {name}: {error}") from error
    return found


def _scenarios(others: dict[str, Asked], settings: BudgetSettings, made: Answer, seed: int, say: Say) -> tuple[Scenario, ...]:
    """The question itself and every scenario, side by side; none where no scenario is asked for."""
    if not others:
        return ()
    found = [_scenario("asked", settings.question, made)]
    for name, other in others.items():
        say(f"scenario {name}")
        try:
            found.append(_scenario(name, other.question, answer(other, seed=seed)))
        except DecisionError as error:
            raise DecisionError(f"scenario {name}: {error}") from error
    return tuple(found)


def _scenario(name: str, question: Question, made: Answer) -> Scenario:
    asked = made.asked
    gain = made.draws - asked.draws(asked.problem.current)
    change = made.total - float(asked.problem.current.sum())
    seal = made.solution.certificate
    return Scenario(
        name=name,
        objective=made.objective,
        total=made.total,
        gain=interval(gain),
        profit=None if question.margin is None else interval(question.margin * gain - change),
        probability_better=float((made.gain > 0).mean()),
        certified=seal.certified,
        relative_gap=seal.relative_gap,
        spend=_spend(made, made.solution.money),
    )


def _spend(made: Answer, money: Floats) -> dict[str, float]:
    """Money per channel."""
    sums = np.bincount(made.asked.channel, weights=money, minlength=len(made.asked.window.channels))
    return dict(zip(made.asked.window.channels, sums.tolist(), strict=True))


def _told(
    fit: Fit,
    made: Answer,
    best: Optima,
    turned: tuple[Flip, ...],
    frontier: tuple[Frontier, ...],
    scenarios: tuple[Scenario, ...],
    tests: tuple[TestValue, ...],
) -> Recommendation:
    """Put an answer into words and intervals."""
    asked, solution, window = made.asked, made.solution, made.asked.window
    posterior = fit.posterior
    channels = channel_plans(made, best, posterior)
    binds = set(solution.binding)
    return Recommendation(
        objective=made.objective,
        goal=made.goal,
        certificate=solution.certificate,
        total=made.total,
        remainder=solution.remainder,
        current_total=float(asked.problem.current.sum()),
        shadow_price=solution.shadow_price,
        horizon=window.horizon,
        start=window.starts[0],
        end=window.starts[-1],
        reference=window.kind,
        money=_money(fit),
        converged=fit.converged,
        gate_reasons=fit.gate.reasons,
        gain=interval(made.gain),
        nothing=interval(made.plain),
        probability_better=float((made.gain > 0).mean()),
        draws=len(made.gain),
        channels=channels,
        cells=_cells(made, posterior.panel.frequency),
        constraints=tuple(f"binds: {row.name}" if row.name in binds else row.name for row in asked.problem.rows),
        flips=turned,
        modes=modes(made, best),
        frontier=frontier,
        scenarios=scenarios,
        tests=tests,
        unknowns=unknowns(channels, posterior, asked.question),
        notes=(*posterior.panel.notes, *fit.decisions, *_notes(made, best)),
        fit_name=fit.spec.name,
        curves=plan_curves(asked, _some(asked.response), solution.money, posterior),
    )


def _money(fit: Fit) -> str:
    """What a gain is counted in."""
    panel = fit.panel
    return "KPI units" if panel.target_kind == "index" else panel.currency or "money"


def _notes(made: Answer, best: Optima) -> list[str]:
    notes = []
    if np.allclose(made.solution.money, made.asked.plain(made.total), rtol=SAME, atol=0.0):
        notes.append("No plan within the constraints is better than the current one by this objective: it is kept.")
    if len(best.money) < made.asked.response.samples:
        notes.append(f"Best plans per draw, the frontier's and response curves are of at most {SOME:,} evenly spaced draws.")
    return notes


def _cells(made: Answer, frequency: str) -> tuple[Cell, ...]:
    """Every channel, geo and period, current and recommended."""
    window = made.asked.window
    planned = made.asked.fit.spread(made.solution.money)
    step = {"daily": pd.DateOffset(days=1), "weekly": pd.DateOffset(weeks=1), "monthly": pd.DateOffset(months=1)}[frequency]
    ends = [str((pd.Timestamp(s) + step - pd.Timedelta(days=1)).date()) for s in window.starts]
    return tuple(
        Cell(name, geo, start, end, float(window.spend[t, g, c]), float(planned[t, g, c]))
        for c, name in enumerate(window.channels)
        for g, geo in enumerate(window.geos)
        for t, (start, end) in enumerate(zip(window.starts, ends, strict=True))
    )
