from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.data.cells import Findings
from mmx.data.dates import Grid, lay_grid, read_dates
from mmx.data.events import event_shares
from mmx.schema import DatedEvent

DAYS = st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2090, 12, 31)), min_size=1, max_size=30)
FORMATS: dict[str, Callable[[dt.date], str]] = {
    "iso": lambda d: d.isoformat(),
    "iso with midnight": lambda d: f"{d.isoformat()} 00:00:00",
    "iso with zone": lambda d: f"{d.isoformat()}T00:00:00+02:00",
    "slashes": lambda d: f"{d.year}/{d.month}/{d.day}",
    "compact": lambda d: f"{d:%Y%m%d}",
    "dotted": lambda d: f"{d.day}.{d.month}.{d.year}",
    "named": lambda d: f"{d.day} {d:%b} {d.year}",
    "american": lambda d: f"{d:%B} {d.day}, {d.year}",
}


def cells(days: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(days, dtype=object), np.arange(2, len(days) + 2)


def read(days: list[str]) -> tuple[list[str] | None, Findings]:
    findings = Findings()
    values, lines = cells(days)
    dates = read_dates("day", values, lines, findings)
    return (None if dates is None else [str(d) for d in dates]), findings


@pytest.mark.parametrize("name", FORMATS)
@given(days=DAYS)
def test_every_unambiguous_format_is_read_exactly(name: str, days: list[dt.date]) -> None:
    dates, findings = read([FORMATS[name](d) for d in days])
    assert dates == [d.isoformat() for d in days]
    assert findings == Findings()


@pytest.mark.parametrize(("pattern", "order"), [("%d/%m/%Y", "day/month/year"), ("%m-%d-%Y", "month/day/year")])
@given(days=DAYS)
def test_day_and_month_are_told_apart_only_by_proof(pattern: str, order: str, days: list[dt.date]) -> None:
    dates, findings = read([d.strftime(pattern) for d in days])
    if any(d.day > 12 for d in days):
        assert dates == [d.isoformat() for d in days]
        assert order in findings.notes[0]
        assert not findings.problems
    else:
        assert dates is None
        assert "cannot be told whether the day or the month comes first" in findings.problems[0].came


def test_two_digit_years_are_not_guessed() -> None:
    dates, findings = read(["04.01.21", "11.01.21"])
    assert dates is None
    assert findings.problems[0].where == "column 'day', rows 2 ('04.01.21'), 3 ('11.01.21')"


def test_datetimes_of_parquet_are_read_as_days() -> None:
    findings = Findings()
    values = pd.to_datetime(pd.Series(["2021-01-04", None, "2021-01-18 06:00"], dtype=object), format="mixed").to_numpy()
    read_dates("day", values, np.arange(1, 4), findings)
    assert [p.came for p in findings.problems] == ["1 row without a date", "dates with a time of day"]


def grid(days: list[str]) -> tuple[Grid | None, Findings]:
    findings = Findings()
    return lay_grid("day", np.array(days, dtype="datetime64[D]"), findings), findings


FREQUENCIES = {"daily": "D", "weekly": "7D", "monthly": "MS"}


@pytest.mark.parametrize("name", FREQUENCIES)
@given(start=st.dates(dt.date(1990, 1, 1), dt.date(2050, 1, 1)), count=st.integers(3, 60), data=st.data())
def test_a_regular_series_is_its_own_grid_and_a_hole_is_found(
    name: str, start: dt.date, count: int, data: st.DataObject
) -> None:
    days = [str(d.date()) for d in pd.date_range(start, periods=count, freq=FREQUENCIES[name])]
    found, findings = grid(days[::-1] + days)
    assert found is not None
    assert found.frequency == name
    assert [str(d) for d in found.labels] == days
    assert (found.starts[1:] > found.starts[:-1]).all()
    assert not findings.problems
    if count < 5:
        return
    hole = data.draw(st.integers(1, count - 2))
    found, findings = grid(days[:hole] + days[hole + 1 :])
    assert found is None
    assert f"1 date missing from the {name} series: {days[hole]}" in findings.problems[0].came


def test_month_ends_mean_whole_months() -> None:
    found, _ = grid([str(d.date()) for d in pd.date_range("2020-01-31", periods=26, freq="ME")])
    assert found is not None
    assert str(found.labels[1]) == "2020-02-29"
    assert [str(s) for s in found.starts[:3]] == ["2020-01-01", "2020-02-01", "2020-03-01"]


def test_months_may_begin_on_any_day() -> None:
    days = ["2021-01-30", "2021-02-28", "2021-03-30", "2021-04-30"]
    found, findings = grid(days)
    assert not findings.problems
    assert found is not None
    assert [str(d) for d in found.labels] == days


def test_a_shifted_weekday_is_off_the_grid() -> None:
    found, findings = grid(["2021-01-04", "2021-01-11", "2021-01-19", "2021-01-25", "2021-02-01", "2021-02-08"])
    assert found is None
    assert "2021-01-19" in findings.problems[0].came
    assert "a gap: 1 date missing from the weekly series: 2021-01-18" in findings.problems[1].came


@given(start=st.dates(dt.date(2021, 1, 1), dt.date(2022, 12, 31)), length=st.integers(1, 60))
def test_shares_of_an_event_add_up_to_its_days(start: dt.date, length: int) -> None:
    starts = np.arange(np.datetime64("2020-01-06").astype(int), np.datetime64("2024-01-01").astype(int), 7).astype(
        "datetime64[D]"
    )
    end = start + dt.timedelta(days=length - 1)
    shares = event_shares(DatedEvent(name="sale", start=start, end=end), starts)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares.sum() * 7 == pytest.approx(length)
