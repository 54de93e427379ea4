"""Every feature of every entity and date equals a brute-force computation; months computed apart equal those of one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import mmx.data.ads.entities
from mmx.data.ads.definitions import FEATURES, features_of
from mmx.data.ads.entities import day_ranges
from mmx.errors import DataError
from mmx.workflows.features import run_features

from .brute import KEYS, Days
from .tables import COLUMNS, config_of, random_table, read_features, written

CURVE = [0.4, 0.7, 0.9]


def held_against(folder: Path, oracle: Days, level: str) -> None:
    """Compare a level's files with the oracle, feature by feature."""
    found, expected = read_features(folder, level), oracle.rows(level)
    if "adset" in KEYS[level]:
        expected["adset"] = expected["campaign"] + " / " + expected["adset"]
    keys = ["date", *KEYS[level]]
    found, expected = (f.sort_values(keys).reset_index(drop=True) for f in (found, expected))
    assert len(found) == len(expected) > 50
    for name in keys:
        assert list(found[name]) == list(expected[name]), name
    names = [f.name for f in features_of(level, orders=False)]
    assert set(found.columns) == {"account", *keys, *names} and set(expected.columns) == {*keys, *names}
    for name in names:
        np.testing.assert_allclose(
            found[name].to_numpy(float), expected[name].to_numpy(float), rtol=1e-9, atol=1e-9, err_msg=f"{level}: {name}"
        )


@pytest.mark.parametrize("immature", [0, 3])
def test_every_feature_is_that_of_brute_force(immature: int, tmp_path: Path) -> None:
    table = random_table()
    path = written(table, tmp_path / "ads.csv")
    config = config_of(path, immature_days=immature, delay_curve=CURVE, month_budget=9000.0)
    done = run_features(config, out=tmp_path / "out", quiet=True)
    assert done.summary["entities"] == {"account": 1, "campaign": 2, "adset": 5, "ad": 10}
    oracle = Days(table, immature, CURVE, 9000.0)
    for level in KEYS:
        held_against(tmp_path / "out", oracle, level)


def test_adding_up_in_ranges_of_days_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = random_table(days=40)
    table["country"] = np.where(table["ad"] == "ad 0", "DE", "FR")
    table["ad"] = "ad 0"
    columns = COLUMNS | {"budget": "budget", "country": "country"}
    config = config_of(written(table, tmp_path / "ads.csv"), levels=list(KEYS), columns=columns)
    whole = run_features(config, out=tmp_path / "whole", quiet=True)
    monkeypatch.setattr(mmx.data.ads.entities, "ROWS_AT_ONCE", 50)
    parts = run_features(config, out=tmp_path / "parts", quiet=True)
    for level in KEYS:
        pd.testing.assert_frame_equal(read_features(tmp_path / "parts", level), read_features(tmp_path / "whole", level))
    assert parts.summary == whole.summary
    again = pd.concat([table, table[table["date"] == table["date"].max()]])
    with pytest.raises(DataError, match="rows that stand twice"):
        run_features(config_of(written(again, tmp_path / "twice.csv"), columns=columns), out=tmp_path / "twice", quiet=True)


def test_ranges_of_days_hold_so_many_rows_or_one_day() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE t AS SELECT DATE '2025-01-01' + d::INTEGER AS day FROM (VALUES (0), (0), (3), (4), (4), (4), (9)) AS v(d)"
    )
    assert day_ranges(con, "t", 3) == [
        "day BETWEEN DATE '2025-01-01' AND DATE '2025-01-04'",
        "day BETWEEN DATE '2025-01-05' AND DATE '2025-01-05'",
        "day BETWEEN DATE '2025-01-10' AND DATE '2025-01-10'",
    ]
    assert len(day_ranges(con, "t", 1)) == 4
    assert day_ranges(con, "t", 100) == ["day BETWEEN DATE '2025-01-01' AND DATE '2025-01-10'"]


def test_an_ad_set_that_ended_has_no_features_after_its_look_back(tmp_path: Path) -> None:
    table = random_table(days=90, ads=1)
    gone = (table["adset"] == "set 1") & (table["date"] > "2025-01-10")
    back = (table["adset"] == "set 1") & (table["date"] >= "2025-03-10")
    table = table[~gone | back]
    config = config_of(written(table, tmp_path / "ads.parquet"), immature_days=2, levels=["adset"])
    run_features(config, out=tmp_path / "out", quiet=True)
    held_against(tmp_path / "out", Days(table, 2, [], None), "adset")


LEVELS = ["campaign", "adset"]


def test_a_new_run_computes_what_changed_and_gives_what_a_full_one_gives(tmp_path: Path) -> None:
    table = random_table(days=110, ads=1)
    path = tmp_path / "ads.csv"
    config = config_of(path, immature_days=3, levels=LEVELS)
    written(table[table["date"] < "2025-03-25"], path)
    first = run_features(config, out=tmp_path / "out", quiet=True).summary["months"]
    assert first == {"computed": ["2024-12", "2025-01", "2025-02", "2025-03"], "kept": []}
    again = run_features(config, out=tmp_path / "out", quiet=True).summary["months"]
    assert again == {"computed": [], "kept": first["computed"]}
    written(table.sample(frac=1, random_state=1)[lambda f: f["date"] < "2025-03-25"], path)
    assert run_features(config, out=tmp_path / "out", quiet=True).summary["months"]["computed"] == []
    late = table.copy()
    late.loc[(late["date"] == "2025-03-15") & (late["adset"] == "set 0"), "purchases"] += 1
    written(late, path)
    third = run_features(config, out=tmp_path / "out", quiet=True)
    assert third.summary["months"] == {"computed": ["2025-03", "2025-04"], "kept": ["2024-12", "2025-01", "2025-02"]}
    whole = run_features(config, out=tmp_path / "whole", quiet=True)
    for level in LEVELS:
        pd.testing.assert_frame_equal(read_features(tmp_path / "out", level), read_features(tmp_path / "whole", level))
    assert third.summary["coverage"] == whole.summary["coverage"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_first_row_that_comes_earlier_changes_later_months(tmp_path: Path) -> None:
    table, path = random_table(days=100, ads=1), tmp_path / "ads.csv"
    config = config_of(path, levels=["adset"])
    late = (table["adset"] == "set 1") & (table["campaign"] == "campaign 0") & (table["date"] < "2025-01-20")
    written(table[~late], path)
    run_features(config, out=tmp_path / "out", quiet=True)
    written(pd.concat([table[~late], table[late].head(1)]), path)
    done = run_features(config, out=tmp_path / "out", quiet=True)
    assert done.summary["months"]["kept"] == []
    run_features(config, out=tmp_path / "whole", quiet=True)
    pd.testing.assert_frame_equal(read_features(tmp_path / "out", "adset"), read_features(tmp_path / "whole", "adset"))


def test_other_settings_and_missing_files_are_computed_anew(tmp_path: Path) -> None:
    path, out = written(random_table(days=30, ads=1), tmp_path / "ads.csv"), tmp_path / "out"
    months = ["2024-12", "2025-01"]

    def run(force: bool = False, **ads: Any) -> dict[str, list[str]]:
        return run_features(config_of(path, **ads), out=out, force=force, quiet=True).summary["months"]

    run(levels=LEVELS)
    assert run(levels=LEVELS, immature_days=5) == {"computed": months, "kept": []}
    assert run(levels=["adset"], immature_days=5) == {"computed": [], "kept": months}
    assert not (out / "level=campaign").exists()
    assert run(levels=LEVELS, immature_days=5)["computed"] == months
    (out / "level=campaign" / "2024-12.parquet").unlink()
    written(random_table(days=30, ads=1).iloc[:-1], path)
    assert run(levels=LEVELS, immature_days=5) == {"computed": months, "kept": []}
    assert run(levels=LEVELS, immature_days=5, force=True)["computed"] == months


def test_single_precision_and_shares_of_values(tmp_path: Path) -> None:
    path = written(random_table(days=40), tmp_path / "ads.csv")
    double = run_features(config_of(path, levels=["adset"]), out=tmp_path / "double", quiet=True)
    single = run_features(config_of(path, precision="single", levels=["adset"]), out=tmp_path / "single", quiet=True)
    assert double.summary["coverage"] == single.summary["coverage"]
    a, b = read_features(tmp_path / "double", "adset"), read_features(tmp_path / "single", "adset")
    assert (b["roas_7d"].dtype, a["roas_7d"].dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(b["roas_7d"], a["roas_7d"], rtol=1e-6)
    shares = double.summary["coverage"]["adset"]["features"]
    assert shares["cpa_7d"] == pytest.approx(a["cpa_7d"].notna().mean()) and shares["spend_7d"] == 1
    clean = pd.read_parquet(tmp_path / "double" / "days")
    assert clean["spend"].sum() == pytest.approx(random_table(days=40)["spend"].sum())


def test_features_are_listed_once_and_in_words(tmp_path: Path) -> None:
    names = [f.name for f in FEATURES]
    assert len(set(names)) == len(names) >= 100
    assert all(f.meaning and f.unit and f.levels for f in FEATURES)
    path = written(random_table(days=20), tmp_path / "ads.csv")
    run_features(config_of(path, levels=["account"]), out=tmp_path / "out", quiet=True)
    lines = (tmp_path / "out" / "features.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == names
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["rows"] == len(random_table(days=20))
