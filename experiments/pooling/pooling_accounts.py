"""A simulated customer of the study: what parameters truly bring it, and what a model of its own past says they bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import qmc

from mmx.config import read_config
from mmx.rules.engine import Engine
from mmx.rules.padding import pad_history
from mmx.rules.pooling.traits import Trait
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.settings import ResponseSettings
from mmx.validate.rule_backtest import Customer, make_stage
from mmx.validate.rule_policy import RulePolicy
from mmx.worlds.accounts import AccountWorld, draw_customer, make_world, roll

WEEK, YEAR_HALF = 7, 182
SIZE = (16, 4)  # Ad sets and campaigns of every account, padded: all share compiled programs.
TOLD = {"files": ["unused.csv"], "schema": "meta_export"}
Floats = np.ndarray[Any, np.dtype[np.float64]]


def account(number: int, heterogeneity: str, settings: dict[str, Any]) -> AccountWorld:
    """A customer of the population, with fewer ad sets and the same money for each, in a world of its own."""
    drawn = draw_customer(number, heterogeneity, seed=settings["seed"])
    fewer = int(np.clip(round(settings["ad_sets"] * drawn.ad_sets), 4, settings["most_ad_sets"]))
    customer = replace(drawn, ad_sets=fewer, spend=drawn.spend * fewer / drawn.ad_sets)
    return make_world(number, customer=customer, days=YEAR_HALF, horizon=settings["days"])


def told(world: AccountWorld) -> Any:
    """What the rules are told of a customer: its margin."""
    base = read_config({"name": "pooling", "ads": TOLD}).rules
    return base.model_copy(update={"margin": world.customer.margin})


def traits_of(world: AccountWorld) -> dict[str, Trait]:
    """What is known of a customer before any search, from its table."""
    history = world.history()
    mature = slice(-28 - history.immature_days, len(history.dates) - history.immature_days)
    spend = history.metric("spend")[mature]
    revenue, purchases = (float(history.metric(name)[mature].sum()) for name in ("revenue", "purchases"))
    return {
        "spend": float(spend.sum() / len(spend)),
        "order_value": revenue / purchases,
        "ad_sets": float((spend.sum(axis=0) > 0.0).sum()),
        "platform": world.customer.platform,
    }


def true_profit(engine: Engine, world: AccountWorld, vectors: Floats, days: int, seeds: Sequence[int]) -> tuple[Floats, Floats]:
    """Expected profit and spend of vectors in the world itself, (vector, future), under the same luck."""
    policy = RulePolicy(engine, np.repeat(vectors, len(seeds), axis=0), told(world))
    ran = roll(world, policy, days=days, seeds=list(seeds) * len(vectors))
    shape = (len(vectors), len(seeds))
    return ran.expected_profit.reshape(shape), ran.spend.reshape(shape)


def own_profit(
    engine: Engine, world: AccountWorld, weeks: int, vectors: Floats, settings: dict[str, Any], start: ResponseFit | None
) -> tuple[Floats, ResponseFit]:
    """Profit over the defaults' spend by a response model of the last weeks, (vector, draw), and the model.

    The defaults are the first vector. The search over the model's scales begins at those of an earlier fit.
    """
    history = pad_history(world.history().last(WEEK * weeks), *SIZE)
    quick = ResponseSettings(draws=settings["draws"], proposals=settings["proposals"])
    model = fit(history, quick, seed=world.seed, shape=(WEEK * weeks, *SIZE), start=start)
    customer = Customer(told(world))
    stage = make_stage(history, model, customer, days=settings["days"], draws=settings["draws"], seed=world.seed)
    totals = stage.roll(engine, vectors)
    spend = np.asarray(totals.spend, float)
    profit = world.customer.margin * np.asarray(totals.expected_revenue, float) - spend
    return profit / spend[0].mean(), model


def design(engine: Engine, names: Sequence[str], size: int, edge: float, seed: int) -> Floats:
    """The defaults, then Sobol's points over the ranges of the named parameters; the others at the defaults."""
    space = engine.space
    places = [space.index(name) for name in names]
    points = qmc.Sobol(len(places), seed=seed).random(size)
    points[0] = 0.5
    units = np.tile(space.to_unit(space.default), (size, 1))
    inner = 1.0 / (1.0 + np.exp(edge))
    units[:, places] = inner + (1.0 - 2.0 * inner) * points
    vectors = space.from_unit(units)
    vectors[0] = space.default
    return vectors
