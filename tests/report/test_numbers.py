"""Every number that an export shows is that of the JSON, at the precision shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mmx.decide.recommendation import Interval, Recommendation
from mmx.report.page import html, markdown
from mmx.report.plan_page import CURVES, FLIGHTING, FRONTIER, MOVES, OPTIMUM, PLAN, SCENARIOS, plan_page, plan_title
from mmx.report.plan_terminal import print_recommendation
from mmx.report.workbook import write_workbook

from .examples import CASES, SIX, Example
from .numbers import in_cells, in_curves, near, strays, tokens, told
from .plans import make_recommendation
from .reading import Page

FOLDER = Path("folder")
PICTURES = dict.fromkeys((PLAN, MOVES, OPTIMUM, CURVES, FLIGHTING, FRONTIER, SCENARIOS), b"")
Cases = pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
EXCEL = 1e-12  # a workbook keeps 16 significant digits, and sums are taken in another order


def in_markdown(rec: Recommendation) -> list[str]:
    return markdown(plan_title(rec), plan_page(rec)).splitlines()


def in_html(rec: Recommendation) -> list[str]:
    page = Page(html(plan_title(rec), plan_page(rec), PICTURES))
    return [*page.lines, *(cell for table in page.tables for row in table for cell in row)]


def in_terminal(rec: Recommendation) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=2000, highlight=False, markup=False, emoji=False)
    print_recommendation(rec, FOLDER, console=console)
    return out.getvalue().splitlines()


def sheets(rec: Recommendation, folder: Path) -> tuple[list[str], list[float]]:
    """Texts and numbers of the workbook."""
    write_workbook(rec, folder / "recommendation.xlsx")
    book = openpyxl.load_workbook(folder / "recommendation.xlsx")
    values: list[Any] = [c for sheet in book for row in sheet.iter_rows(values_only=True) for c in row if c is not None]
    return [v for v in values if isinstance(v, str)], [float(v) for v in values if not isinstance(v, str)]


@Cases
@pytest.mark.parametrize("read", [in_markdown, in_html, in_terminal])
def test_texts_show_numbers_of_the_json(case: Callable[[], Example], read: Callable[[Recommendation], list[str]]) -> None:
    rec = case().rec
    shown = read(rec)
    assert sum(1 for line in shown for _ in tokens(line)) > 30
    assert strays(shown, rec) == []


@Cases
def test_sheets_hold_numbers_of_the_json(case: Callable[[], Example], tmp_path: Path) -> None:
    rec = case().rec
    texts, numbers = sheets(rec, tmp_path)
    cells = in_cells(rec)
    counts = [max(0, len(rec.channels) - 6), min(len(rec.curves), 20), len(rec.curves)]  # of what charts leave out
    assert strays(texts, rec, more=map(float, counts)) == []
    known = sorted([*told(rec), *cells, *in_curves(rec)])
    slack = 1e-9 if rec.total < 1e6 else 1e-5
    assert [v for v in numbers if not near(v, known, EXCEL * abs(v) + slack * EXCEL)] == []
    for cell in rec.cells:
        assert near(cell.recommended, sorted(numbers), EXCEL * cell.recommended)


@settings(max_examples=25, deadline=None)
@given(
    gain=st.floats(-1e10, 1e10),
    wide=st.floats(0, 1e10),
    probability=st.floats(0, 1),
    price=st.floats(-10, 100),
    nothing=st.floats(0, 1e12),
)
def test_any_number_is_shown_as_it_is(gain: float, wide: float, probability: float, price: float, nothing: float) -> None:
    rec = replace(
        make_recommendation(SIX),
        gain=Interval(gain, gain - wide, gain + wide),
        probability_better=probability,
        shadow_price=price,
        nothing=Interval(nothing, nothing / 2, nothing * 2),
    )
    for read in (in_markdown, in_html, in_terminal):
        assert strays(read(rec), rec) == []


def test_pages_say_the_same_in_both_forms() -> None:
    for case in CASES:
        rec = case().rec
        written = [token for line in in_markdown(rec) for token, *_ in tokens(line.replace("\\", ""))]
        page = Page(html(plan_title(rec), plan_page(rec), PICTURES))
        shown = [token for line in page.lines for token, *_ in tokens(line)]
        shown += [token for table in page.tables for row in table for cell in row for token, *_ in tokens(cell)]
        assert sorted(written) == sorted(shown), case.__name__


@pytest.mark.parametrize("read", [in_markdown, in_html, in_terminal])
def test_a_wrong_number_is_noticed(read: Callable[[Recommendation], list[str]]) -> None:
    rec = CASES[0]().rec
    wrong = replace(rec, gain=replace(rec.gain, mean=1.31 * rec.gain.mean), total=1.0123 * rec.total)
    assert len(strays(read(wrong), rec)) >= 2


def test_tokens() -> None:
    found = [(token, value) for token, value, _ in tokens("+1.2M [0.8k, -3,456.70] 12.5 % of a1 x 1e-05 2026")]
    assert found == [
        ("+1.2M", 1.2e6),
        ("0.8k", 800.0),
        ("-3,456.70", -3456.7),
        ("12.5 %", 0.125),
        ("1e-05", 1e-5),
        ("2026", 2026.0),
    ]
