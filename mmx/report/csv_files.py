"""Tables as CSV: full precision, ISO dates, and no text that a spreadsheet would run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mmx.report import format as fmt


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table so that every float is read back exactly.

    Parameters
    ----------
    frame : DataFrame
        Dates are written as ``YYYY-MM-DD``, missing values as empty cells. Text that a spreadsheet would take for a formula
        gets an apostrophe in front.
    path : Path
    """
    out = frame.copy()
    for column in out.columns:
        values = out[column]
        if pd.api.types.is_datetime64_any_dtype(values):
            out[column] = values.dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_string_dtype(values):
            out[column] = values.map(lambda v: fmt.cell_text(v) if isinstance(v, str) else v)
    out.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
