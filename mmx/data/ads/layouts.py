"""What the columns of a table of ads mean: each schema as one SELECT with canonical columns, cells still as they came.

``flat`` takes the columns that the settings name. The exports of Meta's and Google's ad managers have names of their own,
thousands separators, and blanks where nothing happened. Fivetran's schemas are in ``fivetran.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmx.data.ads.sources import locate_all, name_of, open_table
from mmx.data.cells import listed
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings

ENTITIES = ("account", "campaign", "adset", "ad")
SPLITS = ("platform", "channel", "placement", "device", "country")
TEXTS = (*ENTITIES, *SPLITS, "date", "status")
NUMBERS = ("spend", "impressions", "clicks", "purchases", "revenue", "reach", "frequency", "ctr", "roas", "budget")
# Columns of the exports, the first that is there; what ends with * is the beginning of a name (a currency follows).
META = {
    "date": ("Day", "Date", "Reporting starts"),
    "account": ("Account name",),
    "campaign": ("Campaign name",),
    "adset": ("Ad set name",),
    "ad": ("Ad name",),
    "platform": ("Platform",),
    "placement": ("Placement",),
    "device": ("Impression device", "Device platform"),
    "country": ("Country",),
    "spend": ("Amount spent*",),
    "impressions": ("Impressions",),
    "clicks": ("Link clicks", "Clicks (all)"),
    "purchases": ("Purchases", "Website purchases"),
    "revenue": ("Purchases conversion value*", "Website purchases conversion value*"),
    "reach": ("Reach",),
    "frequency": ("Frequency",),
    "ctr": ("CTR (link click-through rate)", "CTR (all)"),
    "roas": ("Purchase ROAS*", "Website purchase ROAS*"),
    "budget": ("Ad set budget",),
    "status": ("Ad set delivery", "Delivery status"),
}
GOOGLE = {
    "date": ("Day", "Date"),
    "account": ("Account", "Account name"),
    "campaign": ("Campaign",),
    "adset": ("Ad group",),
    "ad": ("Ad ID", "Ad name"),
    "channel": ("Campaign type",),
    "placement": ("Network (with search partners)", "Network"),
    "device": ("Device",),
    "country": ("Country/Territory",),
    "spend": ("Cost",),
    "impressions": ("Impr.", "Impressions"),
    "clicks": ("Clicks",),
    "purchases": ("Conversions",),
    "revenue": ("Conv. value", "Total conv. value", "Conversion value"),
    "ctr": ("CTR",),
    "budget": ("Budget",),
    "status": ("Ad group status",),
}
BLANK_IS_ZERO = ("clicks", "purchases", "revenue")
NEEDED = ("date", "campaign", "spend", "impressions", "clicks", "purchases", "revenue")


@dataclass(frozen=True)
class Layout:
    """A table of ads with canonical columns.

    Attributes
    ----------
    sql : str
        A SELECT that gives every column of ``TEXTS`` and ``NUMBERS``, null where the table has none.
    present : frozenset of str
        Canonical columns that the table has.
    shown : mapping of str to str
        What the table calls them.
    paths : tuple of str
    notes : tuple of str
        What a reader should know of the reading.
    """

    sql: str
    present: frozenset[str]
    shown: Mapping[str, str]
    paths: tuple[str, ...]
    notes: tuple[str, ...]


def files(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> Layout:
    """Open the files of a configuration with the schema ``flat`` or one of the exports.

    Raises
    ------
    DataError
        Where a file or a column is missing.
    """
    paths = locate_all(settings.files, "ads.files")
    columns = list(open_table(con, "source", paths, settings))
    known = {"meta_export": META, "google_export": GOOGLE}.get(settings.table_schema, {})
    found = {name: hit for name, options in known.items() if (hit := _first(options, columns)) is not None}
    found |= {str(name): column for name, column in settings.columns.items()}
    _check(found, columns, settings, paths)
    parts = [f"{_text(found.get(name), name in settings.names.unify)} AS {name}" for name in TEXTS]
    parts += [f"{_number(name, found.get(name), settings.table_schema)} AS {name}" for name in NUMBERS]
    notes = []
    if settings.table_schema != "flat":
        notes.append(f"columns of {settings.table_schema}: {', '.join(f'{k} = {v!r}' for k, v in found.items())}")
    if settings.table_schema == "meta_export":
        notes.append(f"empty cells of {', '.join(n for n in BLANK_IS_ZERO if n in found)} are zero, as Meta writes them")
    return Layout(f"SELECT {', '.join(parts)} FROM source", frozenset(found), found, tuple(map(str, paths)), tuple(notes))


def require(columns: Mapping[str, str], table: str, needed: tuple[str, ...]) -> None:
    """Hold a table of a fixed schema against the columns that are read from it.

    Raises
    ------
    DataError
    """
    if lacking := [name for name in needed if name not in columns]:
        problem = Problem(
            f"ads.tables.{table}",
            f"it lacks {', '.join(lacking)}; it has {listed(list(columns), 30)}",
            "Fivetran's columns",
            "",
        )
        raise DataError(f"the table {table} cannot be used", [problem])


def _check(found: Mapping[str, str], columns: list[str], settings: AdsSettings, paths: list[Path]) -> None:
    problems = []
    for name, column in found.items():
        if column not in columns:
            near = difflib.get_close_matches(column, columns, 1, 0.5)
            hint = f"Did you mean {near[0]!r}?" if near else "Correct the name."
            problems.append(
                Problem(f"ads.columns.{name}", f"the table has no column {column!r}", f"one of {listed(columns, 30)}", hint)
            )
    for name in dict.fromkeys((*NEEDED, *settings.adset_key)):
        if name not in found:
            came = f"no column is {name} (schema: {settings.table_schema})"
            problems.append(
                Problem(f"ads.columns.{name}", came, f"one of {listed(columns, 30)}", f"Write ads.columns.{name}: COLUMN.")
            )
    if problems:
        raise DataError(f"the table of ads {listed(paths)} cannot be used", problems)


def _first(options: tuple[str, ...], columns: list[str]) -> str | None:
    """Return the first of some names that the table has, case aside."""
    for option in options:
        for column in columns:
            low, given = option.lower(), column.lower().strip()
            if given == low or (low.endswith("*") and given.startswith(low[:-1])):
                return column
    return None


def _text(column: str | None, exact: bool = False) -> str:
    """Return a cell without spaces around it, null where it is empty; ``exact`` keeps the spaces, which are a spelling."""
    if column is None:
        return "NULL::VARCHAR"
    cell = f"{name_of(column)}::VARCHAR"
    return f"CASE WHEN trim({cell}) <> '' THEN {cell} END" if exact else f"nullif(trim({cell}), '')"


def _number(name: str, column: str | None, schema: str) -> str:
    """Return a number's cell as text without what the exports put around it; a share for what they give per cent."""
    text = _text(column)
    if column is None or schema == "flat":
        return text
    text = f"nullif(regexp_replace({text}, '[,%\\s]', '', 'g'), '--')"
    if name in BLANK_IS_ZERO and schema == "meta_export":
        text = f"coalesce({text}, '0')"
    return f"(TRY_CAST({text} AS DOUBLE) / 100)::VARCHAR" if name == "ctr" else text
