"""The KPI of every geo over time, without media: what an experiment on geos is read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmx.config import Config
from mmx.data.cells import Dates, Findings, Floats, plural
from mmx.data.dates import lay_grid, read_dates
from mmx.data.layout import check_roles, hint_for_dates, roles_of
from mmx.data.rows import Rows, check_balance, read_rows, settle_duplicates
from mmx.data.source import read_table
from mmx.errors import DataError


@dataclass(frozen=True)
class Outcomes:
    """A complete table of one KPI by geo and period.

    Attributes
    ----------
    geos : tuple of str
    dates : array of datetime64[D], (time + 1,)
        First day of each period, and the day after the last.
    kpi : array, (geo, time)
    frequency : str
        ``daily``, ``weekly`` or ``monthly``.
    source, sha256 : str
        The file and the digest of its bytes.
    notes : tuple of str
    """

    geos: tuple[str, ...]
    dates: Dates
    kpi: Floats
    frequency: str
    source: str
    sha256: str
    notes: tuple[str, ...] = ()


def load_outcomes(config: Config, path: Path) -> Outcomes:
    """Read date, geo and KPI of a table under the data contract.

    Parameters
    ----------
    config : Config
        Of which ``data.date``, ``data.geo``, ``data.target`` and ``data.policies.duplicates`` are used.
    path : Path

    Raises
    ------
    DataError
        With every problem: missing columns, unreadable cells, gaps, geos without some dates, empty cells of the KPI.
    """
    raw = read_table(path)
    findings = Findings(list(raw.problems))
    roles = check_roles(raw, [r for r in roles_of(config) if r.kind in ("date", "geo", "kpi")], findings)
    dates, column = None, config.data.date
    if column in raw.columns:
        dates = read_dates(column, raw.columns[column], raw.lines_of(column), findings)
        if dates is None:
            hint_for_dates(raw, config, roles, findings)
    rows = settle_duplicates(read_rows(raw, roles, dates, config, findings), raw, config, findings)
    grid = None
    if dates is not None and raw.complete:
        grid = lay_grid(column, dates, findings)
        check_balance(rows, config, findings)
    _check_kpi(rows, config.data.target, findings)
    if findings.problems or grid is None:
        what = f"the table {raw.path} cannot be used: {plural(len(findings.problems), 'problem')} ({raw.counting})"
        raise DataError(what, findings.problems)
    geos = tuple(dict.fromkeys(rows.geos.tolist()))
    kpi = np.full((len(geos), grid.labels.size), np.nan)
    kpi[[geos.index(g) for g in rows.geos], np.searchsorted(grid.labels, rows.dates)] = rows.numbers[config.data.target]
    source = str(Path(raw.path).resolve())
    return Outcomes(geos, grid.starts, kpi, grid.frequency, source, raw.sha256, tuple(findings.notes))


def _check_kpi(rows: Rows, target: str, findings: Findings) -> None:
    if target not in rows.numbers:
        return
    missing = ~np.isfinite(rows.numbers[target]) & ~rows.unread[target]
    if missing.any():
        came = f"{plural(int(missing.sum()), 'cell')} of the KPI without a finite number"
        where = f"column {target!r}, {rows.where(missing, target)}"
        findings.refuse(where, came, "a number in every row", "Fill them in, or leave these dates or geos out of the table.")
