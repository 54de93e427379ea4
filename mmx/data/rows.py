"""The table with its cells read: one row per geo and date, numbers as numbers, duplicates settled, the window marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mmx.config import Config
from mmx.data.cells import (
    Bools,
    Cells,
    Dates,
    Findings,
    Floats,
    Ints,
    diagnose,
    is_missing,
    listed,
    numbers_of,
    plural,
    rows_of,
    text_of,
)
from mmx.data.dates import Grid
from mmx.data.layout import NUMERIC, Kind, Role
from mmx.data.panel import NATIONAL
from mmx.data.source import Table

SUMMED: tuple[Kind, ...] = ("kpi", "spend", "exposure", "organic")


@dataclass(frozen=True)
class Rows:
    """Cells of the used columns.

    Attributes
    ----------
    dates : array of datetime64[D], (row,)
        NaT where unknown.
    geos : array of str, (row,)
    groups : array of str, (row,), or None
        What the geos are grouped by.
    lines : array of int, (row,)
        Line of the file.
    roles : tuple of Role
        Uses of the columns that the file has.
    numbers : mapping of column to array, (row,)
        NaN where empty or unreadable.
    unread : mapping of column to array of bool, (row,)
        Cells that were refused as text already.
    cell_lines : mapping of column to array of int, (row,)
    events : array of str, (row,), or None
        Event column; empty where there is none.
    inside : array of bool, (row,)
        Rows of the KPI window.
    """

    dates: Dates
    geos: Cells
    groups: Cells | None
    lines: Ints
    roles: tuple[Role, ...]
    numbers: Mapping[str, Floats]
    unread: Mapping[str, Bools]
    cell_lines: Mapping[str, Ints]
    events: Cells | None
    inside: Bools

    def of(self, *kinds: Kind) -> tuple[Role, ...]:
        """Roles of some kinds, in the order of the configuration."""
        return tuple(r for r in self.roles if r.kind in kinds)

    def where(self, mask: Bools, column: str | None = None) -> str:
        """Name the rows of a mask by line, date and geo, the first few and the count of the rest."""
        lines = self.lines if column is None else self.cell_lines.get(column, self.lines)
        many = len(set(self.geos.tolist())) > 1
        shown = []
        for i in np.flatnonzero(mask):
            label = ", ".join(
                str(p) for p in ([self.geos[i]] if many else []) + ([] if np.isnat(self.dates[i]) else [self.dates[i]])
            )
            place = str(lines[i]) if lines[i] else "without a line"
            shown.append(f"{place} ({label})" if label else place)
        return rows_of(shown)

    def with_numbers(self, column: str, values: Floats) -> Rows:
        """Return a copy with the values of one column replaced."""
        return replace(self, numbers={**self.numbers, column: values})


def read_rows(table: Table, roles: Sequence[Role], dates: Dates | None, config: Config, findings: Findings) -> Rows:
    """Read every used cell, refusing text in number columns with examples."""
    size = table.lines.size
    numbers: dict[str, Floats] = {}
    unread: dict[str, Bools] = {}
    for role in roles:
        if role.kind in NUMERIC:
            numbers[role.column], unread[role.column] = numbers_of(table.columns[role.column])
            _refuse_text(table, role, unread[role.column], findings)
    events = next((table.columns[r.column] for r in roles if r.kind == "event"), None)
    if events is not None:
        events = np.where(is_missing(events), "", np.array([t.strip() for t in text_of(events)], dtype=object))
    known = np.full(size, np.datetime64("NaT", "D")) if dates is None else dates
    return Rows(
        dates=known,
        geos=_labels(table, roles, "geo", NATIONAL, findings),
        groups=_labels(table, roles, "group", "", findings) if any(r.kind == "group" for r in roles) else None,
        lines=table.lines,
        roles=tuple(roles),
        numbers=numbers,
        unread=unread,
        cell_lines=table.cell_lines,
        events=events,
        inside=np.full(size, dates is None) | ~np.isnat(known),
    )


def _refuse_text(table: Table, role: Role, bad: Bools, findings: Findings) -> None:
    if not bad.any():
        return
    values, lines = table.columns[role.column], table.lines_of(role.column)
    found = np.flatnonzero(bad)
    what, remedy = diagnose(str(values[found[0]]))
    shown = [f"{lines[i]} ({str(values[i])[:40]!r})" for i in found]
    came = f"{plural(found.size, 'cell')} of text in a number column" + (f": {what}" if what else "")
    findings.refuse(f"column {role.column!r}, {rows_of(shown)}", came, f"numbers, as {role.key} names it", remedy)


def _labels(table: Table, roles: Sequence[Role], kind: Kind, default: str, findings: Findings) -> Cells:
    """Geos, or what they are grouped by, as text."""
    role = next((r for r in roles if r.kind == kind), None)
    if role is None:
        return np.full(table.lines.size, default, dtype=object)
    labels = text_of(table.columns[role.column])
    # "NA" is Namibia here, so only a truly empty cell is a missing geo
    blank = np.array([not g.strip() for g in labels], dtype=bool)
    if blank.any():
        where = f"column {role.column!r}, {rows_of(table.lines_of(role.column)[blank])}"
        came = f"{plural(int(blank.sum()), 'row')} without a {kind}"
        findings.refuse(where, came, f"a {kind} in every row", "Fill it in or delete the rows.")
    refuse_spellings(role.column, labels[~blank], findings)
    return labels


def refuse_spellings(column: str, levels: Cells, findings: Findings) -> None:
    """Refuse levels that differ only by case or spaces."""
    spelt: dict[str, list[str]] = {}
    for level in dict.fromkeys(levels.tolist()):
        spelt.setdefault(" ".join(str(level).casefold().split()), []).append(str(level))
    if twins := [" / ".join(repr(s) for s in v) for v in spelt.values() if len(v) > 1]:
        came = f"levels that differ only by case or spaces: {listed(twins)}"
        findings.refuse(f"column {column!r}", came, "one spelling per level", "Write each level in one way.")


def settle_duplicates(rows: Rows, table: Table, config: Config, findings: Findings) -> Rows:
    """Refuse rows with the same key, or sum them where the policy says so; the first of each key stays."""
    keyed = ~np.isnat(rows.dates)
    key = pd.DataFrame({"geo": rows.geos, "date": rows.dates})
    again = key.duplicated().to_numpy() & keyed
    if not again.any():
        return rows
    group = np.asarray(key.groupby(["geo", "date"], sort=False, dropna=False).ngroup(), dtype=np.int64)
    several = np.isin(group, group[again])
    if config.data.policies.duplicates == "sum":
        rows = _summed(rows, group, several & keyed, ~again, findings)
        findings.notes.append(
            f"Policy duplicates: sum added up {plural(int((several & keyed).sum()), 'row')} with the same key "
            f"({rows.where(several & keyed)})."
        )
    else:
        what = "date" if config.data.geo is None else "date and geo"
        came = f"{plural(int(again.sum()), 'row')} with a {what} that stands above already"
        remedy = _duplicate_remedy(table, rows, config)
        findings.refuse(f"duplicate keys, {rows.where(several & keyed)}", came, f"one row per {what}", remedy)
    return _take(rows, ~again)


def _duplicate_remedy(table: Table, rows: Rows, config: Config) -> str:
    used = {r.column for r in rows.roles}
    if config.data.geo is None and not table.cell_lines:
        for name, values in table.columns.items():
            text = text_of(values)
            if (
                name not in used
                and 1 < len(set(text)) < text.size
                and not pd.DataFrame({"d": rows.dates, "g": text}).duplicated().any()
            ):
                return f"If there is a row per {name!r}, set data.geo: {name}; otherwise delete the repeated rows."
    return "Delete the repeated rows, or set data.policies.duplicates: sum to add them up."


def _summed(rows: Rows, group: Ints, several: Bools, first: Bools, findings: Findings) -> Rows:
    numbers = dict(rows.numbers)
    for role in rows.of(*NUMERIC):
        lines = rows.cell_lines.get(role.column, rows.lines)
        values = rows.numbers[role.column].copy()
        given = several & (lines > 0)
        table = pd.Series(values[given]).groupby(group[given])
        if role.kind in SUMMED:
            merged = table.sum(skipna=False)
        else:
            merged = table.first()
            if (table.nunique(dropna=False) > 1).any():
                odd = given & np.isin(group, merged.index[(table.nunique(dropna=False) > 1).to_numpy()])
                came = f"values differ among rows with the same key ({role.kind} values cannot be summed)"
                findings.refuse(
                    f"column {role.column!r}, {rows.where(odd, role.column)}", came, "one value per key", "Make them agree."
                )
        at = several & first
        values[at] = merged.reindex(group[at]).to_numpy()
        numbers[role.column] = values
    events = rows.events
    if events is not None:
        column = rows.of("event")[0].column
        given = several & (rows.cell_lines.get(column, rows.lines) > 0)
        levels = pd.Series(events[given]).groupby(group[given])
        if (levels.nunique() > 1).any():
            odd = given & np.isin(group, levels.nunique().index[(levels.nunique() > 1).to_numpy()])
            where = f"column {column!r}, {rows.where(odd, column)}"
            findings.refuse(where, "events differ among rows with the same key", "one event per key", "Make them agree.")
        at = several & first
        events = events.copy()
        events[at] = levels.first().reindex(group[at]).fillna("").to_numpy()
    return replace(rows, numbers=numbers, events=events)


def _take(rows: Rows, keep: Bools) -> Rows:
    return Rows(
        dates=rows.dates[keep],
        geos=rows.geos[keep],
        groups=None if rows.groups is None else rows.groups[keep],
        lines=rows.lines[keep],
        roles=rows.roles,
        numbers={k: v[keep] for k, v in rows.numbers.items()},
        unread={k: v[keep] for k, v in rows.unread.items()},
        cell_lines={k: v[keep] for k, v in rows.cell_lines.items()},
        events=None if rows.events is None else rows.events[keep],
        inside=rows.inside[keep],
    )


def mark_window(rows: Rows, grid: Grid | None, config: Config, findings: Findings) -> Rows:
    """Mark the rows of ``data.window``; refuse bounds that are no dates of the table."""
    unique = np.unique(rows.dates[~np.isnat(rows.dates)])
    if not unique.size:
        return rows
    bounds = []
    for name, given, default in (("start", config.data.window.start, unique[0]), ("end", config.data.window.end, unique[-1])):
        bound = default if given is None else np.datetime64(given, "D")
        where = f"data.window.{name}"
        if not unique[0] <= bound <= unique[-1]:
            came = f"{bound} lies outside the data, {unique[0]} to {unique[-1]}"
            findings.refuse(where, came, "a date of the table, or null", "Correct it.")
            bound = default
        elif bound not in unique:
            i = int(np.searchsorted(unique, bound))
            came = f"{bound} is not a date of the table; the nearest are {unique[i - 1]} and {unique[i]}"
            findings.refuse(
                where,
                came,
                f"the first day of a {grid.frequency if grid else ''} period".replace("  ", " "),
                "Take one of these.",
            )
        bounds.append(bound)
    inside = (rows.dates >= bounds[0]) & (rows.dates <= bounds[1])
    return replace(rows, inside=inside)


def check_balance(rows: Rows, config: Config, findings: Findings) -> None:
    """Refuse geos that lack dates which other geos have."""
    known = ~np.isnat(rows.dates)
    unique = np.unique(rows.dates[known])
    ragged = []
    count = 0
    for geo in dict.fromkeys(g for g in rows.geos[known].tolist() if g):
        lacking = np.setdiff1d(unique, rows.dates[known & (rows.geos == geo)])
        if lacking.size:
            ragged.append(f"{geo!r} lacks {lacking.size} of {unique.size} dates ({listed(lacking, 3)})")
            count += lacking.size
    # rows without a geo or a date were refused already and may be the ones that are missing here
    if count > int((~known | (rows.geos == "")).sum()):
        came = f"the panel is ragged: {listed(ragged)}"
        remedy = (
            "Add the missing rows (spend 0 where nothing was spent), shorten all geos to common dates, or leave the geo out."
        )
        findings.refuse(f"column {config.data.geo!r}", came, "the same dates for every geo", remedy)
