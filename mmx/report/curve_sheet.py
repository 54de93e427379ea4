"""Sheet Curves: every point of the response curves, and a chart per channel beside them."""

from __future__ import annotations

from typing import Any

from mmx.decide.recommendation import Curve, CurvePoint, Recommendation
from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.sheet import RATIO, Column, Looks, Place, alarm, name_width, put, write_table
from mmx.report.words import KPI_UNITS

CURVES = "Curves"
CHARTS = 20  # Channels with a chart; all have rows.
ACROSS = 2  # Charts side by side.
SIZE = (500, 320)  # Of a chart, in pixels.
ROW, COLUMN = 20, 64  # Pixels of a row and of a column of standard width.
BAND = "#8FBBD9"
SHORT = '[>=1000000]0.0,,"M";[>=1000]0,"k";0'  # Three conditions are all that a number format has.
Entry = tuple[Curve, CurvePoint]


def curves_sheet(sheet: Any, book: Any, rec: Recommendation, looks: Looks) -> None:
    """Write a row per channel and spend, and charts of the channels with the most recommended spend."""
    units = words.plan_units(rec)
    entries = [(curve, point) for curve in rec.curves for point in curve.points]
    spend = looks.money(max(curve.points[-1].spend for curve in rec.curves), units.spend)
    value = looks.money(max(abs(point.value.q95) for _, point in entries), units.value)
    text = looks(align="left", indent=1)
    name = "KPI units" if units.value == KPI_UNITS else units.value_name

    def interval(stat: str, label: str) -> Column:
        return Column(f"{name}, {label}", 20, value, lambda e: float(getattr(e[1].value, stat)))

    columns = [
        Column("Channel", name_width([c.channel for c in rec.curves]), text, lambda e: str(e[0].channel)),
        Column("Spend", 17, spend, lambda e: e[1].spend),
        interval("mean", "mean"),
        interval("q05", "5 %"),
        interval("q95", "95 %"),
        Column(units.mroas, 13, looks(num_format=RATIO), lambda e: e[1].mroas),
        Column("Plan", 26, text, lambda e: words.curve_plan(*e)),
        Column("Beyond the observed spend", 14, text, lambda e: "yes" if e[1].spend > e[0].observed else ""),
    ]
    row = alarm(sheet, 0, rec, looks, len(columns))
    place = write_table(sheet, looks, row, columns, entries)
    letter, strong = "G", looks.book.add_format({"bold": True, "bg_color": "#E8F1F8"})
    rule = {"type": "formula", "criteria": f'=${letter}{place.first + 1}<>""', "format": strong}
    sheet.conditional_format(place.first, 0, place.last, place.columns, rule)
    _charts(sheet, book, rec, place, entries)


def _charts(sheet: Any, book: Any, rec: Recommendation, place: Place, entries: list[Entry]) -> None:
    """Insert the charts to the right of the table."""
    shown = words.largest_curves(rec, CHARTS)
    if len(shown) < len(rec.curves):
        text = f"The {len(shown)} channels with the most recommended spend; all {len(rec.curves)} are in the table."
        put(sheet, place.header, place.columns + 2, text, book.add_format({"valign": "vcenter"}))
    for i, curve in enumerate(shown):
        rows = [place.first + k for k, (own, _) in enumerate(entries) if own is curve]
        down, right = divmod(i, ACROSS)
        at = (place.first + down * (SIZE[1] // ROW + 1), place.columns + 2 + right * (SIZE[0] // COLUMN + 1))
        sheet.insert_chart(*at, _chart(book, rec, curve, rows), {"object_position": 3})


def _chart(book: Any, rec: Recommendation, curve: Curve, rows: list[int]) -> Any:
    """One curve: mean, dashed beyond the observed spend, the ends of its interval, and both plans."""
    units = words.plan_units(rec)
    spends = [point.spend for point in curve.points]
    inside = rows[: sum(s <= curve.observed for s in spends)]
    beyond = rows[max(len(inside) - 1, 0) :]
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})

    def add(name: str, part: list[int], column: int, **look: Any) -> None:
        span = {"categories": [CURVES, part[0], 1, part[-1], 1], "values": [CURVES, part[0], column, part[-1], column]}
        chart.add_series({"name": name, **span, **look})

    thin = {"color": BAND, "width": 1}
    add("90 % interval", rows, 3, line=thin)
    add("95 % quantile", rows, 4, line=thin)
    if len(inside) > 1:
        add("mean", inside, 2, line={"color": canvas.BLUE, "width": 2.25})
    if len(beyond) > 1:
        add("extrapolated", beyond, 2, line={"color": canvas.BLUE, "width": 2.25, "dash_type": "dash"})
    for name, spend, kind, fill in (
        ("current", curve.current, "circle", canvas.GREY),
        ("recommended", curve.recommended, "diamond", canvas.INK),
    ):
        at = rows[spends.index(spend)]
        marker = {"type": kind, "size": 9, "fill": {"color": fill}, "border": {"color": canvas.INK, "width": 1.5}}
        add(name, [at], 2, marker=marker, line={"none": True})
    chart.set_title({"name": fmt.cell_text(fmt.shorten(curve.channel, 40)), "name_font": {"size": 12}, "overlay": False})
    lines = {"visible": True, "line": {"color": canvas.PALE}}
    axis = {"num_font": {"size": 9}, "major_gridlines": lines, "label_position": "low", "name_font": {"size": 9, "bold": False}}
    most = (spends[-1], max(abs(point.value.q95) for point in curve.points))
    across, up = ({**axis, "num_format": SHORT if size >= 10 else "General"} for size in most)
    chart.set_x_axis({**across, "name": fmt.header("spend", units.spend), "min": 0, "max": spends[-1]})
    chart.set_y_axis({**up, "name": fmt.header(units.value_name, units.value)})
    chart.set_legend({"position": "bottom", "delete_series": [1], "font": {"size": 9}})
    chart.set_size({"width": SIZE[0], "height": SIZE[1]})
    return chart
