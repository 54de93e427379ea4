"""``recommendation.xlsx`` for people who live in spreadsheets: plan, weeks, curves, choices and assumptions, one sheet each.

A sheet that would be empty is left out. The creation date is the plan's first day, which makes the bytes depend on the
recommendation alone.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.report import choice_sheets as choices
from mmx.report import curve_sheet as curve
from mmx.report import plan_sheets as plan
from mmx.report import time_sheets as time
from mmx.report.sheet import Looks

_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(rec: Recommendation, path: Path) -> None:
    """Write the workbook.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), _OPTIONS) as book:
        created = dt.datetime.combine(dt.date.fromisoformat(rec.start), dt.time())
        book.set_properties({"title": f"Budget recommendation: {rec.fit_name}", "created": created})
        looks = Looks(book)
        summary = _sheet(book, "Summary")
        plan.summary_sheet(summary, rec, looks)
        place = plan.channels_sheet(_sheet(book, plan.PLAN), rec, looks)
        time.flighting_sheet(_sheet(book, time.flighting_name(rec)), book, rec, looks)
        if rec.curves:
            curve.curves_sheet(_sheet(book, curve.CURVES), book, rec, looks)
        if rec.frontier:
            choices.frontier_sheet(_sheet(book, choices.FRONTIER), book, rec, looks)
        if rec.scenarios:
            choices.scenarios_sheet(_sheet(book, choices.SCENARIOS), book, rec, looks)
        if rec.tests:
            choices.tests_sheet(_sheet(book, "Tests"), rec, looks)
        time.cells_sheet(_sheet(book, "Cells"), rec, looks)
        choices.assumptions_sheet(_sheet(book, "Assumptions"), rec, looks)
        row = 2
        for chart in plan.summary_charts(book, rec, place):
            summary.insert_chart(row, 3, chart, {"object_position": 3})
            row += plan.chart_rows(rec)


def _sheet(book: Any, name: str) -> Any:
    """Add a sheet that prints on landscape A4, as wide as the page."""
    sheet = book.add_worksheet(name)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    return sheet
