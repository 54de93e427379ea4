"""A planted rule is found and can be pasted; noise is left alone; the evidence is that of a clustered Poisson regression."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from mmx.data.ads.history import METRICS
from mmx.rules.daily import EARLY, daily_features, decisions_at, own_account
from mmx.rules.discover import _split, _weekly, discover
from mmx.rules.discovery.effect import effects, estimate, flipped
from mmx.rules.discovery.found import Discovering
from mmx.rules.discovery.outcome import Outcome, fit, outcome_of
from mmx.rules.discovery.terms import MENU, Condition, conjunction, hold, readable
from mmx.rules.engine import Engine
from mmx.rules.learned import names_in
from mmx.rules.library import LIBRARY

from .simulated import account

ENGINE = Engine()
TERMS = {term.name: term for term in MENU}
OPTIONS = Discovering(flips=999)


@pytest.fixture(scope="module")
def history():
    return account(1, drop=0.45)


@pytest.fixture(scope="module")
def planted(history):
    return discover(history, ENGINE, options=OPTIONS, seed=1)


def test_a_planted_rule_is_found(planted):
    """Frequency above 1.6 with a CTR trend below -5 % lowers purchases by 45 % on the next day."""
    assert planted.found
    best = planted.found[0]
    spoken = {condition.parameter: condition.threshold for condition in best.conditions}
    assert 1.4 < spoken["frequency_above"] < 1.8
    assert {"fatigue_above", "ctr_trend_below", "cpc_trend_above"} & set(spoken)
    assert best.repeats == ""
    assert {c.repeats for c in planted.found[1:]} <= {"", *(c.words for c in planted.found)}
    assert not best.raises
    assert -0.45 < best.low < best.effect < best.high < -0.1
    assert best.p <= best.adjusted <= 0.05
    assert best.ad_sets >= 6
    assert best.days >= 100
    assert best.overlaps in {rule.name for rule in ENGINE.deciders}
    assert "found among" in planted.note
    assert f"{best.effect:+.1%}" in best.sentence(0.9)
    assert [row["where"] for row in planted.table()] == [candidate.words for candidate in planted.candidates]
    assert planted.table()[0]["move"] == "cut"


def test_what_is_found_can_be_pasted_into_the_library(planted, history, tmp_path):
    path = tmp_path / "discovered.py"
    path.write_text(planted.entry, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("discovered", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    new = [candidate for candidate in planted.found if not candidate.repeats]
    assert 0 < len(module.RULES) == len(new) < len(planted.found)
    assert max(map(len, planted.entry.splitlines())) <= 128
    engine = Engine((*module.RULES, *LIBRARY))
    features = daily_features(history, np.arange(200, 260))
    holds = decisions_at(features, engine, engine.space.default)
    for rule, candidate in zip(module.RULES, new, strict=True):
        np.testing.assert_array_equal(holds[rule.name], hold(candidate.conditions, features))
        own = {p.name: p for p in rule.parameters}
        assert own["rise" if candidate.raises else "cut"].default == candidate.share
        shown = rule.reason.format(**{name: 1.0 for c in candidate.conditions for name in names_in(c.term.measure)})
        assert "1.0" in shown or "100%" in shown or "1" in shown


def test_the_same_seed_finds_the_same(planted, history):
    assert discover(history, ENGINE, options=OPTIONS, seed=1) == planted


@pytest.mark.parametrize("recipe", [{}, {"drift": 0.25, "differ": 0.4}], ids=["calm", "drifting"])
def test_noise_is_left_alone(recipe):
    """In the mean one account of twenty may show something: here are two of each kind; the study has forty."""
    answers = [discover(account(seed, **recipe), ENGINE, options=OPTIONS, seed=seed) for seed in (101, 102)]
    assert sum(bool(answer.found) for answer in answers) <= 1
    assert any(answer.note.startswith("nothing found among") and answer.entry == "" for answer in answers)
    every = [candidate for answer in answers for candidate in answer.candidates]
    assert len(every) >= 10
    assert np.mean([candidate.low <= 0.0 <= candidate.high for candidate in every]) > 0.7


def test_what_comes_later_does_not_change_what_is_proposed(history):
    """Outcomes of the judged part may be anything: the same conditions are judged, with other effects."""
    options = replace(OPTIONS, least_days=0, least_ad_sets=0)
    planted = discover(history, ENGINE, options=options, seed=1)
    rows, _, late = _split(history, OPTIONS)
    metrics = history.metrics.copy()
    first = int(rows[late][0]) + 1
    for name in ("purchases", "revenue"):
        metrics[first:, :, METRICS.index(name)] = metrics[first:, ::-1, METRICS.index(name)]
    other = discover(replace(history, metrics=metrics), ENGINE, options=options, seed=1)
    assert other.proposed == planted.proposed
    assert {c.words for c in other.candidates} == {c.words for c in planted.candidates}
    assert {c.effect for c in other.candidates} != {c.effect for c in planted.candidates}


@pytest.mark.parametrize(("immature", "embargo"), [(0, 0), (3, 7), (6, 2)])
def test_outcomes_of_one_part_end_before_the_other_begins(history, immature, embargo):
    one, options = replace(history, immature_days=immature), replace(OPTIONS, embargo=embargo)
    rows, early, late = _split(one, options)
    assert not (early & late).any()
    assert rows[late][0] - (rows[early][-1] + options.days) > immature + embargo
    assert rows[-1] + options.days <= len(one.dates) - 1 - immature
    week = _weekly(int(late.sum()), 7)
    assert (np.diff(week) == 7).all()
    assert week[-1] == late.sum() - 1


@pytest.mark.parametrize(("days", "ad_sets"), [(120, 30), (360, 5), (20, 30), (0, 30)])
def test_too_little_to_find_anything_in_is_said(history, days, ad_sets):
    one = replace(
        history.until(days),
        adsets=history.adsets[:ad_sets],
        campaign_of=history.campaign_of[:ad_sets],
        metrics=history.metrics[:days, :ad_sets],
        budget=history.budget[:days, :ad_sets],
        first_day=history.first_day[:ad_sets],
        campaign_budget=history.campaign_budget[:ad_sets],
    )
    answer = discover(one, ENGINE)
    assert answer.candidates == answer.found == ()
    assert answer.note.startswith("nothing can be found")
    assert "are needed" in answer.note


def test_conditions_see_the_past_only():
    assert not set(EARLY) & {name for term in MENU for name in names_in(term.measure)}
    assert len(TERMS) == len(MENU) >= 25


def test_conditions_are_what_a_person_reads():
    high = Condition(TERMS["frequency"], True, readable(1.23456, ".2f"))
    assert high.words == "impressions per person and day in 7 days > 1.23"
    assert readable(0.07449, "+.0%") == 0.07
    assert readable(149.6, ".0f") == 150.0
    assert readable(0.12345, ".1%") == 0.123
    tighter, lower = replace(high, threshold=1.5), Condition(TERMS["frequency"], False, 2.0)
    ctr = Condition(TERMS["ctr_trend"], False, -0.1)
    assert conjunction([ctr, high, tighter, lower, replace(lower, threshold=2.5)]) == (lower, tighter, ctr)
    features = {name: np.array([[2.0, np.nan, 1.2]]) for name in ("frequency", "spend_7d")}
    features["live"] = np.array([[True, True, True]])
    np.testing.assert_array_equal(hold([high], features), [[True, False, False]])


@pytest.fixture(scope="module")
def table():
    """Twelve weeks of nine ad sets: revenue, what is expected, two conditions, and a regressor."""
    rng = np.random.default_rng(4)
    expected = rng.uniform(2.0, 9.0, (12, 9)) * np.exp(rng.normal(0.0, 0.3, (12, 1)))
    member = rng.random((2, 12, 9)) < 0.35
    x = rng.normal(size=(12, 9, 2))
    rate = expected * np.exp(-0.4 * member[0] + 0.3 * x[..., 0])
    return Outcome(rng.poisson(rate) * rng.uniform(0.8, 1.2, (12, 9)), expected), member, x


def poisson(outcome, columns, groups=None):
    """Poisson regression with an effect of every day, by statsmodels; standard errors clustered without corrections."""
    days, sets = outcome.revenue.shape
    design = np.column_stack([*(column.ravel() for column in columns), np.kron(np.eye(days), np.ones((sets, 1)))])
    model = sm.GLM(outcome.revenue.ravel(), design, family=sm.families.Poisson(), offset=np.log(outcome.expected.ravel()))
    if groups is None:
        return model.fit(tol=1e-12)
    return model.fit(tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups.ravel(), "use_correction": False})


def test_effects_are_those_of_a_poisson_regression_with_days(table):
    outcome, member, _ = table
    d, _ = estimate(outcome, member)
    for one, found in zip(member, d, strict=True):
        assert found == pytest.approx(poisson(outcome, [one.astype(float)]).params[0], abs=1e-7)


def test_standard_errors_are_clustered_by_ad_sets_and_weeks(table):
    outcome, member, _ = table
    found = effects(outcome, member, flips=99, rng=np.random.default_rng(0))
    weeks, sets = np.indices(outcome.revenue.shape)
    for one, error in zip(member, found.error, strict=True):
        square = {
            name: poisson(outcome, [one.astype(float)], groups).bse[0] ** 2
            for name, groups in (("week", weeks), ("set", sets), ("both", weeks * 100 + sets))
        }
        two = max(square["week"] + square["set"] - square["both"], square["week"], square["set"])
        assert error == pytest.approx(np.sqrt(two), rel=1e-5)


def test_what_is_expected_is_fitted_given_the_totals_of_days(table):
    outcome, _, x = table
    b = fit(outcome.revenue, outcome.expected, x)
    found = poisson(outcome, [x[..., 0], x[..., 1]]).params[:2]
    np.testing.assert_allclose(b, found, atol=1e-4)  # a ridge of a thousandth of an order


def test_expected_revenue_sums_to_the_revenue_of_days(history):
    rows, early, _ = _split(history, OPTIONS)
    rows, early = rows[::5], early[::5]
    features = daily_features(history, rows, account=own_account(history))
    found = outcome_of(history, features, rows, early, days=7, own_purchases=8.0)
    np.testing.assert_allclose(found.expected.sum(axis=1), found.revenue.sum(axis=1), rtol=1e-9)
    past = int(rows[early][-1]) + 1
    value = history.metric("revenue")[:past].sum() / history.metric("purchases")[:past].sum()
    t = int(rows[3])
    np.testing.assert_allclose(
        found.revenue[3][features["spend_28d"][3] > 0.0],
        (history.metric("revenue")[t + 1 : t + 8].sum(axis=0) / value)[features["spend_28d"][3] > 0.0],
    )
    running = found.expected > 0.0
    assert np.corrcoef(np.log(found.expected[running]), np.log(found.revenue[running] + 1.0))[0, 1] > 0.8


def test_p_values_hold_their_level():
    """Heavy-tailed symmetric scores of few clusters: neither one condition nor the surest of eight is found too often."""
    rng = np.random.default_rng(9)
    repetitions, level = 400, 0.1
    alone, together = [], []
    for _ in range(repetitions):
        shared = rng.standard_t(3, (1, 14)) * rng.uniform(0.2, 3.0, 14)
        p, adjusted = flipped(shared * rng.uniform(0.5, 1.0, (8, 14)) + rng.normal(size=(8, 14)), 299, rng)
        alone.append(p[0])
        together.append(adjusted.min())
        assert (adjusted >= p).all()
    room = 4.0 * np.sqrt(level * (1.0 - level) / repetitions)
    assert np.mean(np.array(alone) <= level) == pytest.approx(level, abs=room)
    assert np.mean(np.array(together) <= level) == pytest.approx(level, abs=room)


def test_p_values_are_shares_of_all_signs():
    """With five clusters there are 32 signs: the largest statistic is reached by two of them."""
    p, adjusted = flipped(np.array([[1.0, 2.0, 0.5, 1.5, 3.0]]), 40_000, np.random.default_rng(2))
    assert p[0] == pytest.approx(2.0 / 32.0, abs=4.0 * np.sqrt(1.0 / 16.0 / 40_000))
    assert adjusted[0] == p[0]
