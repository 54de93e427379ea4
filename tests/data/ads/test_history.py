"""An account's history: the same numbers as its features, budgets by their policies, and the signal of revenue on spend."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmx.data.ads.history import METRICS, AccountHistory
from mmx.data.ads.prepare import prepare
from mmx.data.ads.read import history_of, paired_days, read_history
from mmx.data.ads.signal import Z90, signal, signal_of
from mmx.data.ads.sources import connect
from mmx.errors import DataError
from mmx.workflows.features import run_features

from .tables import START, config_of, random_table, read_features, written


def test_a_history_is_the_table_as_arrays(tmp_path: Path) -> None:
    table = random_table(days=60)
    history = read_history(config_of(written(table, tmp_path / "ads.csv"), platform="meta", immature_days=2).ads)
    assert (history.account, history.platform, history.immature_days) == ("account", "meta", 2)
    assert history.dates[0] == np.datetime64("2024-12-20") and len(history.dates) == 60
    assert history.campaigns == ("campaign 0", "campaign 1") and len(history.adsets) == 5
    for k, name in enumerate(history.adsets):
        campaign, adset = name.split(" / ")
        assert history.campaigns[history.campaign_of[k]] == campaign
        rows = table[(table["campaign"] == campaign) & (table["adset"] == adset)]
        assert history.first_day[k] == (rows["date"].min() - START).days
        for metric in METRICS:
            daily = rows.groupby("date")[metric].sum().reindex(pd.date_range(START, periods=60), fill_value=0)
            np.testing.assert_allclose(history.metric(metric)[:, k], daily)


def test_features_of_the_next_day_are_sums_of_the_history(tmp_path: Path) -> None:
    config = config_of(written(random_table(days=60), tmp_path / "ads.csv"), levels=["adset"], immature_days=2)
    run_features(config, out=tmp_path / "out", quiet=True)
    until = dt.date(2025, 2, 8)
    history = read_history(config.ads, until)
    assert history.dates[-1] == np.datetime64("2025-02-07")
    found = read_features(tmp_path / "out", "adset")
    found = found[found["date"] == pd.Timestamp(until)].set_index("adset")
    assert list(found.index) == list(history.adsets)
    np.testing.assert_allclose(found["spend_14d"], history.metric("spend")[-14:].sum(axis=0))
    np.testing.assert_allclose(found["revenue_28d"], history.metric("revenue")[-30:-2].sum(axis=0))
    np.testing.assert_allclose(found["budget_7d"], history.budget[-7:].sum(axis=0))
    np.testing.assert_array_equal(found["age_days"], len(history.dates) - history.first_day)


def test_a_history_ends_where_its_table_does(tmp_path: Path) -> None:
    path = written(random_table(days=20), tmp_path / "ads.csv")
    settings = config_of(path).ads
    with pytest.raises(DataError, match=r"days from 2024-12-20 to 2025-01-08\. Expected rows up to 2025-01-09"):
        read_history(settings, dt.date(2025, 1, 10))
    two = pd.concat([random_table(days=20).assign(account=a) for a in ("x", "y")])
    settings = config_of(written(two, tmp_path / "two.csv"), columns=config_of(path).ads.columns | {"account": "account"}).ads
    with pytest.raises(DataError, match="one account at a time"):
        read_history(settings)
    con = connect(settings)
    prepare(con, settings)
    one, other = (history_of(con, settings, account=name) for name in ("x", "y"))
    np.testing.assert_array_equal(one.metrics, other.metrics)
    with pytest.raises(DataError, match=r"it has x, y\. Expected 'z'"):
        history_of(con, settings, account="z")


def budgets_of(rows: list[dict[str, Any]], tmp_path: Path, **ads: Any) -> dict[str, np.ndarray]:
    zero = {"impressions": 100, "clicks": 3, "purchases": 1, "revenue": 5.0, "reach": 50, "ad": "a"}
    table = pd.DataFrame([zero | {"campaign": "c", "budget": np.nan, "status": ""} | r for r in rows])
    table["date"] = START + pd.to_timedelta(table.pop("day"), unit="D")
    columns = config_of(tmp_path).ads.columns | {"budget": "budget", "status": "status"}
    history = read_history(config_of(written(table, tmp_path / "b.csv"), columns=columns, **ads).ads)
    return {name.split(" / ")[1]: history.budget[:, k] for k, name in enumerate(history.adsets)}


def test_a_budget_holds_for_28_days_and_a_paused_ad_set_has_none(tmp_path: Path) -> None:
    rows = [{"day": 0, "adset": "s", "spend": 1.0, "budget": 10.0}, {"day": 2, "adset": "s", "spend": 1.0, "budget": 20.0}]
    rows += [{"day": 40, "adset": "t", "spend": 1.0, "budget": 7.0, "status": s} for s in ("ACTIVE",)]
    rows += [{"day": 41, "adset": "t", "spend": 0.0, "budget": 7.0, "status": "Paused"}]
    found = budgets_of(rows, tmp_path)
    np.testing.assert_array_equal(found["s"], [10, 10, *[20] * 29, *[0] * 11])
    np.testing.assert_array_equal(found["t"], [*[0] * 40, 7, 0])


def test_budgets_from_spend_are_means_of_seven_days_with_spend(tmp_path: Path) -> None:
    spend = [4.0, 0.0, 6.0, 8.0, 1.0, 2.0, 3.0, 4.0, 10.0]
    found = budgets_of([{"day": d, "adset": "s", "spend": v} for d, v in enumerate(spend)], tmp_path, budget="from_spend")["s"]
    paid = [v for v in spend if v > 0]
    np.testing.assert_allclose(found, [4, 4, 5, 6, 19 / 4, 21 / 5, 4, np.mean(paid[:7]), np.mean(paid[1:])])


def test_a_campaign_s_budget_is_shared_by_spend(tmp_path: Path) -> None:
    rows = [{"day": 0, "adset": s, "spend": v, "budget": 90.0} for s, v in (("s", 10.0), ("t", 20.0))]
    rows += [{"day": 1, "adset": s, "spend": v, "budget": 60.0} for s, v in (("s", 20.0), ("t", 10.0))]
    found = budgets_of(rows, tmp_path, budget="campaign")
    np.testing.assert_allclose([found["s"], found["t"]], [[30, 30], [60, 30]])


def history_with(slope: float, noise: float, seed: int = 1) -> AccountHistory:
    rng = np.random.default_rng(seed)
    days, sets = 90, 12
    spend = np.exp(rng.normal(3, 0.4, (days, sets)))
    revenue = np.exp(2 + rng.normal(0, 0.5, sets) + slope * np.log(spend) + noise * rng.standard_normal((days, sets)))
    metrics = np.zeros((days, sets, 6))
    metrics[:, :, 0], metrics[:, :, 4] = spend, revenue
    metrics[5, 3, 4] = 0.0
    return AccountHistory(
        account="a",
        platform="",
        currency="",
        dates=np.datetime64("2025-01-01") + np.arange(days).astype("timedelta64[D]"),
        adsets=tuple(f"s{k}" for k in range(sets)),
        campaigns=("c",),
        campaign_of=np.zeros(sets, dtype=np.intp),
        metrics=metrics,
        budget=spend,
        first_day=np.zeros(sets, dtype=np.intp),
        campaign_budget=np.zeros(sets, dtype=bool),
        immature_days=3,
    )


def test_the_signal_is_that_of_a_regression_with_dummies() -> None:
    import statsmodels.api as sm

    history = history_with(0.4, 0.6)
    found = signal(history)
    spend, revenue = (history.metric(m)[:-3] for m in ("spend", "revenue"))
    use = revenue > 0
    which = np.nonzero(use)[1]
    x, y = np.log(spend[use]), np.log(revenue[use])
    design = np.column_stack([x, np.eye(12)[which]])
    fitted = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": which, "use_correction": False})
    assert found.rows == len(x) and found.slope == pytest.approx(fitted.params[0], rel=1e-9)
    assert found.slope_se == pytest.approx(fitted.bse[0] * np.sqrt(12 / 11), rel=1e-6)
    level = sm.OLS(y, np.eye(12)[which]).fit()
    assert found.within == pytest.approx(1 - fitted.ssr / level.ssr, rel=1e-9)
    assert found.pooled == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, rel=1e-9)
    assert found.enough and "no proof that spend moves it" in found.sentence


def test_without_a_signal_it_says_so() -> None:
    found = signal(history_with(0.0, 0.6))
    assert not found.enough and "no response curve can be learnt" in found.sentence
    assert abs(found.slope) < 4 * Z90 * found.slope_se
    few = signal_of(np.array([0, 0, 1]), np.array([1.0, 2, 3]), np.array([1.0, 2, 3]))
    assert not few.enough and few.sentence.startswith("only 2 ad-set-days")


def test_features_say_the_same_signal(tmp_path: Path) -> None:
    settings = config_of(written(random_table(days=60, ads=1), tmp_path / "ads.csv"), immature_days=4).ads
    con = connect(settings)
    prepare(con, settings)
    one, other = signal_of(*paired_days(con, settings, "account")), signal(history_of(con, settings))
    assert one.rows == other.rows and one.sentence == other.sentence
