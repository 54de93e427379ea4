"""Sheets of the plan itself: Summary with its charts, and Plan."""

from __future__ import annotations

from typing import Any

from mmx.decide.recommendation import ChannelPlan, Recommendation
from mmx.report import canvas
from mmx.report import plan_words as words
from mmx.report.sheet import (
    PERCENT,
    RATIO,
    SIGNED_PERCENT,
    TIMES,
    Column,
    Looks,
    Place,
    alarm,
    mark_changes,
    money_axis,
    name_width,
    put,
    write_table,
)
from mmx.report.words import Units

Entry = tuple[str, ChannelPlan]
PLAN = "Plan"
LABEL, VALUE = 38, 42  # Widths of the two columns of the summary, in characters.


def summary_sheet(sheet: Any, rec: Recommendation, looks: Looks) -> None:
    """Write gain, certificate, what doing nothing gives, what binds and what would change the advice."""
    units = words.plan_units(rec)
    sheet.set_column(0, 0, LABEL)
    sheet.set_column(1, 1, VALUE)
    sheet.set_column(2, 2, 3)
    sheet.write_string(0, 0, "Budget recommendation", looks(bold=True, font_size=16))
    sheet.set_row(0, 26)
    row = alarm(sheet, 1, rec, looks, 2) + 1
    label, wrap = looks(bold=True), looks(text_wrap=True)
    strong = looks(text_wrap=True, bold=True, font_size=13, font_color="#00507D")
    for sentence, look in (
        (words.gain_sentence(rec), strong),
        (words.certificate_sentence(rec), wrap),
        (words.nothing_sentence(rec), wrap),
        *((text, wrap) for text in words.turnover_sentences(rec)),
    ):
        _merged(sheet, row, sentence, look)
        row += 1
    row += 1
    for name, content, look in _facts(rec, units, looks):
        put(sheet, row, 0, name, label)
        put(sheet, row, 1, content, look)
        row += 1
    row += 1
    sections = [
        ("What the gain is", [words.gain_definition(units)]),
        ("Constraints that bind", words.binding_lines(rec)),
        ("What would change the advice", words.flip_lines(rec)),
        ("What the model does not know", words.unknown_lines(rec) or [words.NOTHING_RECORDED]),
    ]
    for title, sentences in sections:
        sheet.write_string(row, 0, title, label)
        for sentence in sentences:
            row += 1
            _merged(sheet, row, sentence, wrap)
        row += 2


def _facts(rec: Recommendation, units: Units, looks: Looks) -> list[tuple[str, float | str | None, Any]]:
    text = looks(align="right", text_wrap=True)
    money = looks.money(rec.total, units.spend)
    found, size = rec.certificate, abs(rec.gain.mean)
    value = looks.money(size, units.value, sign=True)
    strong = looks.money(size, units.value, sign=True, bold=True, bg_color="#E8F1F8")
    worth = looks.money(abs(rec.nothing.mean), units.value)
    plain = looks.money(abs(found.value), "")
    lines: list[tuple[str, float | str | None, Any]] = [
        ("Fit", rec.fit_name, text),
        ("Converged", "yes" if rec.converged else "NO", text),
        ("Objective", rec.objective, text),
        ("Goal", rec.goal, text),
        ("First period starts", rec.start, text),
        ("Last period starts", rec.end, text),
        ("Periods", rec.horizon, looks(num_format="0")),
        ("Current plan, total", rec.current_total, money),
        ("Recommended plan, total", rec.total, money),
        ("Left by steps", rec.remainder or None, looks.money(rec.remainder, units.spend)),
        ("One more unit of money brings", rec.shadow_price, looks(num_format=RATIO)),
        (f"{words.extra_name(units)} (gain)", rec.gain.mean, strong),
        ("  5 % quantile", rec.gain.q05, value),
        ("  95 % quantile", rec.gain.q95, value),
        ("P(gain > 0), share of draws", rec.probability_better, looks(num_format=PERCENT)),
        ("Doing nothing brings", rec.nothing.mean, worth),
        ("  5 % quantile of that", rec.nothing.q05, worth),
        ("  95 % quantile of that", rec.nothing.q95, worth),
        ("Certified", "yes" if found.certified else "no", text),
        ("Objective at the plan", found.value, plain),
        ("No allowed plan exceeds", found.bound, plain),
        ("Gap", found.gap, looks.money(abs(found.gap or 0.0), "")),
        ("Relative gap", found.relative_gap, looks(num_format="0.000 %")),
    ]
    return [line for line in lines if line[1] is not None]


def _merged(sheet: Any, row: int, sentence: str, look: Any) -> None:
    """Write a sentence over the two columns, on a row high enough to show it."""
    sheet.merge_range(row, 0, row, 1, "", look)
    put(sheet, row, 0, sentence, look)
    large = look.font_size > 11
    sheet.set_row(row, (19 if large else 15) * -(-len(sentence) // (62 if large else 86)))


def channels_sheet(sheet: Any, rec: Recommendation, looks: Looks) -> Place:
    """Write one row per channel and the total; return where the channels lie."""
    units = words.plan_units(rec)
    columns = [*_money_columns(rec, units, looks), *_reason_columns(rec, units, looks)]
    row = alarm(sheet, 0, rec, looks, len(columns))
    place = write_table(sheet, looks, row, columns, list(rec.channels.items()))
    # on paper the columns take two pages side by side; one would be too small to read
    sheet.fit_to_pages(2, 0)
    for column in (3, 4):
        mark_changes(sheet, looks, place, column)
    last = place.last + 1
    line: dict[str, Any] = {"bold": True, "top": 1}
    money = looks.money(rec.total, units.spend, **line)
    put(sheet, last, 0, "Total", looks(**line, align="left", indent=1))
    put(sheet, last, 1, rec.current_total, money)
    put(sheet, last, 2, rec.total, money)
    put(sheet, last, 3, words.total_change(rec), looks.money(rec.total, units.spend, sign=True, **line))
    return place


def _money_columns(rec: Recommendation, units: Units, looks: Looks) -> list[Column]:
    plans = rec.channels.values()
    spend = max((max(p.current_spend, p.recommended_spend) for p in plans), default=0.0)
    gain = max((max(abs(p.extra.q05), abs(p.extra.q95)) for p in plans), default=0.0)
    text = looks(align="left", indent=1)
    money, signed = looks.money(spend, units.spend), looks.money(spend, units.spend, sign=True)
    extra = looks.money(gain, units.value, sign=True)
    name = words.extra_name(units)

    def share(entry: Entry) -> float | str:
        found = words.change_share(entry[1])
        return words.change_text(entry[1]) if found is None else found

    return [
        Column("Channel", name_width(rec.channels), text, lambda e: str(e[0])),
        Column("Current spend", 17, money, lambda e: e[1].current_spend),
        Column("Recommended spend", 17, money, lambda e: e[1].recommended_spend),
        Column("Change", 17, signed, lambda e: words.change(e[1])),
        Column("Change, %", 11, looks(num_format=SIGNED_PERCENT), share),
        Column("Multiplier", 10, looks(num_format=TIMES), lambda e: e[1].multiplier),
        Column(f"{name}, mean", 20, extra, lambda e: e[1].extra.mean),
        Column(f"{name}, 5 %", 20, extra, lambda e: e[1].extra.q05),
        Column(f"{name}, 95 %", 20, extra, lambda e: e[1].extra.q95),
        Column("Net", 20, extra, lambda e: e[1].net),
    ]


def _reason_columns(rec: Recommendation, units: Units, looks: Looks) -> list[Column]:
    most = max((p.recommended_spend for p in rec.channels.values()), default=0.0)
    money, share, ratio = looks.money(most, units.spend), looks(num_format=PERCENT), looks(num_format=RATIO)
    text = looks(align="left", indent=1)
    columns = []
    for when, field in (("before", "mroas_current"), ("after", "mroas_recommended")):
        columns += _interval_columns(f"{units.mroas} {when}", field, 13, ratio)
    columns += [
        Column("Least allowed", 17, money, lambda e: e[1].low),
        Column("Most allowed", 17, money, lambda e: e[1].high),
        *_interval_columns("Best per draw", "optimum", 17, money),
        Column("Draws at the least", 11, share, lambda e: e[1].at_bounds[0]),
        Column("Draws at the most", 11, share, lambda e: e[1].at_bounds[1]),
        Column("Binding", 30, text, lambda e: e[1].binding),
        Column("Of the largest observed", 12, looks(num_format=TIMES), lambda e: e[1].outside),
        Column("Outside observed range", 14, text, lambda e: "yes" if e[1].outside_observed else ""),
    ]
    return columns


def _interval_columns(name: str, field: str, width: float, look: Any) -> list[Column]:
    """Mean and quantiles of an interval of a channel."""

    def column(stat: str, label: str) -> Column:
        return Column(f"{name}, {label}", width, look, lambda e: float(getattr(getattr(e[1], field), stat)))

    return [column("mean", "mean"), column("q05", "5 %"), column("q95", "95 %")]


def summary_charts(book: Any, rec: Recommendation, place: Place) -> list[Any]:
    """Return bars of current and recommended spend, and of net gains, read from the channel sheet."""
    units = words.plan_units(rec)
    spend = book.add_chart({"type": "bar"})
    for column, name, colour in ((1, "current", canvas.GREY), (2, "recommended", canvas.BLUE)):
        spend.add_series({**_series(place, column), "name": name, "fill": {"color": colour}, "gap": 60})
    _dress(spend, rec, f"Spend over {rec.horizon} periods", money_axis(units.spend, rec.total), 34)
    spend.set_legend({"position": "bottom"})
    net = book.add_chart({"type": "bar"})
    colours = {"fill": {"color": canvas.BLUE}, "invert_if_negative": True, "invert_if_negative_color": canvas.ORANGE}
    net.add_series({**_series(place, 9), "name": "net", **colours, "gap": 60})
    _dress(net, rec, "What each move brings, net", money_axis(units.value, abs(rec.gain.mean)), 26)
    net.set_legend({"none": True})
    return [spend, net]


def _series(place: Place, column: int) -> dict[str, Any]:
    return {
        "categories": [PLAN, place.first, 0, place.last, 0],
        "values": [PLAN, place.first, column, place.last, column],
    }


def _dress(chart: Any, rec: Recommendation, title: str, axis: dict[str, Any], step: int) -> None:
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_y_axis({"reverse": True, "num_font": {"size": 9}, "label_position": "low"})
    # the channels run from top to bottom, which puts "high" labels of the money axis below them
    chart.set_x_axis({**axis, "label_position": "high"})
    chart.set_size({"width": 760, "height": 180 + (step if len(rec.channels) <= 12 else 22) * len(rec.channels)})


def chart_rows(rec: Recommendation) -> int:
    """Rows of 20 pixels that the first chart takes."""
    return 10 + -(-(34 if len(rec.channels) <= 12 else 22) * len(rec.channels) // 20)
