"""Honest backtests of rules: parameter sets rolled forward, with state, by response models fitted on each fold's past.

In every fold a response model is fitted on the rows before its origin, as they were reported then, and all parameter sets
roll forward from the origin's state over the same posterior draws and the same luck. The hold-out's judge is fitted on rows
that no fold has seen, and rolls winner and defaults from the hold-out's first day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.jax_setup import jax
from mmx.rules.account import Log, account_of, start_of
from mmx.rules.calendar import days_ahead, learn_calendar
from mmx.rules.engine import Engine
from mmx.rules.padding import NEVER
from mmx.rules.response.data import padded_shape
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.quantities import elasticity_moments
from mmx.rules.response.settings import ResponseSettings
from mmx.rules.response.simulate import make_noise, step
from mmx.rules.rollout import Future, Totals, roll
from mmx.validate.rule_scores import objective_draws, violations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules.context import Account, State
    from mmx.rules.window import Window
    from mmx.rules_settings import RulesSettings
    from mmx.tune_settings import BacktestSettings
    from mmx.validate.rule_folds import RuleFolds


@dataclass(frozen=True)
class Customer:
    """What is known of an account beside its history.

    Attributes
    ----------
    settings : RulesSettings
    month_budget : float or None
        Currency per calendar month.
    delay_curve : tuple of float
        Share of purchases that is reported after 0, 1, ... days.
    """

    settings: RulesSettings
    month_budget: float | None = None
    delay_curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A start, a future and the model that answers: what parameter sets are rolled through.

    Attributes
    ----------
    start : (Window, State)
    account : Account
    future : Future
    days : int
    immature_days : int
    model : ResponseFit
    """

    start: tuple[Window, State]
    account: Account
    future: Future
    days: int
    immature_days: int
    model: ResponseFit

    def roll(self, engine: Engine, vectors: NDArray[np.float64]) -> Totals:
        """Roll parameter sets, (set, parameter), through it; (set, draw) each."""
        return roll(engine, vectors, self.start, self.account, self.future, step, immature_days=self.immature_days)


def make_stage(
    history: AccountHistory,
    model: ResponseFit,
    customer: Customer,
    *,
    days: int,
    draws: int,
    seed: int,
) -> Stage:
    """Set the stage at the end of a history.

    Parameters
    ----------
    history : AccountHistory
        Its last day is the day before the first decision.
    model : ResponseFit
        Fitted to this account, with the same ad sets.
    customer : Customer
    days, draws : int
        Days ahead, and posterior draws, evenly spread over the model's.
    seed : int
        Of the luck.
    """
    chosen = np.linspace(0, model.draws - 1, draws).round().astype(int)
    of_draw, carry = jax.tree.map(lambda x: np.asarray(x)[..., chosen], (model.draw, model.carry))
    settings = customer.settings
    money = settings.daily_budget or float(history.budget[-1].sum())
    dates = history.dates[-1] + np.arange(1, days + 1).astype("timedelta64[D]")
    ahead = days_ahead(dates, money, learn_calendar(history), settings, history)
    noise = make_noise(jax.random.key(seed), days, draws, len(history.adsets))
    account = account_of(
        history,
        settings,
        month_budget=customer.month_budget,
        delay_curve=customer.delay_curve,
        elasticity=Log(*elasticity_moments(model)),
        as_reported=False,
    )
    future = Future(ahead, of_draw, carry, noise)
    return Stage(start_of(history), account, future, days, history.immature_days, model)


@dataclass(frozen=True)
class Backtest:
    """Folds ready to judge parameter sets, and the hold-out's judge.

    Attributes
    ----------
    engine : Engine
    stages : tuple of Stage
        One per fold.
    judge : Stage
        Of the hold-out.
    customer : Customer
    objectives : tuple of str
    limits : dict of str to float
    """

    engine: Engine
    stages: tuple[Stage, ...]
    judge: Stage
    customer: Customer
    objectives: tuple[str, ...]
    limits: dict[str, float]

    def by_fold(self, vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Objectives, (set, fold, objective), and violations of limits, (set, limit), the worst of folds."""
        scores, broken = [], []
        for stage in self.stages:
            totals = stage.roll(self.engine, vectors)
            scores.append(self._objectives(totals, stage).mean(axis=1))
            broken.append(violations(totals, self.limits, days=stage.days, ad_sets=stage.account.member.shape[1]))
        return np.stack(scores, axis=1), np.max(np.stack(broken), axis=0)

    def differences(self, winner: NDArray[np.float64], default: NDArray[np.float64]) -> dict[str, HoldOut]:
        """Winner minus default in every objective: on the hold-out, and what the last fold's model claimed."""
        both = np.stack([winner, default])
        judged, claimed = (
            self._objectives(stage.roll(self.engine, both), stage).astype(float) for stage in (self.judge, self.stages[-1])
        )
        return {
            name: HoldOut(
                judged[0, :, i] - judged[1, :, i],
                claimed[0, :, i] - claimed[1, :, i],
                float(judged[1, :, i].mean()),
                float(claimed[1, :, i].mean()),
            )
            for i, name in enumerate(self.objectives)
        }

    def _objectives(self, totals: Totals, stage: Stage) -> NDArray[np.float64]:
        return objective_draws(totals, self.objectives, margin=self.customer.settings.margin, days=stage.days)


@dataclass(frozen=True)
class HoldOut:
    """Winner minus default under the same draws and luck.

    Attributes
    ----------
    judged : array, (draw,)
        By the model of the hold-out.
    claimed : array, (draw,)
        By the model of the last fold, which tuning used.
    level, claimed_level : float
        Mean of the default under each.
    """

    judged: NDArray[np.float64]
    claimed: NDArray[np.float64]
    level: float
    claimed_level: float

    def draws(self, rng: np.random.Generator, size: int = 4000) -> NDArray[np.float64]:
        """Draws of the difference with both models' uncertainty, (draw,).

        The judge says where it lies. How far from there is an opinion pool (Stone 1961, doi:10.1214/aoms/1177704873): every
        second draw is of the judge's posterior, every other one of the tuning model's, moved to the judge's mean. Adding both
        deviations instead would count twice what the models share, their prior.
        """
        judged = rng.choice(self.judged, size - size // 2)
        moved = rng.choice(self.claimed, size // 2) - self.claimed.mean() + self.judged.mean()
        return rng.permutation(np.concatenate([judged, moved]))


def prepare_backtest(
    engine: Engine,
    history: AccountHistory,
    reported_at: Callable[[int], AccountHistory],
    folds: RuleFolds,
    customer: Customer,
    settings: BacktestSettings,
    response: ResponseSettings,
    *,
    objectives: Sequence[str],
    limits: dict[str, float],
    seed: int,
    start: ResponseFit | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Backtest:
    """Fit the response models of all folds and of the hold-out.

    Parameters
    ----------
    engine : Engine
    history : AccountHistory
        All days.
    reported_at : callable
        ``day -> AccountHistory``: the first ``day`` days as they were reported on that morning; ``history.until`` where the
        table does not say.
    folds : RuleFolds
    customer : Customer
    settings : BacktestSettings
    response : ResponseSettings
    objectives, limits
        See ``mmx.validate.rule_scores``.
    seed : int
    start : ResponseFit, optional
        Of a similar account, in whose scales the first fold's search and the judge's begin; it takes part in nothing else.
    progress : callable, optional
        Told what is being fitted.

    Raises
    ------
    ConfigError, DataError
    """
    say = progress or (lambda _: None)
    shape = padded_shape(folds.end, len(history.adsets), len(history.campaigns))
    stages: list[Stage] = []
    before = start
    for number, origin in enumerate(folds.origins):
        say(f"fit the response model of fold {number + 1} of {len(folds.origins)}")
        past = _all_adsets(reported_at(origin), history)
        before = fit(
            past, replace(response, draws=max(response.draws, settings.draws)), seed=seed + number, shape=shape, start=before
        )
        stages.append(make_stage(past, before, customer, days=settings.horizon, draws=settings.draws, seed=seed + 101 * number))
    say("fit the hold-out's judge")
    use = np.arange(folds.end)[:, None] >= folds.holdout
    own = fit(
        history,
        replace(response, draws=max(response.draws, settings.judge_draws)),
        seed=seed + 7,
        shape=shape,
        start=start,
        use=np.broadcast_to(use, history.budget.shape),
    )
    past = _all_adsets(reported_at(folds.holdout), history)
    judge = make_stage(past, own, customer, days=settings.horizon, draws=settings.judge_draws, seed=seed + 997)
    return Backtest(engine, tuple(stages), judge, customer, tuple(objectives), dict(limits))


def _all_adsets(past: AccountHistory, whole: AccountHistory) -> AccountHistory:
    """The past with the ad sets of the whole history, in its order: those that began later are empty columns, never live.

    Nobody knew of them then, so that no roll-out launches them.
    """
    if past.adsets == whole.adsets and (past.first_day < len(past.dates)).all():
        return past
    place = [whole.adsets.index(name) for name in past.adsets]
    days, ad_sets = len(past.dates), len(whole.adsets)
    metrics, budget = np.zeros((days, ad_sets, past.metrics.shape[2])), np.zeros((days, ad_sets))
    metrics[:, place], budget[:, place] = past.metrics, past.budget
    first = np.where(whole.first_day < days, whole.first_day, NEVER)
    return replace(whole, dates=past.dates, metrics=metrics, budget=budget, first_day=first, propensity=None)
