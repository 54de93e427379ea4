"""Files of a recommendation: JSON and CSV for programs, a workbook, a page and a figure for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.errors import OutputError


def write_recommendation_files(
    folder: Path, rec: Recommendation, *, progress: Callable[[str], None] | None = None
) -> list[str]:
    """Write ``recommendation.json``, ``.csv``, ``.xlsx``, ``.md`` and ``.png``.

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
    from mmx.report.figures import recommendation_figure
    from mmx.report.recommendation_report import recommendation_report
    from mmx.report.workbook import write_workbook

    content = rec.as_mapping()
    broken = list(_not_finite(content))
    if broken:
        raise OutputError(
            f"the recommendation cannot be written: {', '.join(broken[:5])} must be finite numbers"
            f"{f' (and {len(broken) - 5} more)' if len(broken) > 5 else ''}. Check the fit with `mmx fit` and its gate."
        )
    folder.mkdir(parents=True, exist_ok=True)

    def write(text: str) -> Callable[[Path], None]:
        def put(path: Path) -> None:
            path.write_text(text, encoding="utf-8", newline="\n")

        return put

    writers: dict[str, Callable[[Path], None]] = {
        "recommendation.json": write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"),
        "recommendation.csv": lambda p: _write_cells(rec, p),
        "recommendation.xlsx": lambda p: write_workbook(rec, p),
        "recommendation.md": write(recommendation_report(rec)),
        "recommendation.png": lambda p: recommendation_figure(rec, p),
    }
    for file, put in writers.items():
        if progress is not None:
            progress(file)
        put(folder / file)
    return list(writers)


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
