"""Empty cells recovered from other columns of their row, marked and counted; what stays empty goes by policy.

    clicks = round(CTR x impressions)    spend = revenue / ROAS    revenue = spend x ROAS    reach = impressions / frequency

A formula is used only where it holds on the rows that have all of its columns. Recovered values are as exact as the ratio was
written: the error that rounding it can make is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmx.data.ads.typed import METRICS
from mmx.data.cells import plural
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings
    from mmx.data.ads.layouts import Layout

MARKED = ("spend", "clicks", "revenue", "reach")
DIGITS = 8


@dataclass(frozen=True)
class Formula:
    """How a metric follows from others.

    Attributes
    ----------
    sql : str
    words : str
    ratio : str
        The rounded column in it.
    given : str
        When it can be computed.
    """

    sql: str
    words: str
    ratio: str
    given: str


FORMULAS = {
    "clicks": Formula("round(ctr * impressions)", "CTR x impressions", "ctr", "ctr IS NOT NULL AND impressions IS NOT NULL"),
    "spend": Formula("revenue / roas", "revenue / ROAS", "roas", "revenue > 0 AND roas > 0"),
    "revenue": Formula("spend * roas", "spend x ROAS", "roas", "spend IS NOT NULL AND roas IS NOT NULL"),
    "reach": Formula("impressions / frequency", "impressions / frequency", "frequency", "frequency > 0"),
}


@dataclass(frozen=True)
class Recovery:
    """What was recovered of one metric.

    Attributes
    ----------
    metric, formula : str
    missing, recovered : int
        Empty cells, and those of them that have a value now.
    worst : float
        Largest relative error that rounding of the ratio can have made.
    """

    metric: str
    formula: str
    missing: int
    recovered: int
    worst: float


def recover(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> tuple[list[Recovery], dict[str, int]]:
    """Lay the view ``filled`` over ``typed``, completed by ``ads.recover`` and ``ads.missing``.

    It has a column ``METRIC_recovered`` for each of ``MARKED``.

    Returns
    -------
    tuple
        What was recovered, and rows dropped or cells set to zero by policy, by ``METRIC: policy``.

    Raises
    ------
    DataError
        Where a formula does not hold, or cells stay empty whose policy is ``refuse``.
    """
    found, values, problems = [], {}, []
    for metric in settings.recover:
        formula = FORMULAS[metric]
        if formula.ratio not in layout.present:
            came = f"recover has {metric}, and the table has no {formula.ratio}"
            problems.append(Problem("ads.recover", came, f"a column {formula.ratio}", "Name it, or take the metric out."))
            continue
        if (problem := _disagrees(con, metric, formula, settings)) is not None:
            problems.append(problem)
            continue
        found.append(_count(con, metric, formula))
        values[metric] = f"CASE WHEN {metric} IS NULL AND {formula.given} THEN {formula.sql} ELSE {metric} END"
    if problems:
        raise DataError("values cannot be recovered as ads.recover asks", problems)
    replaced = ", ".join(f"{sql} AS {metric}" for metric, sql in values.items())
    marks = ", ".join(
        f"({m} IS NULL AND {FORMULAS[m].given}) AS {m}_recovered" if m in values else f"false AS {m}_recovered" for m in MARKED
    )
    star = f"* REPLACE ({replaced})" if replaced else "*"
    con.execute(f"CREATE OR REPLACE VIEW whole AS SELECT {star}, {marks} FROM typed")
    return found, _policies(con, layout, settings)


def _disagrees(con: duckdb.DuckDBPyConnection, metric: str, formula: Formula, settings: AdsSettings) -> Problem | None:
    error, rows = _row(
        con,
        f"SELECT median(abs({formula.sql} - {metric}) / {metric}), count(*) FROM typed WHERE {metric} > 0 AND {formula.given}",
    )
    if rows == 0 or error <= settings.recover_error:
        return None
    came = f"{formula.words} misses {metric} by {100 * error:.3g} % in the median of {rows:g} complete rows"
    remedy = "Is the column per cent, or of another metric? Correct ads.columns, or take the metric out of ads.recover."
    return Problem(f"ads.recover: {metric}", came, f"at most {100 * settings.recover_error:g} % (ads.recover_error)", remedy)


def _count(con: duckdb.DuckDBPyConnection, metric: str, formula: Formula) -> Recovery:
    ratio = formula.ratio
    digits = next(
        (
            k
            for k in range(DIGITS)
            if _row(con, f"SELECT coalesce(bool_and(round({ratio}, {k}) = {ratio}), true)::INT FROM typed")[0]
        ),
        DIGITS,
    )
    missing, recovered, least = _row(
        con,
        f"SELECT count(*) FILTER ({metric} IS NULL), count(*) FILTER ({metric} IS NULL AND {formula.given}), "
        f"coalesce(min({ratio}) FILTER ({metric} IS NULL AND {formula.given} AND {ratio} > 0), 1) FROM typed",
    )
    return Recovery(metric, formula.words, int(missing), int(recovered), 0.5 * 10.0**-digits / least)


def _policies(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> dict[str, int]:
    """Refuse, drop or set to zero what is empty still."""
    problems, done = [], {}
    empty = _row(con, f"SELECT {', '.join(f'count(*) FILTER ({m} IS NULL)' for m in METRICS)} FROM whole")
    for metric, count in zip(METRICS, map(int, empty), strict=True):
        policy = getattr(settings.missing, metric)
        if not count:
            continue
        if policy == "refuse":
            came = f"{plural(count, 'row')} without {metric}" + (" after recovery" if metric in settings.recover else "")
            remedy = f"Complete them, or write ads.missing.{metric}: drop (the rows) or zero."
            problems.append(Problem(f"column {layout.shown.get(metric, metric)!r}", came, "a value in each row", remedy))
        elif metric in layout.present:
            done[f"{metric}: {policy}"] = count
    if problems:
        raise DataError("the table of ads has empty cells", problems)
    dropped = [m for m in METRICS if getattr(settings.missing, m) == "drop"]
    kept = f" WHERE {' AND '.join(f'{m} IS NOT NULL' for m in dropped)}" if dropped else ""
    zero = [m for m in METRICS if getattr(settings.missing, m) == "zero"]
    filled = f"REPLACE ({', '.join(f'coalesce({m}, 0) AS {m}' for m in zero)})" if zero else ""
    con.execute(f"CREATE OR REPLACE VIEW filled AS SELECT * {filled} FROM whole{kept}")
    return done


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return tuple(0.0 if v is None else float(v) for v in row)
