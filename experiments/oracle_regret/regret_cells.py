"""Cells of the study: one world, one seed, one pair of bounds, with every plan's true and promised value; and refreshes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import regret_plans

import mmx
from mmx import worlds
from mmx.config import read_budget
from mmx.decide.answer import Answer, Asked, ask
from mmx.decide.fit_response import response_of
from mmx.decide.intervals import interval
from mmx.decide.kept import Kept
from mmx.decide.turnover import Earlier, turnover
from mmx.worlds import Simulated
from mmx.worlds.plan import PlanProblem
from mmx.worlds.truth import Mechanism

Floats = np.ndarray


def variant_of(settings: dict[str, Any], world: str, seed: int) -> str:
    """Whether a cell's curves are of the default model's family."""
    variants: dict[str, str] = settings["variants"]
    return variants.get(world, variants["odd" if seed % 2 else "even"])


def simulated(settings: dict[str, Any], world: str, seed: int) -> Simulated:
    """The world of a cell."""
    variant = variant_of(settings, world, seed)
    return worlds.simulate(world, seed=settings["worlds"][world] + seed, periods=settings["periods"], variant=variant)


def fitted(settings: dict[str, Any], made: Simulated, seed: int, *, without: int = 0) -> mmx.Fit:
    """A fit of a world, its last weeks left out where asked; the sampler goes on by itself where its gate asks for it."""
    table = made.table
    if without:
        last = np.sort(table["week"].unique())[-without]
        table = table[table["week"] < last]
    config, panel = worlds.read(replace(made, table=table), geos=_geos(settings, made))
    spec = config.spec.model_copy(update={"sampler": config.sampler.model_copy(update=settings["sampling"])})
    return mmx.fit(panel, spec, seed=seed)


def _geos(settings: dict[str, Any], made: Simulated) -> int | None:
    return settings["geos"] if "geo" in made.settings["data"] else None


def truth_of(settings: dict[str, Any], made: Simulated, bounds: list[float]) -> PlanProblem:
    """The true plan problem, of the geos that are fitted."""
    mechanism, count = made.scene.mechanism, _geos(settings, made)
    if count is not None:
        mechanism = first_geos(mechanism, np.argsort(made.scene.geos)[:count])
    budget = made.scene.problem.budget.model_copy(update={"horizon": settings["horizon"], "bounds": tuple(bounds)})
    return PlanProblem(mechanism, budget)


def first_geos(mechanism: Mechanism, kept: Floats) -> Mechanism:
    """Some of the geos of a mechanism."""
    by_geo = ("spend", "exposure", "population", "beta", "worth")
    return replace(mechanism, **{name: getattr(mechanism, name)[kept] for name in by_geo})


def asked_of(settings: dict[str, Any], fit: mmx.Fit, bounds: list[float]) -> Asked:
    """The budget question to a fit: a fixed total, each channel within multiples of today's."""
    return ask(fit.posterior, read_budget({"horizon": settings["horizon"], "bounds": bounds}).question)


class Truth:
    """True money of plans over no spend."""

    def __init__(self, problem: PlanProblem) -> None:
        self.problem = problem
        self.names = problem.mechanism.channels
        self.current = np.array([problem.current[name] for name in self.names])
        self.nothing = problem.value(dict.fromkeys(self.names, 0.0))

    def value(self, money: Floats) -> float:
        """Of money by channel, (channel,), in the order of the table."""
        return self.problem.value(dict(zip(self.names, money / self.current, strict=True))) - self.nothing


def one(settings: dict[str, Any], world: str, seed: int, bounds: list[float]) -> dict[str, Any]:
    """All plans of one fit, with what they bring in truth and what is promised."""
    made = simulated(settings, world, seed)
    fit = fitted(settings, made, seed)
    asked = asked_of(settings, fit, bounds)
    truth = Truth(truth_of(settings, made, bounds))
    problem = asked.problem
    if not np.allclose(problem.current, truth.current, rtol=1e-6):
        raise ValueError(f"{world} {seed}: the fit's current plan {problem.current} is not the world's {truth.current}")
    found = regret_plans.rules_of_thumb(fit, problem)
    for name, keep in (("posterior-mean parameters", False), ("the same, ROAS kept", True)):
        found[name] = regret_plans.point_optimum(fit, asked, keep_roas=keep, seed=seed)
    certified: dict[str, bool] = {}
    for name, keys in settings["plans"].items():
        made_plan = regret_plans.recommended(asked, keys, seed=seed)
        found[name], certified[name] = made_plan.solution.money, made_plan.solution.certificate.certified
    plain = asked.draws(problem.current)
    best = truth.problem.best
    return {
        "fit": _judged(fit),
        "oracle": {
            "multipliers": [round(best[name], 4) for name in truth.names],
            "value": round(truth.value(truth.current * np.array([best[name] for name in truth.names])), 1),
        },
        "plans": {
            name: {
                "multipliers": [round(float(m), 4) for m in money / problem.current],
                "value": round(truth.value(money), 1),
                "gain": {key: round(value, 1) for key, value in vars(interval(asked.draws(money) - plain)).items()},
                "certified": certified.get(name),
            }
            for name, money in found.items()
        },
    }


def refreshed(settings: dict[str, Any], world: str, seed: int, bounds: list[float]) -> dict[str, Any]:
    """Plans of a fit that ends some weeks earlier against those of today's fit: what moves and what keeping them would lose.

    ``as asked`` each fit has its own last weeks as the current plan; with the ``same question`` both have today's, so that only
    the posterior differs. Money is in shares of what the current plan truly brings.
    """
    made = simulated(settings, world, seed)
    before = fitted(settings, made, seed, without=settings["refresh"]["earlier"])
    now = fitted(settings, made, seed)
    old, new = asked_of(settings, before, bounds), asked_of(settings, now, bounds)
    truth = Truth(truth_of(settings, made, bounds))
    cell: dict[str, Any] = {"fit": _judged(now), "earlier": _judged(before)}
    cell["current_moved"] = round(float(np.abs(_shares(old) - _shares(new)).sum()) / 2, 4)
    cell["plans"] = {}
    for name in settings["refresh"]["plans"]:
        keys = settings["plans"][name]
        today = regret_plans.recommended(new, keys, seed=seed)
        cell["plans"][name] = {
            kind: _kept(regret_plans.recommended(asked, keys, seed=seed), today, truth)
            for kind, asked in (("as asked", old), ("same question", of_today(before, old, new)))
        }
    return cell


def of_today(before: mmx.Fit, old: Asked, new: Asked) -> Asked:
    """Today's question to an earlier fit."""
    window = replace(old.window, spend=new.window.spend)
    response = response_of(before.posterior, window)
    return replace(old, window=window, fit=response, response=Kept(response), problem=new.problem)


def _kept(first: Answer, second: Answer, truth: Truth) -> dict[str, Any]:
    """What moves from the first plan to the second, and what keeping the first would lose, promised and in truth."""
    window, unit = first.asked.window, truth.value(truth.current)
    earlier = Earlier("earlier", window.starts[0], window.starts[-1], first.asked.fit.spread(first.solution.money))
    found = turnover(earlier, second)
    kept = first.solution.money * (second.total / first.total)
    return {
        "moved": round(found.moved, 4),
        "allowed": found.allowed,
        "lost": {key: round(value / unit, 6) for key, value in vars(found.lost).items()},
        "true": round((truth.value(second.solution.money) - truth.value(kept)) / unit, 6),
    }


def _shares(asked: Asked) -> Floats:
    return asked.problem.current / asked.problem.current.sum()


def _judged(fit: mmx.Fit) -> dict[str, Any]:
    return {
        "passed": fit.converged,
        "reasons": list(fit.gate.reasons),
        "again": any("sampled once more" in d for d in fit.decisions),
    }
