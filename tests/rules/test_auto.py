"""What is learned is what the account's distributions are; money has no unit in it; few data leave the defaults."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from mmx.config import read_config
from mmx.data.ads.history import METRICS, AccountHistory
from mmx.rules.account import account_of
from mmx.rules.auto import PRIOR_DAYS, automatic
from mmx.rules.daily import daily_features
from mmx.rules.engine import Engine
from mmx.rules.learned import Between, Enough, Noise, Quantile, measured, names_in
from mmx.rules.moments import between_variance, dispersion, order_value_spread
from mmx.rules.parameters import Parameter, make_space

from .simulated import account, accounts

SPACE = Engine().space
LINKED = [(name, p) for name, p in zip(SPACE.names, SPACE.parameters, strict=True) if p.learned is not None]


@pytest.fixture(scope="module")
def history():
    return account(5, days=230)


@pytest.fixture(scope="module")
def learned(history):
    return automatic(history, SPACE)


@pytest.fixture(scope="module")
def features(history):
    return daily_features(history)


def test_many_parameters_have_a_link_that_can_be_read(features):
    assert len(LINKED) >= 30
    for name, parameter in LINKED:
        link = parameter.learned
        if isinstance(link, Quantile | Between | Noise):
            assert set(names_in(link.measure)) <= set(features), name
            assert np.isfinite(measured(features, link.measure)).mean() > 0.5, name
        shares = {Quantile: ("share",), Between: ("lower", "upper")}.get(type(link), ())
        assert all(0.0 < getattr(link, share) < 1.0 for share in shares), name
        assert parameter.unit != "currency", name


def test_every_value_lies_in_its_range_and_comes_from_somewhere(learned):
    by_name = dict(LINKED)
    assert [row.name for row in learned.rows] == list(by_name)
    for row in learned.rows:
        assert by_name[row.name].low <= row.value <= by_name[row.name].high
        assert row.days > 500
        assert "of the way" in row.sentence
    assert len(learned.changed) > 30


def test_a_quantile_is_that_of_the_days_on_which_ad_sets_ran(history, learned, features):
    """Utilisation by hand: sums over seven days, for ad sets that ran within 28 days."""
    ran = features["live"] & (features["spend_28d"] > 0.0)
    spend, budget = (np.cumsum(np.vstack([np.zeros(30), a]), axis=0) for a in (history.metric("spend"), history.budget))
    rows = np.arange(30, 230) + 1
    with np.errstate(invalid="ignore"):
        utilisation = ((spend[rows] - spend[rows - 7]) / (budget[rows] - budget[rows - 7]))[ran]
    row = next(row for row in learned.rows if row.name == "overfunded.utilisation")
    utilisation = utilisation[np.isfinite(utilisation)]
    assert row.raw == pytest.approx(np.quantile(utilisation, 0.15), rel=1e-9)
    assert row.days == len(utilisation)
    weight = len(utilisation) / (len(utilisation) + PRIOR_DAYS)
    assert row.value == pytest.approx(row.default + weight * (row.raw - row.default), rel=1e-3)
    logarithmic = next(row for row in learned.rows if row.name == "freeze_without_purchase.costs")
    weight = logarithmic.days / (logarithmic.days + PRIOR_DAYS)
    expected = np.exp(np.log(logarithmic.default) + weight * np.log(logarithmic.raw / logarithmic.default))
    assert logarithmic.value == pytest.approx(expected, rel=1e-3)


def test_known_distributions_give_their_quantiles(history):
    """Frequency uniform between ad sets and constant in each; a week's utilisation the mean of seven uniform numbers."""
    rng = np.random.default_rng(3)
    days, sets = history.budget.shape
    level = (np.arange(sets) + 0.5) / sets
    metrics = history.metrics.copy()
    metrics[:, :, METRICS.index("spend")] = 50.0 * rng.uniform(0.4, 1.0, (days, sets))
    metrics[:, :, METRICS.index("impressions")] = 5000.0
    metrics[:, :, METRICS.index("reach")] = 5000.0 / (1.0 + level)
    old = np.full(sets, -50)
    known = replace(history, metrics=metrics, budget=np.full((days, sets), 50.0), first_day=old)
    rows = {row.name: row for row in automatic(known, SPACE).rows}
    assert rows["creative_fatigue.frequency"].raw == pytest.approx(1.6, abs=1.0 / sets)
    week = rng.uniform(0.4, 1.0, (200_000, 7)).mean(axis=1)
    density = ((week > np.quantile(week, 0.14)) & (week < np.quantile(week, 0.16))).mean() / np.diff(
        np.quantile(week, [0.14, 0.16])
    )
    error = np.sqrt(0.15 * 0.85 / (200 * sets / 7)) / density[0]
    assert abs(rows["overfunded.utilisation"].raw - np.quantile(week, 0.15)) < 4.0 * error


def test_money_has_no_unit(history, learned):
    """Spend, revenue and budgets in another currency leave every value where it is, and no value is in currency."""
    metrics = history.metrics.copy()
    for name in ("spend", "revenue"):
        metrics[:, :, METRICS.index(name)] *= 137.0
    other = automatic(replace(history, metrics=metrics, budget=137.0 * history.budget), SPACE)
    np.testing.assert_allclose(other.vector, learned.vector, rtol=2e-3)


def test_thresholds_stay_in_order(learned):
    """The threshold of `excellent` is an increment above that of `high`, however the account is."""
    values = dict(zip(SPACE.names, learned.vector, strict=True))
    assert values["excellent.above_high"] > 0.0
    assert values["high.above_target"] > 0.0
    assert values["end_probe.days"] > values["hold_probe.days"]


def test_an_empty_account_keeps_the_defaults(history):
    none = np.zeros((60, 0))
    empty = AccountHistory(
        "nobody", "none", "EUR", history.dates[:60], (), (), np.zeros(0, int), np.zeros((60, 0, 6)), none,
        np.zeros(0, int), np.zeros(0, bool), 3,
    )  # fmt: skip
    silent = replace(history, metrics=np.zeros_like(history.metrics))
    for one in (empty, silent, history.until(12)):
        found = automatic(one, SPACE)
        np.testing.assert_array_equal(found.vector, SPACE.default)
        assert found.changed == ()
        assert all("too few data" in row.sentence and "default stays" in row.sentence for row in found.rows)
        assert yaml.safe_load(found.yaml()) == {"rules": {"parameters": {}}}


def test_the_yaml_is_what_was_learned(learned):
    said = yaml.safe_load(learned.yaml())["rules"]["parameters"]
    flat = {f"{rule}.{name}": value for rule, values in said.items() for name, value in values.items()}
    np.testing.assert_array_equal(SPACE.vector(flat), learned.vector)
    assert f"# {learned.changed[0].default:g} by default" in learned.yaml()
    assert learned.table()[0]["name"] == "evidence.own_purchases"


def test_few_days_are_trusted_less(history):
    """Half of the weight at ``prior_days``, none of it below the least number."""
    space = make_space([("rule", (Parameter("x", "", "share", 0.3, 0.98, 0.8, learned=Quantile("utilisation", 0.15)),))])
    row = automatic(history, space, prior_days=0.0).rows[0]
    assert row.value == pytest.approx(row.raw, rel=1e-3)
    half = automatic(history, space, prior_days=row.days).rows[0]
    assert half.value == pytest.approx(0.5 * (0.8 + row.raw), rel=1e-3)
    assert automatic(history, space, least_days=row.days + 1).rows[0].value == 0.8


@pytest.mark.parametrize("truth", [1.0, 1.8, 3.0])
def test_overdispersion_is_recovered(truth):
    rng = np.random.default_rng(7)
    base = rng.uniform(20.0, 80.0, (140, 1)) * np.exp(rng.normal(0.0, 0.5, (1, 25)))
    found = [dispersion(accounts().counts(0.08 * base, truth, rng), base) for _ in range(20)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - truth) < 4.0 * values.std(ddof=1) / np.sqrt(len(values))
    assert found[0].days == 140 * 25


def test_overdispersion_of_a_table_by_hand():
    counts, base = np.array([[1.0], [5.0], [3.0]] + [[3.0]] * 11), np.ones((14, 1))
    assert dispersion(counts, base).value == pytest.approx(8.0 / 3.0 / 13.0)


def simple(rng, sets, campaigns, k, purchases, value_shape):
    """A history in which ROAS differs between the ad sets of a campaign with a squared coefficient of variation of 1 / k."""
    days = 56
    rate = rng.gamma(k, 1.0 / k, sets) if np.isfinite(k) else np.ones(sets)
    count = rng.poisson(purchases * rate * np.ones((days, 1))).astype(float)
    revenue = rng.gamma(np.maximum(count * value_shape, 1e-12), 1.0 / value_shape) * 30.0
    metrics = np.zeros((days, sets, 6))
    for name, value in (("spend", 10.0), ("purchases", count), ("revenue", revenue)):
        metrics[:, :, METRICS.index(name)] = value
    names = tuple(f"c{i}" for i in range(campaigns))
    return AccountHistory(
        "a", "p", "EUR", np.datetime64("2026-01-01") + np.arange(days).astype("timedelta64[D]"),
        tuple(f"s{i}" for i in range(sets)), names, np.arange(sets) % campaigns, metrics, np.full((days, sets), 10.0),
        np.full(sets, -9), np.zeros(sets, bool), 3,
    )  # fmt: skip


@pytest.mark.parametrize("k", [4.0, 30.0])
def test_differences_between_ad_sets_and_the_spread_of_order_values_are_recovered(k):
    rng = np.random.default_rng(11)
    made = [simple(rng, 40, 4, k, 1.2, 4.0) for _ in range(80)]
    between = np.array([between_variance(one, 1.0 + 0.25).value for one in made])
    spread = np.array([order_value_spread(one).value for one in made])
    # Against the rate r of a campaign of ten ad sets, itself a mean: E 1 / r^2 is 1 + 3 / (10 k) to first order.
    assert abs(between.mean() - 1.0 / k) < 4.0 * between.std(ddof=1) / np.sqrt(len(made)) + 3.0 / (10.0 * k * k)
    assert abs(spread.mean() - 0.5) < 4.0 * spread.std(ddof=1) / np.sqrt(len(made))


def test_evidence_reads_the_accounts_own_spread_of_order_values_where_it_has_sold_often(tmp_path):
    rng = np.random.default_rng(13)
    often, seldom = (simple(rng, sets, 2, 30.0, 1.2, 4.0) for sets in (12, 1))
    columns = {name: name for name in ("date", "campaign", "adset", "spend", "impressions", "clicks", "purchases", "revenue")}
    config = {"name": "a", "ads": {"files": ["unused.csv"], "columns": columns}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    rules = read_config(tmp_path / "a.yaml").rules
    found = [float(account_of(one, rules).order_value_spread) for one in (often, seldom)]
    assert found == [order_value_spread(often).value, 0.8]


def test_equal_ad_sets_are_pooled_as_far_as_may_be():
    rng = np.random.default_rng(12)
    rows = {row.name: row for row in automatic(simple(rng, 30, 4, np.inf, 1.2, 4.0), SPACE, prior_days=0.0).rows}
    unequal = {row.name: row for row in automatic(simple(rng, 30, 4, 5.0, 1.2, 4.0), SPACE, prior_days=0.0).rows}
    assert rows["evidence.own_purchases"].value > 35.0
    assert 3.0 < unequal["evidence.own_purchases"].value < 15.0


def test_enough_events_are_variance_over_squared_error(history):
    rows = {row.name: row for row in automatic(history, SPACE).rows}
    clicks = dispersion(history.metric("clicks"), history.metric("impressions")).value
    assert dict(LINKED)["creative_fatigue.clicks"].learned == Enough("clicks", 0.1)
    assert rows["creative_fatigue.clicks"].raw == pytest.approx(max(clicks, 1.0) / 0.01)
    rate = history.metric("clicks").sum() / history.metric("impressions").sum()
    assert rows["cold_start_failed.impressions"].raw == pytest.approx(max(clicks, 1.0) / 0.12**2 / rate)
