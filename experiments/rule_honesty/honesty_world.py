"""One simulated account: what each evaluator claims of the rules it would choose, and what is true of them.

Every uplift is profit less that of the defaults over the margin on the defaults' revenue, in percent: at equal spend, percent
of revenue. All evaluators choose among the same candidates and see the account as it was reported on the morning of the
hold-out's first day; the judge alone sees the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from mmx.jax_setup import jax
from mmx.rules.engine import Engine
from mmx.rules.padding import pad_history
from mmx.rules.response.data import padded_shape
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.quantities import elasticity_moments
from mmx.rules.response.settings import ResponseSettings
from mmx.rules.response.simulate import make_noise
from mmx.rules_settings import RulesSettings
from mmx.tune.overfitting import overfitting
from mmx.tune_settings import BacktestSettings
from mmx.validate.replay import NEXT_DAYS, replay
from mmx.validate.rule_backtest import Backtest, Customer, prepare_backtest
from mmx.validate.rule_folds import rule_folds
from mmx.validate.rule_policy import RulePolicy
from mmx.worlds.accounts import (
    AccountWorld,
    Allocation,
    draw_customer,
    elasticity,
    long_run,
    make_world,
    oracle_allocation,
    roll,
)

Floats = NDArray[np.float64]
OBJECTIVES = ("profit", "revenue")
CAMPAIGNS = 4
LUCKS = 4
ALLOCATIONS = ("hold", "equal", "proportional", "greedy")


@dataclass(frozen=True)
class Study:
    """What all worlds share: the settings of ``config.yaml``, the rules as every customer has them, the engine."""

    settings: dict[str, Any]
    rules: RulesSettings
    engine: Engine

    @cached_property
    def vectors(self) -> Floats:
        """Candidates, (vector, parameter): the defaults, then Sobol points around them in the live coordinates."""
        space, settings = self.engine.space, self.settings
        live = [space.index(name) for name in settings["coordinates"]]
        count = settings["vectors"]
        points = qmc.Sobol(len(live), seed=settings["seed"]).random(1 << (count - 1).bit_length())[: count - 1]
        units = np.repeat(space.to_unit(space.default)[None, :], count, axis=0)
        units[1:, live] += settings["spread"] * (2.0 * points - 1.0)
        found = np.repeat(space.default[None, :], count, axis=0)
        found[1:, live] = space.from_unit(np.clip(units, 0.0, 1.0))[1:, live]
        return found

    @cached_property
    def response(self) -> ResponseSettings:
        """Settings of the response models."""
        return replace(ResponseSettings(), **self.settings["response"])

    @cached_property
    def reference(self) -> ResponseFit:
        """A fit in whose scales all other fits begin their search."""
        world = self.world(self.settings["reference"])
        history = pad_history(world.history(), self.settings["ad_sets"], CAMPAIGNS)
        shape = padded_shape(len(history.dates), len(history.adsets), len(history.campaigns))
        return fit(history, self.response, seed=1, shape=shape)

    def world(self, seed: int) -> AccountWorld:
        """An account of a customer from the population, with fewer ad sets."""
        customer = draw_customer(seed)
        customer = replace(customer, ad_sets=min(customer.ad_sets, self.settings["ad_sets"]))
        return make_world(seed, customer=customer, days=self.settings["days"], horizon=self.settings["horizon"])


def true_profit(study: Study, world: AccountWorld, vectors: Floats, day: int, futures: int) -> tuple[Floats, Floats, Floats]:
    """Expected profit, spend and progress of learning phases, (vector, future) each, under the same luck from a day on."""
    rules = study.rules.model_copy(update={"margin": world.customer.margin})
    policy = RulePolicy(study.engine, np.repeat(vectors, futures, axis=0), rules)
    seeds = list(range(1, futures + 1)) * len(vectors)
    ran = roll(world, policy, day=day, days=study.settings["horizon"], seeds=seeds)
    shape = (len(vectors), futures)
    progress = ran.day.progress.mean(axis=(1, 2))
    return ran.expected_profit.reshape(shape), ran.spend.reshape(shape), progress.reshape(shape)


def uplift(profit: Floats, spend: Floats) -> Floats:
    """Percent, (vector, future): profit less that of the first vector over the first vector's mean margin, profit and spend."""
    return np.asarray(100.0 * (profit - profit[:1]) / (profit[0] + spend[0]).mean())


def one_world(study: Study, seed: int) -> dict[str, Any]:
    """Claims and truths of one account."""
    settings, world = study.settings, study.world(seed)
    history = pad_history(world.history(), settings["ad_sets"], CAMPAIGNS)
    limits = BacktestSettings(**settings["backtest"])
    folds = rule_folds(len(history.dates), history.immature_days, limits)
    customer = Customer(study.rules.model_copy(update={"margin": world.customer.margin}))
    backtest = prepare_backtest(
        study.engine, history, world.history, folds, customer, limits, study.response,
        objectives=OBJECTIVES, limits={}, seed=seed, start=study.reference,
    )  # fmt: skip
    claims, own = ours(study, backtest, world.customer.margin, seed)
    claims |= replays(study, world, customer, folds.holdout)
    picks = {name: int(np.argmax(values)) for name, values in claims.items()}
    known = settings["truths"]
    profit, spend, _ = true_profit(study, world, study.vectors[:known], folds.holdout, settings["futures"])
    candidates = uplift(profit, spend)
    found = {
        "seed": seed,
        "kind": world.kind,
        "passed": [stage.model.passed for stage in (*backtest.stages, backtest.judge)],
        "learned": backtest.judge.model.identification.account_learned,
        "elasticity": elasticities(world, backtest),
        "picks": picks,
        "claimed": {name: values[:known] for name, values in claims.items()},
        "claim": {name: claims[name][pick] for name, pick in picks.items()},
        "true": candidates.mean(axis=1),
        "true_spend": 100.0 * (spend.mean(axis=1) / spend[0].mean() - 1.0),
        "true_error": candidates.std(axis=1, ddof=1) / np.sqrt(settings["futures"]),
        "roas": float((profit + spend)[0].sum() / spend[0].sum() / world.customer.margin),
    }
    names = [name for name in picks if name != "judge"]
    chosen = study.vectors[[0, *(picks[name] for name in names)]]
    for name, day in (("holdout", folds.holdout), ("future", world.days)):
        profit, spend, progress = true_profit(study, world, chosen, day, settings["policy_futures"])
        gains = uplift(profit, spend)[1:]
        found[name] = {
            "true": dict(zip(names, gains.mean(axis=1), strict=True)),
            "error": dict(zip(names, gains.std(axis=1, ddof=1) / np.sqrt(gains.shape[1]), strict=True)),
            "spend": dict(zip(names, 100.0 * (spend[1:].mean(axis=1) / spend[0].mean() - 1.0), strict=True)),
            "progress": progress[:2].mean(axis=1),
            "inside": float(((gains[0] >= own["ours"]["low"]) & (gains[0] <= own["ours"]["high"])).mean()),
        }
    return found | own | {"allocations": allocations(study, world, profit[0], spend[0])}


def ours(study: Study, backtest: Backtest, margin: float, seed: int) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Claims of the folds' models and of the judge for all candidates, and the judge's evidence on the folds' winner."""
    vectors = study.vectors
    scores, _ = backtest.by_fold(vectors)
    tuned = 100.0 * (scores[..., 0] - scores[:1, :, 0]).mean(axis=1) / (margin * scores[0, :, 1].mean())
    judge = replace(backtest, stages=(backtest.judge,))
    judged, _ = judge.by_fold(vectors)
    level, spend = margin * judged[0, 0, 1], margin * judged[:, 0, 1] - judged[:, 0, 0]
    claims = {"folds": tuned, "judge": 100.0 * (judged[:, 0, 0] - judged[0, 0, 0]) / level}
    winner = int(np.argmax(tuned))
    rolled = backtest.differences(vectors[winner], vectors[0])["profit"]
    draws = 100.0 * rolled.draws(np.random.default_rng([seed, 3])) / level
    low, high = np.quantile(draws, [0.05, 0.95])
    own = {
        "ours": {
            "claim": draws.mean(), "low": low, "high": high,
            "judged": 100.0 * rolled.judged / level,
            "expected": 100.0 * less_luck(backtest, vectors[[winner, 0]], seed) / level,
            "tuning": 100.0 * rolled.claimed / (margin * scores[0, -1, 1]),
            "roas": judged[0, 0, 1] / spend[0],
            "spend": 100.0 * (spend / spend[0] - 1.0)[: study.settings["truths"]],
        },
        "overfitting": overfitting(scores[..., 0], scores[0, :, 0]).probability,
    }  # fmt: skip
    return claims, own


def less_luck(backtest: Backtest, both: Floats, seed: int) -> Floats:
    """What the judge says of winner minus defaults in profit, (draw,), each draw under several futures' luck."""
    stage, found = backtest.judge, []
    days, _, ad_sets, draws = stage.future.noise.shape
    for number in range(LUCKS):
        noise = make_noise(jax.random.key(seed + 5000 + number), days, draws, ad_sets)
        again = replace(backtest, judge=replace(stage, future=stage.future._replace(noise=noise)), stages=(stage,))
        found.append(again.differences(*both)["profit"].judged)
    return np.asarray(np.mean(found, axis=0))


def elasticities(world: AccountWorld, backtest: Backtest) -> dict[str, float]:
    """Elasticity of the account's revenue in its last budgets: in truth, and posterior means of the last fold and the judge."""
    budget = world.history().budget[-1]
    runs = np.flatnonzero(budget > 0.0)
    weight = long_run(world, budget).revenue[runs]
    true = elasticity(world, budget)[runs]
    weight = np.where(np.isfinite(true), weight, 0.0)
    found = {"true": np.average(np.where(np.isfinite(true), true, 0.0), weights=weight)}
    for name, stage in (("folds", backtest.stages[-1]), ("judge", backtest.judge)):
        found[name] = np.average(elasticity_moments(stage.model)[0][runs], weights=weight)
    return {name: float(value) for name, value in found.items()}


def replays(study: Study, world: AccountWorld, customer: Customer, holdout: int) -> dict[str, Floats]:
    """Claims of the two replays for all candidates, over the last days before the hold-out."""
    seen = pad_history(world.history(holdout), study.settings["ad_sets"], CAMPAIGNS)
    first = holdout - seen.immature_days - NEXT_DAYS - study.settings["replayed"]
    found = replay(study.engine, study.vectors, seen, customer.settings, first)
    margin = world.customer.margin
    claims = {"replay": found.same_day, "next_period": found.next_period}
    return {name: uplift((margin * value - found.spend)[:, None], found.spend[:, None])[:, 0] for name, value in claims.items()}


def allocations(study: Study, world: AccountWorld, profit: Floats, spend: Floats) -> dict[str, float]:
    """True profit of simple allocations and of the oracle's less the defaults', (future,), as uplifts."""
    seeds = list(range(1, len(profit) + 1))
    policies: dict[str, Any] = {name: Allocation(name) for name in ALLOCATIONS}
    policies["oracle"] = oracle_allocation(world, float(world.history().budget[-1].sum()))
    found = {}
    for name, policy in policies.items():
        ran = roll(world, policy, days=study.settings["horizon"], seeds=seeds)
        found[name] = float(100.0 * (ran.expected_profit - profit).mean() / (profit + spend).mean())
    return found
