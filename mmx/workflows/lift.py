"""Estimate a geo experiment from a table, and write it as a lift test that a model can use."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmx.config import read_config
from mmx.data.cells import Findings
from mmx.data.lift_rows import COLUMNS, cells_for, read_lift_rows
from mmx.data.outcomes import load_outcomes
from mmx.data.source import find, read_table
from mmx.errors import DataError, InputError
from mmx.lift.estimate import LiftEstimate, estimate
from mmx.lift_settings import LiftRow, LiftSettings
from mmx.workflows.folder import write_text_atomic


@dataclass(frozen=True)
class LiftOutcome:
    """What ``mmx lift`` found.

    Attributes
    ----------
    estimate : LiftEstimate
    settings : LiftSettings
    spend : float or None
        Spend with the test less without it.
    row : LiftRow or None
        The lift test, where a channel is named.
    out : Path or None
        Where it was written.
    notes : tuple of str
        From reading the table.
    """

    estimate: LiftEstimate
    settings: LiftSettings
    spend: float | None
    row: LiftRow | None
    out: Path | None
    notes: tuple[str, ...]


def run_lift(
    table: str | Path,
    *,
    date: str,
    geo: str,
    kpi: str,
    treated: Sequence[str],
    start: dt.date,
    end: dt.date,
    channel: str | None = None,
    spend: float | None = None,
    test: str | None = None,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> LiftOutcome:
    """Estimate what a test in some geos brought; append it to a table of lift tests where ``out`` names one.

    Parameters
    ----------
    table : path
        One row per date and geo.
    date, geo, kpi : str
        Its columns.
    treated : sequence of str
    start, end : date
        First and last day of the test, inclusive.
    channel : str, optional
        What was tested.
    spend : float, optional
        Spend with the test less without it: positive where it added spend, negative where it took spend away. Without it the
        lift test is of the whole spend of its cells.
    test : str, optional
        Name of the test; channel and first day by default.
    out : path, optional
        Table of lift tests, made where it is missing.
    overrides : sequence of str
        ``lift.mass=0.8`` and the like.

    Raises
    ------
    DataError, InputError
    """
    if out is not None and channel is None:
        raise InputError("--out writes a lift test of a channel: give --channel NAME")
    if spend == 0:
        raise InputError(
            "--spend is 0, and a test that moved no spend says nothing of a channel: give the difference, or nothing"
        )
    columns = {"date": date, "geo": geo, "target": kpi, "channels": {channel or "tested": {"spend": kpi}}}
    config = read_config({"data": columns}, overrides=overrides)
    outcomes = load_outcomes(config, find(table, "TABLE", "table", "Correct the path"))
    found = estimate(outcomes, treated, start, end, config.lift)
    row = None if channel is None else as_row(found, test or f"{channel} {found.start}", channel, spend)
    if out is not None and row is not None:
        append(row, Path(out))
    return LiftOutcome(found, config.lift, spend, row, None if out is None else Path(out), outcomes.notes)


def as_row(found: LiftEstimate, test: str, channel: str, spend: float | None) -> LiftRow:
    """Return an estimate as a lift test on the KPI of its geos and window.

    Raises
    ------
    InputError
        Where the interval has no end, so that there is no standard error.
    """
    if not 0 < found.se < float("inf"):
        raise InputError(
            "the interval of the estimate has no end, so that it has no standard error: it is no evidence for a model"
        )
    return LiftRow(
        test=test,
        channel=channel,
        start=found.start,
        end=found.end,
        geos=found.treated,
        metric="kpi",
        value=found.total,
        se=found.se,
        delta_spend=spend,
    )


def append(row: LiftRow, path: Path) -> None:
    """Append a lift test to a table of them, or begin one; the file is replaced as a whole or not at all.

    Raises
    ------
    DataError
        Where the table there is none of lift tests, or holds the test already.
    """
    columns, lines = list(COLUMNS), [list(COLUMNS)]
    if path.is_file():
        table, findings = read_table(path, "one row per test and channel"), Findings()
        findings.problems.extend(table.problems)
        earlier = read_lift_rows(table, findings)
        for line, other in earlier:
            if (other.test, other.channel) == (row.test, row.channel):
                came = f"the test {row.test!r} of {row.channel!r} stands there already"
                findings.refuse(f"row {line}", came, "each test of a channel once", "Give --name, or delete that row.")
        if absent := [n for n, v in zip(COLUMNS, cells_for(row), strict=True) if v and n not in table.columns]:
            remedy = f"Add these columns to the header and to each row, or write to a new file; all are {', '.join(COLUMNS)}."
            findings.refuse("row 1", f"the header lacks {', '.join(absent)}", "the columns of this test", remedy)
        if findings.problems:
            raise DataError(f"the table of lift tests {path} cannot be added to", findings.problems)
        columns = list(table.columns)
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([*lines, cells_for(row, columns)])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, text.getvalue())
