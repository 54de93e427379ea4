from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.data.cells import diagnose, is_missing, kind_of, listed, numbers_of, plural, rows_of, text_of


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_numbers_written_as_text_come_back_to_the_bit(values: list[float]) -> None:
    numbers, bad = numbers_of(np.array([repr(v) for v in values], dtype=object))
    np.testing.assert_array_equal(numbers, values)
    assert not bad.any()


@pytest.mark.parametrize("text", ["", " ", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"])
def test_what_programs_write_for_nothing_is_missing(text: str) -> None:
    values = np.array([text, "1"], dtype=object)
    assert is_missing(values).tolist() == [True, False]
    numbers, bad = numbers_of(values)
    assert np.isnan(numbers[0])
    assert not bad.any()


def test_nulls_of_every_kind_are_missing() -> None:
    values = np.array([None, np.nan, pd.NA, pd.NaT, 0, "0", [1, 2], np.array([1, 2])], dtype=object)
    assert is_missing(values).tolist() == [True] * 4 + [False] * 4
    assert text_of(values[:6]).tolist() == ["", "", "", "", "0", "0"]
    assert numbers_of(values)[1].tolist() == [False] * 6 + [True, True]


@pytest.mark.parametrize("text", ["1_000", "1,000", "€1", "12 %", "0x10", "na", "one", "--", "True"])
def test_what_is_not_a_number_is_not_read_as_one(text: str) -> None:
    numbers, bad = numbers_of(np.array([text], dtype=object))
    assert bad[0]
    assert np.isnan(numbers[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1,234,567.50", "thousands separators"),
        ("1.234.567,50", "points as thousands separators"),
        ("1 234 567", "thousands separators"),
        ("12,5", "a decimal comma"),
        ("$12", "a currency sign"),
        ("12 EUR", "a currency sign"),
        ("12%", "a percent sign"),
        ("(1200)", "brackets for a negative number"),
        ("-", "a dash for an empty cell"),
        ("TRUE", "yes or no in words"),
        ("#REF!", "a spreadsheet error"),
        ("plenty", ""),
    ],
)
def test_text_in_a_number_column_is_diagnosed(text: str, what: str) -> None:
    assert diagnose(text)[0] == what


def test_column_types() -> None:
    columns = {
        "number": [
            np.array(["1", "", "2.5"], dtype=object),
            np.array([1, 2]),
            np.array([True]),
            np.array([Decimal("1.5")], dtype=object),
        ],
        "date": [
            np.array(["2021-01-04", ""], dtype=object),
            np.array([dt.date(2021, 1, 4)], dtype=object),
            np.array(["2021-01-04"], "M8[ns]"),
        ],
        "text": [np.array(["1", "x"], dtype=object)],
        "empty": [np.array(["", "NA"], dtype=object), np.array([np.nan])],
    }
    for kind, examples in columns.items():
        assert [kind_of(values) for values in examples] == [kind] * len(examples)


def test_counting_words() -> None:
    assert (plural(1, "row"), plural(2, "row")) == ("1 row", "2 rows")
    assert listed(range(3)) == "0, 1, 2"
    assert listed(list(range(9))) == "0, 1, 2, 3, 4 and 4 more"
    assert (rows_of([3]), rows_of([3, 4])) == ("row 3", "rows 3, 4")
