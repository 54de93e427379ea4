"""Files of a fit that people read: tables as CSV, figures, and ``report.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import words

if TYPE_CHECKING:
    from mmx.mmm.tables import FitTables


def write_fit_files(
    folder: Path,
    tables: FitTables,
    summary: Mapping[str, Any],
    *,
    notes: Sequence[str],
    currency: str,
    target_kind: str = "money",
    name: str = "",
    progress: Callable[[str], None] | None = None,
) -> list[str]:
    """Write CSV tables, figures and ``report.md`` of a fit.

    Parameters
    ----------
    folder : Path
        Made when missing; files of the same names are replaced.
    tables : FitTables
    summary : mapping
        Content of ``summary.json``.
    notes : sequence of str
        Data notes and decisions, one sentence each.
    currency : str
        Unit of money, or empty.
    target_kind : {"money", "count", "index"}
        For an index, contributions are in KPI units and ROAS is called KPI per money.
    name : str
        Name of the configuration, for titles.
    progress : callable, optional
        Called with the name of each file before it is written.

    Returns
    -------
    list of str
        Names of the files, in the order written.
    """
    from mmx.report import figures
    from mmx.report.csv_files import write_csv
    from mmx.report.fit_report import fit_report

    folder.mkdir(parents=True, exist_ok=True)
    units = words.fit_units(currency, target_kind)
    kpi_unit = currency if target_kind == "money" else ""
    alarm = "" if summary["converged"] else "NOT CONVERGED: do not decide anything on these numbers"
    prefix = f"{name}: " if name else ""
    look = {"alarm": alarm}

    def report(path: Path) -> None:
        text = fit_report(tables, summary, notes=notes, currency=currency, target_kind=target_kind, name=name)
        path.write_text(text, encoding="utf-8", newline="\n")

    writers: dict[str, Callable[[Path], None]] = {
        "channels.csv": lambda p: write_csv(tables.channels, p),
        "contributions.csv": lambda p: write_csv(tables.contributions, p),
        "baseline.csv": lambda p: write_csv(tables.baseline, p),
        "response_curves.csv": lambda p: write_csv(tables.curves, p),
        "parameters.csv": lambda p: write_csv(tables.parameters, p),
        "fit.png": lambda p: figures.fit_figure(tables, p, kpi_unit=kpi_unit, title=f"{prefix}KPI and posterior", **look),
        "contributions.png": lambda p: figures.contributions_figure(
            tables, p, unit=units.value, title=f"{prefix}contributions", **look
        ),
        "response_curves.png": lambda p: figures.response_curves_figure(
            tables, p, spend_unit=units.spend, unit=units.value, title=f"{prefix}response curves", **look
        ),
        "report.md": report,
    }
    for file, write in writers.items():
        if progress is not None:
            progress(file)
        write(folder / file)
    return list(writers)
