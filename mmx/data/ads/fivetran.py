"""Fivetran's schemas of the Meta and Google Ads APIs as one table of ads.

``fivetran_facebook``: ``basic_ad`` (spend, impressions, link clicks, reach), joined with the purchase actions of
``basic_ad_actions`` and their values, named by the latest row of the histories; ``ad_set_history`` may have daily budgets.
``fivetran_google``: ``ad_stats`` or
``ad_group_stats``, whose cost is in millionths of the currency. What does not join is counted and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmx.data.ads.layouts import NUMBERS, TEXTS, Layout, require
from mmx.data.ads.sources import locate_all, name_of, open_table, quoted

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings

MICROS = 1e6


def facebook(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> Layout:
    """Tables of Fivetran's ``facebook_ads`` schema; see ``mmx.data.ads.layouts.files``."""
    tables, files = _open(con, settings)
    clicks = next((c for c in ("inline_link_clicks", "clicks") if c in tables["basic_ad"]), "inline_link_clicks")
    require(tables["basic_ad"], "basic_ad", ("ad_id", "date", "account_id", "impressions", "spend", clicks))
    require(tables["ad_history"], "ad_history", ("id", "ad_set_id", "campaign_id", "name", "updated_time"))
    _latest(con, "ad_history", "updated_time", "ad_set_id::VARCHAR AS adset_id, campaign_id::VARCHAR AS campaign_id,")
    for table in ("ad_set_history", "campaign_history"):
        if table in tables:
            require(tables[table], table, ("id", "name", "updated_time"))
            _latest(con, table, "updated_time")
        else:
            _nameless(con, table)
    notes = [_joined(con, "basic_ad", "basic_ad AS b", "ad_history_now AS a ON a.id = b.ad_id::VARCHAR", "ad_history")]
    kinds = ", ".join(quoted(kind) for kind in settings.purchase_actions) or "''"
    for table, metric in (("basic_ad_actions", "purchases"), ("basic_ad_action_values", "revenue")):
        if table in tables:
            require(tables[table], table, ("ad_id", "date", "action_type", "value"))
            notes += _actions(con, table, metric, kinds)
        else:
            con.execute(f"CREATE OR REPLACE TEMP TABLE {metric}_of AS SELECT '' AS ad_id, '' AS date, 0.0 AS value LIMIT 0")
            notes.append(f"ads.tables names no {table}: {metric} are zero")
    day = "CAST(TRY_CAST(b.date::VARCHAR AS TIMESTAMP) AS DATE)::VARCHAR"
    columns = {
        "account": "b.account_id::VARCHAR",
        "campaign": "coalesce(c.label, a.campaign_id, 'unknown')",
        "adset": "coalesce(s.label, a.adset_id, 'unknown')",
        "ad": "coalesce(a.label, b.ad_id::VARCHAR)",
        "date": f"coalesce({day}, b.date::VARCHAR)",
        "spend": "b.spend",
        "impressions": "b.impressions",
        "clicks": f"b.{name_of(clicks)}",
        "reach": "b.reach" if "reach" in tables["basic_ad"] else "NULL",
        "purchases": "coalesce(p.value, 0)",
        "revenue": "coalesce(r.value, 0)",
    }
    if "daily_budget" in tables.get("ad_set_history", ()):
        _budgets(con, settings)
        columns["budget"] = (
            "(SELECT arg_max(budget, since) FROM set_budgets AS h "
            f"WHERE h.id = a.adset_id AND h.since <= TRY_CAST({day} AS DATE))"
        )
    joins = (
        "basic_ad AS b LEFT JOIN ad_history_now AS a ON a.id = b.ad_id::VARCHAR "
        "LEFT JOIN ad_set_history_now AS s ON s.id = a.adset_id LEFT JOIN campaign_history_now AS c ON c.id = a.campaign_id "
        f"LEFT JOIN purchases_of AS p ON p.ad_id = b.ad_id::VARCHAR AND p.date = {day} "
        f"LEFT JOIN revenue_of AS r ON r.ad_id = b.ad_id::VARCHAR AND r.date = {day}"
    )
    return _layout(columns, joins, files, notes)


def google(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> Layout:
    """Tables of Fivetran's ``google_ads`` schema; see ``mmx.data.ads.layouts.files``."""
    tables, files = _open(con, settings)
    stats = "ad_stats" if "ad_stats" in tables else "ad_group_stats"
    has = tables[stats]
    require(has, stats, ("customer_id", "date", "campaign_id", "cost_micros", "impressions", "clicks"))
    require(has, stats, ("ad_id", "ad_group") if stats == "ad_stats" else ("id",))
    for table in ("ad_group_history", "campaign_history"):
        if table in tables:
            require(tables[table], table, ("id", "name", "updated_at"))
            _latest(con, table, "updated_at")
        else:
            _nameless(con, table)
    group = "b.id::VARCHAR"
    if stats == "ad_stats":
        group = "coalesce(nullif(b.ad_group_id::VARCHAR, ''), regexp_extract(b.ad_group::VARCHAR, 'adGroups/(\\d+)', 1))"
    notes = []
    for table, key in (("campaign_history", "b.campaign_id::VARCHAR"), ("ad_group_history", group)):
        if table in tables:
            notes.append(_joined(con, stats, f"{stats} AS b", f"{table}_now AS h ON h.id = {key}", table))
    split = [f"b.{name_of(c)}::VARCHAR" for c in ("ad_network_type", "keyword_ad_group_criterion") if c in has]
    columns = {
        "account": "b.customer_id::VARCHAR",
        "campaign": "coalesce(c.label, b.campaign_id::VARCHAR)",
        "adset": f"coalesce(g.label, {group})",
        "date": "b.date::VARCHAR",
        "placement": f"concat_ws(' ', {', '.join(split)})" if split else "NULL",
        "device": "b.device::VARCHAR" if "device" in has else "NULL",
        "spend": f"TRY_CAST(b.cost_micros AS DOUBLE) / {MICROS}",
        "impressions": "b.impressions",
        "clicks": "b.clicks",
        "purchases": "b.conversions" if "conversions" in has else "NULL",
        "revenue": "b.conversions_value" if "conversions_value" in has else "NULL",
    }
    if stats == "ad_stats":
        columns["ad"] = "b.ad_id::VARCHAR"
    if absent := [c for c in ("conversions", "conversions_value") if c not in has]:
        notes.append(f"{stats} has no {' and no '.join(absent)}: ads.missing says what that means")
    joins = (
        f"{stats} AS b LEFT JOIN campaign_history_now AS c ON c.id = b.campaign_id::VARCHAR "
        f"LEFT JOIN ad_group_history_now AS g ON g.id = {group}"
    )
    return _layout(columns, joins, files, notes)


def _open(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> tuple[dict[str, dict[str, str]], list[str]]:
    tables: dict[str, dict[str, str]] = {}
    files: list[str] = []
    for table, file in settings.tables.items():
        paths = locate_all([file], f"ads.tables.{table}")
        tables[table] = open_table(con, table, paths, settings)
        files += map(str, paths)
    return tables, files


def _latest(con: duckdb.DuckDBPyConnection, table: str, time: str, more: str = "") -> None:
    """Keep the last row of each id; a name that several bear is followed by the id."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {table}_now AS WITH latest AS ("
        f"SELECT id::VARCHAR AS id, {more} nullif(trim(name::VARCHAR), '') AS name FROM {table} "
        f"QUALIFY row_number() OVER (PARTITION BY id ORDER BY {time}::VARCHAR DESC) = 1) "
        "SELECT *, CASE WHEN name IS NULL THEN id WHEN count(*) OVER (PARTITION BY name) > 1 THEN name || ' [' || id || ']' "
        "ELSE name END AS label FROM latest"
    )


def _nameless(con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table}_now AS SELECT '' AS id, '' AS label LIMIT 0")


def _budgets(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> None:
    """Keep the last daily budget of each ad set and day of ``ad_set_history``, which is in minor units of the currency."""
    budget = "TRY_CAST(daily_budget AS DOUBLE)"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE set_budgets AS SELECT id::VARCHAR AS id, "
        "TRY_CAST(updated_time::VARCHAR AS TIMESTAMP)::DATE AS since, "
        f"{budget} * {settings.minor_unit!r} AS budget FROM ad_set_history WHERE {budget} > 0 "
        "QUALIFY row_number() OVER (PARTITION BY id, since ORDER BY updated_time::VARCHAR DESC) = 1"
    )


def _actions(con: duckdb.DuckDBPyConnection, table: str, metric: str, kinds: str) -> list[str]:
    """Sum purchase actions by ad and day, and count what belongs to no row of ``basic_ad``."""
    date = "CAST(TRY_CAST(date::VARCHAR AS TIMESTAMP) AS DATE)::VARCHAR"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {metric}_of AS SELECT ad_id::VARCHAR AS ad_id, {date} AS date, "
        f"sum(TRY_CAST(value AS DOUBLE)) AS value FROM {table} WHERE action_type IN ({kinds}) GROUP BY ALL"
    )
    key = f"(t.ad_id::VARCHAR, {date.replace('(date', '(t.date')})"
    lost = f"{key} NOT IN (SELECT (ad_id::VARCHAR, {date}) FROM basic_ad)"
    rows, apart, bought, lost_bought = _row(
        con,
        f"SELECT count(*), count(*) FILTER ({lost}), count(*) FILTER (action_type IN ({kinds})), "
        f"count(*) FILTER (action_type IN ({kinds}) AND {lost}) FROM {table} AS t",
    )
    return [
        f"{table}: {apart} of {rows} rows belong to no row of basic_ad; {bought} are purchases by ads.purchase_actions, "
        f"of which {lost_bought} do not join and are left out"
    ]


def _joined(con: duckdb.DuckDBPyConnection, table: str, left: str, right: str, other: str) -> str:
    rows, apart = _row(
        con,
        f"SELECT count(*), count(*) FILTER (id_there IS NULL) FROM (SELECT 1, {_side(right)} AS id_there "
        f"FROM {left} LEFT JOIN {right})",
    )
    return f"{table}: {apart} of {rows} rows have no name in {other} (their id stands for it)"


def _side(right: str) -> str:
    return f"{right.split(' AS ')[1].split(' ')[0]}.id"


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return tuple(int(v) for v in row)


def _layout(columns: Mapping[str, str], joins: str, files: list[str], notes: list[str]) -> Layout:
    parts = [f"({columns.get(name, 'NULL')})::VARCHAR AS {name}" for name in (*TEXTS, *NUMBERS)]
    present = frozenset(name for name, sql in columns.items() if sql != "NULL")
    shown = {name: name for name in columns}
    return Layout(f"SELECT {', '.join(parts)} FROM {joins}", present, shown, tuple(files), tuple(notes))
