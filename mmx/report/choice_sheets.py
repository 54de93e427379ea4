"""Sheets of choices: Frontier and Scenarios with a chart, Tests, and Assumptions in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.report import canvas
from mmx.report import plan_words as words
from mmx.report.sheet import PERCENT, RATIO, Column, Looks, alarm, money_axis, put, write_table
from mmx.report.words import Units

FRONTIER, SCENARIOS = "Frontier", "Scenarios"


def frontier_sheet(sheet: Any, book: Any, rec: Recommendation, looks: Looks) -> None:
    """Write a row per plan of the frontier with its spend by channel, and gain against that of the worst tenth."""
    units = words.plan_units(rec)
    size = max(max(abs(p.gain.q05), abs(p.gain.q95)) for p in rec.frontier)
    extra, share = looks.money(size, units.value, sign=True), looks(num_format=PERCENT)
    columns = [
        Column("Plan that maximises", 34, looks(align="left", indent=1), words.level_name),
        Column("Share of worst draws", 12, share, lambda p: p.level),
        *_gain_columns(units, extra, lambda p: p.gain),
        Column("Mean gain of the worst tenth", 20, extra, lambda p: p.worst),
        Column("P(gain > 0)", 11, share, lambda p: p.probability_better),
        *_spend_columns(rec, units, looks),
    ]
    row = alarm(sheet, 0, rec, looks, 7)
    place = write_table(sheet, looks, row, columns, rec.frontier)
    chart = book.add_chart({"type": "scatter", "subtype": "straight_with_markers"})
    chart.add_series(
        {
            "name": "plans",
            "categories": [FRONTIER, place.first, 5, place.last, 5],
            "values": [FRONTIER, place.first, 2, place.last, 2],
            "marker": {"type": "circle", "size": 8, "fill": {"color": canvas.BLUE}, "border": {"color": canvas.BLUE}},
            "line": {"color": canvas.GREY},
        }
    )
    chart.set_title({"name": "Mean gain against that of the worst tenth of draws", "name_font": {"size": 12}})
    chart.set_x_axis({**money_axis("mean gain of the worst tenth", size), "label_position": "low"})
    chart.set_y_axis({**money_axis("mean gain", size), "label_position": "low"})
    chart.set_legend({"none": True})
    chart.set_size({"width": 640, "height": 380})
    sheet.insert_chart(place.last + 2, 0, chart, {"object_position": 3})


def scenarios_sheet(sheet: Any, book: Any, rec: Recommendation, looks: Looks) -> None:
    """Write a row per scenario with its spend by channel, and bars of the gains."""
    units = words.plan_units(rec)
    size = max(max(abs(s.gain.q05), abs(s.gain.q95)) for s in rec.scenarios)
    extra, text = looks.money(size, units.value, sign=True), looks(align="left", indent=1)
    profit = looks.money(size, units.spend, sign=True)
    columns = [
        Column("Scenario", 34, text, lambda s: str(s.name)),
        Column("Objective", 30, text, lambda s: str(s.objective)),
        Column("Total", 17, looks.money(max(s.total for s in rec.scenarios), units.spend), lambda s: s.total),
        *_gain_columns(units, extra, lambda s: s.gain),
        *(
            Column(f"Profit, {label}", 20, profit, lambda s, stat=stat: getattr(s.profit, stat) if s.profit else None)  # type: ignore[misc]
            for stat, label in (("mean", "mean"), ("q05", "5 %"), ("q95", "95 %"))
        ),
        Column("P(gain > 0)", 11, looks(num_format=PERCENT), lambda s: s.probability_better),
        Column("Certified", 11, text, lambda s: "yes" if s.certified else "no"),
        Column("Relative gap", 11, looks(num_format="0.000 %"), lambda s: s.relative_gap),
        *_spend_columns(rec, units, looks),
    ]
    row = alarm(sheet, 0, rec, looks, 7)
    place = write_table(sheet, looks, row, columns, rec.scenarios)
    sheet.fit_to_pages(2, 0)
    chart = book.add_chart({"type": "bar"})
    chart.add_series(
        {
            "name": "mean gain",
            "categories": [SCENARIOS, place.first, 0, place.last, 0],
            "values": [SCENARIOS, place.first, 3, place.last, 3],
            "fill": {"color": canvas.BLUE},
            "gap": 60,
        }
    )
    chart.set_title({"name": "Mean gain over the current plan as it is", "name_font": {"size": 12}})
    chart.set_y_axis({"reverse": True, "label_position": "low", "num_font": {"size": 9}})
    chart.set_x_axis({**money_axis(units.value, size), "label_position": "high"})
    chart.set_legend({"none": True})
    chart.set_size({"width": 640, "height": 160 + 36 * len(rec.scenarios)})
    sheet.insert_chart(place.last + 2, 0, chart, {"object_position": 3})


def _gain_columns(units: Units, look: Any, gain: Callable[[Any], Any]) -> list[Column]:
    def column(stat: str, label: str) -> Column:
        return Column(f"{words.extra_name(units)}, {label}", 20, look, lambda e: float(getattr(gain(e), stat)))

    return [column("mean", "mean"), column("q05", "5 %"), column("q95", "95 %")]


def _spend_columns(rec: Recommendation, units: Units, looks: Looks) -> list[Column]:
    """Spend by channel, one column each."""
    money = looks.money(max((p.recommended_spend for p in rec.channels.values()), default=0.0), units.spend)

    def column(name: str) -> Column:
        return Column(f"Spend: {name}", 17, money, lambda e: e.spend.get(name))

    return [column(name) for name in rec.channels]


def tests_sheet(sheet: Any, rec: Recommendation, looks: Looks) -> None:
    """Write a row per experiment: what it is worth, costs and can show."""
    units = words.plan_units(rec)
    size = max(max(abs(t.information), abs(t.cost)) for t in rec.tests)
    text, wrap, ratio, share = (
        looks(align="left", indent=1),
        looks(text_wrap=True),
        looks(num_format=RATIO),
        looks(num_format=PERCENT),
    )
    value, spend = looks.money(size, units.value), looks.money(size, units.spend, sign=True)
    columns = [
        Column("Channel", 30, text, lambda t: str(t.channel)),
        Column("Design", 44, wrap, lambda t: str(t.design)),
        Column("Value of information", 20, value, lambda t: t.information),
        Column("Its Monte-Carlo error", 20, value, lambda t: t.information_error),
        Column("Cost", 20, value, lambda t: t.cost),
        Column("Spend added", 20, spend, lambda t: t.delta_spend),
        Column("Periods", 9, looks(num_format="0"), lambda t: t.periods),
        Column("Geos", 24, text, lambda t: ", ".join(t.geos) or "all"),
        Column("Change of the tested spend", 12, looks(num_format="+0 %;-0 %;0 %"), lambda t: t.change),
        Column(f"Error of {units.roas}", 12, ratio, lambda t: t.se),
        Column("Width over today's", 12, ratio, lambda t: t.width),
        Column("Power", 9, share, lambda t: t.power),
        Column("Changes the largest move", 14, share, lambda t: t.changes_largest_move),
    ]
    row = alarm(sheet, 0, rec, looks, len(columns))
    place = write_table(sheet, looks, row, columns, rec.tests)
    put(sheet, place.last + 2, 0, words.worth_sentence(rec.tests[0], rec), looks())


def assumptions_sheet(sheet: Any, rec: Recommendation, looks: Looks) -> None:
    """Write definitions, the certificate, constraints, what the model does not know, and notes."""
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 110)
    head, bold, wrap = looks(bold=True, bg_color="#E8F1F8", bottom=1), looks(bold=True), looks(text_wrap=True)
    row = alarm(sheet, 0, rec, looks, 2)
    sections: list[tuple[str, list[tuple[str, str]]]] = [
        ("Definitions", words.plan_definitions(rec)),
        ("Certificate", [("", words.certificate_sentence(rec)), *words.certificate_lines(rec)]),
        ("Constraints that bind", [("", line) for line in words.binding_lines(rec)]),
        ("Constraints that do not bind", [("", line) for line in words.slack_lines(rec)]),
        ("Why each channel stops", [("", line) for line in words.held_sentences(rec)]),
        ("What would change the advice", [("", line) for line in words.flip_lines(rec)]),
        ("What the model does not know", [("", line) for line in words.unknown_lines(rec)]),
        ("Notes", [("", line) for line in rec.notes]),
    ]
    for title, lines in sections:
        if not lines:
            continue
        sheet.merge_range(row, 0, row, 1, "", head)
        sheet.write_string(row, 0, title, head)
        row += 1
        for term, sentence in lines:
            put(sheet, row, 0, term, bold)
            put(sheet, row, 1, sentence, wrap)
            sheet.set_row(row, 15 * -(-len(sentence) // 105))
            row += 1
        row += 1
    sheet.freeze_panes(0 if rec.converged else 1, 0)
