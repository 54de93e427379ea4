"""What each column of the table is for, and long tables brought to one row per date and geo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from mmx.config import Config
from mmx.data.cells import Cells, Findings, Ints, is_missing, listed, numbers_of, plural, rows_of, text_of
from mmx.data.dates import read_dates
from mmx.data.source import Table
from mmx.schema import EventColumn

Kind = Literal[
    "date",
    "geo",
    "group",
    "kpi",
    "unit_value",
    "population",
    "spend",
    "exposure",
    "frequency",
    "organic",
    "treatment",
    "control",
    "event",
]
NUMERIC: tuple[Kind, ...] = (
    "kpi",
    "unit_value",
    "population",
    "spend",
    "exposure",
    "frequency",
    "organic",
    "treatment",
    "control",
)


@dataclass(frozen=True)
class Role:
    """One use of a column.

    Attributes
    ----------
    key : str
        Place in the configuration, such as ``data.channels.tv.spend``.
    column : str
    kind : str
    name : str
        Channel or organic medium it belongs to, else the column.
    """

    key: str
    column: str
    kind: Kind
    name: str


def roles_of(config: Config) -> tuple[Role, ...]:
    """Every use of a column that the configuration makes, in its order."""
    data = config.data
    roles = [Role("data.date", data.date, "date", data.date)]
    if data.geo is not None:
        roles.append(Role("data.geo", data.geo, "geo", data.geo))
    if data.group is not None:
        roles.append(Role("data.group", data.group, "group", data.group))
    if data.population is not None:
        roles.append(Role("data.population", data.population, "population", data.population))
    roles.append(Role("data.target", data.target, "kpi", data.target))
    if isinstance(data.unit_value, str):
        roles.append(Role("data.unit_value", data.unit_value, "unit_value", data.unit_value))
    for name, channel in data.channels.items():
        roles.append(Role(f"data.channels.{name}.spend", channel.spend, "spend", name))
        if channel.exposure is not None:
            roles.append(Role(f"data.channels.{name}.exposure", channel.exposure, "exposure", name))
        if channel.reach is not None and channel.frequency is not None:
            roles.append(Role(f"data.channels.{name}.reach", channel.reach, "exposure", name))
            roles.append(Role(f"data.channels.{name}.frequency", channel.frequency, "frequency", name))
    roles += [Role(f"data.organic.{n}.exposure", o.exposure, "organic", n) for n, o in data.organic.items()]
    roles += [Role("data.treatments", c, "treatment", c) for c in data.treatments]
    roles += [Role("data.controls", c, "control", c) for c in data.controls]
    if isinstance(data.events, EventColumn):
        roles.append(Role("data.events.column", data.events.column, "event", data.events.column))
    return tuple(roles)


def check_roles(table: Table, roles: Sequence[Role], findings: Findings, also: Iterable[str] = ()) -> tuple[Role, ...]:
    """Refuse columns that are missing or used twice, note those that are not used; return the roles that can be read.

    Parameters
    ----------
    also : iterable of str
        Columns that are used without a role.
    """
    present: list[Role] = []
    for role in roles:
        if role.column not in table.columns:
            missing_column(role.key, role.column, list(table.columns), findings)
        elif twin := next((r for r in present if r.column == role.column), None):
            came = f"column {role.column!r} is used twice, here and as {twin.key}"
            same_channel = {role.kind, twin.kind} == {"spend", "exposure"} and role.name == twin.name
            remedy = (
                "Take exposure out: without it spend is the exposure."
                if same_channel
                else "Name another column in one of the two places."
            )
            findings.refuse(role.key, came, "each column in one role", remedy)
        else:
            present.append(role)
    used = {r.column for r in roles} | set(also)
    if unused := [c for c in table.columns if c not in used]:
        findings.notes.append(f"Columns of the file that are not used: {', '.join(unused)}.")
    return tuple(present)


def missing_column(key: str, column: str, known: list[str], findings: Findings) -> None:
    """Refuse a column that the file lacks, with the nearest name."""
    folded = {k.strip().casefold(): k for k in reversed(known)}
    near = folded.get(column.strip().casefold())
    if near is None:
        close = difflib.get_close_matches(column.casefold(), list(folded), n=1, cutoff=0.6)
        near = folded[close[0]] if close else None
    hint = f"Did you mean {near!r}?" if near is not None else f"The file has {listed([repr(k) for k in known], 12)}."
    findings.refuse(key, f"the file has no column {column!r}", "a column of the file", hint)


def widen(table: Table, config: Config, findings: Findings) -> Table | None:
    """Turn a long table (date, geo, variable, value) into a wide one; a wide table passes through.

    A cell that stands several times becomes several rows, so that the check of duplicate keys sees it. None where the
    columns of the layout are missing.
    """
    layout, data = config.data.long, config.data
    if layout is None:
        return table
    named = [("data.date", data.date), ("data.long.variable", layout.variable), ("data.long.value", layout.value)]
    if data.geo is not None:
        named.insert(1, ("data.geo", data.geo))
    absent = [(key, column) for key, column in named if column not in table.columns]
    for key, column in absent:
        missing_column(key, column, list(table.columns), findings)
    if absent:
        return None
    unused = [c for c in table.columns if c not in {column for _, column in named}]
    if unused:
        findings.notes.append(f"Columns of the long table that are not used: {', '.join(unused)}.")
    variable = text_of(table.columns[layout.variable])
    blank = is_missing(table.columns[layout.variable])
    if blank.any():
        where = f"column {layout.variable!r}, {rows_of(table.lines[blank])}"
        findings.refuse(
            where, f"{plural(int(blank.sum()), 'row')} without a variable name", "a name in every row", "Fill it in."
        )
    return _pivot(table, data.date, data.geo, variable, table.columns[layout.value])


def _pivot(table: Table, date: str, geo: str | None, variable: Cells, value: Cells) -> Table:
    keys = [text_of(table.columns[c]) for c in (date, geo) if c is not None]
    frame = pd.DataFrame({f"k{i}": k for i, k in enumerate(keys)} | {"variable": variable}, dtype=object)
    again = frame.groupby(list(frame.columns), sort=False).cumcount().to_numpy()
    row = frame.assign(again=again).groupby([f"k{i}" for i in range(len(keys))] + ["again"], sort=False).ngroup().to_numpy()
    count = int(row.max()) + 1
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, row, np.arange(row.size))
    columns: dict[str, Cells] = {c: table.columns[c][first] for c in (date, geo) if c is not None}
    lines: dict[str, Ints] = {}
    for name in dict.fromkeys(variable.tolist()):
        here = variable == name
        cells = np.full(count, None, dtype=object)
        cells[row[here]] = value[here]
        columns[name] = cells
        lines[name] = np.zeros(count, dtype=np.int64)
        lines[name][row[here]] = table.lines[here]
    return replace(table, columns=columns, lines=table.lines[first], cell_lines=lines)


def hint_for_dates(table: Table, config: Config, roles: Sequence[Role], findings: Findings) -> None:
    """Where no cell of the date column is a date, name the column that holds dates."""
    for name, values in table.columns.items():
        if name == config.data.date or numbers_of(values)[1].sum() == 0:
            continue
        trial = Findings()
        if read_dates(name, values, table.lines_of(name), trial) is not None and not trial.problems:
            findings.refuse(
                "data.date", f"column {config.data.date!r} holds no dates", "the column of dates", f"Did you mean {name!r}?"
            )
            return
