"""Tables of lift tests: every cell that cannot be used is refused with its row and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lift_tables import GOOD, HEADER, csv_of, refusal

from mmx.data.cells import Findings
from mmx.data.lift_rows import COLUMNS, cells_for, read_lift_rows
from mmx.data.source import read_table

INTERVAL = {"se": "", "low": 500, "high": 1300, "mass": 0.9}
BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "end before start": ({"end": "2021-05-02"}, ("row 2: the test ends (2021-05-02) before it starts (2021-05-03)",)),
    "both": (INTERVAL | {"se": 3}, ("row 2: it has both se and an interval (low, high, mass): give one",)),
    "neither": ({"se": ""}, ("row 2: it has neither se nor an interval", "low, high and mass")),
    "half an interval": (INTERVAL | {"mass": ""}, ("row 2: its interval lacks mass",)),
    "interval reversed": (INTERVAL | {"low": 1400}, ("row 2: low (1400) must be below high (1300)",)),
    "value outside": (INTERVAL | {"value": 1400}, ("row 2: value (1400) lies outside its own interval, 500 to 1300",)),
    "no value": ({"value": ""}, ("row 2: value is missing",)),
    "se zero": ({"se": 0}, ("row 2, column 'se': it is 0.0. Expected greater than 0",)),
    "se negative": ({"se": -1}, ("row 2, column 'se': it is -1.0. Expected greater than 0",)),
    "mass of one": (INTERVAL | {"mass": 1}, ("row 2, column 'mass': it is 1.0. Expected less than 1",)),
    "mass of zero": (INTERVAL | {"mass": 0}, ("row 2, column 'mass': it is 0.0. Expected greater than 0",)),
    "mass in percent": (INTERVAL | {"mass": 90}, ("row 2, column 'mass': it is 90",)),
    "delta of zero": ({"delta_spend": 0}, ("row 2: delta_spend is 0: a test that moved no spend", "leave it empty")),
    "inflation below one": ({"inflation": 0.9}, ("row 2, column 'inflation': it is 0.9. Expected greater than or equal to 1",)),
    "unknown metric": ({"metric": "sales"}, ("row 2, column 'metric': it is 'sales'. Expected 'kpi' or 'roas'",)),
    "no name": ({"test": ""}, ("row 2, column 'test': the cell is empty", "Fill it in")),
    "no channel": ({"channel": ""}, ("row 2, column 'channel': the cell is empty",)),
    "geo twice": ({"geos": "Aa;Aa"}, ("row 2: geos names Aa more than once",)),
    "text in numbers": ({"value": "€ 900"}, ("column 'value', row 2 ('€ 900')", "a currency sign")),
    "unreadable date": ({"start": "2021-02-30"}, ("column 'start', row 2 ('2021-02-30')", "YYYY-MM-DD")),
    "no date": ({"end": ""}, ("column 'end', row 2", "1 row without a date")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    row, says = BAD[name]
    message = refusal(tmp_path, [GOOD | row])
    for text in says:
        assert text in message, f"{text!r} is missing from:\n{message}"
    assert message.count("\n") == 1, f"one fault is one problem:\n{message}"


@pytest.mark.parametrize(
    "name", [n for n in BAD if n not in {"text in numbers", "unreadable date", "no date", "no name", "no channel"}]
)
def test_a_bad_row_of_a_configuration_is_refused(tmp_path: Path, name: str) -> None:
    row, says = BAD[name]
    given = {key: value for key, value in (GOOD | row).items() if value != ""}
    message = refusal(tmp_path, [given], inline=True)
    where, _, rest = says[0].partition(": ")
    column = where.partition("column ")[2].strip("'")
    assert f"model.lift_tests.0{'.' + column if column else ''}: " in message
    assert rest.replace(".0.", ".") in message.replace(".0.", "."), message


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"channle": "tv"}, ("model.lift_tests.0.channle: unknown key", "Did you mean 'channel'?")),
        ({"start": None}, ("model.lift_tests.0.start: it is 'None'. Expected a date",)),
        ({"start": "3/5/2021"}, ("model.lift_tests.0.start: it is '3/5/2021'. Expected a date",)),
        ({"value": "much"}, ("model.lift_tests.0.value: it is 'much'",)),
    ],
)
def test_a_wrong_key_or_type_of_a_configuration_is_refused(
    tmp_path: Path, layer: dict[str, Any], says: tuple[str, ...]
) -> None:
    message = refusal(tmp_path, [GOOD | layer], inline=True)
    for text in says:
        assert text in message, message


@pytest.mark.parametrize("value", [{}, 3, True])
def test_what_is_neither_file_nor_rows_is_refused(tmp_path: Path, value: Any) -> None:
    message = refusal(tmp_path, value, inline=True) if isinstance(value, list) else str(_refused(tmp_path, value))
    assert "model.lift_tests: it is" in message and "a CSV file or a list of {test: NAME" in message


def _refused(folder: Path, value: Any) -> Exception:
    from lift_tables import shop

    with pytest.raises(Exception, match=r"model\.lift_tests") as caught:
        shop(folder, value)
    return caught.value


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (HEADER.replace("metric,", ""), ("the file has no column 'metric'",)),
        (HEADER.replace("delta_spend", "delta_spent"), ("column 'delta_spent': unknown column", "Did you mean 'delta_spend'?")),
        (HEADER.replace("test,", "tset,"), ("no column 'test'", "Did you mean 'tset'?")),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: str, says: tuple[str, ...]) -> None:
    findings = Findings()
    (tmp_path / "tests.csv").write_text(csv_of(GOOD, header=header), encoding="utf-8")
    read_lift_rows(read_table(tmp_path / "tests.csv"), findings)
    for text in says:
        assert any(text in str(p) for p in findings.problems), findings.problems


def test_a_table_without_rows_says_what_belongs_there(tmp_path: Path) -> None:
    (tmp_path / "tests.csv").write_text(HEADER + "\n", encoding="utf-8")
    with pytest.raises(Exception, match="one row per test and channel"):
        read_table(tmp_path / "tests.csv", "one row per test and channel")


def test_a_row_is_written_as_it_is_read(tmp_path: Path) -> None:
    given = GOOD | {"geos": "Aa;Bb", "delta_spend": -1234.5, "inflation": 1.25}
    (tmp_path / "tests.csv").write_text(csv_of(given), encoding="utf-8")
    findings = Findings()
    ((line, row),) = read_lift_rows(read_table(tmp_path / "tests.csv"), findings)
    assert line == 2 and findings.problems == [] and row.geos == ("Aa", "Bb")
    assert HEADER.split(",") == list(COLUMNS)
    (tmp_path / "again.csv").write_text(f"{HEADER}\n{','.join(cells_for(row))}\n", encoding="utf-8")
    assert read_lift_rows(read_table(tmp_path / "again.csv"), findings) == ((2, row),)
    assert cells_for(row, ["value", "test"]) == ["900", "more tv"]
