"""From a configuration to a panel: find the file, read it, hold it against the data contract, lay it out."""

from __future__ import annotations

from pathlib import Path

from mmx.config import Config
from mmx.data.build import build_panel
from mmx.data.cells import Findings
from mmx.data.contract import check_values
from mmx.data.dates import lay_grid, read_dates
from mmx.data.layout import check_roles, hint_for_dates, roles_of, widen
from mmx.data.panel import Panel
from mmx.data.rows import check_balance, mark_window, read_rows, settle_duplicates
from mmx.data.source import Table, locate, read_table
from mmx.errors import DataError


def load(config: Config, data: str | Path | None = None) -> Panel:
    """Read the table of a configuration and check it against the data contract.

    Parameters
    ----------
    config : Config
    data : path, optional
        A file to take instead of ``data.path``.

    Returns
    -------
    Panel
        Complete and regular; what policies repaired stands in its notes.

    Raises
    ------
    DataError
        With every problem that can be told at once: place, what came, what was expected, remedy.
    """
    raw = read_table(locate(config, data))
    findings = Findings(list(raw.problems))
    table = widen(raw, config, findings)
    if table is None:
        raise _refused(raw, findings)
    roles = check_roles(table, roles_of(config), findings)
    dates = None
    if any(r.kind == "date" for r in roles):
        column = config.data.date
        dates = read_dates(column, table.columns[column], table.lines_of(column), findings)
        if dates is None:
            hint_for_dates(table, config, roles, findings)
    rows = settle_duplicates(read_rows(table, roles, dates, config, findings), table, config, findings)
    grid = None
    if dates is not None and table.complete:
        grid = lay_grid(config.data.date, dates, findings)
        if config.data.geo is not None:
            check_balance(rows, config, findings)
    rows, dropped = check_values(mark_window(rows, grid, config, findings), grid, config, findings)
    if findings.problems or grid is None:
        raise _refused(raw, findings)
    return build_panel(rows, raw, grid, config, findings.notes, dropped)


def _refused(raw: Table, findings: Findings) -> DataError:
    count = len(findings.problems)
    what = f"the table {raw.path} cannot be used: {count} {'problem' if count == 1 else 'problems'} ({raw.counting})"
    return DataError(what, findings.problems)
