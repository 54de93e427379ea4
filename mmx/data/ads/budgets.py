"""Daily budgets of ad sets, and those of campaigns and accounts as their sums.

A budget holds on days without a row, for at most 28 days after it was last seen; before it was first seen it is 0. Table
``budget_LEVEL``: ``id``, ``day``, ``budget`` (currency per day), ``last_change`` (the last day, not later, on which the budget
differed from the day before by more than 1 %; null where there was none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings
    from mmx.data.ads.layouts import Layout

HELD = 28
MOVED = 0.01
RECENT = 7


def write_budgets(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> list[str]:
    """Write ``budget_adset``, ``budget_campaign`` and ``budget_account`` from ``days_adset``.

    Returns
    -------
    list of str
        What a reader should know.

    Raises
    ------
    DataError
        Where the policy needs a column that the table lacks.
    """
    if settings.budget != "from_spend" and "budget" not in layout.present:
        came = f"budget: {settings.budget}, and the table has no budget (schema: {settings.table_schema})"
        remedy = "Name ads.columns.budget, or take ads.budget: from_spend."
        raise DataError("budgets cannot be read", [Problem("ads.budget", came, "a column of daily budgets", remedy)])
    con.execute(f"CREATE OR REPLACE TEMP TABLE known AS {_known(settings)}")
    last = HELD + settings.immature_days + 1
    con.execute(
        "CREATE OR REPLACE TABLE budget_adset AS WITH ends AS ("
        "SELECT d.id AS id, any_value(n.first_day) AS first_day, max(day) AS last_day, any_value(t.end_day) AS end_day "
        "FROM days_adset AS d JOIN names_adset AS n ON n.id = d.id JOIN end_days AS t USING (account_id) GROUP BY d.id), "
        f"spine AS (SELECT id, first_day, unnest(range(first_day, least(last_day + {last}, end_day) + INTERVAL 1 DAY, "
        "INTERVAL 1 DAY))::DATE AS day FROM ends), "
        "held AS (SELECT s.id AS id, s.day AS day, s.first_day AS first_day, "
        f"CASE WHEN k.day >= s.day - {HELD} THEN k.budget ELSE 0 END AS budget "
        "FROM spine AS s ASOF LEFT JOIN known AS k ON k.id = s.id AND s.day >= k.day) "
        "SELECT id, day, first_day, coalesce(CASE WHEN p.paused THEN 0 ELSE held.budget END, 0) AS budget "
        "FROM held LEFT JOIN days_adset AS p USING (id, day)"
    )
    con.execute("DROP TABLE known")
    for level, below in (("campaign", "adset"), ("account", "campaign")):
        con.execute(
            f"CREATE OR REPLACE TABLE budget_{level} AS SELECT n.parent AS id, day, any_value(up.first_day) AS first_day, "
            f"sum(b.budget ORDER BY b.id) AS budget FROM budget_{below} AS b JOIN names_{below} AS n ON n.id = b.id "
            f"JOIN names_{level} AS up ON up.id = n.parent GROUP BY n.parent, day"
        )
    for level in ("adset", "campaign", "account"):
        con.execute(f"CREATE OR REPLACE TABLE budget_{level} AS {_with_changes(level)}")
    return _notes(settings)


def _known(settings: AdsSettings) -> str:
    """Budgets on the days on which they are seen, as a SELECT of id, day, budget."""
    week = f"ORDER BY day RANGE BETWEEN INTERVAL {RECENT - 1} DAYS PRECEDING AND CURRENT ROW"
    if settings.budget == "column":
        return "SELECT id, day, budget FROM days_adset WHERE budget IS NOT NULL"
    if settings.budget == "from_spend":
        return (
            f"SELECT id, day, avg(spend) OVER (PARTITION BY id ORDER BY day ROWS {RECENT - 1} PRECEDING) AS budget "
            "FROM days_adset WHERE spend > 0"
        )
    return (
        "WITH own AS (SELECT d.id AS id, n.parent AS campaign, d.day AS day, d.budget AS budget, "
        f"sum(d.spend) OVER (PARTITION BY d.id {week}) AS spent FROM days_adset AS d JOIN names_adset AS n ON n.id = d.id), "
        "shared AS (SELECT *, sum(spent) OVER (PARTITION BY campaign, day) AS all_spent, "
        "count(*) OVER (PARTITION BY campaign, day) AS sets, max(budget) OVER (PARTITION BY campaign, day) AS whole FROM own) "
        "SELECT id, day, whole * CASE WHEN all_spent > 0 THEN spent / all_spent ELSE 1.0 / sets END AS budget FROM shared "
        "WHERE whole IS NOT NULL"
    )


def _with_changes(level: str) -> str:
    before = "lag(budget) OVER (PARTITION BY id ORDER BY day)"
    return (
        f"SELECT id, day, budget, max(changed) OVER (PARTITION BY id ORDER BY day ROWS UNBOUNDED PRECEDING) AS last_change "
        f"FROM (SELECT *, CASE WHEN abs(budget - {before}) > {MOVED} * {before} THEN day END AS changed FROM budget_{level})"
    )


def _notes(settings: AdsSettings) -> list[str]:
    if settings.budget == "from_spend":
        return [
            "budgets are not known: an ad set's is taken to be the mean of its last 7 days with spend, so that budget_change "
            "and days_since_change speak of spend, and utilisation is near 1 (ads.budget: from_spend)"
        ]
    if settings.budget == "campaign":
        return ["budgets are the campaigns': an ad set's is its share by the spend of the last 7 days (ads.budget: campaign)"]
    return []
