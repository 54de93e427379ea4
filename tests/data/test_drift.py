from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shop_tables import GEO_SETTINGS, SETTINGS, configured, geographic, national, write

import mmx
from mmx.config import merge
from mmx.data.checks import CheckResult
from mmx.data.drift import drift
from mmx.data.panel import Panel

NAMES = ["columns", "levels", "ranges", "level shift", "restated history"]


def panel(folder: Path, frame: pd.DataFrame, base: dict[str, object] | None = None) -> Panel:
    return mmx.load(configured(write(folder, frame), base=base or SETTINGS))


def compared(
    folder: Path, old: pd.DataFrame, new: pd.DataFrame, base: dict[str, object] | None = None
) -> dict[str, CheckResult]:
    results = drift(panel(folder, old, base), panel(folder, new, base))
    assert [r.name for r in results] == NAMES
    return {r.name: r for r in results}


@pytest.mark.parametrize("geo", [False, True], ids=["national", "geo"])
def test_a_panel_does_not_drift_from_itself(tmp_path: Path, geo: bool) -> None:
    frame = geographic() if geo else national()
    results = compared(tmp_path, frame, frame, GEO_SETTINGS if geo else None)
    assert [r.passed for r in results.values()] == [True, True, True, None, True]
    shift = results["level shift"].table
    assert shift is not None
    assert (shift["shift_in_sd"] == 0).all()


def test_columns_that_come_go_or_change_type(tmp_path: Path) -> None:
    old = national().assign(code=1, note="a")
    new = national().assign(code="x", other=1)
    table = compared(tmp_path, old, new)["columns"].table
    assert table is not None
    assert set(table.itertuples(index=False, name=None)) == {
        ("note", "vanished", "text", ""),
        ("other", "appeared", "", "number"),
        ("code", "changed type", "number", "text"),
    }


def test_levels_that_come_and_go(tmp_path: Path) -> None:
    old, new = geographic(("Aa", "Bb")), geographic(("Bb", "Dd"))
    new["event"] = new["event"].replace("sale", "strike")
    levels = compared(tmp_path, old, new, GEO_SETTINGS)["levels"]
    assert levels.passed is False
    assert levels.table is not None
    assert set(levels.table.itertuples(index=False, name=None)) == {
        ("geo", "Aa", "lost"),
        ("geo", "Dd", "new"),
        ("event", "sale", "lost"),
        ("event", "strike", "new"),
    }


def test_channels_that_come_and_go(tmp_path: Path) -> None:
    only_tv = merge(SETTINGS, {})
    only_tv["data"] = {**SETTINGS["data"], "channels": {"tv": {"spend": "tv_cost"}}}
    frame = national()
    levels = drift(panel(tmp_path, frame, only_tv), panel(tmp_path, frame))[1]
    assert levels.table is not None
    assert levels.table.to_numpy().tolist() == [["channel", "radio", "new"]]


def test_new_dates_outside_the_earlier_range(tmp_path: Path) -> None:
    new = national()
    old = new.iloc[:110]
    new.loc[115, "tv_cost"] = 2 * old["tv_cost"].max()
    ranges = compared(tmp_path, old, new)["ranges"]
    assert ranges.passed is False
    assert ranges.table is not None
    row = ranges.table.set_index("series").loc["spend tv"]
    assert (row["cells"], row["extreme"], row["beyond"]) == (1, 2 * old["tv_cost"].max(), 1.0)
    assert compared(tmp_path, old, old)["ranges"].text == "There are no new dates."


def test_level_shift_is_in_earlier_standard_deviations(tmp_path: Path) -> None:
    old, new = national(), national()
    new["sales"] = (new["sales"] + 450).round(2)
    shift = compared(tmp_path, old, new)["level shift"]
    assert shift.table is not None
    row = shift.table.set_index("series").loc["kpi"]
    assert row["shift_in_sd"] == pytest.approx(450 / old["sales"].std(ddof=0))
    assert row["shift_in_sd"] == shift.table["shift_in_sd"][0]


def test_restated_history_is_counted_by_series(tmp_path: Path) -> None:
    new = geographic()
    old = new[new["week"] <= "2023-01-30"].copy()
    at = old.index[(old["city"] == "Bb") & (old["week"].between("2022-11-07", "2022-11-21"))]
    old.loc[at, "sales"] = (old.loc[at, "sales"] / 1.25).round(2)
    result = compared(tmp_path, old, new, GEO_SETTINGS)["restated history"]
    assert result.passed is False
    assert result.table is not None
    (row,) = result.table.to_dict("records")
    assert (row["series"], row["cells"], row["first"], row["last"]) == ("kpi", 3, "2022-11-07", "2022-11-21")
    assert row["largest_change"] == pytest.approx(0.25, abs=1e-5)


def test_a_forecast_that_became_known_is_no_restatement(tmp_path: Path) -> None:
    new = national()
    old = new.copy()
    old.loc[old.index >= 115, "sales"] = np.nan
    window = {"data": {"window": {"end": new["week"][114]}}}
    results = drift(panel(tmp_path, old, merge(SETTINGS, window)), panel(tmp_path, new))
    assert results[4].passed is True


def test_a_value_that_vanished_or_came_from_nothing_is_a_restatement(tmp_path: Path) -> None:
    old, new = national(), national()
    row = int(old.index[old["tv_cost"] == 0][0])
    new.loc[row, "tv_cost"] = 3.0
    result = compared(tmp_path, old, new)["restated history"]
    assert result.table is not None
    assert result.table["largest_change"][0] == np.inf
    lost = compared(tmp_path, national(), national().iloc[10:])["restated history"]
    assert lost.passed is False
    assert "10 earlier dates (2021-01-04, 2021-01-11 and 8 more) are gone" in lost.text


def test_panels_without_common_dates_are_not_compared(tmp_path: Path) -> None:
    later = national().assign(week=lambda f: (pd.to_datetime(f["week"]) + pd.Timedelta(days=2800)).dt.strftime("%Y-%m-%d"))
    assert compared(tmp_path, national(), later)["restated history"].passed is None
