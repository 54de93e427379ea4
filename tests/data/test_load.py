from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_tables import GEO_SETTINGS, WEEKS, configured, geographic, long, national, write

import mmx
from mmx.data.panel import Panel
from mmx.errors import DataError


def loaded(folder: Path, frame: pd.DataFrame, *layers: dict[str, Any], geo: bool = False) -> Panel:
    path = write(folder, frame)
    return mmx.load(configured(path, *layers, base=GEO_SETTINGS) if geo else configured(path, *layers))


def test_a_clean_table_becomes_a_panel_without_notes(tmp_path: Path) -> None:
    frame = national()
    panel = loaded(tmp_path, frame)
    assert panel.notes == ()
    assert panel.frequency == "weekly"
    assert panel.names("channel") == ("tv", "radio")
    assert panel.names("organic") == ("mail",)
    assert panel.names("event") == ("fair", "sale")
    assert panel.has_exposure == (False, True)
    assert panel.sha256 == hashlib.sha256((tmp_path / "shop.csv").read_bytes()).hexdigest()
    np.testing.assert_array_equal(panel.array("kpi")[0], frame["sales"])
    np.testing.assert_array_equal(panel.array("spend")[0], frame[["tv_cost", "radio_cost"]])
    np.testing.assert_array_equal(panel.array("exposure")[0], frame[["tv_cost", "radio_spots"]])
    np.testing.assert_array_equal(panel.array("control")[0, :, 0], frame["temperature"])
    np.testing.assert_array_equal(panel.array("event")[0, :, 0], frame["event"] == "fair")
    assert panel.window.all()
    assert list(panel.dates.astype(str)) == list(frame["week"])
    assert dict(panel.columns) == {"week": "date", "event": "text"} | dict.fromkeys(
        ("sales", "tv_cost", "radio_cost", "radio_spots", "mails", "price", "temperature"), "number"
    )
    assert not panel.has_population
    assert (panel.array("unit_value") == 1).all()


def test_geos_lie_on_their_own_axis(tmp_path: Path) -> None:
    frame = geographic()
    panel = loaded(tmp_path, frame, geo=True)
    assert panel.data["spend"].dims == ("geo", "time", "channel")
    assert panel.names("geo") == ("Aa", "Bb", "Cc")
    np.testing.assert_array_equal(panel.array("population"), [1e5, 2e5, 3e5])
    np.testing.assert_array_equal(panel.array("kpi"), frame["sales"].to_numpy().reshape(3, WEEKS))


@settings(max_examples=20)
@given(order=st.permutations(range(3 * 20)))
def test_the_order_of_rows_does_not_matter(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    frame = geographic(weeks=20).drop(columns="event")
    folder = tmp_path_factory.mktemp("order")
    layer = {"data": {"events": None}}
    panel, again = loaded(folder, frame, layer, geo=True), loaded(folder, frame.iloc[order], layer, geo=True)
    assert again.data.sel(geo=list(panel.names("geo"))).equals(panel.data)


@pytest.mark.parametrize("geo", [False, True], ids=["national", "geo"])
def test_long_and_wide_tables_give_one_panel(tmp_path: Path, geo: bool) -> None:
    frame = geographic() if geo else national()
    keys = ("week", "city") if geo else ("week",)
    wide = loaded(tmp_path, frame, geo=geo)
    stacked = loaded(tmp_path, long(frame, keys), {"data": {"long": {"variable": "what", "value": "amount"}}}, geo=geo)
    assert stacked.data.identical(wide.data)
    assert stacked.notes == wide.notes


def test_parquet_and_csv_give_one_panel(tmp_path: Path) -> None:
    frame = geographic().assign(week=lambda f: pd.to_datetime(f["week"]), city=lambda f: f["city"].astype("category"))
    csv = loaded(tmp_path, geographic(), geo=True)
    path = tmp_path / "shop.parquet"
    frame.to_parquet(path)
    parquet = mmx.load(configured(path, base=GEO_SETTINGS))
    assert parquet.data.identical(csv.data)
    assert parquet.columns == csv.columns


@pytest.mark.parametrize("prefix", ["\ufeff", "\r\n"], ids=["byte order mark", "leading blank line"])
def test_harmless_bytes_before_the_header_change_nothing(tmp_path: Path, prefix: str) -> None:
    clean = loaded(tmp_path, national())
    path = write(tmp_path, (prefix + national().to_csv(index=False)).encode("utf-8"))
    assert mmx.load(configured(path)).data.identical(clean.data)


def test_unused_columns_are_noted_once(tmp_path: Path) -> None:
    frame = national().assign(comment="x", other=1.0)
    path = write(tmp_path, frame.to_csv(index=True))
    panel = mmx.load(configured(path))
    assert panel.notes == ("Columns of the file that are not used: Unnamed: 0, comment, other.",)
    assert panel.data.identical(loaded(tmp_path, national()).data)


def test_rows_around_the_window_are_history_and_plan(tmp_path: Path) -> None:
    frame = national()
    frame.loc[frame.index >= 116, "sales"] = np.nan
    window = {"start": frame["week"][4], "end": frame["week"][115]}
    panel = loaded(tmp_path, frame, {"data": {"window": window}})
    assert panel.window.tolist() == [False] * 4 + [True] * 112 + [False] * 4
    assert np.isnan(panel.array("kpi")[0, 116:]).all()
    assert np.isfinite(panel.array("spend")).all()
    np.testing.assert_array_equal(panel.array("kpi")[0, :4], frame["sales"][:4])


POLICIES = [
    ("missing_spend", "zero", {"tv_cost": {8: np.nan}}, "spend", 0, 0.0, "row 10 (2021-03-01)"),
    ("missing_exposure", "zero", {"mails": {8: np.nan}}, "organic", 0, 0.0, "row 10 (2021-03-01)"),
    ("negative_spend", "zero", {"tv_cost": {8: -7.5}}, "spend", 0, 0.0, "row 10 (2021-03-01); the lowest -7.5"),
    ("missing_controls", "previous", {"temperature": {7: 3.25, 8: np.nan}}, "control", 0, 3.25, "row 10 (2021-03-01)"),
]


@pytest.mark.parametrize(
    ("policy", "value", "cells", "variable", "column", "expected", "says"), POLICIES, ids=[f"{p[0]}-{p[1]}" for p in POLICIES]
)
def test_a_policy_repairs_and_is_recorded(
    tmp_path: Path, policy: str, value: str, cells: Any, variable: str, column: int, expected: float, says: str
) -> None:
    frame = national().astype(dict.fromkeys(cells, float))
    for name, change in cells.items():
        for row, cell in change.items():
            frame.loc[row, name] = cell
    with pytest.raises(DataError, match=policy):
        loaded(tmp_path, frame)
    panel = loaded(tmp_path, frame, {"data": {"policies": {policy: value}}})
    assert panel.array(variable)[0, 8, column] == expected
    (note,) = panel.notes
    assert note.startswith(f"Policy {policy}: {value} ")
    assert says in note


def test_controls_are_carried_on_within_a_geo_only(tmp_path: Path) -> None:
    frame = geographic()
    frame.loc[[WEEKS, WEEKS + 5], "temperature"] = np.nan
    with pytest.raises(DataError, match=rf"'temperature', row {WEEKS + 2} \(Bb, 2021-01-04\): 1 empty cell"):
        loaded(tmp_path, frame, {"data": {"policies": {"missing_controls": "previous"}}}, geo=True)


def test_duplicates_are_summed_where_sums_mean_something(tmp_path: Path) -> None:
    frame = national()
    parts = pd.concat([frame.iloc[[3]], frame.iloc[[3]], frame.drop(index=3)], ignore_index=True)
    panel = loaded(tmp_path, parts, {"data": {"policies": {"duplicates": "sum"}}})
    whole = loaded(tmp_path, frame)
    for variable, factor in (
        ("kpi", 2),
        ("spend", 2),
        ("exposure", 2),
        ("organic", 2),
        ("treatment", 1),
        ("control", 1),
        ("event", 1),
    ):
        expected = whole.array(variable)
        expected[0, 3] *= factor
        np.testing.assert_allclose(panel.array(variable), expected, rtol=1e-15)
    assert panel.notes[0].startswith(
        "Policy duplicates: sum added up 2 rows with the same key (rows 2 (2021-01-25), 3 (2021-01-25))"
    )
    parts.loc[1, "price"] = 1.0
    with pytest.raises(DataError, match=r"column 'price', rows 2 \(2021-01-25\), 3 \(2021-01-25\): values differ"):
        loaded(tmp_path, parts, {"data": {"policies": {"duplicates": "sum"}}})


def test_duplicate_cells_of_a_long_table_are_summed(tmp_path: Path) -> None:
    stacked = long(national())
    twice = pd.concat([stacked, stacked[stacked["what"] == "tv_cost"]], ignore_index=True)
    layer = {"data": {"long": {"variable": "what", "value": "amount"}, "policies": {"duplicates": "sum"}}}
    panel, whole = loaded(tmp_path, twice, layer), loaded(tmp_path, national())
    np.testing.assert_allclose(panel.array("spend")[0, :, 0], 2 * whole.array("spend")[0, :, 0], rtol=1e-15)
    np.testing.assert_array_equal(panel.array("kpi"), whole.array("kpi"))


def test_a_silent_channel_can_be_dropped(tmp_path: Path) -> None:
    panel = loaded(tmp_path, national().assign(tv_cost=0), {"data": {"policies": {"silent_channel": "drop"}}})
    assert panel.names("channel") == ("radio",)
    assert panel.has_exposure == (True,)
    assert panel.notes == ("Policy silent_channel: drop left 'tv' out: column 'tv_cost' is 0 throughout.",)


def test_a_little_unmatched_exposure_is_noted_with_its_rows(tmp_path: Path) -> None:
    frame = national()
    row = int(frame.index[frame["radio_spots"] > 0][0])
    frame.loc[row, "radio_cost"] = 0
    share = frame["radio_spots"][row] / frame["radio_spots"].sum()
    (note,) = loaded(tmp_path, frame).notes
    assert note.startswith(
        f"Channel 'radio' has exposure without spend in 1 row, {100 * share:.3g} % of the channel's exposure"
    )
    assert f"row {row + 2} ({frame['week'][row]})" in note
    with pytest.raises(DataError, match="exposure without spend"):
        loaded(tmp_path, frame, {"checks": {"unmatched_share": share * 0.99}})


def test_dated_events_are_shares_of_the_period(tmp_path: Path) -> None:
    events = [
        {"name": "fair", "start": "2021-01-09", "end": "2021-01-12"},
        {"name": "one day", "start": "2021-03-01", "end": "2021-03-01"},
    ]
    panel = loaded(tmp_path, national(), {"data": {"events": events}})
    shares = panel.array("event")[0]
    np.testing.assert_allclose(shares[:2, 0], [2 / 7, 2 / 7])
    np.testing.assert_allclose(shares.sum(axis=0) * 7, [4, 1])
    assert panel.notes == ("Columns of the file that are not used: event.",)


def test_empty_event_cells_mean_no_event(tmp_path: Path) -> None:
    frame = national()
    frame["event"] = frame["event"].replace("na", "")
    panel = loaded(tmp_path, frame, {"data": {"events": {"column": "event"}}})
    assert panel.data.identical(loaded(tmp_path, national()).data)


def test_unit_value_may_be_a_number_or_a_column(tmp_path: Path) -> None:
    count = {"data": {"target_kind": "count", "unit_value": 2.5}}
    number = loaded(tmp_path, national(), count)
    column = loaded(tmp_path, national().assign(worth=2.5), {"data": {"target_kind": "count", "unit_value": "worth"}})
    assert number.data.identical(column.data)
    assert (number.array("unit_value") == 2.5).all()


def test_a_geo_named_na_is_a_geo(tmp_path: Path) -> None:
    assert loaded(tmp_path, geographic(("NA", "null", "ZA")), geo=True).names("geo") == ("NA", "null", "ZA")


def test_problems_do_not_hide_each_other(tmp_path: Path) -> None:
    frame = national().astype(object)
    frame.loc[3, "sales"] = "many"
    frame.loc[4, "tv_cost"] = -1
    frame.loc[5, "mails"] = np.nan
    frame.loc[6, "price"] = "1,000"
    frame.loc[7, "week"] = "someday"
    frame = frame.drop(columns="temperature").drop(index=[50, 51])
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, frame)
    places = [p.where for p in caught.value.problems]
    assert len(places) == 7
    for part in ("data.controls", "'sales', row 5", "'tv_cost', row 6", "'mails', row 7", "'price', row 8", "'week', row 9"):
        assert any(part in p for p in places), (part, places)
    assert "a gap: 3 dates missing" in str(caught.value)


def test_many_rows_are_counted_not_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'tv_cost', rows 2 \(2021-01-04\), .*, 6 \(2021-02-01\) and 115 more: 120 negative"):
        loaded(tmp_path, national().assign(tv_cost=lambda f: -f.index.to_numpy() - 1))


def test_line_numbers_survive_quoted_line_breaks(tmp_path: Path) -> None:
    frame = national()
    frame.loc[2, "event"] = "two\nlines"
    frame.loc[9, "tv_cost"] = -1
    with pytest.raises(DataError, match=r"column 'tv_cost', row 12 "):
        loaded(tmp_path, frame)


def test_reach_without_frequency_is_refused_or_counted_once(tmp_path: Path) -> None:
    frame = national()
    frame["radio_reach"], frame["radio_often"], frame["radio_cost"] = 1000.0, 2.0, 50.0
    frame.loc[8, "radio_often"] = 0.9
    frame.loc[9, ["radio_reach", "radio_often", "radio_cost"]] = 0.0
    often = {"radio": {"spend": "radio_cost", "exposure": None, "reach": "radio_reach", "frequency": "radio_often"}}
    settings: dict[str, Any] = {"data": {"channels": often}}
    with pytest.raises(DataError, match="low_frequency: one") as refused:
        loaded(tmp_path, frame, settings)
    assert "column 'radio_often', row 10 (2021-03-01)" in str(refused.value)
    panel = loaded(tmp_path, frame, settings, {"data": {"policies": {"low_frequency": "one"}}})
    np.testing.assert_array_equal(panel.media_frequency[0, 7:10, 0], [2.0, 1.0, 0.0])
    assert sum(note.startswith("Policy low_frequency: one set 1 value below 1") for note in panel.notes) == 1
