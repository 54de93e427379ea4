"""Months of features and what each depends on, so that a new run computes only those whose input changed.

A month of dates depends on the rows of its days and of the 28 + m days before, on each entity's first day, and on its budget
with the day of the last change. These are hashed by day, whatever their order; a month's digest is that of its days and of the
settings.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from mmx.data.ads import definitions, windows
from mmx.data.ads.entities import LEVELS, PARENT
from mmx.data.ads.repair import MARKED
from mmx.data.ads.sources import quoted
from mmx.data.ads.typed import METRICS
from mmx.data.ads.windows import DAY, LOOK_BACK, copy_features, write_macros, write_sums

if TYPE_CHECKING:
    from mmx.ads_settings import AdsSettings

BUDGET_DIGITS = 5
FORMAT = 1
# Settings that say where things are or how they are computed, not what they are.
ELSEWHERE = {"engine", "files", "tables", "levels", "signal_r2"}


@dataclass(frozen=True)
class Month:
    """A month of dates that features are for.

    Attributes
    ----------
    name : str
        ``2025-01``.
    first, last : date
        The month's first day, and its last or the day after the table's end.
    digest : str
        Of all that the features depend on.
    """

    name: str
    first: dt.date
    last: dt.date
    digest: str


def settings_digest(settings: AdsSettings) -> str:
    """Digest of the settings and the code that shape features."""
    content = settings.model_dump(mode="json", exclude=ELSEWHERE)
    code = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (definitions, windows)]
    text = json.dumps([FORMAT, duckdb.__version__, content, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def months_of(con: duckdb.DuckDBPyConnection, levels: Sequence[str], settings: AdsSettings, orders: bool) -> list[Month]:
    """Months of dates that the table has features for, each with its digest.

    Parameters
    ----------
    con : connection
        With the tables that ``prepare`` writes.
    levels : sequence of str
        Levels of the table.
    settings : AdsSettings
    orders : bool
    """
    days = _hashes(con, levels, orders)
    if not days:
        return []
    row = con.execute(f"SELECT min(day), max(day) FROM days_{levels[-1]}").fetchone()
    assert row is not None
    begin, end = row[0] + DAY, row[1] + DAY
    shaped = settings_digest(settings)
    months, first = [], begin.replace(day=1)
    while first <= end:
        following = (first + 31 * DAY).replace(day=1)
        last = min(following - DAY, end)
        low = first - DAY * (LOOK_BACK + settings.immature_days)
        within = [[str(day), days[day]] for day in sorted(days) if low <= day <= last]
        text = json.dumps([shaped, list(levels), orders, str(last), within])
        months.append(Month(f"{first:%Y-%m}", first, last, hashlib.sha256(text.encode()).hexdigest()))
        first = following
    return months


def write_month(
    con: duckdb.DuckDBPyConnection, month: Month, levels: Sequence[str], folder: Path, settings: AdsSettings, orders: bool
) -> dict[str, dict[str, int]]:
    """Write one month's features of the levels that the settings ask for, and its clean days.

    Returns
    -------
    dict of str to dict of str to int
        By level: rows, and values of each feature that are not NaN.
    """
    write_macros(con, settings)
    wanted = [level for level in levels if level in settings.levels]
    needed = [level for level in levels if level in wanted or any(PARENT.get(below) == level for below in wanted)]
    counts: dict[str, dict[str, int]] = {}
    for level in needed:
        write_sums(con, level, month.first, month.last, settings, orders)
        if level in wanted:
            place = folder / f"level={level}"
            place.mkdir(parents=True, exist_ok=True)
            counts[level] = copy_features(con, level, place / f"{month.name}.parquet", settings, orders)
    for level in needed:
        con.execute(f"DROP TABLE sums_{level}")
    if month.last > month.first:  # else the date is the day after the table's end
        _write_days(con, month, levels, folder)
    return counts


def _write_days(con: duckdb.DuckDBPyConnection, month: Month, levels: Sequence[str], folder: Path) -> None:
    """Write the clean daily rows of the lowest level in a calendar month, with what was recovered marked."""
    place = folder / "days"
    place.mkdir(parents=True, exist_ok=True)
    level = levels[-1]
    ad = ", n.name AS ad" if level == "ad" else ""
    up = "JOIN names_adset AS s ON s.id = n.parent" if level == "ad" else "JOIN names_adset AS s ON s.id = n.id"
    marks = ", ".join(f"d.{m}_recovered AS {m}_recovered" for m in MARKED)
    con.execute(
        f"COPY (SELECT d.day AS date, a.name AS account, c.name AS campaign, s.name AS adset{ad}, "
        f"{', '.join(f'd.{m} AS {m}' for m in METRICS)}, {marks} FROM days_{level} AS d JOIN names_{level} AS n ON n.id = d.id "
        f"{up} JOIN names_campaign AS c ON c.id = s.parent JOIN names_account AS a ON a.id = c.parent "
        f"WHERE d.day BETWEEN DATE '{month.first}' AND DATE '{month.first + 31 * DAY}' "
        f"AND date_trunc('month', d.day) = DATE '{month.first}' ORDER BY d.day, d.id) "
        f"TO {quoted(str(place / f'{month.name}.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _hashes(con: duckdb.DuckDBPyConnection, levels: Sequence[str], orders: bool) -> dict[dt.date, list[str]]:
    """By day, a hash of each table's rows that does not depend on their order."""
    low = levels[-1]
    names = " || '\n' || ".join(f"{level}.name" for level in LEVELS[: LEVELS.index(low) + 1])
    chain = ""
    for level in reversed(LEVELS[: LEVELS.index(low)]):
        below = LEVELS[LEVELS.index(level) + 1]
        chain += f" JOIN names_{level} AS {level} ON {level}.id = {below}.parent"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE hash_of AS SELECT {low}.id AS id, hash({names}) AS h FROM names_{low} AS {low}{chain}"
    )
    values = ", ".join((*METRICS, *(f"{m}_recovered" for m in MARKED)))
    queries = [
        f"SELECT day, hash(h, {values}, n.first_day) AS h FROM days_{low} AS d JOIN names_{low} AS n ON n.id = d.id "
        "JOIN hash_of ON hash_of.id = d.id"
    ]
    for level in ("adset", "campaign", "account"):
        entity = "n.name" if level != "campaign" else "n.name, n.parent"
        queries.append(
            f"SELECT day, hash({entity}, round(budget, {BUDGET_DIGITS}), last_change, n.first_day) AS h "
            f"FROM budget_{level} AS b JOIN names_{level} AS n ON n.id = b.id"
        )
    if orders:
        queries += [
            f"SELECT day, hash(n.name, revenue) AS h FROM days_orders_{level} AS o JOIN names_{level} AS n ON n.id = o.id"
            for level in ("account", "campaign")
        ]
    days: dict[dt.date, list[str]] = {}
    for k, query in enumerate(queries):
        for day, digest in con.execute(
            f"SELECT day, sum(h::HUGEINT)::VARCHAR FROM ({query}) GROUP BY day ORDER BY day"
        ).fetchall():
            days.setdefault(day, []).append(f"{k}:{digest}")
    return days
