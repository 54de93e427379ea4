from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from mmx.errors import OutputError
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.page import markdown
from mmx.report.plan_page import plan_page
from mmx.report.recommendation_files import write_recommendation_files
from mmx.report.recommendation_schema import FILE
from mmx.report.workbook import write_workbook

from .conftest import Written
from .examples import HARD, SIX, three
from .plans import make_recommendation
from .reading import LOST, Page, number, tables

PARTS = ("plan",)
FILES = [
    "recommendation.json",
    "recommendation.schema.json",
    "recommendation.csv",
    "recommendation_curves.csv",
    "recommendation.xlsx",
    "recommendation.md",
    "recommendation.png",
    "recommendation_moves.png",
    "recommendation_optimum.png",
    "recommendation_curves.png",
    "recommendation_flighting.png",
    "recommendation_frontier.png",
    "recommendation_scenarios.png",
    "recommendation.html",
]
CONTRACT = {"format", "objective", "certificate", "total", "horizon", "gain", "probability_better", "cells", "channels"}
STATS = (("mean", "mean"), ("q05", "5 %"), ("q95", "95 %"))
SHEETS = ["Summary", "Plan", "Weekly flighting", "Curves", "Frontier", "Scenarios", "Tests", "Cells", "Assumptions"]


def _sheet(folder: Path, name: str) -> list[list[Any]]:
    """Rows of a sheet below the alarm, if there is one."""
    rows = [list(r) for r in openpyxl.load_workbook(folder / "recommendation.xlsx")[name].iter_rows(values_only=True)]
    return rows[1:] if str(rows[0][0]).startswith("NOT CONVERGED") else rows


def _channel_rows(folder: Path) -> dict[str, dict[str, Any]]:
    header, *rows = _sheet(folder, "Plan")
    return {str(r[0]): dict(zip(header, r, strict=True)) for r in rows}


def test_json_is_the_recommendation(written: Written) -> None:
    example, folder = written.example, written.folder
    content = json.loads((folder / "recommendation.json").read_text(encoding="utf-8"))
    assert set(content) >= CONTRACT
    assert content["format"] == 2
    assert content == json.loads(json.dumps(example.rec.as_mapping()))
    assert (folder / "recommendation.schema.json").read_bytes() == FILE.read_bytes()
    assert set(content["gain"]) == {"mean", "q05", "q95"}
    assert set(content["cells"][0]) == {"channel", "geo", "start", "end", "current", "recommended"}
    for name, plan in content["channels"].items():
        cells = [c for c in content["cells"] if c["channel"] == name]
        assert plan["recommended_spend"] == pytest.approx(math.fsum(c["recommended"] for c in cells))


def test_csv_has_the_cells(written: Written) -> None:
    example, folder = written.example, written.folder
    frame = pd.read_csv(folder / "recommendation.csv")
    assert frame["channel"].tolist() == [fmt.cell_text(c.channel) for c in example.rec.cells]
    for column in ("geo", "start", "end", "current", "recommended"):
        assert frame[column].tolist() == [getattr(c, column) for c in example.rec.cells]
    assert set(frame["converged"]) == {example.rec.converged}


def test_workbook_has_the_numbers_of_the_json(written: Written) -> None:
    example, folder = written.example, written.folder
    content = json.loads((folder / "recommendation.json").read_text(encoding="utf-8"))
    rows = _channel_rows(folder)
    extra = "Extra KPI units" if example.rec.money == "KPI units" else "Extra KPI money"
    mroas = "marginal KPI per money" if example.rec.money == "KPI units" else "mROAS"
    assert list(rows) == [*(fmt.cell_text(n) for n in content["channels"]), "Total"]
    for name, plan in content["channels"].items():
        row = rows[fmt.cell_text(name)]
        columns = (
            "Current spend",
            "Recommended spend",
            "Multiplier",
            "Least allowed",
            "Most allowed",
            "Net",
            "Of the largest observed",
        )
        got = [row[name] for name in (*columns, "Draws at the least", "Draws at the most")]
        want = [plan[k] for k in ("current_spend", "recommended_spend", "multiplier", "low", "high", "net", "outside")]
        want += plan["at_bounds"]
        for stat, label in (("mean", "mean"), ("q05", "5 %"), ("q95", "95 %")):
            heads = (extra, f"{mroas} before", f"{mroas} after", "Best per draw")
            got += [row[f"{head}, {label}"] for head in heads]
            want += [plan[field][stat] for field in ("extra", "mroas_current", "mroas_recommended", "optimum")]
        assert got == pytest.approx(want, rel=1e-14, abs=1e-300)
        assert (row["Binding"] or "") == plan["binding"]
        assert (row["Outside observed range"] == "yes") == plan["outside_observed"]
    assert rows["Total"]["Recommended spend"] == pytest.approx(content["total"], rel=1e-14)
    plan = _sheet(folder, "Cells")
    assert plan[0] == ["Channel", "Geo", "Start", "End", "Current", "Recommended", "Change"]
    assert [r[5] for r in plan[1:]] == pytest.approx([c["recommended"] for c in content["cells"]], rel=1e-14)
    summary = {r[0]: r[1] for r in _sheet(folder, "Summary")}
    assert summary[f"{extra} (gain)"] == pytest.approx(content["gain"]["mean"], rel=1e-14)
    assert summary["P(gain > 0), share of draws"] == content["probability_better"]
    assert summary["Certified"] == ("yes" if content["certificate"]["certified"] else "no")
    gap = content["certificate"]["relative_gap"]
    assert summary.get("Relative gap") == (None if gap is None else pytest.approx(gap, rel=1e-14))


def test_weekly_sheet_adds_up_to_the_channels(written: Written) -> None:
    rec = written.example.rec
    header, *rows = _sheet(written.folder, "Weekly flighting")
    starts = sorted({c.start for c in rec.cells})
    assert header == ["Channel", "Plan", *starts, "Total"]
    lines = {(row[0], row[1]): row[2:] for row in rows if row[0]}
    for which in ("recommended", "current"):
        for name, plan in rec.channels.items():
            *periods, total = lines[fmt.cell_text(name), which]
            spend = getattr(plan, f"{which}_spend")
            assert [math.fsum(periods), total] == pytest.approx([spend, spend], rel=1e-9)
        whole = [math.fsum(getattr(c, which) for c in rec.cells if c.start == start) for start in starts]
        assert lines["Total", which][:-1] == pytest.approx(whole, rel=1e-9)


def test_sheets_of_choices_hold_the_numbers_of_the_json(write_once: Callable[[str], Written]) -> None:
    written = write_once("six")
    rec = written.example.rec
    for sheet, entries, numbers in (
        ("Frontier", rec.frontier, {"Mean gain of the worst tenth": "worst", "P(gain > 0)": "probability_better"}),
        ("Scenarios", rec.scenarios, {"Total": "total", "P(gain > 0)": "probability_better", "Relative gap": "relative_gap"}),
        ("Tests", rec.tests, {"Value of information": "information", "Cost": "cost", "Power": "power", "Periods": "periods"}),
    ):
        header, *rows = _sheet(written.folder, sheet)
        for entry, row in zip(entries, rows, strict=False):
            found = dict(zip(header, row, strict=True))
            want = {column: getattr(entry, field) for column, field in numbers.items()}
            if sheet != "Tests":
                want |= {f"Spend: {name}": entry.spend[name] for name in rec.channels}
                want |= {f"Extra KPI money, {label}": getattr(entry.gain, stat) for stat, label in STATS}
            assert {column: found[column] for column in want} == {c: pytest.approx(v, rel=1e-14) for c, v in want.items()}


def test_curves_are_the_same_in_every_file(written: Written) -> None:
    rec, folder = written.example.rec, written.folder
    assert (folder / "recommendation_curves.csv").exists() == bool(rec.curves)
    if not rec.curves:
        return
    want = [
        (fmt.cell_text(c.channel), p.spend, p.value.mean, p.value.q05, p.value.q95, p.mroas, p.spend <= c.observed)
        for c in rec.curves
        for p in c.points
    ]
    frame = pd.read_csv(folder / "recommendation_curves.csv", keep_default_na=False)
    assert [(*row[:6], row.observed) for row in frame.itertuples(index=False)] == want
    header, *rows = _sheet(folder, "Curves")
    assert [(row[0], *row[1:6], row[7] != "yes") for row in rows[: len(want)]] == [
        (name, *(pytest.approx(v, rel=1e-14) for v in numbers), inside) for name, *numbers, inside in want
    ]
    assert header[1:3] == ["Spend", f"{'KPI units' if rec.money == 'KPI units' else 'KPI money'}, mean"]
    for curve in rec.curves:
        for name, spend in (("current", curve.current), ("recommended", curve.recommended)):
            mine = frame[(frame["channel"] == fmt.cell_text(curve.channel)) & frame["plan"].str.contains(name)]
            assert mine["spend"].tolist() == [spend] == [getattr(rec.channels[curve.channel], f"{name}_spend")]
            assert sum(name in str(row[6]) for row in rows if row[0] == fmt.cell_text(curve.channel)) == 1


def test_the_flighting_is_named_by_the_length_of_its_periods(tmp_path: Path) -> None:
    rec = make_recommendation(SIX)
    for days, name in ((1, "Daily"), (7, "Weekly"), (30, "Monthly")):
        ends = [str((pd.Timestamp(c.start) + pd.Timedelta(days=days - 1)).date()) for c in rec.cells]
        cells = tuple(replace(c, end=end) for c, end in zip(rec.cells, ends, strict=True))
        write_workbook(replace(rec, cells=cells), tmp_path / "book.xlsx")
        assert openpyxl.load_workbook(tmp_path / "book.xlsx").sheetnames[2] == f"{name} flighting"


def test_workbook_is_fit_to_read(written: Written) -> None:
    example, folder = written.example, written.folder
    book = openpyxl.load_workbook(folder / "recommendation.xlsx")
    rec = example.rec
    empty = {"Curves": not rec.curves, "Frontier": not rec.frontier, "Scenarios": not rec.scenarios, "Tests": not rec.tests}
    assert book.sheetnames == [name for name in SHEETS if not empty.get(name)]
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row if c.value not in (None, "")]
    assert not [c for c in cells if c.data_type in ("f", "e")]
    assert not [
        c
        for c in cells
        if isinstance(c.value, str) and (c.value.startswith(("=", "@")) or LOST.search(c.value.replace("None.", "")))
    ]
    offset = 0 if example.rec.converged else 1
    assert book["Plan"].freeze_panes == f"B{2 + offset}"
    assert book["Cells"].freeze_panes == f"B{2 + offset}"
    assert book["Weekly flighting"].freeze_panes == f"C{2 + offset}"
    assert not [sheet.title for sheet in book if sheet.title in SHEETS[3:8] and sheet.freeze_panes is None]
    money = book["Plan"].cell(2 + offset, 2).number_format
    assert money.startswith("#,##0")
    assert (f'"{example.rec.money}"' in money) == (example.rec.money in ("EUR", "USD"))
    assert book["Plan"].cell(2 + offset, 5).number_format.startswith("+0.0 %")
    charts = {"Summary": 2, "Weekly flighting": 2, "Curves": min(len(rec.curves), 20), "Frontier": 1, "Scenarios": 1}
    assert {s.title: len(s._charts) for s in book if s._charts} == {n: c for n, c in charts.items() if not empty.get(n)}
    assert len(book["Plan"].conditional_formatting) == 2


def test_page_quotes_the_same_numbers(written: Written) -> None:
    example, folder = written.example, written.folder
    text = (folder / "recommendation.md").read_text(encoding="utf-8")
    assert not LOST.search(text)
    unit = example.rec.money if example.rec.money in ("EUR", "USD") else ""
    extra = "Extra KPI units" if example.rec.money == "KPI units" else fmt.header("Extra KPI money", unit)
    mroas = "marginal KPI per money" if example.rec.money == "KPI units" else "mROAS"
    money, reasons = ({r["Channel"]: r for r in table} for table in tables(text)[:2])
    assert list(money) == [*example.rec.channels, "**Total**"]
    assert list(reasons) == list(example.rec.channels)
    for name, plan in example.rec.channels.items():
        row, why = money[name], reasons[name]
        assert number(row[fmt.header("Current", unit)]) == pytest.approx(plan.current_spend, abs=0.501)
        assert number(row[fmt.header("Recommended", unit)]) == pytest.approx(plan.recommended_spend, abs=0.501)
        assert number(row[extra]) == pytest.approx(plan.extra.mean, abs=0.501)
        assert row["90 % interval"] == fmt.full_span(plan.extra.q05, plan.extra.q95)
        assert row[next(h for h in row if h.startswith("Net"))] == fmt.full(plan.net, sign=True)
        for when, stats in (("before", plan.mroas_current), ("after", plan.mroas_recommended)):
            assert why[f"{mroas} {when}"] == fmt.interval(stats.mean, stats.q05, stats.q95)
        assert (plan.binding in row["Remarks"]) and ("outside" in row["Remarks"]) == plan.outside_observed
        assert why["Held by"] == words.held_by(plan, unit)
    for line in (
        words.gain_sentence(example.rec),
        words.certificate_sentence(example.rec),
        words.nothing_sentence(example.rec),
    ):
        assert fmt.markdown(line) in text
    assert words.gain_definition(words.plan_units(example.rec)) in text
    assert fmt.full(example.rec.gain.mean, sign=True) in text
    lines = [*words.binding_lines(example.rec), *words.slack_lines(example.rec), *words.flip_lines(example.rec)]
    for line in (*lines, *words.unknown_lines(example.rec), *example.rec.notes):
        assert fmt.markdown(line) in text


def test_the_web_page_stands_alone_and_shows_the_names_as_they_are(written: Written) -> None:
    rec = written.example.rec
    text = (written.folder / "recommendation.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.links and all(link.startswith("data:image/png;base64,") for link in page.links)
    assert len(page.links) == len(list(written.folder.glob("recommendation*.png")))
    assert not page.tags & {"script", "link", "iframe", "i", "b", "object"}
    assert "default-src 'none'" in text and 'name="viewport"' in text and "@media print" in text
    assert "url(" not in text and "@import" not in text
    assert [row[0] for row in page.tables[0]] == ["Channel", *rec.channels, "Total"]
    assert page.lines[0] == f"Budget recommendation: {rec.fit_name}"
    if rec.scenarios:
        names = [row[0] for table in page.tables if table[0][0] == "Scenario" for row in table[1:]]
        assert names == [scenario.name for scenario in rec.scenarios]
    for line in (words.gain_sentence(rec), words.certificate_sentence(rec), *words.binding_lines(rec)):
        assert line in page.lines
    for heading, shown in (("Gain against risk", rec.frontier), ("Scenarios", rec.scenarios), ("What to test next", rec.tests)):
        assert (heading in page.lines) == bool(shown)


def test_an_unconverged_fit_is_loud_in_every_file(write_once: Callable[[str], Written]) -> None:
    folder = write_once("unconverged").folder
    assert json.loads((folder / "recommendation.json").read_text())["converged"] is False
    assert not pd.read_csv(folder / "recommendation.csv")["converged"].any()
    assert "NOT CONVERGED" in (folder / "recommendation.md").read_text().split("## ")[0]
    assert "NOT CONVERGED" in Page((folder / "recommendation.html").read_text()).lines[1]
    book = openpyxl.load_workbook(folder / "recommendation.xlsx")
    for sheet in book:
        assert any("NOT CONVERGED" in str(sheet.cell(row, 1).value) for row in (1, 2)), sheet.title
    quiet = write_once("six").folder
    assert "NOT CONVERGED" not in (quiet / "recommendation.md").read_text()
    assert (quiet / "recommendation.png").read_bytes() != (folder / "recommendation.png").read_bytes()


def test_the_same_recommendation_gives_the_same_bytes(tmp_path: Path, write_once: Callable[[str], Written]) -> None:
    written = write_once("six")
    example, folder = written.example, written.folder
    seen: list[str] = []
    assert write_recommendation_files(tmp_path, example.rec, progress=seen.append) == seen == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    rec = make_recommendation(SIX)
    plan = replace(rec.channels["tv"], extra=replace(rec.channels["tv"].extra, q95=value))
    broken = replace(rec, channels={**rec.channels, "tv": plan})
    with pytest.raises(OutputError, match=r"channels\.tv\.extra\.q95"):
        write_recommendation_files(tmp_path / "out", broken)
    assert not (tmp_path / "out").exists()


def test_an_unchanged_plan_says_so() -> None:
    rec = make_recommendation(SIX)
    same = replace(rec, cells=tuple(replace(c, recommended=c.current) for c in rec.cells))
    assert "is the current plan" in words.gain_sentence(same)
    assert "is the current plan" not in words.gain_sentence(rec)


def test_channels_outside_the_observed_range_are_named_once() -> None:
    rec = make_recommendation(SIX)
    (name,) = [n for n, p in rec.channels.items() if p.outside_observed]
    assert sum(name in line for line in words.unknown_lines(rec)) == 1
    (line,) = [line for line in words.unknown_lines(rec) if name in line]
    assert "1.31 times the largest" in line
    known = replace(rec, unknowns=(f"{name} would spend more than was ever observed.",))
    assert words.unknown_lines(known) == list(known.unknowns)


def test_names_cannot_break_the_page() -> None:
    rec = make_recommendation(HARD)
    assert [r["Channel"] for r in tables(markdown("page", plan_page(rec)))[0]] == [*HARD, "**Total**"]


def test_more_cells_than_rows_are_pointed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmx.report.time_sheets.MAX_ROWS", 50)
    write_workbook(make_recommendation(SIX), tmp_path / "recommendation.xlsx")
    assert "recommendation.csv" in _sheet(tmp_path, "Cells")[1][0]


def test_certificates_in_words() -> None:
    rec = make_recommendation(SIX)
    made = rec.certificate

    def said(objective: str = "mean", **changes: Any) -> str:
        return words.certificate_sentence(replace(rec, objective=objective, certificate=replace(made, **changes)))

    assert (
        said()
        == "No allowed plan can beat this one by more than 0.014 % of what it brings (certified on all 4,000 posterior draws)."
    )
    assert said(gap=0.0, relative_gap=0.0) == "No allowed plan can beat this one (certified on all 4,000 posterior draws)."
    unknown = {
        "certified": False,
        "bound": None,
        "gap": None,
        "relative_gap": None,
        "method": "best of 30",
        "reason": "it bends",
    }
    assert said(**unknown) == "Not certified (best of 30): it bends. How far a better plan could be from it is not known."
    far = said("probability of more than 12", certified=False, gap=0.031, relative_gap=0.031, method="best of 30", reason="")
    assert far == "Not certified (best of 30). No allowed plan can have a probability that is higher by more than 3.1 %."


def test_a_free_total_says_how_it_was_chosen_and_what_is_left() -> None:
    rec = three().rec
    told = words.total_sentence(replace(rec, remainder=1250.0))
    assert rec.goal in told and fmt.full(rec.current_total, "EUR") in told and "1,250 EUR of the total unspent" in told
    assert "scaled to the same total" in words.nothing_sentence(rec)
    assert words.shadow_sentence(rec) == ""
    assert words.binding_lines(rec)[0].startswith("tv stands at its upper bound")


def test_a_test_that_may_be_worth_nothing_says_so() -> None:
    rec = make_recommendation(SIX, tests=1)
    (test,) = rec.tests
    assert "cannot be told apart from 0" not in words.worth_sentence(test, rec)
    assert "cannot be told apart from 0" in words.worth_sentence(replace(test, information_error=test.information), rec)


def test_a_test_that_costs_more_than_it_is_worth_says_so() -> None:
    rec = make_recommendation(SIX, tests=1)
    (test,) = rec.tests
    said = "costs more than it is worth"
    assert said not in words.worth_sentence(replace(test, cost=0.9 * test.information), rec)
    assert said in words.worth_sentence(replace(test, cost=1.1 * test.information), rec)


def test_the_most_profit_is_told_and_a_bound_that_steps_miss() -> None:
    rec = three().rec
    assert rec.goal.startswith("total with the most profit")
    assert f"it earns {fmt.full(rec.certificate.value, 'EUR')} after its spend" in words.total_sentence(rec)
    assert "it earns" not in words.total_sentence(replace(rec, goal="fixed total"))
    (low,) = [p for p in rec.channels.values() if p.binding == "lower bound"]
    assert words.held_by(low, "EUR") == f"its lower bound, {fmt.full(low.low, 'EUR')}"
    stepped = replace(low, recommended_spend=1.1 * low.low)
    assert words.held_by(stepped, "EUR") == f"its lower bound, {fmt.full(low.low, 'EUR')} (to the next step)"


def test_a_probability_that_is_asked_for_is_told() -> None:
    rec = replace(make_recommendation(SIX), objective="probability of a gain above 300,000")
    told = words.total_sentence(replace(rec, certificate=replace(rec.certificate, value=0.71)))
    assert told.endswith("The probability of a gain above 300,000 is 71 %.")
    assert "probability" not in words.total_sentence(make_recommendation(SIX))
