"""``mmx lift``: from a table of geos to a lift test that ``mmx check`` and ``mmx fit`` take."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd
import pytest

from mmx.data.lift_rows import COLUMNS

from ..command_line import mmx
from ..lift.panels import experiment

NAMED = ("--date", "day", "--geo", "city", "--kpi", "sales", "--treated", "geo 0,geo 1")
DAYS = ("--start", "2024-02-22", "--end", "2024-02-29")


def written(folder: Path, effect: float) -> Path:
    """A table of geos in a file, the first two with an effect in the last 8 of 60 days."""
    outcomes = experiment(2, effect=effect)
    rows = [
        {"city": geo, "day": str(day), "sales": value}
        for geo, series in zip(outcomes.geos, outcomes.kpi, strict=True)
        for day, value in zip(outcomes.dates, series, strict=False)
    ]
    pd.DataFrame(rows).to_csv(folder / "geos.csv", index=False)
    return folder / "geos.csv"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path, 8.0)


def test_the_effect_is_printed_with_its_interval_and_doubts(table: Path) -> None:
    answer = mmx("lift", table, *NAMED, *DAYS, "--spend", "64")
    assert answer.code == 0, answer.said
    for text in (
        "geo 0, geo 1 from 2024-02-22 to 2024-02-29: 8 days, after 52 before the test",
        "90 % interval",
        "per geo and day",
        "KPI per unit of spend",
        "There was an effect: the interval leaves out zero",
        "Before the test the control misses by",
        "Had the test been the 8 periods before it",
        "finds an effect of",
        "with probability 80 %",
        "Weights: geo",
    ):
        assert text in answer.said, f"{text!r} is missing from {answer.said}"
    assert "BAD MATCH" not in answer.said
    total = float(answer.out.split("all of the test")[1].split()[0].replace(",", ""))
    each = float(answer.out.split("KPI per unit of spend")[1].split()[0])
    assert total == pytest.approx(8 * 16, rel=0.3) and each == pytest.approx(total / 64, rel=1e-3)


def test_no_effect_is_not_called_proof_of_none(tmp_path: Path) -> None:
    answer = mmx("lift", written(tmp_path, 0.0), *NAMED, *DAYS, "lift.fit_ratio=0.01", "lift.mass=0.8")
    assert answer.code == 0 and "No effect was shown" in answer.said and "not proof of none" in answer.said
    assert "A BAD MATCH" in answer.said and "80 % interval" in answer.said


def test_a_row_is_written_and_appended(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept" / "tests.csv"
    first = mmx("lift", table, *NAMED, *DAYS, "--channel", "tv", "--spend", "-64", "--out", out)
    assert first.code == 0 and str(out) in first.out
    again = mmx("lift", table, *NAMED, *DAYS, "--channel", "tv", "--out", out)
    assert again.code == 2 and "'tv 2024-02-22' of 'tv' stands there already" in again.said and "--name" in again.said
    assert mmx("lift", table, *NAMED, *DAYS, "--channel", "tv", "--name", "second", "--out", out).code == 0
    with out.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == list(COLUMNS) and [row[0] for row in rows] == ["tv 2024-02-22", "second"]
    one, two = (dict(zip(header, row, strict=True)) for row in rows)
    assert one["geos"] == "geo 0;geo 1" and one["metric"] == "kpi" and one["delta_spend"] == "-64" and two["delta_spend"] == ""
    assert (one["start"], one["end"], one["inflation"]) == ("2024-02-22", "2024-02-29", "1")
    assert math.isfinite(float(one["se"])) and one["low"] == one["high"] == one["mass"] == ""
    assert float(one["value"]) == pytest.approx(8 * 16, rel=0.3)


def test_a_written_row_is_a_lift_test_of_a_configuration(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "tests.csv"
    assert mmx("lift", table, *NAMED, *DAYS, "--channel", "tv", "--out", out).code == 0
    frame = pd.read_csv(table)
    frame["tv"] = 5.0 + (frame["sales"] % 3.0)
    frame["web"] = 5.0 + (frame["sales"] % 2.0)
    frame.to_csv(tmp_path / "shop.csv", index=False)
    (tmp_path / "shop.yaml").write_text(
        "data: {path: shop.csv, date: day, geo: city, target: sales, channels: {tv: {spend: tv}, web: {spend: web}}}\n"
        "model: {lift_tests: tests.csv, seasonality: {yearly: 0, weekly: 1}}\n",
        encoding="utf-8",
    )
    answer = mmx("check", tmp_path / "shop.yaml", columns=200)
    assert answer.code == 0, answer.said
    assert "lift tests: 1 test from tests.csv, used as likelihood" in answer.said
    assert "ROAS from lift tests" in answer.said and "geo 0, geo 1" in answer.said
    assert mmx("check", tmp_path / "shop.yaml", "model.lift_tests_as=prior", columns=200).code == 0
    out.write_text(out.read_text(encoding="utf-8").replace("geo 0", "geo zero"), encoding="utf-8")
    refused = mmx("check", tmp_path / "shop.yaml")
    assert refused.code == 2 and "there is no geo 'geo zero'" in refused.said and refused.out == ""


REFUSED = {
    "no such table": (("nowhere.csv", *NAMED, *DAYS), "the table nowhere.csv was not found"),
    "no such column": (("{table}", "--date", "day", "--geo", "city", "--kpi", "sale", "--treated", "geo 0", *DAYS), "'sales'"),
    "no such geo": (("{table}", *NAMED[:-1], "geo 99", *DAYS), "there is no geo 'geo 99'"),
    "no date": (("{table}", *NAMED, "--start", "2024", "--end", "2024-02-29"), "--start"),
    "out without channel": (("{table}", *NAMED, *DAYS, "--out", "tests.csv"), "give --channel NAME"),
    "no spend moved": (("{table}", *NAMED, *DAYS, "--spend", "0"), "--spend is 0"),
    "wrong setting": (("{table}", *NAMED, *DAYS, "lift.mass=1.5"), "lift.mass"),
    "out is another table": (("{table}", *NAMED, *DAYS, "--channel", "tv", "--out", "{table}"), "cannot be added to"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused(table: Path, tmp_path: Path, case: str) -> None:
    arguments, said = REFUSED[case]
    before = table.read_bytes()
    answer = mmx("lift", *(a.replace("{table}", str(table)) for a in arguments))
    assert answer.code == 2 and said in answer.said, answer.said
    assert table.read_bytes() == before and not (tmp_path / "tests.csv").exists()
