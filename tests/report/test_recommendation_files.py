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
from mmx.report import words
from mmx.report.recommendation_files import write_recommendation_files
from mmx.report.recommendation_report import recommendation_report
from mmx.report.workbook import write_workbook

from .conftest import Written
from .examples import HARD, SIX, make_recommendation
from .reading import LOST, number, tables

FILES = ["recommendation.json", "recommendation.csv", "recommendation.xlsx", "recommendation.md", "recommendation.png"]
CONTRACT = {"format", "objective", "certificate", "total", "horizon", "gain", "probability_better", "cells", "channels"}


def _sheet(folder: Path, name: str) -> list[list[Any]]:
    """Rows of a sheet below the alarm, if there is one."""
    rows = [list(r) for r in openpyxl.load_workbook(folder / "recommendation.xlsx")[name].iter_rows(values_only=True)]
    return rows[1:] if str(rows[0][0]).startswith("NOT CONVERGED") else rows


def _channel_rows(folder: Path) -> dict[str, dict[str, Any]]:
    header, *rows = _sheet(folder, "Channels")
    return {str(r[0]): dict(zip(header, r, strict=True)) for r in rows}


def test_json_is_the_recommendation(written: Written) -> None:
    example, folder = written.example, written.folder
    content = json.loads((folder / "recommendation.json").read_text(encoding="utf-8"))
    assert set(content) >= CONTRACT
    assert content["format"] == 1
    assert content == json.loads(json.dumps(example.rec.as_mapping()))
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
        got = [row["Current spend"], row["Recommended spend"], row["Multiplier"], row["Lower bound"], row["Upper bound"]]
        want = [plan[k] for k in ("current_spend", "recommended_spend", "multiplier", "low", "high")]
        for stat, label in (("mean", "mean"), ("q05", "5 %"), ("q95", "95 %")):
            got += [row[f"{extra}, {label}"], row[f"{mroas} before, {label}"], row[f"{mroas} after, {label}"]]
            want += [plan["extra"][stat], plan["mroas_current"][stat], plan["mroas_recommended"][stat]]
        assert got == pytest.approx(want, rel=1e-14, abs=1e-300)
        assert (row["Binding"] or "") == plan["binding"]
        assert (row["Outside observed range"] == "yes") == plan["outside_observed"]
    assert rows["Total"]["Recommended spend"] == pytest.approx(content["total"], rel=1e-14)
    plan = _sheet(folder, "Plan")
    assert plan[0] == ["Channel", "Geo", "Start", "End", "Current", "Recommended", "Change"]
    assert [r[5] for r in plan[1:]] == pytest.approx([c["recommended"] for c in content["cells"]], rel=1e-14)
    summary = {r[0]: r[1] for r in _sheet(folder, "Summary")}
    assert summary[f"{extra} (gain)"] == pytest.approx(content["gain"]["mean"], rel=1e-14)
    assert summary["P(gain > 0), share of draws"] == content["probability_better"]


def test_workbook_is_fit_to_read(written: Written) -> None:
    example, folder = written.example, written.folder
    book = openpyxl.load_workbook(folder / "recommendation.xlsx")
    assert book.sheetnames == ["Summary", "Channels", "Plan", "Assumptions"]
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row if c.value not in (None, "")]
    assert not [c for c in cells if c.data_type in ("f", "e")]
    assert not [
        c
        for c in cells
        if isinstance(c.value, str) and (c.value.startswith(("=", "@")) or LOST.search(c.value.replace("None.", "")))
    ]
    offset = 0 if example.rec.converged else 1
    assert book["Channels"].freeze_panes == f"B{2 + offset}"
    assert book["Plan"].freeze_panes == f"A{2 + offset}"
    money = book["Channels"].cell(2 + offset, 2).number_format
    assert money.startswith("#,##0")
    assert (f'"{example.rec.money}"' in money) == (example.rec.money in ("EUR", "USD"))
    assert book["Channels"].cell(2 + offset, 5).number_format.startswith("+0.0 %")
    assert len(book["Summary"]._charts) == 1
    assert len(book["Channels"].conditional_formatting) == 2


def test_page_quotes_the_same_numbers(written: Written) -> None:
    example, folder = written.example, written.folder
    text = (folder / "recommendation.md").read_text(encoding="utf-8")
    assert not LOST.search(text)
    unit = example.rec.money if example.rec.money in ("EUR", "USD") else ""
    extra = "Extra KPI units" if example.rec.money == "KPI units" else fmt.header("Extra KPI money", unit)
    mroas = "marginal KPI per money" if example.rec.money == "KPI units" else "mROAS"
    rows = {r["Channel"]: r for r in tables(text)[0]}
    assert list(rows) == [*example.rec.channels, "**Total**"]
    for name, plan in example.rec.channels.items():
        row = rows[name]
        assert number(row[fmt.header("Current", unit)]) == pytest.approx(plan.current_spend, abs=0.501)
        assert number(row[fmt.header("Recommended", unit)]) == pytest.approx(plan.recommended_spend, abs=0.501)
        assert number(row[extra]) == pytest.approx(plan.extra.mean, abs=0.501)
        assert row["90 % interval"] == fmt.full_span(plan.extra.q05, plan.extra.q95)
        for when, stats in (("before", plan.mroas_current), ("after", plan.mroas_recommended)):
            assert row[f"{mroas} {when}"] == fmt.interval(stats.mean, stats.q05, stats.q95)
        assert (plan.binding in row["Remarks"]) and ("outside" in row["Remarks"]) == plan.outside_observed
    assert words.gain_sentence(example.rec) in text
    assert words.gain_definition(words.plan_units(example.rec)) in text
    assert fmt.full(example.rec.gain.mean, sign=True) in text
    for line in (*words.binding_lines(example.rec), *words.unknown_lines(example.rec), *example.rec.notes):
        assert fmt.markdown(line) in text


def test_an_unconverged_fit_is_loud_in_every_file(write_once: Callable[[str], Written]) -> None:
    folder = write_once("unconverged").folder
    assert json.loads((folder / "recommendation.json").read_text())["converged"] is False
    assert not pd.read_csv(folder / "recommendation.csv")["converged"].any()
    assert "NOT CONVERGED" in (folder / "recommendation.md").read_text().split("## ")[0]
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
    known = replace(rec, unknowns=(f"{name} would spend more than was ever observed.",))
    assert words.unknown_lines(known) == list(known.unknowns)


def test_names_cannot_break_the_page() -> None:
    rec = make_recommendation(HARD)
    assert [r["Channel"] for r in tables(recommendation_report(rec))[0]] == [*HARD, "**Total**"]


def test_more_cells_than_rows_are_pointed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmx.report.workbook.MAX_ROWS", 50)
    write_workbook(make_recommendation(SIX), tmp_path / "recommendation.xlsx")
    assert "recommendation.csv" in _sheet(tmp_path, "Plan")[1][0]
