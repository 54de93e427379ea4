from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from mmx.data.ads.history import AccountHistory
from mmx.jax_setup import jax
from mmx.rules.response import effects
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.generate import Truth
from mmx.rules.response.identify import prior_sd
from mmx.rules.response.quantities import elasticity, elasticity_moments, expected, log_moments, marginal_roas
from mmx.rules.response.simulate import make_noise, step

from .small import ADSETS, SETTINGS, SHAPE, account


class Today(NamedTuple):
    weekday: int


QUICK = replace(SETTINGS, draws=200, proposals=100)


@pytest.fixture(scope="module")
def fits() -> list[tuple[AccountHistory, Truth, ResponseFit]]:
    """Three accounts of one shape."""
    found = []
    for seed in (5, 6, 7):
        history, truth = account(seed)
        found.append((history, truth, fit(history, QUICK, seed=seed, shape=SHAPE)))
    return found


def test_truth_lies_where_the_posterior_is(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    """Elasticities and order values of all ad sets by their 95 % intervals: at most one in six outside, which chance all but
    rules out for honest ones even where those of an account go together; and z-scores of size one."""
    inside, scores = [], []
    for _, truth, found in fits:
        for draws, true in ((found.draw.slope.sum(axis=0), truth.elasticity), (found.draw.log_amount, truth.levels["amounts"])):
            low, high = np.quantile(draws, [0.025, 0.975], axis=1)
            inside.append((true >= low) & (true <= high))
            scores.append((draws.mean(axis=1) - true) / draws.std(axis=1))
    assert np.mean(inside) > 5 / 6
    assert 0.5 < np.sqrt(np.mean(np.square(scores))) < 1.5


def test_scales_are_found(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    for _, truth, found in fits:
        for name, draws in (("clicks", found.draw.click_dispersion), ("purchases", found.draw.purchase_dispersion)):
            assert abs(draws.mean() - truth.scales[name]["dispersion"]) < 4 * draws.std()


def test_a_second_fold_compiles_nothing(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    history, _, before = fits[0]
    sizes = {part: structure._cache_size() for part, structure in _programs(history).items()}
    later = fit(history.until(len(history.dates) - 9), QUICK, seed=3, shape=SHAPE, start=before)
    assert later.draws == 200
    assert {part: structure._cache_size() for part, structure in _programs(history).items()} == sizes


def _programs(history: AccountHistory) -> dict[str, object]:
    from mmx.rules.response.data import prepare

    return {name: effects.compiled(structure) for name, structure in prepare(history, QUICK, SHAPE).structures.items()}


def test_the_same_seed_gives_the_same_draws(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    history, _, first = fits[0]
    again = fit(history, QUICK, seed=5, shape=SHAPE)
    for left, right in zip((*first.draw, *first.carry), (*again.draw, *again.carry), strict=True):
        np.testing.assert_array_equal(left, right)


def test_budgets_that_stand_still_leave_the_prior() -> None:
    history, _ = account(6)
    still = replace(history, budget=np.broadcast_to(history.budget.mean(axis=0), history.budget.shape))
    found = fit(still, QUICK, seed=1, shape=SHAPE).identification
    assert found.verdict == "prior-dominated" and found.prior_dominated.all()
    assert "rests on the prior" in found.sentence
    np.testing.assert_allclose(found.variation, 0.0, atol=1e-9)
    assert found.learned.mean() == pytest.approx(1.0, abs=0.25)
    assert prior_sd(SETTINGS.priors) == pytest.approx((np.sqrt(0.0250 + 0.0161), np.sqrt(0.0250)))


def test_moved_budgets_tell_something(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    for _, _, found in fits:
        assert found.identification.account_learned < 0.9
        assert found.identification.variation.min() > 0.0
    learned = [found.identification.verdict != "prior-dominated" for _, _, found in fits]
    assert sum(learned) >= 2  # Of 53 days of one of them single ad sets learn little.
    for (_, _, found), some in zip(fits, learned, strict=True):
        assert found.identification.sentence.startswith("Budgets moved") == some


def test_marginal_roas_is_roas_times_elasticity(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    found = fits[0][2]
    spend, revenue = expected(found.draw, found.carry, found.budget)
    np.testing.assert_allclose(marginal_roas(found), (revenue / spend).T * elasticity(found), rtol=1e-10)
    plain = found.draw._replace(delivery_slope=0.0 * found.draw.delivery_slope, log_cap=np.full(found.draws, 50.0))
    plain = plain._replace(level=plain.level - np.array([0.0, 9.0, 0.0])[:, None, None])  # Rates so small that logit is log.
    sums = elasticity(replace(found, draw=plain))
    x = np.log(found.budget)[:, None] - plain.log_budget
    at_budget = plain.slope.sum(axis=0) + plain.curvature * 2 * x / np.hypot(1, x)
    np.testing.assert_allclose(sums, at_budget.T, atol=1e-3)
    mean, sd = elasticity_moments(found)
    assert mean.shape == sd.shape == (ADSETS,) and (sd > 0).all()
    logs, spread = log_moments(marginal_roas(found))
    np.testing.assert_allclose(logs, np.log(np.median(marginal_roas(found), axis=0)), rtol=1e-12)
    assert (spread > sd / mean / 2).all()
    exact = np.exp(np.random.default_rng(3).normal(0.4, 0.7, (100_000, 1)))
    np.testing.assert_allclose(log_moments(exact), [[0.4], [0.7]], atol=0.02)
    with pytest.raises(ValueError, match="above zero"):
        marginal_roas(found, np.zeros(ADSETS))


def test_new_ad_sets_come_from_their_campaign_or_the_account(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    found = fits[0][2]
    budget = np.array([30.0, 30.0])
    draw, carry = found.with_new([0, None], budget, seed=4)
    again, _ = found.with_new([0, None], budget, seed=4)
    assert draw.log_budget.shape == (ADSETS + 2, found.draws) and carry.drift.shape == (3, ADSETS + 2, found.draws)
    np.testing.assert_array_equal(draw.level[:, :ADSETS], found.draw.level)
    np.testing.assert_array_equal(draw.level, again.level)
    known, unknown = draw.log_amount[ADSETS:]
    common = found.common["amounts"]
    expected_sd = np.hypot(common["campaign"][0].std(), np.sqrt((common["adset_sd"] ** 2).mean()))
    assert known.std() == pytest.approx(expected_sd, rel=0.3)
    assert abs(known.mean() - common["campaign"][0].mean()) < 4 * known.std() / np.sqrt(found.draws)
    assert unknown.std() > 0.8 * known.std()
    noise = make_noise(jax.random.key(1), 1, found.draws, ADSETS + 2)[0]
    _, answer = jax.jit(step)(draw, carry, np.full((ADSETS + 2, found.draws), 30.0), Today(0), noise)
    assert np.isfinite(answer.metrics).all() and (answer.metrics[1, -1] > 0).any()


def test_verdicts_name_what_failed(fits: list[tuple[AccountHistory, Truth, ResponseFit]]) -> None:
    for _, _, found in fits:
        for verdict in found.verdicts:
            assert verdict.method == "laplace" and verdict.gate is None
            assert verdict.passed == (not verdict.reasons)
            assert verdict.passed or "Pareto k" in verdict.reasons[-1] or "maximum" in verdict.reasons[0]
        assert found.passed == all(verdict.passed for verdict in found.verdicts)
