"""The shop's own revenue by day, from an export of its orders: of the account, and of campaigns where an order names one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from mmx.data.ads.names import words_of
from mmx.data.ads.sources import locate_all, name_of, open_table, unreadable
from mmx.data.cells import listed, plural
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    from mmx.ads_settings import AdsSettings, OrderSettings


def read_orders(con: duckdb.DuckDBPyConnection, settings: AdsSettings, orders: OrderSettings) -> list[str]:
    """Write ``days_orders_account`` and ``days_orders_campaign``: ``id``, ``day``, ``revenue`` in the shop's currency.

    Lines of one order are one order; its day is the one that is written in the export, which is the shop's. A campaign
    is found by its name, case and separators aside.

    Returns
    -------
    list of str
        What a reader should know.

    Raises
    ------
    DataError
        For columns that are missing, cells that cannot be read, and accounts of which the orders are not known.
    """
    paths = locate_all(orders.files, "ads.orders.files")
    columns = open_table(con, "orders_file", paths, settings.model_copy(update={"delimiter": ",", "skip_lines": 0}))
    wanted = [orders.order, orders.date, orders.revenue, orders.refunded, orders.campaign, orders.landing]
    if lacking := [c for c in wanted if c is not None and c not in columns]:
        came = f"the orders have no {listed([repr(c) for c in lacking])}"
        remedy = "Name the columns in ads.orders."
        raise DataError(
            "the orders cannot be used", [Problem("ads.orders", came, f"one of {listed(list(columns), 30)}", remedy)]
        )
    accounts = con.execute("SELECT name FROM names_account ORDER BY id").fetchall()
    if len(accounts) > 1:
        came = f"the ads are of {plural(len(accounts), 'account')}: {listed([a[0] for a in accounts])}"
        raise DataError(
            "the orders cannot be used",
            [Problem("ads.orders", came, "one account", "Read one account at a time, or leave orders out.")],
        )
    _read(con, orders, paths)
    con.execute(
        "CREATE OR REPLACE TABLE days_orders_account AS SELECT 0 AS id, day, sum(revenue ORDER BY name) AS revenue "
        "FROM orders_once GROUP BY day"
    )
    names = [
        ("".join(words_of(name)), number) for number, name in con.execute("SELECT id, name FROM names_campaign").fetchall()
    ]
    con.execute("CREATE OR REPLACE TEMP TABLE campaign_words (words VARCHAR, id INTEGER)")
    con.executemany("INSERT INTO campaign_words VALUES (?, ?)", names)
    said = [row[0] for row in con.execute("SELECT DISTINCT campaign FROM orders_once WHERE campaign IS NOT NULL").fetchall()]
    con.execute("CREATE OR REPLACE TEMP TABLE order_words (campaign VARCHAR, words VARCHAR)")
    if said:
        con.executemany("INSERT INTO order_words VALUES (?, ?)", [(name, "".join(words_of(name))) for name in said])
    con.execute(
        "CREATE OR REPLACE TABLE days_orders_campaign AS SELECT c.id AS id, o.day AS day, "
        "sum(o.revenue ORDER BY o.name) AS revenue FROM orders_once AS o JOIN order_words USING (campaign) "
        "JOIN campaign_words AS c USING (words) GROUP BY c.id, o.day"
    )
    return _notes(con, orders)


def _read(con: duckdb.DuckDBPyConnection, orders: OrderSettings, paths: list[Path]) -> None:
    """Write ``orders_once``: one row per order with its day, revenue and campaign; revenue null where a cell is no number."""
    campaign = "NULL::VARCHAR"
    if orders.campaign is not None:
        campaign = f"nullif(trim({name_of(orders.campaign)}::VARCHAR), '')"
    elif orders.landing is not None:
        tag = f"regexp_extract({name_of(orders.landing)}::VARCHAR, '[?&]utm_campaign=([^&#]*)', 1)"
        campaign = f"nullif(trim(url_decode(replace({tag}, '+', ' '))), '')"
    refunded = "0" if orders.refunded is None else f"coalesce(max(TRY_CAST({name_of(orders.refunded)} AS DOUBLE)), 0)"
    day = f"TRY_CAST(left(trim(max({name_of(orders.date)}::VARCHAR)), 10) AS DATE)"
    try:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE orders_once AS SELECT {name_of(orders.order)}::VARCHAR AS name, {day} AS day, "
            f"max(TRY_CAST({name_of(orders.revenue)} AS DOUBLE)) - {refunded} AS revenue, max({campaign}) AS campaign "
            f"FROM orders_file GROUP BY 1"
        )
    except duckdb.Error as error:
        raise unreadable(paths, error) from error
    bad = con.execute("SELECT name FROM orders_once WHERE day IS NULL OR revenue IS NULL ORDER BY 1 LIMIT 5").fetchall()
    if bad:
        came = f"orders {listed([str(b[0]) for b in bad])} have no day or revenue that can be read"
        remedy = "Correct them, or ads.orders.date and revenue."
        raise DataError(
            "the orders cannot be used", [Problem("ads.orders", came, "a date such as 2025-01-31 and a number", remedy)]
        )


def _notes(con: duckdb.DuckDBPyConnection, orders: OrderSettings) -> list[str]:
    row = con.execute("SELECT count(*), sum(revenue), count(campaign), min(day), max(day) FROM orders_once").fetchone()
    matched = con.execute(
        "SELECT count(*) FROM orders_once JOIN order_words USING (campaign) JOIN campaign_words USING (words)"
    ).fetchone()
    assert row is not None and matched is not None
    notes = [
        f"orders: {row[0]:,} from {row[3]} to {row[4]}, revenue {row[1]:,.2f} (reported by the shop, all channels together)"
    ]
    if orders.campaign is not None or orders.landing is not None:
        notes.append(f"orders: {row[2]:,} name a campaign, {matched[0]:,} one of the ads'")
    return notes
