"""What the sheets of a workbook share: cell formats, the loud line, and tables with one value per column and row.

Text is always written as text, so a channel called ``=A1`` is not a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.report import canvas, words
from mmx.report import format as fmt

PERCENT, SIGNED_PERCENT, TIMES, RATIO = "0.0 %", "+0.0 %;-0.0 %;0.0 %", '0.00 "x"', "0.00"
MORE, LESS = ("#00507D", "#DCEBF5"), ("#8A3C00", "#FBE6D8")  # Font and fill of a rise and of a cut.
_TITLE = {"bold": True, "text_wrap": True, "bg_color": "#E8F1F8", "bottom": 1}


@dataclass(frozen=True)
class Looks:
    """Cell formats of a workbook."""

    book: Any

    def __call__(self, **properties: Any) -> Any:
        """Return a format with the font of the workbook."""
        return self.book.add_format({"font_name": "Calibri", "font_size": 11, "valign": "top", **properties})

    def money(self, magnitude: float, unit: str, *, sign: bool = False, **properties: Any) -> Any:
        """Return a format with thousands separators, cents only for small amounts, and the unit."""
        digits = "#,##0" if magnitude >= 1000 or magnitude == 0 else "#,##0.00" if magnitude >= 1 else "0.0000"
        suffix = f' "{unit.replace(chr(34), "")}"' if unit else ""
        code = f"+{digits}{suffix};-{digits}{suffix};0{suffix}" if sign else f"{digits}{suffix}"
        return self(num_format=code, **properties)


@dataclass(frozen=True)
class Column:
    """One column of a table: its header and width, how its cells look, and its value for a row.

    A value is a number, a text or None, which leaves the cell empty.
    """

    header: str
    width: float
    look: Any
    value: Callable[[Any], float | str | None]


@dataclass(frozen=True)
class Place:
    """Where a table lies: rows of its header, its first and its last entry, and its last column."""

    header: int
    first: int
    last: int
    columns: int


def alarm(sheet: Any, row: int, rec: Recommendation, looks: Looks, columns: int) -> int:
    """Write the loud line of an unconverged fit; return the next free row."""
    if rec.converged:
        return row
    look = looks(bold=True, font_color="#FFFFFF", bg_color=canvas.ALARM, text_wrap=True)
    sheet.merge_range(row, 0, row, columns - 1, "", look)
    sheet.write_string(row, 0, words.not_converged(rec.gate_reasons), look)
    sheet.set_row(row, 48)
    return row + 1


def name_width(names: Mapping[str, Any] | Sequence[str], least: int = 12) -> int:
    """Width of a column of names, in characters."""
    return min(60, max(least, *(len(n) + 3 for n in names))) if names else least


def put(sheet: Any, row: int, column: int, value: float | str | None, look: Any) -> None:
    """Write a number as a number and a text as a text that is no formula."""
    if isinstance(value, str):
        sheet.write_string(row, column, fmt.cell_text(value), look)
    elif value is not None:
        sheet.write_number(row, column, value, look)


def write_table(sheet: Any, looks: Looks, row: int, columns: Sequence[Column], entries: Sequence[Any]) -> Place:
    """Write a header that stays in view and on every page, and a row per entry; the first column stays in view as well."""
    left, right = looks(**_TITLE, align="left", indent=1), looks(**_TITLE, align="right")
    plain = looks(align="right")
    for i, column in enumerate(columns):
        texts = i == 0 or any(isinstance(column.value(e), str) for e in entries[:1])
        sheet.write_string(row, i, column.header, left if texts else right)
        sheet.set_column(i, i, column.width)
    sheet.set_row(row, 48)
    sheet.freeze_panes(row + 1, 1)
    sheet.repeat_rows(row)
    sheet.repeat_columns(0)
    for at, entry in enumerate(entries, row + 1):
        for i, column in enumerate(columns):
            value = column.value(entry)
            words_among_numbers = isinstance(value, str) and column.look.num_format != "General"
            put(sheet, at, i, value, plain if words_among_numbers else column.look)
    place = Place(row, row + 1, row + len(entries), len(columns) - 1)
    sheet.autofilter(row, 0, place.last, place.columns)
    return place


def mark_changes(sheet: Any, looks: Looks, place: Place, column: int) -> None:
    """Colour a column of changes: blue for more, orange for less."""
    letter = chr(ord("A") + column)
    for sign, (font, fill) in ((">", MORE), ("<", LESS)):
        look = looks.book.add_format({"font_color": font, "bg_color": fill})
        # text sorts above every number in a spreadsheet, so a cell that says "new" must be left out explicitly
        criteria = f"=AND(ISNUMBER(${letter}{place.first + 1}),${letter}{place.first + 1}{sign}0)"
        rule = {"type": "formula", "criteria": criteria, "format": look}
        sheet.conditional_format(place.first, column, place.last, column, rule)


def money_axis(unit: str, magnitude: float) -> dict[str, Any]:
    """Return an axis of money with its unit and pale lines."""
    digits = "#,##0" if magnitude >= 100 else "0.00"
    lines = {"visible": True, "line": {"color": canvas.PALE}}
    return {"name": unit, "num_format": digits, "num_font": {"size": 9}, "major_gridlines": lines}
