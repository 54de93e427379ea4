import json

import numpy as np
import pandas as pd
import pytest
import yaml

from mmx.data.ads.history import METRICS
from mmx.worlds import ACCOUNTS, simulate_account, write
from mmx.worlds.accounts import make_world

COLUMNS = dict(
    zip(
        METRICS,
        ("Amount spent (EUR)", "Impressions", "Link clicks", "Purchases", "Purchases conversion value", "Reach"),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def world():
    made = make_world(6, days=90)
    assert made.customer.platform == "meta"
    return made


def test_ads_sum_to_their_ad_sets(world):
    history, table = world.history(), world.ad_table()
    assert not table.duplicated(["Day", "Ad name"]).any() and not table.isna().any().any()
    for metric, column in COLUMNS.items():
        wide = table.groupby(["Day", "Ad set name"])[column].sum().unstack().fillna(0.0)
        wide = wide.reindex(index=pd.to_datetime(history.dates), columns=list(history.adsets), fill_value=0.0)
        assert np.abs(wide.to_numpy() - history.metric(metric)).max() < 1e-6, metric
    assert (table["Impressions"] >= table["Reach"]).all() and (table["Impressions"] >= table["Link clicks"]).all()
    assert table.groupby("Ad set name")["Campaign name"].nunique().max() == 1
    assert table.groupby("Ad set name")["Ad name"].nunique().max() > 1
    assert table.groupby(["Ad set name", "Day"])["Ad set budget"].nunique().max() == 1


def test_an_ads_purchases_never_fall_when_they_are_restated(world):
    keys = ["Day", "Ad name"]
    early, late = (world.ad_table(day).set_index(keys)["Purchases"] for day in (80, 88))
    both = early.to_frame("early").join(late.rename("late"))
    assert not both.isna().any().any() and (both["late"] >= both["early"]).all() and (both["late"] > both["early"]).any()


def test_a_platform_that_does_not_tell_reach_has_no_such_column():
    assert "Reach" not in make_world(4, days=30).ad_table().columns


@pytest.mark.parametrize("name", sorted(ACCOUNTS))
def test_a_simulated_account_is_written_with_truth_and_settings(name, tmp_path):
    made = simulate_account(name, seed=2)
    paths = write(made, tmp_path / f"{name}.csv")
    table, truth = pd.read_csv(paths[0]), json.loads(paths[1].read_text(encoding="utf-8"))
    settings = yaml.safe_load(paths[2].read_text(encoding="utf-8"))
    assert len(table) == len(made.table) and truth == made.truth and truth["kind"] == made.world.kind
    assert settings["ads"]["files"] == [f"{name}.csv"] and settings["ads"]["immature_days"] == made.world.truth.immature_days
    assert settings["name"] == f"{name}_2"
    assert settings["rules"] == {"margin": round(made.world.customer.margin, 4)}
    assert set(truth["ad_sets"]) >= set(table["Ad set name"])
    assert truth["best_plan"]["profit"] >= truth["best_plan"]["current_profit"]
    total = sum(adset["best_budget"] for adset in truth["ad_sets"].values())
    assert total == pytest.approx(truth["best_plan"]["total"])
    again = write(simulate_account(name, seed=2), tmp_path / "again" / f"{name}.csv")
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(paths, again, strict=True))
