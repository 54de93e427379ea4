"""Files of a recommendation: JSON with its schema and CSV for programs, a workbook, a page and figures for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.errors import OutputError

CURVES = "recommendation_curves.csv"


def write_recommendation_files(
    folder: Path, rec: Recommendation, *, progress: Callable[[str], None] | None = None
) -> list[str]:
    """Write ``recommendation.json`` with its schema, ``.csv``, ``.xlsx``, ``.md``, ``.html`` and the figures of the page.

    Response curves have a CSV file of their own, ``recommendation_curves.csv``.

    Parameters
    ----------
    folder : Path
        Made when missing; files of the same names are replaced.
    rec : Recommendation
    progress : callable, optional
        Called with the name of each file before it is written.

    Returns
    -------
    list of str
        Names of the files, in the order written.

    Raises
    ------
    OutputError
        If a number of the recommendation is NaN or infinite; nothing is written then.
    """
    from mmx.report.page import html, markdown
    from mmx.report.plan_page import plan_page, plan_title
    from mmx.report.recommendation_schema import FILE
    from mmx.report.workbook import write_workbook

    content = rec.as_mapping()
    broken = list(_not_finite(content))
    if broken:
        raise OutputError(
            f"the recommendation cannot be written: {', '.join(broken[:5])} must be finite numbers"
            f"{f' (and {len(broken) - 5} more)' if len(broken) > 5 else ''}. Check the fit with `mmx fit` and its gate."
        )
    folder.mkdir(parents=True, exist_ok=True)
    page, title = plan_page(rec), plan_title(rec)
    figures = _figures(rec)

    def write_html(path: Path) -> None:
        _write_text(path, html(title, page, {name: (folder / name).read_bytes() for name in figures}))

    writers: dict[str, Callable[[Path], None]] = {
        "recommendation.json": lambda p: _write_text(
            p, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        ),
        FILE.name: lambda p: _write_text(p, FILE.read_text(encoding="utf-8")),
        "recommendation.csv": lambda p: _write_cells(rec, p),
        **({CURVES: lambda p: _write_curves(rec, p)} if rec.curves else {}),
        "recommendation.xlsx": lambda p: write_workbook(rec, p),
        "recommendation.md": lambda p: _write_text(p, markdown(title, page)),
        **{name: partial(draw, rec) for name, draw in figures.items()},
        "recommendation.html": write_html,
    }
    for file, put in writers.items():
        if progress is not None:
            progress(file)
        put(folder / file)
    return list(writers)


def _figures(rec: Recommendation) -> dict[str, Callable[[Recommendation, Path], None]]:
    """Who draws each picture of the page."""
    from mmx.report import figures, plan_page

    drawn: dict[str, Callable[[Recommendation, Path], None]] = {
        plan_page.PLAN: figures.recommendation_figure,
        plan_page.MOVES: figures.moves_figure,
        plan_page.OPTIMUM: figures.optimum_figure,
    }
    if rec.curves:
        drawn[plan_page.CURVES] = figures.plan_curves_figure
    if rec.horizon > 1:
        drawn[plan_page.FLIGHTING] = figures.flighting_figure
    if rec.frontier:
        drawn[plan_page.FRONTIER] = figures.frontier_figure
    if rec.scenarios:
        drawn[plan_page.SCENARIOS] = figures.scenarios_figure
    return drawn


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_cells(rec: Recommendation, path: Path) -> None:
    """One row per cell; the last column repeats whether the fit had converged, so that no copy of the file loses it."""
    import pandas as pd

    from mmx.report.csv_files import write_csv

    frame = pd.DataFrame(
        {
            "channel": [c.channel for c in rec.cells],
            "geo": [c.geo for c in rec.cells],
            "start": [c.start for c in rec.cells],
            "end": [c.end for c in rec.cells],
            "current": [c.current for c in rec.cells],
            "recommended": [c.recommended for c in rec.cells],
            "change": [c.recommended - c.current for c in rec.cells],
        }
    )
    write_csv(frame.assign(converged=rec.converged), path)


def _write_curves(rec: Recommendation, path: Path) -> None:
    """One row per channel and spend; ``plan`` names the plans that spend it."""
    import pandas as pd

    from mmx.report import plan_words as words
    from mmx.report.csv_files import write_csv

    rows = [
        {
            "channel": curve.channel,
            "spend": point.spend,
            "mean": point.value.mean,
            "q05": point.value.q05,
            "q95": point.value.q95,
            "mroas": point.mroas,
            "plan": words.curve_plan(curve, point),
            "observed": point.spend <= curve.observed,
        }
        for curve in rec.curves
        for point in curve.points
    ]
    write_csv(pd.DataFrame(rows).assign(converged=rec.converged), path)


def _not_finite(value: Any, where: str = "") -> Iterator[str]:
    """Paths of numbers that are NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{where} = {value}"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _not_finite(item, f"{where}[{i}]")
