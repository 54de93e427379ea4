"""What must hold of every decision, whatever the account and the parameters; and decisions that follow one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.data.ads.history import AccountHistory
from mmx.jax_setup import jax, jnp
from mmx.rules.context import Account, Day, State, first_state
from mmx.rules.engine import batched, explain
from mmx.rules.rule import ACTIVE, FROZEN, PROBING
from mmx.rules.window import push, window_of

from .compiled import BATCH, ENGINE, NAMES, QUICKLY, cases, explained
from .histories import Case, in_currency, permuted, random_case, random_vector

HELD = ("missing_tracking", "hold_probe", "cold_start", "learning")
FROZEN_BY = ("hold_frozen", "end_probe", "freeze_without_purchase", "freeze_low_roas")
FORCED = (*FROZEN_BY, "probe", "release_probe")
seeds = st.integers(10_000, 1_000_000)
few = settings(max_examples=4)


def decided_by(decision: Any, names: tuple[str, ...]) -> np.ndarray:
    """Whether one of some rules decided, (case, ad set)."""
    return np.isin(decision.rule, [i for i, rule in enumerate(ENGINE.deciders) if rule.name in names])


def parameter(batch: Any, name: str) -> np.ndarray:
    """A parameter of every case, (case, 1)."""
    return np.array([case.vector[NAMES.index(name)] for case in batch])[:, None]


@few
@given(seeds)
def test_money_is_conserved_and_all_numbers_are_finite(seed: int) -> None:
    batch = cases(seed)
    decision, _ = explained(batch)
    scale = np.maximum(decision.money, 1.0)
    np.testing.assert_allclose(decision.budget.sum(axis=1) + decision.unallocated, decision.money, atol=1e-9 * scale.max())
    assert (np.abs(decision.budget.sum(axis=1) + decision.unallocated - decision.money) <= 1e-9 * scale).all()
    assert (decision.unallocated >= -1e-9 * scale).all()
    assert (decision.budget >= 0.0).all()
    for values in (decision.budget, decision.factor, decision.money, *decision.state):
        assert np.isfinite(values).all()
    assert (decision.budget[decision.rule < 0] == 0.0).all()
    assert (decision.budget[decided_by(decision, FROZEN_BY)] == 0.0).all()


@few
@given(seeds)
def test_an_incrementality_that_target_and_floor_share_changes_nothing(seed: int) -> None:
    """Half of the revenue, half of what is asked for: the same decisions, unless an ad set is exactly at its target."""
    batch = cases(seed)
    halved = []
    for case in batch:
        own = case.account
        halves = {name: 0.5 * getattr(own, name) for name in ("target_roas", "marginal_floor")}
        account = own._replace(**halves, incrementality_mean=own.incrementality_mean + np.log(0.5))
        halved.append(replace(case, account=account))
    (first, details), (second, _) = explained(batch), explained(halved)
    over = [details.view[f"log_roas_{days}d"] - details.view["log_target"][:, None] for days in (7, 14, 28)]
    clear = (np.abs(np.stack(over)) > 1e-9).all(axis=(0, 2))
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(second.rule[clear], first.rule[clear])
    np.testing.assert_allclose(second.budget[clear], first.budget[clear], rtol=1e-6, atol=1e-6)


@few
@given(seeds)
def test_money_is_left_over_only_where_every_ad_set_rests_on_something_with_a_name(seed: int) -> None:
    batch = cases(seed)
    decision, details = explained(batch)
    named = details.binds.any(axis=1) | details.left_out.any(axis=1)
    settled = decided_by(decision, HELD) | decided_by(decision, FORCED) | (decision.rule < 0)
    over = decision.unallocated > 1e-9 * np.maximum(decision.money, 1.0)
    assert over.any() and not over.all()
    assert (named | settled)[over].all()


def guardrail_bounds(batch: Any, v: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Bounds of each guardrail from what was seen, (case, ad set)."""
    none, budget = np.inf, v["budget"]

    def p(name: str) -> np.ndarray:
        return parameter(batch, name)

    mean = v["account_budget"] / np.maximum(v["live"].sum(axis=1), 1)
    usual = v["spend_14d"] / np.maximum(v["active_14d"], 1.0)
    least_cost = np.maximum(p("cost_anchor.costs") * v["cpa_expected"], v["minimum"][:, None])
    largest = np.maximum(p("maximum_share.share"), 2.0 / np.maximum(v["receivers"] - 1.0, 1.0)[:, None])
    worse = v["log_roas_7d"] < v["log_target"][:, None] + np.log(p("not_in_decline.of_target"))
    cools = v["days_since_change"] < p("cooldown.days")
    return {
        "minimum": (np.maximum(v["minimum"][:, None], p("minimum.share") * mean[:, None]), none),
        "maximum_share": (0.0, np.maximum(largest * v["money"][:, None], budget)),
        "spend_anchor": (0.0, np.where((v["age_days"] >= 14) & (usual > 0), p("spend_anchor.times") * usual, none)),
        "cost_anchor": (0.0, np.where(v["purchases_28d"] < p("cost_anchor.purchases"), least_cost, none)),
        "not_in_decline": (0.0, np.where(worse & (v["purchases_28d"] >= p("not_in_decline.purchases")), budget, none)),
        "step_up": (0.0, budget * (1.0 + p("step_up.share"))),
        "step_down": (budget * (1.0 - p("step_down.share")), none),
        "cooldown": (np.where(cools, budget, 0.0), np.where(cools, budget, none)),
    }


@few
@given(seeds)
def test_budgets_lie_within_the_guardrails(seed: int) -> None:
    """Upper bounds always; lower ones where the money reaches and no upper bound contradicts them."""
    batch = cases(seed)
    decision, details = explained(batch)
    free = ~(decided_by(decision, HELD) | decided_by(decision, FORCED) | (decision.rule < 0) | details.left_out.any(axis=1))
    bounds = guardrail_bounds(batch, details.view)
    assert set(bounds) == {rule.name for rule in ENGINE.of("guardrail")}
    shape = decision.budget.shape
    lower = np.max([np.broadcast_to(own[0], shape) for own in bounds.values()], axis=0)
    upper = np.min([np.broadcast_to(own[1], shape) for own in bounds.values()], axis=0)
    enough = decision.budget >= np.minimum(lower, upper) * (1.0 - 1e-9) - 1e-9
    assert (decision.budget <= upper * (1.0 + 1e-9) + 1e-9)[free].all()
    fed = (enough | ~free).all(axis=1)
    assert fed.any() and (decision.unallocated <= 1e-9 * np.maximum(decision.money, 1.0))[~fed].all()
    for n, rule in enumerate(ENGINE.of("guardrail")):
        least, most = (np.broadcast_to(own, shape) for own in bounds[rule.name])
        at = (decision.budget <= least * (1.0 + 1e-9)) | (decision.budget >= most * (1.0 - 1e-9))
        assert at[details.binds[:, n]].all(), rule.name


@pytest.mark.parametrize("known", [1, 2, 3])
def test_the_largest_share_leaves_no_money_over_in_small_accounts(known: int) -> None:
    """With three ad sets or fewer it changes nothing, however low; with twelve it holds budgets back."""
    batch = cases(0)
    small = [replace(c, history=replace(c.history, first_day=np.where(np.arange(12) < known, 0, 10**6))) for c in batch]
    vectors = np.stack([case.vector for case in batch])
    vectors[:, NAMES.index("maximum_share.share")] = 0.05
    bound, free = (explained(small, vectors, off)[0] for off in ((), ("maximum_share",)))
    assert (bound.budget > 0.0).any() and (bound.rule[:, known:] == -1).all()
    np.testing.assert_allclose(bound.budget, free.budget, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(bound.unallocated, free.unallocated, rtol=1e-12, atol=1e-9)
    assert not np.allclose(explained(batch, vectors)[0].budget, explained(batch, vectors, ("maximum_share",))[0].budget)


@few
@given(seeds)
def test_a_decision_is_repeated_to_the_bit(seed: int) -> None:
    batch = cases(seed)
    first, second = (jax.tree.leaves(explained(batch)[0]) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


@few
@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_ad_sets_does_not_matter(seed: int, random: Any) -> None:
    batch = cases(seed)
    order = np.array(random.sample(range(12), 12))
    found, wanted = explained([permuted(case, order) for case in batch])[0], explained(batch)[0]
    np.testing.assert_array_equal(found.rule, wanted.rule[:, order])
    scale = np.maximum(wanted.money, 1.0)[:, None]
    np.testing.assert_allclose(found.budget / scale, wanted.budget[:, order] / scale, rtol=1e-9, atol=1e-9)


@few
@given(seeds, st.floats(0.01, 200.0))
def test_currency_does_not_matter(seed: int, factor: float) -> None:
    """Only the account's and the day's numbers are in currency; no parameter is, so that customers can share them."""
    batch = cases(seed)
    assert "currency" not in {own.unit for own in ENGINE.space.parameters}
    found, wanted = explained([in_currency(case, factor) for case in batch])[0], explained(batch)[0]
    np.testing.assert_array_equal(found.rule, wanted.rule)
    scale = np.maximum(wanted.money, 1.0)[:, None]
    np.testing.assert_allclose(found.budget / factor / scale, wanted.budget / scale, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.state.phase, wanted.state.phase)


def test_an_account_that_never_spent() -> None:
    silent = []
    for case in cases(0):
        nothing = np.zeros_like(case.history.metrics)
        silent.append(replace(case, history=replace(case.history, metrics=nothing)))
    decision, details = explained(silent)
    for values in (
        decision.budget,
        decision.factor,
        *decision.state,
        details.view["log_roas_28d"],
        details.view["sd_roas_28d"],
    ):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(decision.budget.sum(axis=1) + decision.unallocated, decision.money, rtol=1e-9, atol=1e-9)


def test_an_account_without_ad_sets() -> None:
    case = cases(0)[0]
    order = np.array([], int)
    empty = permuted(case, order)
    decide_it = jax.jit(lambda *given: explain(ENGINE, ENGINE.values(case.vector), *given, immature_days=2))
    history = replace(empty.history, immature_days=2)
    decision, _ = decide_it(window_of(history), empty.state, empty.account, empty.day)
    assert decision.budget.shape == (0,)
    assert float(decision.unallocated) == float(decision.money) >= 0.0


# Decisions that follow one another: one account in many lanes, (ad set, lane), each with its own parameters.

LANES, DAYS, IMMATURE = 32, 100, 2
LONG = ("campaign_budget", "elasticity_mean", "elasticity_sd", "incrementality_mean", "incrementality_sd", "floor_sd")


def column(values: Any) -> Any:
    """Arrays over ad sets with an axis for lanes, (ad set, 1)."""
    names = (*LONG, "weekday_mix", "stock_days")
    return values._replace(**{n: np.asarray(v)[..., None] for n, v in values._asdict().items() if n in names})


def lanes_of(values: Any) -> Any:
    """The same values in every lane, (..., lane)."""
    return jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x)[..., None], (*np.shape(x), LANES)), values)


@partial(jax.jit, compiler_options=QUICKLY)
def _rolled(vectors: Any, window: Any, state: Any, account: Account, days: Day, response: Any) -> Any:
    """Decisions of every day, (day, ad set, lane), where an ad set spends its budget and earns ``response`` per unit."""
    values = ENGINE.values(vectors)

    def one(carried: Any, given: Any) -> Any:
        (window, state), (day, earned) = carried, given
        decision, _ = explain(ENGINE, values, window, state, account, day, immature_days=IMMATURE)
        spend = decision.budget
        metrics = jnp.stack([spend, 100.0 * spend, 2.0 * spend, earned * spend / 40.0, earned * spend, 80.0 * spend])
        return (push(window, metrics, spend, day.month_day == 1, IMMATURE), decision.state), decision

    return jax.lax.scan(one, (window, state), (days, response))[1]


@cache
def start() -> Case:
    """A case that is two days immature, with every phase."""
    case = random_case(77, ENGINE.space)
    return replace(case, history=replace(case.history, immature_days=IMMATURE))


def rolled(
    change: Callable[[State], State], response: np.ndarray, vectors: np.ndarray, month_budget: float = np.inf, money: Any = None
) -> Any:
    """A roll-out from ``start``, with another state and response, (day, ad set); days run through months of 30 days."""
    case, t = start(), np.arange(DAYS)
    account = column(case.account._replace(month_budget=month_budget, minimum_budget=1.0))
    days = jax.tree.map(lambda x: np.broadcast_to(np.asarray(x, float), (DAYS, *np.shape(x))), column(case.day))
    days = days._replace(month_day=t % 30 + 1.0, month_days=np.full(DAYS, 30.0), weekday=t % 7.0)
    if money is not None:
        days = days._replace(money=money)
    if money is None:
        days.month_day[0], days.month_days[0] = case.day.month_day, case.day.month_days
    window, state = lanes_of(window_of(case.history)), lanes_of(change(case.state))
    window = window._replace(day=window.day[0])
    return jax.tree.map(np.asarray, _rolled(vectors.T, window, state, account, days, response[:, :, None]))


@cache
def lanes() -> np.ndarray:
    """Random parameters, (lane, parameter); the first lane holds the defaults."""
    rng = np.random.default_rng(5)
    return np.stack([ENGINE.space.default, *(random_vector(rng, ENGINE.space) for _ in range(LANES - 1))])


def test_lanes_and_vmap_and_one_at_a_time_agree() -> None:
    case = start()
    account = case.account._replace(month_budget=np.inf, minimum_budget=1.0)
    alone = explained([replace(case, account=account, vector=lanes()[i % LANES]) for i in range(BATCH)])[0]
    np.testing.assert_array_equal(alone.budget[:LANES], alone.budget[LANES:])
    first = jax.tree.map(lambda x: x[0], rolled(lambda state: state, np.full((DAYS, 12), 2.0), lanes()))
    np.testing.assert_array_equal(first.rule.T, alone.rule[:LANES])
    np.testing.assert_allclose(first.budget.T, alone.budget[:LANES], rtol=1e-9, atol=1e-9)
    for found, wanted in zip(first.state, alone.state, strict=True):
        np.testing.assert_allclose(np.asarray(found).T, wanted[:LANES], rtol=1e-9, atol=1e-9)
    many = jax.tree.map(
        lambda x: jnp.broadcast_to(jnp.asarray(x), (LANES, *np.shape(x))), (window_of(case.history), case.state)
    )
    given = (lanes(), *many, account, case.day)
    quick = batched(ENGINE, IMMATURE).lower(*given).compile(compiler_options=QUICKLY)(*given)
    np.testing.assert_array_equal(quick.rule, alone.rule[:LANES])
    np.testing.assert_allclose(quick.factor, alone.factor[:LANES], rtol=1e-9)
    assert (np.abs(quick.budget - alone.budget[:LANES]).sum(axis=1) < 0.02 * alone.money[:LANES] + 1e-9).all()
    np.testing.assert_allclose(quick.budget.sum(axis=1) + quick.unallocated, quick.money, rtol=1e-12)


def all_frozen(state: State) -> State:
    """Every ad set frozen a moment ago, with a budget to come back to."""
    old = np.maximum(state.before, 10.0)
    return first_state(old, np.zeros(12))._replace(budget=0.0 * old, phase=np.full(12, FROZEN, np.int32), before=old)


def test_a_frozen_ad_set_that_sells_again_comes_back() -> None:
    """Through a probe to a budget, with any parameters, while those that do not sell are frozen again and probed again."""
    sells = np.arange(12) < 6
    target = float(start().account.target_roas)
    response = np.broadcast_to(np.where(sells, 4.0 * target, 0.0), (DAYS, 12))
    out = rolled(all_frozen, response, lanes(), money=np.full(DAYS, 2000.0))
    old = all_frozen(start().state).before
    probes = (out.state.phase[1:] == PROBING) & (out.state.phase[:-1] == FROZEN)
    live = out.rule[0, :, 0] >= 0
    assert (out.budget[:, live] > 0.0).any(axis=0).all(), "never probed"
    back = (out.state.phase == ACTIVE).any(axis=0)
    assert back[live & sells].all(), "sold well and did not come back"
    assert probes.sum(axis=0)[live & ~sells, 0].min() >= 2, "with the defaults, failed twice and not tried again"
    first = np.argmax(out.budget[:, :, 0] > 0.0, axis=0)
    shares = out.budget[first, np.arange(12), 0] / old
    probe = ENGINE.space.default[NAMES.index("probe.share")]
    np.testing.assert_allclose(shares[live], np.maximum(probe, 1.0 / old[live]), rtol=1e-9)


def test_money_that_runs_out_comes_back() -> None:
    """Ten days without money end no ad set: once there is money again, budgets go on from where they were."""
    money = np.full(DAYS, 1000.0)
    money[60:70] = 0.0
    response = np.full((DAYS, 12), 3.0 * float(start().account.target_roas))
    out = rolled(lambda _: first_state(np.full(12, 80.0), np.full(12, 30.0)), response, lanes(), money=money)
    spent = out.budget.sum(axis=1)
    assert (spent[60:70] == 0.0).all() and (spent[59] > 0.0).all()
    assert (spent[70:76].max(axis=0) > 0.7 * spent[59]).all()
    came_back = (out.budget[70:80] > 0.0).any(axis=0)
    assert came_back[out.budget[59] >= 1.0].all()


def test_a_month_never_costs_more_than_its_budget() -> None:
    response = np.full((DAYS, 12), 3.0 * float(start().account.target_roas))
    begin = first_state(np.full(12, 80.0), np.full(12, 30.0))
    out = rolled(lambda _: begin, response, lanes(), money=np.full(DAYS, 1000.0), month_budget=9_000.0)
    months = np.add.reduceat(out.budget.sum(axis=1), np.arange(0, DAYS, 30), axis=0)
    assert (months <= 9_000.0 * (1.0 + 1e-9)).all()
    np.testing.assert_allclose(out.budget.sum(axis=1) + out.unallocated, out.money, rtol=1e-9, atol=1e-9)
    assert (out.money.max(axis=0) < 1500.0).all()


@pytest.mark.parametrize("kind", ["decider", "modifier", "account", "guardrail", "edit"])
def test_rules_of_a_kind_are_kept_in_order(kind: Any) -> None:
    assert [r.name for r in ENGINE.of(kind)] == [r.name for r in ENGINE.rules if r.kind == kind]


def test_a_history_is_not_needed_beyond_the_window() -> None:
    """Days before the look-back change nothing but ages and changes of budgets, which are given."""
    case = start()
    history: AccountHistory = case.history
    assert len(history.dates) > 40, "choose another case"
    earlier = history.metrics.copy()
    earlier[: len(history.dates) - 31] *= 1.7
    older = replace(case, history=replace(history, metrics=earlier))
    if history.dates[-31].astype("datetime64[M]") == history.dates[-1].astype("datetime64[M]"):
        pytest.skip("the month began before the look-back")
    batch = [case, older] * (BATCH // 2)
    budget = explained(batch)[0].budget
    np.testing.assert_allclose(budget[0], budget[1], rtol=1e-9)
