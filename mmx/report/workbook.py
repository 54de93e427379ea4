"""``recommendation.xlsx``: summary with a chart, channels, plan and assumptions, for people who live in spreadsheets.

Text is always written as text, so a channel called ``=A1`` is not a formula. The creation date is the plan's first day, which
makes the bytes depend on the recommendation alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmx.decide.recommendation import ChannelPlan, Recommendation
from mmx.report import canvas, words
from mmx.report import format as fmt

MAX_ROWS = 1_048_575
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


@dataclass(frozen=True)
class _Looks:
    """Cell formats by name."""

    book: Any
    unit: str
    value_unit: str

    def __call__(self, **properties: Any) -> Any:
        return self.book.add_format({"font_name": "Calibri", "font_size": 11, "valign": "top", **properties})

    def money(self, magnitude: float, unit: str, *, sign: bool = False) -> str:
        """Return a number format with thousands separators, cents only for small amounts, and the unit."""
        digits = "#,##0" if magnitude >= 1000 else "#,##0.00"
        suffix = f' "{unit.replace(chr(34), "")}"' if unit else ""
        return f"+{digits}{suffix};-{digits}{suffix};0{suffix}" if sign else f"{digits}{suffix}"


def write_workbook(rec: Recommendation, path: Path) -> None:
    """Write the workbook.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    import xlsxwriter

    units = words.plan_units(rec)
    with xlsxwriter.Workbook(str(path), _OPTIONS) as book:
        created = dt.datetime.combine(dt.date.fromisoformat(rec.start), dt.time())
        book.set_properties({"title": f"Budget recommendation: {rec.fit_name}", "created": created})
        looks = _Looks(book, units.spend, units.value)
        sheets = {n: book.add_worksheet(n) for n in ("Summary", "Channels", "Plan", "Assumptions")}
        for sheet in sheets.values():
            sheet.hide_gridlines(2)
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
        _summary(sheets["Summary"], rec, units, looks)
        _channels(sheets["Channels"], rec, units, looks)
        _plan(sheets["Plan"], rec, units, looks)
        _assumptions(sheets["Assumptions"], rec, looks)
        sheets["Summary"].insert_chart("D3", _chart(book, rec, units), {"object_position": 3})


def _alarm(sheet: Any, row: int, rec: Recommendation, looks: _Looks, columns: int) -> int:
    """Write the loud line of an unconverged fit; return the next free row."""
    if rec.converged:
        return row
    look = looks(bold=True, font_color="#FFFFFF", bg_color=canvas.ALARM, text_wrap=True)
    sheet.merge_range(row, 0, row, columns - 1, "", look)
    sheet.write_string(row, 0, words.not_converged(rec.gate_reasons), look)
    sheet.set_row(row, 48)
    return row + 1


def _summary(sheet: Any, rec: Recommendation, units: words.Units, looks: _Looks) -> None:
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 26)
    sheet.set_column(2, 2, 3)
    sheet.write_string(0, 0, "Budget recommendation", looks(bold=True, font_size=16))
    sheet.set_row(0, 26)
    row = _alarm(sheet, 1, rec, looks, 2) + 1
    label, text = looks(bold=True), looks(align="right")
    extra = "Extra KPI units" if units.value == words.KPI_UNITS else "Extra KPI money"
    money = looks(num_format=looks.money(rec.total, units.spend))
    value = looks(num_format=looks.money(abs(rec.gain.mean), units.value, sign=True))
    strong = looks(num_format=looks.money(abs(rec.gain.mean), units.value, sign=True), bold=True, bg_color="#E8F1F8")
    share = looks(num_format="0.0 %")
    lines: list[tuple[str, Any, Any]] = [
        ("Fit", rec.fit_name, text),
        ("Converged", "yes" if rec.converged else "NO", text),
        ("First period starts", rec.start, text),
        ("Last period starts", rec.end, text),
        ("Periods", rec.horizon, looks(num_format="0")),
        ("Current plan, total", rec.current_total, money),
        ("Recommended plan, total", rec.total, money),
        (f"{extra} (gain)", rec.gain.mean, strong),
        ("  5 % quantile", rec.gain.q05, value),
        ("  95 % quantile", rec.gain.q95, value),
        ("P(gain > 0), share of draws", rec.probability_better, share),
    ]
    for name, content, look in lines:
        sheet.write_string(row, 0, name, label)
        if isinstance(content, str):
            sheet.write_string(row, 1, fmt.cell_text(content), look)
        else:
            sheet.write_number(row, 1, content, look)
        row += 1
    row += 1
    wrap = looks(text_wrap=True)
    sections = [
        ("What the gain is", [words.gain_definition(units)]),
        ("Constraints that bind", words.binding_lines(rec)),
        ("What the model does not know", words.unknown_lines(rec) or ["Nothing was recorded."]),
    ]
    for title, sentences in sections:
        sheet.write_string(row, 0, title, label)
        row += 1
        for sentence in sentences:
            _merged(sheet, row, sentence, wrap)
            row += 1
        row += 1


def _merged(sheet: Any, row: int, sentence: str, look: Any) -> None:
    """Write a sentence over the two columns, on a row high enough to show it."""
    sheet.merge_range(row, 0, row, 1, "", look)
    sheet.write_string(row, 0, fmt.cell_text(sentence), look)
    sheet.set_row(row, 15 * -(-len(sentence) // 62))


def _channel_columns(rec: Recommendation, units: words.Units, looks: _Looks) -> list[tuple[str, float, Any, Any]]:
    """Header, width, format and value of each column of the channel sheet."""
    plans = rec.channels.values()
    spend = max((max(p.current_spend, p.recommended_spend) for p in plans), default=0.0)
    gain = max((max(abs(p.extra.q05), abs(p.extra.q95)) for p in plans), default=0.0)
    money = looks(num_format=looks.money(spend, units.spend))
    signed = looks(num_format=looks.money(spend, units.spend, sign=True))
    extra = looks(num_format=looks.money(gain, units.value, sign=True))
    share, times, ratio = looks(num_format="+0.0 %;-0.0 %;0.0 %"), looks(num_format='0.00 "x"'), looks(num_format="0.00")
    name = "Extra KPI units" if units.value == words.KPI_UNITS else "Extra KPI money"
    columns: list[tuple[str, float, Any, Any]] = [
        ("Current spend", 17, money, lambda p: p.current_spend),
        ("Recommended spend", 17, money, lambda p: p.recommended_spend),
        ("Change", 17, signed, words.change),
        ("Change, %", 11, share, words.change_share),
        ("Multiplier", 10, times, lambda p: p.multiplier),
        ("Lower bound", 10, times, lambda p: p.low),
        ("Upper bound", 10, times, lambda p: p.high),
        (f"{name}, mean", 20, extra, lambda p: p.extra.mean),
        (f"{name}, 5 %", 20, extra, lambda p: p.extra.q05),
        (f"{name}, 95 %", 20, extra, lambda p: p.extra.q95),
    ]
    for when, field in (("before", "mroas_current"), ("after", "mroas_recommended")):
        for stat, label in (("mean", "mean"), ("q05", "5 %"), ("q95", "95 %")):

            def value(plan: ChannelPlan, field: str = field, stat: str = stat) -> float:
                return float(getattr(getattr(plan, field), stat))

            columns.append((f"{units.mroas} {when}, {label}", 13, ratio, value))
    return columns


def _channels(sheet: Any, rec: Recommendation, units: words.Units, looks: _Looks) -> None:
    columns = _channel_columns(rec, units, looks)
    title = {"bold": True, "text_wrap": True, "bg_color": "#E8F1F8", "bottom": 1}
    head, right = looks(**title, align="left", indent=1), looks(**title, align="right")
    text = looks(align="left", indent=1)
    row = _alarm(sheet, 0, rec, looks, len(columns) + 3)
    headers = ["Channel", *(c[0] for c in columns), "Binding", "Outside observed range"]
    for column, header in enumerate(headers):
        sheet.write_string(row, column, header, right if 0 < column <= len(columns) else head)
    sheet.set_row(row, 48)
    sheet.set_column(0, 0, min(60, max(12, *(len(n) + 3 for n in rec.channels))))
    for column, (_, width, _, _) in enumerate(columns, 1):
        sheet.set_column(column, column, width)
    sheet.set_column(len(columns) + 1, len(columns) + 2, 18)
    sheet.freeze_panes(row + 1, 1)
    sheet.repeat_rows(row)
    # on paper the columns take two pages side by side; one would be too small to read
    sheet.fit_to_pages(2, 0)
    sheet.repeat_columns(0)
    first = row + 1
    for row, (name, plan) in enumerate(rec.channels.items(), first):
        sheet.write_string(row, 0, fmt.cell_text(name), text)
        for column, (_, _, look, value) in enumerate(columns, 1):
            number = value(plan)
            if number is None:
                sheet.write_string(row, column, words.change_text(plan), looks(align="right"))
            else:
                sheet.write_number(row, column, number, look)
        sheet.write_string(row, len(columns) + 1, plan.binding, text)
        sheet.write_string(row, len(columns) + 2, "yes" if plan.outside_observed else "", text)
    last = first + len(rec.channels) - 1
    sheet.autofilter(first - 1, 0, last, len(headers) - 1)
    _total(sheet, last + 1, rec, units, looks)
    _mark_changes(sheet, looks, first, last)


def _total(sheet: Any, row: int, rec: Recommendation, units: words.Units, looks: _Looks) -> None:
    money = looks(num_format=looks.money(rec.total, units.spend), bold=True, top=1)
    signed = looks(num_format=looks.money(rec.total, units.spend, sign=True), bold=True, top=1)
    sheet.write_string(row, 0, "Total", looks(bold=True, top=1, align="left", indent=1))
    sheet.write_number(row, 1, rec.current_total, money)
    sheet.write_number(row, 2, rec.total, money)
    sheet.write_number(row, 3, rec.total - rec.current_total, signed)


def _mark_changes(sheet: Any, looks: _Looks, first: int, last: int) -> None:
    """Colour the change and its percentage: blue for more, orange for less."""
    for sign, font, fill in ((">", "#00507D", "#DCEBF5"), ("<", "#8A3C00", "#FBE6D8")):
        look = looks.book.add_format({"font_color": font, "bg_color": fill})
        rule = {"type": "cell", "criteria": sign, "value": 0, "format": look}
        sheet.conditional_format(first, 3, last, 3, rule)
        # text sorts above every number in a spreadsheet, so a cell that says "new" must be left out explicitly
        formula = {"type": "formula", "criteria": f"=AND(ISNUMBER($E{first + 1}),$E{first + 1}{sign}0)", "format": look}
        sheet.conditional_format(first, 4, last, 4, formula)


def _plan(sheet: Any, rec: Recommendation, units: words.Units, looks: _Looks) -> None:
    title = {"bold": True, "bg_color": "#E8F1F8", "bottom": 1}
    head, right, text = looks(**title), looks(**title, align="right"), looks()
    largest = max((max(c.current, c.recommended) for c in rec.cells), default=0.0)
    money = looks(num_format=looks.money(largest, units.spend))
    signed = looks(num_format=looks.money(largest, units.spend, sign=True))
    row = _alarm(sheet, 0, rec, looks, 7)
    for column, header in enumerate(("Channel", "Geo", "Start", "End", "Current", "Recommended", "Change")):
        sheet.write_string(row, column, header, right if column > 3 else head)
    sheet.freeze_panes(row + 1, 0)
    sheet.repeat_rows(row)
    sheet.set_column(0, 0, min(60, max(12, *(len(n) + 3 for n in rec.channels))))
    sheet.set_column(1, 3, 13)
    sheet.set_column(4, 6, 18)
    first = row + 1
    if len(rec.cells) > MAX_ROWS - first:
        sheet.write_string(
            first, 0, f"{len(rec.cells):,} cells are more rows than a sheet has; they are in recommendation.csv", text
        )
        return
    for row, cell in enumerate(rec.cells, first):
        for column, content in enumerate((cell.channel, cell.geo, cell.start, cell.end)):
            sheet.write_string(row, column, fmt.cell_text(content), text)
        sheet.write_number(row, 4, cell.current, money)
        sheet.write_number(row, 5, cell.recommended, money)
        sheet.write_number(row, 6, cell.recommended - cell.current, signed)
    last = first + len(rec.cells) - 1
    sheet.autofilter(first - 1, 0, last, 6)
    for sign, font in ((">", "#00507D"), ("<", "#8A3C00")):
        look = looks.book.add_format({"font_color": font})
        sheet.conditional_format(first, 6, last, 6, {"type": "cell", "criteria": sign, "value": 0, "format": look})


def _assumptions(sheet: Any, rec: Recommendation, looks: _Looks) -> None:
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 110)
    head, bold, wrap = looks(bold=True, bg_color="#E8F1F8", bottom=1), looks(bold=True), looks(text_wrap=True)
    row = _alarm(sheet, 0, rec, looks, 2)
    sections = [
        ("Definitions", words.plan_definitions(rec)),
        ("Constraints that bind", [("", line) for line in words.binding_lines(rec)]),
        ("What the model does not know", [("", line) for line in words.unknown_lines(rec)]),
        ("Notes", [("", line) for line in rec.notes]),
    ]
    for title, lines in sections:
        sheet.merge_range(row, 0, row, 1, "", head)
        sheet.write_string(row, 0, title, head)
        row += 1
        for term, sentence in lines or [("", "None.")]:
            sheet.write_string(row, 0, term, bold)
            sheet.write_string(row, 1, fmt.cell_text(sentence), wrap)
            sheet.set_row(row, 15 * -(-len(sentence) // 105))
            row += 1
        row += 1


def _chart(book: Any, rec: Recommendation, units: words.Units) -> Any:
    """Bars of current and recommended spend, read from the channel sheet."""
    chart = book.add_chart({"type": "bar"})
    first = 1 if rec.converged else 2
    last = first + len(rec.channels) - 1
    for column, name, colour in ((1, "current", canvas.GREY), (2, "recommended", canvas.BLUE)):
        chart.add_series(
            {
                "name": name,
                "categories": ["Channels", first, 0, last, 0],
                "values": ["Channels", first, column, last, column],
                "fill": {"color": colour},
                "gap": 60,
            }
        )
    chart.set_title({"name": f"Spend over {rec.horizon} periods", "name_font": {"size": 12}})
    chart.set_y_axis({"reverse": True, "num_font": {"size": 9}})
    digits = "#,##0" if rec.total >= 100 else "0.00"
    axis = {"name": units.spend, "num_format": digits, "num_font": {"size": 9}}
    lines = {"visible": True, "line": {"color": canvas.PALE}}
    # the channels run from top to bottom, which puts "high" labels of the money axis below them
    chart.set_x_axis({**axis, "label_position": "high", "major_gridlines": lines})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 760, "height": 180 + (34 if len(rec.channels) <= 12 else 24) * len(rec.channels)})
    return chart
