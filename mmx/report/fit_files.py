"""Files of a fit that people read: tables as CSV, figures, and ``report.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import words
from mmx.report.painters import Painters

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
    painters: Painters | None = None,
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
    painters : Painters, optional
        Who draws the figures; their ``finish`` is the caller's. This process by default.

    Returns
    -------
    list of str
        Names of the files, in the order written.
    """
    from mmx.report import curve_figure, fit_figures
    from mmx.report.csv_files import write_csv
    from mmx.report.fit_report import fit_report

    folder.mkdir(parents=True, exist_ok=True)
    units = words.fit_units(currency, target_kind)
    kpi_unit = currency if target_kind == "money" else ""
    alarm = "" if summary["converged"] else "NOT CONVERGED: do not decide anything on these numbers"
    prefix = f"{name}: " if name else ""
    painters = painters or Painters([])

    def figure(file: str, draw: Callable[..., None], arrays: dict[str, Any], title: str, **labels: str) -> None:
        if progress is not None:
            progress(file)
        painters.draw(draw, {"path": folder / file, **arrays, **labels, "title": f"{prefix}{title}", "alarm": alarm})

    def report(path: Path) -> None:
        text = fit_report(tables, summary, notes=notes, currency=currency, target_kind=target_kind, name=name)
        path.write_text(text, encoding="utf-8", newline="\n")

    writers: dict[str, Callable[[Path], None]] = {
        "channels.csv": lambda p: write_csv(tables.channels, p),
        "contributions.csv": lambda p: write_csv(tables.contributions, p),
        "baseline.csv": lambda p: write_csv(tables.baseline, p),
        "response_curves.csv": lambda p: write_csv(tables.curves, p),
        "parameters.csv": lambda p: write_csv(tables.parameters, p),
        "report.md": report,
    }
    if (planned := tables.forecast) is not None:
        writers["forecast.csv"] = lambda p: write_csv(planned, p)
    contributions, curves = fit_figures.contribution_arrays(tables), curve_figure.curve_arrays(tables)
    spend_unit, unit = units.spend, units.value
    figure("contributions.png", fit_figures.draw_contributions, contributions, "contributions", unit=unit)
    figure("response_curves.png", curve_figure.draw_curves, curves, "response curves", spend_unit=spend_unit, unit=unit)
    figure("fit.png", fit_figures.draw_fit, fit_figures.fit_arrays(tables), "KPI and posterior", kpi_unit=kpi_unit)
    for file, write in writers.items():
        if progress is not None:
            progress(file)
        write(folder / file)
    return ["contributions.png", "response_curves.png", "fit.png", *writers]
