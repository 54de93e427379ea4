"""A table of lift tests: one row per test and channel, read into the rows that a configuration may also state itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from mmx.config import problems_of
from mmx.data.cells import Bools, Dates, Findings, Floats, diagnose, is_missing, numbers_of, plural, rows_of, text_of
from mmx.data.dates import read_dates
from mmx.data.layout import missing_column
from mmx.data.source import Table
from mmx.lift_settings import LiftRow

COLUMNS = tuple(LiftRow.model_fields)
DAYS = ("start", "end")
NUMBERS = ("value", "se", "low", "high", "mass", "delta_spend", "inflation")
REQUIRED = ("test", "channel", *DAYS, "metric")
KEY = "model.lift_tests"


def read_lift_rows(table: Table, findings: Findings) -> tuple[tuple[int, LiftRow], ...]:
    """Read every row, refusing what is no lift test with its row and column.

    Parameters
    ----------
    table : Table
        With the columns ``test, channel, start, end, metric`` and any of ``geos`` (``a;b;c``), ``value``, ``se``, ``low``,
        ``high``, ``mass``, ``delta_spend``, ``inflation``.
    findings : Findings

    Returns
    -------
    tuple of (int, LiftRow)
        Line of the file and row, of those that can be used.
    """
    known = list(table.columns)
    for name in REQUIRED:
        if name not in table.columns:
            missing_column(KEY, name, known, findings)
    for name in known:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name.strip().casefold(), COLUMNS, n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]!r}?" if near else f"The columns of lift tests are {', '.join(COLUMNS)}."
            findings.refuse(f"column {name!r}", "unknown column", "a column of lift tests", hint)
    dates = {n: read_dates(n, table.columns[n], table.lines, findings) for n in DAYS if n in table.columns}
    read = {n: numbers_of(table.columns[n]) for n in NUMBERS if n in table.columns}
    unread = np.zeros(table.lines.size, dtype=bool)
    for name, (_, bad) in read.items():
        _refuse_text(table, name, bad, findings)
        unread |= bad
    for days in dates.values():
        unread |= True if days is None else np.isnat(days)
    if not set(REQUIRED) <= set(known):
        return ()
    numbers = {name: values for name, (values, _) in read.items()}
    found = [_row(table, int(i), dates, numbers, findings) for i in np.flatnonzero(~unread)]
    return tuple(pair for pair in found if pair is not None)


def _refuse_text(table: Table, name: str, bad: Bools, findings: Findings) -> None:
    if not bad.any():
        return
    at = np.flatnonzero(bad)
    what, remedy = diagnose(str(table.columns[name][at[0]]))
    shown = [f"{table.lines[i]} ({str(table.columns[name][i])[:40]!r})" for i in at]
    came = f"{plural(at.size, 'cell')} of text in a number column" + (f": {what}" if what else "")
    findings.refuse(f"column {name!r}, {rows_of(shown)}", came, "numbers", remedy)


def _row(
    table: Table, i: int, dates: Mapping[str, Dates | None], numbers: Mapping[str, Floats], findings: Findings
) -> tuple[int, LiftRow] | None:
    """Return line and row ``i``, or None where it was refused."""
    given: dict[str, Any] = {n: d[i].astype(object) for n, d in dates.items() if d is not None}
    given |= {n: float(v[i]) for n, v in numbers.items() if not np.isnan(v[i])}
    for name in ("test", "channel", "metric", "geos"):
        if name in table.columns and not is_missing(table.columns[name][i : i + 1])[0]:
            given[name] = str(text_of(table.columns[name][i : i + 1])[0]).strip()
    line = int(table.lines[i])
    try:
        return line, LiftRow.model_validate(given)
    except ValidationError as error:
        for problem in problems_of(error, given, ("model", "lift_tests", i)):
            column = f", column {problem.where.partition('.')[0]!r}" if problem.where else ""
            came = "the cell is empty" if problem.came == "this setting is missing" else problem.came
            remedy = "Fill it in." if came != problem.came else problem.remedy
            findings.problems.append(replace(problem, where=f"row {line}{column}", came=came, remedy=remedy))
        return None


def cells_for(row: LiftRow, columns: Sequence[str] = COLUMNS) -> list[str]:
    """Cells of a table for one row, empty where a value is not given."""
    given = row.model_dump()
    given["geos"] = ";".join(row.geos)
    return ["" if given[n] is None else f"{given[n]:.10g}" if n in NUMBERS else str(given[n]) for n in columns]
