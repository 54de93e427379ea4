"""Names of a table of ads unified by the settings; see ``names.py`` for the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmx.data.ads.layouts import ENTITIES, SPLITS
from mmx.data.ads.names import Together, Unified, unify
from mmx.data.cells import listed
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings, NameSettings
    from mmx.data.ads.layouts import Layout


def unify_names(con: duckdb.DuckDBPyConnection, layout: Layout, settings: AdsSettings) -> dict[str, Unified]:
    """Replace spellings in ``typed`` by names, for the columns of ``ads.names``.

    Returns
    -------
    dict of str to Unified
        By column.

    Raises
    ------
    DataError
        For ambiguous spellings whose policy is ``refuse``, and mapped spellings that the table lacks.
    """
    names, problems = settings.names, []
    found: dict[str, Unified] = {}
    for column in [c for c in ENTITIES if c in names.unify or c in names.mapping]:
        if column not in layout.present:
            problems.append(
                Problem(
                    f"ads.names: {column}", "the table has no such column", f"one of {listed(sorted(layout.present), 20)}", ""
                )
            )
            continue
        rows = dict(con.execute(f"SELECT {column}, count(*) FROM typed GROUP BY 1 ORDER BY 1").fetchall())
        mapping = names.mapping.get(column, {})
        if lacking := [spelling for spelling in mapping if spelling not in rows]:
            came = f"the table has no {column} {listed([repr(s) for s in lacking])}"
            problems.append(Problem(f"ads.names.mapping.{column}", came, "spellings of the table", "Take them out."))
        unified = _unified(con, column, rows, mapping, names)
        problems += _ambiguous(column, unified, names)
        found[column] = unified
    if problems:
        raise DataError("the names of the table of ads cannot be unified", problems)
    for name, unified in found.items():
        changed = [(s.spelling, s.name) for s in unified.spellings if s.spelling != s.name]
        if changed:
            con.execute("CREATE OR REPLACE TEMP TABLE renamed (spelling VARCHAR, name VARCHAR)")
            con.executemany("INSERT INTO renamed VALUES (?, ?)", changed)
            con.execute(f"UPDATE typed SET {name} = renamed.name FROM renamed WHERE typed.{name} = renamed.spelling")
    return found


def _unified(
    con: duckdb.DuckDBPyConnection, column: str, rows: dict[str, int], mapping: dict[str, str], names: NameSettings
) -> Unified:
    if column not in names.unify:
        keep = {spelling: spelling for spelling in rows} | mapping
        return unify(rows, keep)
    return unify(rows, mapping, rare=names.rare, shortest=names.shortest, together=_together(con, column))


def _together(con: duckdb.DuckDBPyConnection, column: str) -> Together:
    """Whether two sets of spellings have rows of one day that no other column tells apart."""
    others = [c for c in (*ENTITIES, *SPLITS) if c != column]
    same = " AND ".join(f"a.{c} IS NOT DISTINCT FROM b.{c}" for c in others)

    def together(slip: Sequence[str], name: Sequence[str]) -> bool:
        sql = (
            f"SELECT 1 FROM typed AS a JOIN typed AS b ON a.day = b.day AND {same} "
            f"WHERE list_contains(?::VARCHAR[], a.{column}) AND list_contains(?::VARCHAR[], b.{column}) LIMIT 1"
        )
        return con.execute(sql, [list(slip), list(name)]).fetchone() is not None

    return together


def _ambiguous(column: str, unified: Unified, names: NameSettings) -> list[Problem]:
    if names.ambiguous == "keep":
        return []
    return [
        Problem(
            f"{column} {spelling!r}",
            f"it is one letter from {listed([repr(c) for c in candidates])}",
            "one name that is meant",
            f"Write it into ads.names.mapping.{column}, or take ads.names.ambiguous: keep.",
        )
        for spelling, candidates in unified.ambiguous
    ]
