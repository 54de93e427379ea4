"""Random accounts for the tests of rules: a history, and an account, a day and a state that go with it.

Wide on purpose: gaps, ad sets that never spend, begin late or do not exist yet, campaigns without ad sets and with a budget of
their own, tracking that stops, clicks that wear out, purchases that are not reported yet, money that is missing or unlimited.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mmx.data.ads.history import AccountHistory
from mmx.rules.context import Account, Day, State, days_since_change
from mmx.rules.parameters import Space
from mmx.rules.rule import ACTIVE, FROZEN, PROBING

AD_SETS, CAMPAIGNS = 12, 4


@dataclass(frozen=True)
class Case:
    """All that one decision rests on: a history, its account, the day and the state, and parameters, (parameter,)."""

    history: AccountHistory
    account: Account
    day: Day
    state: State
    vector: np.ndarray


def random_case(seed: int, space: Space) -> Case:
    """One case; every seed gives another one."""
    rng = np.random.default_rng(seed)
    history = random_history(rng)
    state = random_state(rng, history)
    account = random_account(rng, history, state)
    return Case(history, account, random_day(rng, history, state), state, random_vector(rng, space))


def random_vector(rng: np.random.Generator, space: Space) -> np.ndarray:
    """Parameters between the defaults and anywhere, (parameter,)."""
    start = space.to_unit(space.default)
    return space.from_unit(start + rng.uniform(0.0, 1.0) * (rng.uniform(0.001, 0.999, len(space)) - start))


def _chance(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def random_history(rng: np.random.Generator, ad_sets: int = AD_SETS, days: int | None = None) -> AccountHistory:
    """A history of 3 to 70 days that ends on any day of the year."""
    days = int(rng.choice([rng.integers(3, 30), rng.integers(30, 71)], p=[0.25, 0.75])) if days is None else days
    immature = int(rng.integers(0, 6))
    first = np.where(rng.random(ad_sets) < 0.6, -rng.integers(0, 60, ad_sets), rng.integers(0, max(days - 1, 1), ad_sets))
    first[rng.random(ad_sets) < 0.05] = days + int(rng.integers(0, 3))
    live = np.arange(days)[:, None] >= first[None, :]
    budget = _budgets(rng, days, ad_sets) * live
    metrics = _metrics(rng, budget)
    late = rng.uniform(0.2, 0.9, immature)
    thinned = rng.binomial(metrics[days - min(immature, days) :, :, 3].astype(int), late[-days:, None] if immature else 1.0)
    kept = np.divide(thinned, metrics[days - min(immature, days) :, :, 3], where=thinned > 0, out=np.zeros(thinned.shape))
    metrics[days - min(immature, days) :, :, 4] *= kept
    metrics[days - min(immature, days) :, :, 3] = thinned
    if _chance(rng, 0.08):
        metrics[-3:, :, 3:5] = 0.0
    end = np.datetime64("2025-01-01") + np.timedelta64(int(rng.integers(0, 730)), "D")
    campaign_of = np.sort(rng.integers(0, CAMPAIGNS, ad_sets))
    return AccountHistory(
        account="test",
        platform="meta",
        currency="EUR",
        dates=end - np.arange(days)[::-1].astype("timedelta64[D]"),
        adsets=tuple(f"ad set {i}" for i in range(ad_sets)),
        campaigns=tuple(f"campaign {i}" for i in range(CAMPAIGNS)),
        campaign_of=campaign_of,
        metrics=metrics * live[:, :, None],
        budget=budget,
        first_day=first,
        campaign_budget=(campaign_of == int(rng.integers(0, CAMPAIGNS))) & _chance(rng, 0.5),
        immature_days=immature,
    )


def _budgets(rng: np.random.Generator, days: int, ad_sets: int) -> np.ndarray:
    """Budgets that stay for a while and then change, (day, ad set)."""
    level = rng.lognormal(3.5 + rng.normal(0.0, 0.5), 1.0, ad_sets)
    moves = rng.normal(0.0, 0.3, (days, ad_sets)) * (rng.random((days, ad_sets)) < rng.choice([0.02, 0.1, 0.4]))
    cuts = (np.arange(days)[:, None] == days - rng.integers(2, 8, ad_sets)) & (rng.random(ad_sets) < 0.25)
    budget: np.ndarray = level * np.exp(np.cumsum(moves - cuts * rng.uniform(0.05, 0.5, ad_sets), axis=0))
    return budget


def _wear(rng: np.random.Generator, days: int, ad_sets: int, size: float) -> np.ndarray:
    """Slow drift and a break some days before the end, (day, ad set), as factors."""
    drift = np.cumsum(rng.normal(0.0, 0.03, (days, ad_sets)), axis=0)
    broken = np.arange(days)[:, None] >= days - rng.integers(1, 12, ad_sets)
    factor: np.ndarray = np.exp(drift + broken * rng.normal(0.0, size, ad_sets) + rng.normal(0.0, 0.1, (days, ad_sets)))
    return factor


def _metrics(rng: np.random.Generator, budget: np.ndarray) -> np.ndarray:
    """Spend, impressions, clicks, purchases, revenue and reach, (day, ad set, 6), that follow the budgets."""
    days, ad_sets = budget.shape
    usual = rng.choice([0.15, 0.7, 0.95, 1.0, 1.15], ad_sets, p=[0.05, 0.2, 0.25, 0.3, 0.2])
    use = np.minimum(usual * rng.lognormal(0.0, 0.1, (days, ad_sets)), 1.75)
    gaps = rng.random((days, ad_sets)) < rng.choice([0.0, 0.0, 0.05, 0.3])
    spend = budget * use * ~gaps * (rng.random(ad_sets) > 0.05)
    price = rng.uniform(4.0, 20.0, ad_sets) * _wear(rng, days, ad_sets, 0.2)
    impressions = np.round(1000.0 * spend / price)
    rate = np.minimum(rng.uniform(0.005, 0.05, ad_sets) * _wear(rng, days, ad_sets, 0.3), 1.0)
    clicks = rng.binomial(impressions.astype(int), rate).astype(float)
    level = rng.lognormal(-2.9, 0.5) * rng.lognormal(0.0, 0.3, ad_sets) * (rng.random(ad_sets) > 0.05)
    conversion = np.minimum(level * _wear(rng, days, ad_sets, 0.4), 1.0)
    purchases = rng.binomial(clicks.astype(int), conversion).astype(float)
    order = rng.lognormal(3.0, 0.4) * rng.lognormal(0.0, 0.3, ad_sets)
    revenue = purchases * order * rng.lognormal(0.0, 0.3, (days, ad_sets))
    reach = np.round(impressions / rng.uniform(1.0, 3.5, ad_sets)) * _chance(rng, 0.85)
    return np.stack([spend, impressions, clicks, purchases, revenue, reach], axis=2)


def random_state(rng: np.random.Generator, history: AccountHistory) -> State:
    """Every phase, probes that failed, ad sets that are switched off, and accounts whose money ran out."""
    ad_sets = len(history.adsets)
    budget = history.budget[-1].copy()
    phase = rng.choice(
        [ACTIVE, FROZEN, PROBING], ad_sets, p=rng.choice([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05], [1.0, 0.0, 0.0]])
    )
    before = np.where(phase == ACTIVE, budget, np.maximum(budget, 1.0) * rng.lognormal(0.5, 0.5, ad_sets))
    budget = np.where(phase == FROZEN, 0.0, np.where(phase == PROBING, before * rng.uniform(0.1, 0.6, ad_sets), budget))
    off = (rng.random(ad_sets) < 0.05) & (phase == ACTIVE)
    budget, before = np.where(off, 0.0, budget), np.where(off, 0.0, before)
    if _chance(rng, 0.08):
        budget = budget * rng.choice([0.0, 0.01])
    since = days_since_change(history.budget, history.first_day)
    since = np.where(rng.random(ad_sets) < 0.7, since, rng.integers(0, 20, ad_sets)).astype(float)
    waited = rng.integers(0, 20, ad_sets).astype(float)
    return State(budget, since, phase.astype(np.int32), waited, before, rng.integers(0, 4, ad_sets).astype(float))


def random_account(rng: np.random.Generator, history: AccountHistory, state: State) -> Account:
    """Targets around what the account earns, beliefs of any strength, with and without a month budget."""
    ad_sets = len(history.adsets)
    spend, purchases, revenue = (history.metric(name).sum() for name in ("spend", "purchases", "revenue"))
    usual = revenue / spend if spend > 0.0 and revenue > 0.0 else 2.0
    target = usual * rng.lognormal(0.0, 0.3)
    member = (history.campaign_of[None, :] == np.arange(CAMPAIGNS)[:, None]).astype(float)
    believed = _chance(rng, 0.5)
    maturity = np.sort(rng.uniform(0.3, 1.0, 7))
    return Account(
        member=member,
        campaign_budget=history.campaign_budget.astype(float),
        target_roas=target,
        marginal_floor=target * rng.uniform(0.2, 1.1),
        expected_cpa=(spend / purchases if purchases > 0.0 and spend > 0.0 else 30.0) * rng.lognormal(0.0, 0.3),
        order_value_spread=rng.uniform(0.2, 2.0),
        minimum_budget=rng.choice([0.0, 1.0, 5.0]),
        month_budget=rng.choice([np.inf, 30.0 * state.before.sum() * rng.uniform(0.3, 1.5)]),
        elasticity_mean=rng.uniform(0.1, 0.95, ad_sets),
        elasticity_sd=rng.uniform(0.02, 0.4, ad_sets),
        incrementality_mean=np.zeros(ad_sets) if believed else rng.normal(-0.2, 0.3, ad_sets),
        incrementality_sd=(doubt := np.zeros(ad_sets) if believed else rng.uniform(0.0, 0.5, ad_sets)),
        floor_sd=0.8 * doubt,
        maturity=maturity,
        reported=np.ones(7) if _chance(rng, 0.5) else maturity,
    )


def random_day(rng: np.random.Generator, history: AccountHistory, state: State) -> Day:
    """The day after the history, with money around the sum of budgets; now and then none."""
    ad_sets = len(history.adsets)
    date = history.dates[-1] + np.timedelta64(1, "D")
    month = date.astype("datetime64[M]")
    month_day = int((date - month.astype("datetime64[D]")).astype(int)) + 1
    month_days = int(((month + np.timedelta64(1, "M")).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    share = rng.choice([0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.3], p=[0.04, *[0.16] * 6])
    money = share * np.where(state.phase == FROZEN, 0.0, state.before).sum()
    return Day(
        money=money,
        weekday=float((date.astype(int) + 3) % 7),
        month_day=float(month_day),
        month_days=float(month_days),
        weekday_effect=rng.normal(0.0, 0.2),
        season_effect=rng.normal(0.0, 0.2),
        weekday_mix=rng.normal(0.0, 0.2, ad_sets) * _chance(rng, 0.7),
        promotion=float(_chance(rng, 0.2)),
        promotion_ended=float(_chance(rng, 0.2)),
        stock_days=np.where(rng.random(ad_sets) < 0.2, rng.uniform(0.0, 30.0, ad_sets), np.inf),
    )


def permuted(case: Case, order: np.ndarray) -> Case:
    """The same case with its ad sets in another order."""
    h = case.history
    history = replace(
        h,
        adsets=tuple(h.adsets[i] for i in order),
        campaign_of=h.campaign_of[order],
        metrics=h.metrics[:, order],
        budget=h.budget[:, order],
        first_day=h.first_day[order],
        campaign_budget=h.campaign_budget[order],
    )
    moved = {
        name: value[..., order]
        for name, value in case.account._asdict().items()
        if np.ndim(value) and name not in ("maturity", "reported")
    }
    day = case.day._replace(weekday_mix=case.day.weekday_mix[order], stock_days=case.day.stock_days[order])
    state = State(*(value[order] for value in case.state))
    return Case(history, case.account._replace(**moved), day, state, case.vector)


def in_currency(case: Case, factor: float) -> Case:
    """The same case with all money in another currency; no parameter of a rule is in currency, only the account's numbers."""
    metrics = case.history.metrics.copy()
    metrics[:, :, [0, 4]] *= factor
    history = replace(case.history, metrics=metrics, budget=case.history.budget * factor)
    money = ("expected_cpa", "minimum_budget", "month_budget")
    account = case.account._replace(**{name: getattr(case.account, name) * factor for name in money})
    state = case.state._replace(budget=case.state.budget * factor, before=case.state.before * factor)
    return Case(history, account, case.day._replace(money=case.day.money * factor), state, case.vector)
