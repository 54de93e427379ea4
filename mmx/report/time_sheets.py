"""Sheets over time: the flighting, a pivot of channel and period with stacked charts, and Cells, every number of the plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.report import canvas
from mmx.report import plan_words as words
from mmx.report.sheet import Column, Looks, alarm, mark_changes, money_axis, name_width, put, write_table

LENGTHS = {1: "Daily", 7: "Weekly"}  # Days of a period; longer ones are months.
MAX_ROWS = 1_048_575
CHARTED = 6  # Channels with a series of their own; the palette has one more for the rest.
PLANS = ("recommended", "current")
TOTAL = {"bold": True, "top": 1, "bottom": 1, "bg_color": "#F3F3F3"}


def flighting_name(rec: Recommendation) -> str:
    """Name the sheet of the flighting by how long a period is."""
    cell = rec.cells[0]
    days = (dt.date.fromisoformat(cell.end) - dt.date.fromisoformat(cell.start)).days + 1
    return f"{LENGTHS.get(days, 'Monthly')} flighting"


def flighting_sheet(sheet: Any, book: Any, rec: Recommendation, looks: Looks) -> None:
    """Write money by channel and period over all geos, the recommended plan first, and a stacked chart of each plan."""
    units, here = words.plan_units(rec), flighting_name(rec)
    starts = sorted({c.start for c in rec.cells})
    rows = {(which, name): values for which in PLANS for name, values in _sums(rec, starts, which).items()}
    named = sorted(rec.channels, key=lambda n: -rec.channels[n].recommended_spend)[:CHARTED]
    entries: list[tuple[str, str, list[float]]] = []
    for which in PLANS:
        mine = [(name, which, rows[which, name]) for name in rec.channels]
        entries += [*mine, ("Total", which, _added([v for _, _, v in mine], len(starts)))]
    if others := [name for name in rec.channels if name not in named]:
        label = f"{len(others)} channels that the charts do not name"
        entries += [(label, which, _added([rows[which, n] for n in others], len(starts))) for which in PLANS]
    text = looks(align="left", indent=1)
    money = looks.money(max((max(e[2], default=0.0) for e in entries), default=0.0), units.spend)
    total = looks.money(rec.total, units.spend, bold=True)
    columns = [
        Column("Channel", name_width(rec.channels), text, lambda e: str(e[0])),
        Column("Plan", 14, text, lambda e: str(e[1])),
        *(Column(start, 16, money, lambda e, i=i: e[2][i]) for i, start in enumerate(starts)),  # type: ignore[misc]
        Column("Total", 18, total, lambda e: sum(e[2])),
    ]
    row = alarm(sheet, 0, rec, looks, len(columns))
    place = write_table(sheet, looks, row, columns, entries)
    sheet.set_row(row, 18)
    sheet.freeze_panes(row + 1, 2)
    sums = {"type": "formula", "criteria": f'=$A{place.first + 1}="Total"', "format": looks.book.add_format(TOTAL)}
    sheet.conditional_format(place.first, 0, place.last, place.columns, sums)
    lines: dict[tuple[str, str], int] = {}
    for line, (name, which, _) in enumerate(entries, place.first):
        lines.setdefault((which, name), line)  # a channel may be called Total; its line comes first
    for i, which in enumerate(PLANS):
        chart = book.add_chart({"type": "column", "subtype": "stacked"})
        shown = [*named, *([label] if others else [])]
        for j, name in enumerate(shown):
            at = lines[which, name]
            series = {"name": [here, at, 0], "categories": [here, row, 2, row, 1 + len(starts)]}
            series["values"] = [here, at, 2, at, 1 + len(starts)]
            chart.add_series({**series, "fill": {"color": canvas.PALETTE[j] if name in named else canvas.PALE}, "gap": 30})
        chart.set_title({"name": f"Spend over time, {which} plan", "name_font": {"size": 12}})
        chart.set_y_axis(money_axis(units.spend, rec.total / max(rec.horizon, 1)))
        chart.set_x_axis({"num_font": {"size": 9, "rotation": -45}})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 820, "height": 380})
        sheet.insert_chart(place.last + 2 + 20 * i, 0, chart, {"object_position": 3})


def _sums(rec: Recommendation, starts: Sequence[str], which: str) -> dict[str, list[float]]:
    """Money by channel and period, summed over geos."""
    place = {start: i for i, start in enumerate(starts)}
    sums = {name: [0.0] * len(starts) for name in rec.channels}
    for cell in rec.cells:
        sums[cell.channel][place[cell.start]] += getattr(cell, which)
    return sums


def _added(rows: Sequence[Sequence[float]], width: int) -> list[float]:
    return [sum(row[i] for row in rows) for i in range(width)]


def cells_sheet(sheet: Any, rec: Recommendation, looks: Looks) -> None:
    """Write one row per channel, geo and period."""
    unit = words.plan_units(rec).spend
    largest = max((max(c.current, c.recommended) for c in rec.cells), default=0.0)
    money, signed, text = looks.money(largest, unit), looks.money(largest, unit, sign=True), looks(align="left", indent=1)
    columns = [
        Column("Channel", name_width(rec.channels), text, lambda c: str(c.channel)),
        Column("Geo", 14, text, lambda c: str(c.geo)),
        Column("Start", 13, text, lambda c: str(c.start)),
        Column("End", 13, text, lambda c: str(c.end)),
        Column("Current", 18, money, lambda c: c.current),
        Column("Recommended", 18, money, lambda c: c.recommended),
        Column("Change", 18, signed, lambda c: c.recommended - c.current),
    ]
    row = alarm(sheet, 0, rec, looks, len(columns))
    fits = len(rec.cells) <= MAX_ROWS - row - 1
    place = write_table(sheet, looks, row, columns, rec.cells if fits else ())
    sheet.set_row(row, 18)
    if fits:
        mark_changes(sheet, looks, place, len(columns) - 1)
    else:
        text_of = f"{len(rec.cells):,} cells are more rows than a sheet has; they are in recommendation.csv"
        put(sheet, row + 1, 0, text_of, looks())
