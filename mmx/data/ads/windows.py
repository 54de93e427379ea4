"""Features of a range of dates in SQL: a dense grid of days per entity, sums over windows of days, then the formulas.

For dates D in [first, last] the grid has all days from first - 1 - (27 + m) to last - 1 of every entity with a row in them, so
that each window is whole and no sum is taken by difference. An entity has features while it has a row in the last 28 + m days.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mmx.data.ads.definitions import WINDOWS, WITH_BUDGET, WITH_ORDERS, features_of
from mmx.data.ads.entities import LEVELS, PARENT
from mmx.data.ads.sources import quoted
from mmx.data.ads.typed import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from mmx.ads_settings import AdsSettings

LOOK_BACK = 28
MATURITY_DAYS = 7
DAY = dt.timedelta(days=1)


def write_macros(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> None:
    """Define what the formulas call."""
    nan = "'NaN'::DOUBLE"
    con.execute(f"CREATE OR REPLACE MACRO ratio(a, b) AS CASE WHEN b > 0 THEN a / b ELSE {nan} END")
    con.execute(f"CREATE OR REPLACE MACRO log_ratio(a, b) AS CASE WHEN a > 0 AND b > 0 THEN ln(a / b) ELSE {nan} END")
    curve = [*settings.delay_curve, *([1.0] * MATURITY_DAYS)][:MATURITY_DAYS]
    con.execute(f"CREATE OR REPLACE MACRO maturity() AS {sum(curve) / MATURITY_DAYS!r}::DOUBLE")
    budget = nan if settings.month_budget is None else f"{settings.month_budget!r}::DOUBLE"
    con.execute(f"CREATE OR REPLACE MACRO month_budget() AS {budget}")


def write_sums(
    con: duckdb.DuckDBPyConnection, level: str, first: dt.date, last: dt.date, settings: AdsSettings, orders: bool
) -> None:
    """Write the temporary table ``sums_LEVEL``: one row per entity and date in [first, last].

    Parameters
    ----------
    con : connection
        With the tables that ``prepare`` writes.
    level : str
    first, last : date
    settings : AdsSettings
    orders : bool
        Whether ``days_orders_LEVEL`` exists.
    """
    m = settings.immature_days
    low, high = first - DAY * (LOOK_BACK + m), last - DAY
    shop = orders and level in WITH_ORDERS
    budget = level in WITH_BUDGET
    columns = ", ".join(f"coalesce(d.{name}, 0) AS {name}" for name in METRICS)
    joins = [f"LEFT JOIN (SELECT * FROM days_{level} WHERE day BETWEEN '{low}' AND '{high}') AS d USING (id, day)"]
    if budget:
        columns += ", coalesce(b.budget, 0) AS budget, b.last_change AS last_change"
        joins.append(f"LEFT JOIN (SELECT * FROM budget_{level} WHERE day BETWEEN '{low}' AND '{high}') AS b USING (id, day)")
    if shop:
        columns += ", coalesce(o.revenue, 0) AS shop_revenue"
        joins.append(f"LEFT JOIN days_orders_{level} AS o USING (id, day)")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE sums_{level} AS WITH "
        f"live AS (SELECT DISTINCT id FROM days_{level} WHERE day BETWEEN '{low}' AND '{high}'), "
        f"spine AS (SELECT live.id AS id, n.first_day AS first_day, e.end_day AS end_day, d.day AS day FROM live "
        f"JOIN names_{level} AS n ON n.id = live.id JOIN end_days AS e ON e.account_id = n.account_id, "
        f"(SELECT unnest(range(DATE '{low}', DATE '{high}' + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS day) AS d), "
        f"dense AS (SELECT spine.*, d.id IS NOT NULL AS present, {columns} FROM spine {' '.join(joins)}), "
        f"marked AS ({_marked(m)}), "
        f"summed AS (SELECT *, {', '.join(_windowed(m, first, budget, shop))} FROM marked "
        f"WINDOW {', '.join(_frames(m))}) "
        f"SELECT *, day + 1 AS date, (day - first_day) + 1 AS age_days{_since(budget)} FROM summed "
        f"WHERE day >= DATE '{first}' - 1 AND day >= first_day AND day <= end_day AND seen > 0"
    )


def copy_features(
    con: duckdb.DuckDBPyConnection, level: str, path: Path, settings: AdsSettings, orders: bool
) -> dict[str, int]:
    """Write the features of ``sums_LEVEL`` (and its parent's) as Parquet.

    Returns
    -------
    dict of str to int
        Rows (``rows``), and values by feature that are not NaN.
    """
    features = features_of(level, orders)
    kind = "DOUBLE" if settings.precision == "double" else "FLOAT"
    names, joins = _names(level)
    values = ", ".join(f"({f.formula})::{kind} AS {f.name}" for f in features)
    if level in PARENT:
        joins += f" JOIN sums_{PARENT[level]} AS p ON p.id = n.parent AND p.day = s.day"
    con.execute(
        f"COPY (SELECT s.date AS date, {names}, {values} FROM sums_{level} AS s JOIN names_{level} AS n ON n.id = s.id {joins} "
        f"ORDER BY s.date, s.id) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )
    counts = ", ".join(f"count(*) FILTER (NOT isnan({f.name}))" for f in features)
    row = con.execute(f"SELECT count(*), {counts} FROM read_parquet({quoted(str(path))})").fetchone()
    assert row is not None
    return dict(zip(("rows", *(f.name for f in features)), row, strict=True))


def _names(level: str) -> tuple[str, str]:
    """Columns of names from the account down to a level, and the joins that give them."""
    chain = LEVELS[: LEVELS.index(level) + 1]
    columns, joins, below = {level: "n.name"}, "", "n"
    for up in reversed(chain[:-1]):
        joins += f" JOIN names_{up} AS n_{up} ON n_{up}.id = {below}.parent"
        columns[up], below = f"n_{up}.name", f"n_{up}"
    return ", ".join(f"{columns[name]} AS {name}" for name in chain), joins


def _frames(m: int) -> list[str]:
    by = "PARTITION BY id ORDER BY day ROWS BETWEEN"
    raw = [f"r{w} AS ({by} {w - 1} PRECEDING AND CURRENT ROW)" for w in WINDOWS if w > 1]
    ripe = [f"m{w} AS ({by} {w - 1 + m} PRECEDING AND {m} PRECEDING)" for w in WINDOWS]
    return [
        *raw,
        *ripe,
        f"prior AS ({by} {LOOK_BACK - 1} PRECEDING AND 7 PRECEDING)",
        f"reach_back AS ({by} {LOOK_BACK - 1 + m} PRECEDING AND CURRENT ROW)",
        f"so_far AS ({by} UNBOUNDED PRECEDING AND CURRENT ROW)",
        "plain AS (PARTITION BY id ORDER BY day)",
    ]


def _windowed(m: int, first: dt.date, budget: bool, shop: bool) -> list[str]:
    raw = ("spend", "impressions", "clicks", "reach", *(("shop_revenue",) if shop else ()))
    ripe = {"purchases": "purchases", "revenue": "revenue", "mature_spend": "spend", "mature_clicks": "clicks"}
    out = [f"{name} AS {name}_1d" if w == 1 else f"sum({name}) OVER r{w} AS {name}_{w}d" for name in raw for w in WINDOWS]
    for name, metric in ripe.items():
        out += [f"coalesce(sum({metric}) OVER m{w}, 0) AS {name}_{w}d" for w in WINDOWS]
    out += [
        "stddev_pop(spend) OVER r14 AS spend_sd",
        "coalesce(stddev_pop(revenue) OVER m14, 0) AS revenue_sd",
        "sum(clicks) OVER prior AS clicks_prior",
        "sum(impressions) OVER prior AS impressions_prior",
        "sum((spend > 0)::INTEGER) OVER r28 AS active_days",
        "sum(present::INTEGER) OVER reach_back AS seen",
        f"sum(CASE WHEN day >= DATE '{first}' THEN spend ELSE 0 END) OVER so_far AS month_spend",
        f"coalesce(lag(unpaid, {m}) OVER plain, 0) AS spend_since_purchase",
    ]
    if budget:
        out += ["sum(budget) OVER r7 AS budget_7d", "coalesce(lag(budget, 7) OVER plain, 0) AS budget_before"]
        out += [
            f"sum(purchases) OVER (PARTITION BY id ORDER BY day ROWS {k} PRECEDING) AS purchases_back_{k}" for k in range(7)
        ]
    return out


def _marked(m: int) -> str:
    """Add the spend since the last day with a purchase, at most 28 days back."""
    return (
        "SELECT *, sum(CASE WHEN purchases > 0 THEN 0 ELSE spend END) OVER (PARTITION BY id, bought ORDER BY day "
        f"ROWS {LOOK_BACK - 1} PRECEDING) AS unpaid FROM (SELECT *, "
        "sum((purchases > 0)::INTEGER) OVER (PARTITION BY id ORDER BY day ROWS UNBOUNDED PRECEDING) AS bought FROM dense)"
    )


def _since(budget: bool) -> str:
    if not budget:
        return ""
    cases = " ".join(f"WHEN {k} THEN purchases_back_{k}" for k in range(6))
    return (
        ", coalesce(day - last_change, day - first_day + 1) AS days_since_change"
        f", CASE coalesce(day - last_change, 6) {cases} ELSE purchases_back_6 END AS learning_events"
    )
