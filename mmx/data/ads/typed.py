"""Cells of a table of ads as dates and numbers, held against what such a table must be; totals and empty cells counted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from mmx.data.ads.layouts import ENTITIES, NUMBERS, SPLITS, Layout
from mmx.data.ads.sources import quoted, unreadable
from mmx.data.cells import listed, plural
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    from mmx.ads_settings import AdsSettings

METRICS = ("spend", "impressions", "clicks", "purchases", "revenue", "reach")
WORDS_FOR_NOTHING = ("na", "n/a", "nan", "null", "none", "--")
EXAMPLES = 5


@dataclass(frozen=True)
class RawTotals:
    """A table of ads before anything was done to it.

    Attributes
    ----------
    rows : int
    start, end : date
    totals : mapping of str to float
        Sum of each metric over the cells that have a value.
    missing : mapping of str to int
        Cells without one.
    """

    rows: int
    start: dt.date
    end: dt.date
    totals: dict[str, float]
    missing: dict[str, int]


def read_typed(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> RawTotals:
    """Write the table ``typed``: texts, ``day`` and numbers, null where a cell is empty.

    Raises
    ------
    DataError
        For cells that are no date or number, negative numbers, and rows without a name or date.
    """
    try:
        con.execute(f"CREATE OR REPLACE TABLE typed AS {_sql(layout, settings)}")
    except duckdb.Error as error:
        raise unreadable(layout.paths, error) from error
    problems = _bad_cells(con, layout) + _negative(con, layout) + _nameless(con, layout, settings)
    if not problems and _one(con, "SELECT count(*) FROM typed") == 0:
        problems.append(
            Problem("the table", "it has a header and no rows", "one row per ad and day", "Export the table again.")
        )
    if problems:
        raise DataError(f"the table of ads {listed(layout.paths)} cannot be used", problems)
    con.execute("ALTER TABLE typed DROP COLUMN bad")
    sums = ", ".join(f"coalesce(sum({m}), 0), count(*) - count({m})" for m in METRICS)
    row = con.execute(f"SELECT count(*), min(day), max(day), {sums} FROM typed").fetchone()
    assert row is not None
    totals = dict(zip(METRICS, row[3::2], strict=True))
    missing = dict(zip(METRICS, row[4::2], strict=True))
    return RawTotals(row[0], row[1], row[2], totals, {m: n for m, n in missing.items() if m in layout.present})


def _sql(layout: Layout, settings: AdsSettings) -> str:
    day = "coalesce(TRY_CAST(date AS DATE), TRY_CAST(date AS TIMESTAMP)::DATE)"
    if settings.date_format is not None:
        day = f"TRY_STRPTIME(date, {quoted(settings.date_format)})::DATE"
    nothing = ", ".join(quoted(word) for word in WORDS_FOR_NOTHING)
    texts = [f"{name}" for name in (*ENTITIES, *SPLITS, "status")]
    if "account" not in layout.present:
        texts[0] = f"{quoted(settings.account)} AS account"
    numbers, bad = [], [f"CASE WHEN date IS NOT NULL AND {day} IS NULL THEN 'date=' || date END"]
    for name in NUMBERS:
        cell = f"(CASE WHEN lower({name}) IN ({nothing}) THEN NULL ELSE {name} END)"
        value = f"TRY_CAST({cell} AS DOUBLE)"
        numbers.append(f"CASE WHEN isfinite({value}) THEN {value} END AS {name}")
        bad.append(f"CASE WHEN {cell} IS NOT NULL AND NOT coalesce(isfinite({value}), false) THEN '{name}=' || {name} END")
    return (
        f"SELECT {', '.join(texts)}, {day} AS day, {', '.join(numbers)}, "
        f"nullif(concat_ws('\n', {', '.join(bad)}), '') AS bad FROM ({layout.sql})"
    )


def _bad_cells(con: duckdb.DuckDBPyConnection, layout: Layout) -> list[Problem]:
    found = con.execute(
        "SELECT split_part(cell, '=', 1) AS name, count(*), list(cell ORDER BY cell)[1:5] FROM "
        "(SELECT unnest(string_split(bad, '\n')) AS cell FROM typed WHERE bad IS NOT NULL) GROUP BY name ORDER BY name"
    ).fetchall()
    problems = []
    for name, count, cells in found:
        kind = "a date such as 2025-01-31" if name == "date" else "a finite number with a decimal point"
        remedy = "Write ads.date_format, or correct the cells." if name == "date" else "Correct the cells, or leave them empty."
        values = listed([repr(str(c).split("=", 1)[1]) for c in cells], EXAMPLES)
        came = f"{plural(count, 'cell')} cannot be read: {values}"
        problems.append(Problem(f"column {layout.shown.get(name, name)!r}", came, kind, remedy))
    return problems


def _negative(con: duckdb.DuckDBPyConnection, layout: Layout) -> list[Problem]:
    problems = []
    for name in (*METRICS, "budget"):
        rows = con.execute(f"SELECT campaign, day, {name} FROM typed WHERE {name} < 0 ORDER BY ALL LIMIT {EXAMPLES}").fetchall()
        if rows:
            where = listed([f"{value:g} ({campaign}, {day})" for campaign, day, value in rows], EXAMPLES)
            came = f"{plural(_one(con, f'SELECT count(*) FROM typed WHERE {name} < 0'), 'negative cell')}: {where}"
            remedy = "Corrections belong to the day that they correct: export the table again, or correct these rows."
            problems.append(Problem(f"column {layout.shown.get(name, name)!r}", came, "numbers >= 0", remedy))
    return problems


def _nameless(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> list[Problem]:
    keys: list[str] = [name for name in ("account", "campaign", "ad") if name in layout.present]
    keys += [name for name in settings.adset_key if name not in keys]
    problems = []
    for name in [*keys, "day"]:
        if count := _one(con, f"SELECT count(*) FROM typed WHERE {name} IS NULL AND bad IS NULL"):
            shown = layout.shown.get("date" if name == "day" else name, name)
            remedy = "Complete these rows or delete them; a row of totals is no ad."
            problems.append(Problem(f"column {shown!r}", f"{plural(count, 'row')} without it", "a value in each row", remedy))
    return problems


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    assert row is not None
    return int(row[0])
