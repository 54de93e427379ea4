"""Plans of one fit that the study compares: rules of thumb, the optimum at posterior means, and what mmx recommends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.decide.answer import Answer, Asked, answer
from mmx.decide.fit_response import response_of
from mmx.decide.objective import Mean
from mmx.decide.problem import Problem
from mmx.decide.solve import solve
from mmx.mmm.fit import Fit
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import effects, roas_draws

Floats = npt.NDArray[np.float64]
HALVINGS = 200


def within(problem: Problem, weights: Floats) -> Floats:
    """Money in proportion to weights (cell,), cut at the bounds, at the current plan's total.

    ``clip(a * weights, low, high)`` with the one ``a`` that spends the total: a projection in the ratio of money to weight.
    """
    total = float(problem.current.sum())
    low, high = 0.0, float(problem.high.sum()) / float(weights[weights > 0].min())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weights, problem.low, problem.high).sum() < total else (low, middle)
    money: Floats = np.clip(high * weights, problem.low, problem.high)
    return money


def rules_of_thumb(fit: Fit, problem: Problem) -> dict[str, Floats]:
    """The current plan, equal shares, and shares by posterior-mean ROAS of the training window, alone and times spend."""
    draws = roas_draws(fit.posterior, effects(fit.posterior))
    roas = np.array([float(draws[f"roas[{name}]"].mean()) for name in fit.posterior.panel.names("channel")])
    roas = np.maximum(roas, 1e-6 * roas.max())
    return {
        "current": problem.current,
        "equal split": within(problem, np.ones(len(roas))),
        "ROAS share": within(problem, roas),
        "spend x ROAS": within(problem, roas * problem.current),
    }


def at_means(posterior: Posterior, *, keep_roas: bool) -> Posterior:
    """A posterior of one draw: every parameter of the curves at its posterior mean.

    With ``keep_roas`` the levels of the curves are then moved so that the window's contributions are the posterior means.
    """

    def mean(values: Floats) -> Floats:
        return np.asarray(values.mean(axis=0, keepdims=True))

    params = {name: mean(values) for name, values in posterior.params.items()}
    one = replace(posterior, params=params, beta=mean(posterior.beta), gamma=mean(posterior.gamma), local=mean(posterior.local))
    one = replace(one, chains=1)
    if keep_roas:
        level = posterior.totals([1.0])[:, 0, 0].mean(axis=0) / one.totals([1.0])[0, 0, 0]
        one = replace(one, beta=one.beta * level)
    return one


def point_optimum(fit: Fit, asked: Asked, *, keep_roas: bool, seed: int) -> Floats:
    """The best plan for the curves at posterior means."""
    response = response_of(at_means(fit.posterior, keep_roas=keep_roas), asked.window)
    return solve(asked.problem, response, Mean(), seed=seed).money


def recommended(asked: Asked, keys: dict[str, Any], *, seed: int) -> Answer:
    """What mmx answers by another objective, on the draws that were asked already."""
    question = asked.question.model_copy(update=keys)
    return answer(replace(asked, question=question), seed=seed)
