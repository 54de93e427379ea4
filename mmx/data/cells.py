"""Cells of a table: which text means missing, how numbers are read, and how rows are named in a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.errors import Problem

Cells = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]

# What spreadsheets, R and pandas write for an empty cell. Case matters: Robyn's "na" is an event level of its own.
MISSING = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"})
SHOWN = 5

_DIAGNOSES = (
    (re.compile(r"^\(.*\d.*\)$"), "brackets for a negative number", "Write -1234.5 instead of (1234.5)."),
    (
        re.compile(r"[$€£¥₹]|\b(EUR|USD|GBP|CHF|JPY)\b"),
        "a currency sign",
        "Take the currency sign out (data.currency names it).",
    ),
    (re.compile(r"%$"), "a percent sign", "Write 12 % as 0.12."),
    (re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"), "thousands separators", "Write 1234567.8 instead of 1,234,567.8."),
    (
        re.compile(r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$"),
        "points as thousands separators",
        "Write 1234567.8 instead of 1.234.567,8.",
    ),
    (
        re.compile(r"^[+-]?\d{1,3}([ \u00a0\u202f']\d{3})+([.,]\d+)?$"),
        "thousands separators",
        "Write 1234567.8 without spaces.",
    ),
    (re.compile(r"^[+-]?\d+,\d*$"), "a decimal comma", "Write 12.5 instead of 12,5."),
    (re.compile(r"^[-–—.]+$"), "a dash for an empty cell", "Leave the cell empty, or write 0 where it means none."),
    (re.compile(r"^(true|false|yes|no)$", re.IGNORECASE), "yes or no in words", "Write 1 and 0."),
    (re.compile(r"^#(REF|DIV/0|VALUE|NAME|NUM)"), "a spreadsheet error", "Repair the formula and export again."),
)


@dataclass
class Findings:
    """Problems that refuse the table and notes that go with the panel, collected while it is checked."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, where: str, came: str, expected: str, remedy: str) -> None:
        """Add one problem."""
        self.problems.append(Problem(where, came, expected, remedy))


def is_missing(values: Cells) -> Bools:
    """Whether each cell is empty, (row,)."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "M":
        return np.isnat(values)
    if values.dtype.kind in "iub":
        return np.zeros(values.shape, dtype=bool)
    return np.array([_is_null(v) or (isinstance(v, str) and v.strip() in MISSING) for v in values], dtype=bool)


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def text_of(values: Cells) -> Cells:
    """Cells as text, (row,) of str; empty cells stay as written, true nulls become the empty text."""
    return np.array([_text(v) for v in values], dtype=object)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if _is_null(value):
        return ""
    # a whole number that Parquet holds as float, since its column has nulls
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers_of(values: Cells) -> tuple[Floats, Bools]:
    """Read cells as numbers.

    Returns
    -------
    numbers : array, (row,)
        NaN where the cell is empty or not a number.
    bad : array of bool, (row,)
        Cells that hold something that is not a number.
    """
    if values.dtype.kind in "fiub":
        return values.astype(np.float64), np.zeros(values.shape, dtype=bool)
    if values.dtype.kind == "M":
        return np.full(values.shape, np.nan), ~np.isnat(values)
    missing = is_missing(values)
    numbers = np.full(values.shape, np.nan)
    bad = np.zeros(values.shape, dtype=bool)
    for i in np.flatnonzero(~missing):
        try:
            numbers[i] = _number(values[i])
        except (TypeError, ValueError):
            bad[i] = True
    return numbers, bad


def _number(value: Any) -> float:
    # float() also takes "1_000", which no table means
    if isinstance(value, str) and "_" in value:
        raise ValueError(value)
    return float(value)


def diagnose(text: str) -> tuple[str, str]:
    """Say what a text in a number column seems to be (empty where it cannot be told), and the remedy."""
    for pattern, what, remedy in _DIAGNOSES:
        if pattern.search(text.strip()):
            return what, remedy
    return "", "Put a number there, or leave the cell empty where the value is unknown."


def kind_of(values: Cells) -> str:
    """Type of a column for drift checks: ``number``, ``date``, ``text`` or ``empty``."""
    if values.dtype.kind in "fiub":
        return "empty" if bool(is_missing(values).all()) and values.size else "number"
    if values.dtype.kind == "M":
        return "date"
    present = values[~is_missing(values)]
    if present.size == 0:
        return "empty"
    if not numbers_of(present)[1].any():
        return "number"
    iso = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}([T ].*)?$")
    return "date" if all(iso.match(str(v)) for v in present) else "text"


def listed(items: Sequence[Any] | npt.NDArray[Any], shown: int = SHOWN) -> str:
    """Join the first items with commas and count the rest."""
    words = ", ".join(str(i) for i in items[:shown])
    return words if len(items) <= shown else f"{words} and {len(items) - shown} more"


def rows_of(items: Sequence[Any] | npt.NDArray[Any]) -> str:
    """``row 3``, ``rows 3, 7 and 12 more``."""
    return f"{'row' if len(items) == 1 else 'rows'} {listed(items)}"


def plural(count: int, word: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
