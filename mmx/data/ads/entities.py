"""Accounts, campaigns, ad sets and ads as numbered tables, and their days: one row per entity and day with a row in the table.

Rows are added up one range of days after the other, so that what a range needs fits in memory however long the table is.
``names_LEVEL`` has ``id``, ``parent`` (id in the level above), ``account_id``, ``name`` and ``first_day``; ``days_LEVEL`` has
``id``, ``day`` and the metrics; ``end_days`` has the last day of each account. Reach is
 added over splits and ads, so that people reached twice count twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mmx.data.ads.layouts import SPLITS
from mmx.data.ads.repair import MARKED
from mmx.data.ads.sources import quoted
from mmx.data.ads.typed import METRICS
from mmx.data.cells import listed, plural
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings
    from mmx.data.ads.layouts import Layout

LEVELS = ("account", "campaign", "adset", "ad")
PARENT = {"campaign": "account", "adset": "campaign", "ad": "adset"}
ROWS_AT_ONCE = 2_000_000


def number_entities(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> tuple[tuple[str, ...], int]:
    """Write the tables of names and days from ``filled``.

    Returns
    -------
    tuple
        Levels that the table has, and the number of rows that were added to others by ``duplicates: sum``.

    Raises
    ------
    DataError
        For rows that stand twice, and ad sets in several campaigns.
    """
    levels = LEVELS if "ad" in layout.present else LEVELS[:3]
    splits = [s for s in SPLITS if s in layout.present and s not in settings.adset_key]
    adset = f"concat_ws(' / ', {', '.join(settings.adset_key)})"
    flags = ", ".join(f"{m}_recovered" for m in MARKED)
    paused = ", ".join(quoted(value.lower()) for value in settings.paused) or "''"
    con.execute(
        f"CREATE OR REPLACE VIEW keyed AS SELECT account, campaign, {adset} AS adset, coalesce(ad, '') AS ad, day, "
        f"{', '.join((*splits, *METRICS))}, budget, coalesce(lower(status) IN ({paused}), false) AS paused, {flags} FROM filled"
    )
    con.execute(
        "CREATE OR REPLACE TABLE names_raw AS SELECT account, campaign, adset, ad, min(day) AS first_day "
        "FROM keyed GROUP BY ALL"
    )
    _one_campaign(con)
    _number(con)
    ranges = day_ranges(con, "keyed", ROWS_AT_ONCE)
    doubled = _write_days(con, levels[-1], splits, ranges, settings)
    con.execute(
        "CREATE OR REPLACE TABLE end_days AS SELECT n.account_id AS account_id, max(d.day) AS end_day "
        f"FROM days_{levels[-1]} AS d JOIN names_{levels[-1]} AS n ON n.id = d.id GROUP BY n.account_id"
    )
    for view in ("keyed", "filled", "whole"):
        con.execute(f"DROP VIEW {view}")
    for table in ("typed", "names_raw", "numbers", "doubled"):
        con.execute(f"DROP TABLE {table}")
    _sum_up(con, levels, ranges)
    return levels, doubled


def day_ranges(con: duckdb.DuckDBPyConnection, table: str, most: int) -> list[str]:
    """Consecutive ranges of days with at most so many rows each, or one day, as SQL conditions on ``day``."""
    found = con.execute(f"SELECT day, count(*) FROM {table} GROUP BY day ORDER BY day").fetchall()
    ranges: list[tuple[dt.date, dt.date]] = []
    rows = most
    for day, count in found:
        if rows + count > most:
            ranges.append((day, day))
            rows = 0
        rows += count
        ranges[-1] = (ranges[-1][0], day)
    return [f"day BETWEEN DATE '{first}' AND DATE '{last}'" for first, last in ranges] or ["true"]


def _write_table(con: duckdb.DuckDBPyConnection, table: str, select: Callable[[str], str], ranges: Sequence[str]) -> None:
    """Write a table from a query of each range of days."""
    for number, days in enumerate(ranges):
        con.execute(f"{f'INSERT INTO {table}' if number else f'CREATE OR REPLACE TABLE {table} AS'} {select(days)}")


def _write_days(
    con: duckdb.DuckDBPyConnection, level: str, splits: list[str], ranges: Sequence[str], settings: AdsSettings
) -> int:
    """Add rows up to days of the lowest level; return how many were added to another of the same day and split."""
    own = "n.id" if level == "ad" else "n.adset_id"
    numbered = f"SELECT {own} AS id, n.adset_id AS adset_id, k.* FROM keyed AS k JOIN numbers AS n USING (account, adset, ad)"
    sums = ", ".join(f"sum({m}) AS {m}" for m in METRICS)
    flags = ", ".join(f"bool_or({m}_recovered) AS {m}_recovered" for m in MARKED)

    def added(days: str) -> str:
        return (
            f"SELECT id, any_value(adset_id) AS adset_id, day, count(*) AS rows, {sums}, max(budget) AS budget, "
            f"bool_or(paused) AS paused, {flags} FROM ({numbered} WHERE {days}) GROUP BY id, day"
        )

    def same(days: str) -> str:
        if not splits:
            return f"SELECT id, day, rows FROM days_{level} WHERE rows > 1 AND {days}"
        by = ", ".join(["id", "day", *splits])
        return f"SELECT id, day, count(*) AS rows FROM ({numbered} WHERE {days}) GROUP BY {by} HAVING count(*) > 1"

    _write_table(con, f"days_{level}", added, ranges)
    _write_table(con, "doubled", same, ranges)
    row = con.execute("SELECT count(*), coalesce(sum(rows) - count(*), 0) FROM doubled").fetchone()
    assert row is not None
    if row[0] and settings.duplicates == "refuse":
        some = con.execute(
            "SELECT DISTINCT n.adset, nullif(n.ad, ''), d.day FROM doubled AS d JOIN numbers AS n ON "
            f"{own} = d.id ORDER BY ALL LIMIT 5"
        ).fetchall()
        shown = listed([" / ".join(str(v) for v in r if v is not None) for r in some])
        remedy = "Name the columns that tell them apart (placement, device, country ...), or write ads.duplicates: sum."
        problem = Problem("the table", f"{plural(row[0], 'ad and day')} on several rows: {shown}", "one row each", remedy)
        raise DataError("the table of ads has rows that stand twice", [problem])
    con.execute(f"ALTER TABLE days_{level} DROP COLUMN rows")
    return int(row[1])


def _one_campaign(con: duckdb.DuckDBPyConnection) -> None:
    several = con.execute(
        "SELECT adset, count(DISTINCT campaign) AS campaigns FROM names_raw GROUP BY account, adset HAVING campaigns > 1 "
        "ORDER BY 1 LIMIT 5"
    ).fetchall()
    if several:
        came = listed([f"{name!r} lies in {plural(count, 'campaign')}" for name, count in several])
        remedy = "Write ads.adset_key: [campaign, adset]."
        raise DataError("ad sets cannot be told apart", [Problem("ads.adset_key", came, "each ad set in one campaign", remedy)])


def _number(con: duckdb.DuckDBPyConnection) -> None:
    """Number accounts, campaigns, ad sets and ads in the order of their names."""
    con.execute(
        "CREATE OR REPLACE TABLE names_account AS SELECT row_number() OVER (ORDER BY account)::INTEGER - 1 AS id, "
        "NULL::INTEGER AS parent, id AS account_id, account AS name, min(first_day) AS first_day "
        "FROM names_raw GROUP BY account"
    )
    con.execute(
        "CREATE OR REPLACE TABLE names_campaign AS SELECT row_number() OVER (ORDER BY account, campaign)::INTEGER - 1 AS id, "
        "any_value(a.id) AS parent, any_value(a.id) AS account_id, campaign AS name, min(r.first_day) AS first_day "
        "FROM names_raw AS r JOIN names_account AS a ON a.name = r.account GROUP BY account, campaign"
    )
    con.execute(
        "CREATE OR REPLACE TABLE names_adset AS SELECT row_number() OVER (ORDER BY account, adset)::INTEGER - 1 AS id, "
        "any_value(c.id) AS parent, any_value(a.id) AS account_id, adset AS name, min(r.first_day) AS first_day "
        "FROM names_raw AS r JOIN names_account AS a ON a.name = r.account "
        "JOIN names_campaign AS c ON c.parent = a.id AND c.name = r.campaign GROUP BY account, adset"
    )
    con.execute(
        "CREATE OR REPLACE TABLE numbers AS SELECT row_number() OVER (ORDER BY s.id, r.ad)::INTEGER - 1 AS id, "
        "s.id AS adset_id, s.account_id AS account_id, r.account AS account, r.adset AS adset, r.ad AS ad, "
        "r.first_day AS first_day FROM names_raw AS r JOIN names_account AS a ON a.name = r.account "
        "JOIN names_adset AS s ON s.account_id = a.id AND s.name = r.adset"
    )
    con.execute(
        "CREATE OR REPLACE TABLE names_ad AS SELECT id, adset_id AS parent, account_id, ad AS name, first_day FROM numbers"
    )


def _sum_up(con: duckdb.DuckDBPyConnection, levels: tuple[str, ...], ranges: Sequence[str]) -> None:
    """Add days up the levels, in the order of ids, so that sums are the same in every run."""
    if "ad" in levels:
        sums = ", ".join(f"sum({m} ORDER BY id) AS {m}" for m in METRICS)
        flags = ", ".join(f"bool_or({m}_recovered) AS {m}_recovered" for m in MARKED)
        parts = f"adset_id AS id, day, {sums}, max(budget) AS budget, bool_or(paused) AS paused, {flags}"
        _write_table(con, "days_adset", lambda days: f"SELECT {parts} FROM days_ad WHERE {days} GROUP BY adset_id, day", ranges)
    sums = ", ".join(f"sum({m} ORDER BY d.id) AS {m}" for m in METRICS)
    for level, below in (("campaign", "adset"), ("account", "campaign")):
        _write_table(con, f"days_{level}", partial(_of_parents, below, sums), ranges)


def _of_parents(below: str, sums: str, days: str) -> str:
    joined = f"days_{below} AS d JOIN names_{below} AS n ON n.id = d.id"
    return f"SELECT n.parent AS id, day, {sums} FROM {joined} WHERE {days} GROUP BY n.parent, day"
