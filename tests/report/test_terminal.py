from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from mmx.errors import DataError, Problem
from mmx.report import format as fmt
from mmx.report import plan_terminal, plan_words, terminal
from mmx.report.grid import Grid

from .examples import CASES, Example
from .reading import LOST

WIDTH = 80
FOLDER = Path("/a/long/path/that/does/not/fit/the/width/of/a/terminal/mlruns/outputs/robyn_weekly-2026-11-21-abcdef")
Cases = pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool | None
    table: pd.DataFrame | None
    text: str


def printed(call: Callable[..., None], *args: Any, width: int = WIDTH, colour: bool = False, **kwargs: Any) -> str:
    """What a function prints on a console of the given width."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, highlight=False, markup=False, emoji=False)
    call(*args, console=console, **kwargs)
    return out.getvalue()


def check_lines(text: str, example: Example, width: int = WIDTH, alone: Collection[str] = ()) -> None:
    """No line is wider than the terminal but paths, commands and names that stand alone; nothing is missing or cut."""
    names = {*example.tables.channels["channel"], *alone}
    for line in text.splitlines():
        assert len(line) <= width or str(FOLDER) in line or line.strip() in names, line
    assert not LOST.search(text)
    assert "…" not in text
    assert "\x1b" not in text


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def whole_cells(text: str, cells: list[str]) -> None:
    """Each cell stands on one line, uncut."""
    lines = text.splitlines()
    for cell in cells:
        assert any(cell in line for line in lines), cell


@Cases
def test_fit(case: Callable[[], Example]) -> None:
    example = case()
    text = printed(
        terminal.print_fit,
        example.summary,
        example.tables,
        FOLDER,
        currency=example.currency,
        target_kind=example.target_kind,
        ui_command="mmx ui",
    )
    check_lines(text, example)
    rows = example.tables.channels.to_dict("records")
    paid = [r for r in rows if r["kind"] == "paid"]
    cells = [fmt.interval(*(r[f"{q}_{s}"] for s in ("mean", "q05", "q95"))) for r in paid for q in ("roas", "mroas")]
    cells += [fmt.short(r["spend"]) for r in paid]
    cells += [fmt.percent_interval(*(r[f"contribution_share_{s}"] for s in ("mean", "q05", "q95"))) for r in rows]
    whole_cells(text, [*cells, str(FOLDER), "mmx ui"])
    assert ("NOT CONVERGED" in text) == (not example.summary["converged"])


@Cases
@pytest.mark.parametrize(("width", "with_truth"), [(80, False), (80, True), (120, False)])
def test_recommendation(case: Callable[[], Example], width: int, with_truth: bool) -> None:
    example = case()
    rec = example.rec
    truth = {n: 1.37 * p.current_spend for n, p in rec.channels.items()} if with_truth else None
    text = printed(plan_terminal.print_recommendation, rec, FOLDER, truth, width=width)
    check_lines(text, example, width, {s.name for s in rec.scenarios})
    cells = [fmt.short(p.current_spend) for p in rec.channels.values()]
    cells += [fmt.short(p.recommended_spend) + "*" * p.outside_observed for p in rec.channels.values()]
    cells += [fmt.short_interval(p.extra.mean, p.extra.q05, p.extra.q95, sign=True) for p in rec.channels.values()]
    cells += [fmt.short(p.net, sign=True) for p in rec.channels.values()]
    cells += [fmt.short(s.total) for s in rec.scenarios]
    cells += [fmt.short(v) for v in (truth or {}).values()]
    whole_cells(text, [*cells, str(FOLDER)])
    assert squeezed(fmt.probability(rec.probability_better)) in squeezed(text)
    assert ("NOT CONVERGED" in text) == (not rec.converged)
    names = squeezed(text)
    if width == WIDTH:  # wider, long names fold within a table
        assert all(squeezed(n) in names for n in rec.channels if len(n) > 30)
    said = [plan_words.certificate_sentence(rec), plan_words.nothing_sentence(rec), plan_words.total_sentence(rec)]
    said += [*plan_words.binding_lines(rec), *plan_words.flip_lines(rec), *plan_words.unknown_lines(rec)]
    said += [plan_words.worth_sentence(t, rec) for t in rec.tests[: plan_terminal.TESTS]]
    assert [line for line in said if squeezed(line) not in names] == []


def test_six_channels_stand_in_a_table_at_80_columns() -> None:
    rec = CASES[0]().rec
    text = printed(plan_terminal.print_recommendation, rec, FOLDER)
    for name, plan in rec.channels.items():
        (money, reasons) = (line for line in text.splitlines() if line.startswith(f"{name} "))
        assert fmt.short(plan.net, sign=True) in money
        assert plan_words.held_by(plan, "EUR") in reasons


@Cases
def test_demo(case: Callable[[], Example]) -> None:
    example = case()
    truth = dict.fromkeys(example.rec.channels, 1.2345)
    text = printed(
        terminal.print_demo,
        example.summary,
        example.tables,
        example.rec,
        truth,
        folders={"fit": FOLDER, "recommendation": FOLDER},
        ui_command="mmx ui",
        did=["Simulated three years.", "Fitted them in 3.2 s."],
    )
    check_lines(text, example)
    plans = example.rec.channels.values()
    whole_cells(text, [fmt.short(p.recommended_spend) for p in plans])
    whole_cells(text, ["Simulated three years.", "1.23", "mmx ui"])
    assert text.count(str(FOLDER)) == 2
    assert ("NOT CONVERGED" in text) == (not example.rec.converged)


def test_checks() -> None:
    evidence = pd.DataFrame({"channel": ["tv", "[red]x"], "vif": [12.345, 1.2], "weeks": [156, 12], "bad": [True, False]})
    results = [
        Result("collinearity", False, evidence, "The largest VIF is 12.3, above 10: tv moves together with radio."),
        Result("share of spend", True, None, "Nothing to say."),
        Result("range", None, pd.DataFrame({"week": range(30)}), "For information."),
    ]
    text = printed(terminal.print_checks, results)
    assert text.startswith("FAIL collinearity")
    whole_cells(text, ["[red]x", "12.3", "156", "yes", "and 10 more rows", "3 checks, 1 failed."])
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b[" in printed(terminal.print_checks, results, colour=True)


def test_wide_evidence_is_printed_row_by_row() -> None:
    frame = pd.DataFrame({f"a long column name {i}": [1234567.0 + i] for i in range(12)})
    text = printed(terminal.print_checks, [Result("wide", None, frame, "Wide.")])
    whole_cells(text, [fmt.full(1234567.0 + i) for i in range(12)])
    assert max(map(len, text.splitlines())) <= WIDTH


def test_problems() -> None:
    problems = [
        Problem(
            f"column 'c{i}'", "3 missing values in rows " + ", ".join(map(str, range(40))), "a number [x] >= 0", "Fill them in."
        )
        for i in range(3)
    ]
    text = printed(terminal.print_problems, DataError("the table shop.csv cannot be used", problems))
    assert squeezed(text).count("anumber[x]>=0") == 3
    assert "3 problems." in text
    assert max(map(len, text.splitlines())) <= WIDTH
    for problem in problems:
        assert squeezed(problem.came) in squeezed(text)
    assert "problems." not in printed(terminal.print_problems, DataError("a file is empty"))


def test_grid_refuses_a_row_of_another_length() -> None:
    with pytest.raises(ValueError, match="2 cells was expected, 1 came"):
        Grid(["a", "b"]).add(["x"])


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_grid_never_cuts(width: int) -> None:
    grid = Grid(["channel", "spend", "ROAS"])
    rows = [["out of home and much more", "1,234,567", "1.21 [0.82, 1.93]"], ["tv", "0", "n/a"]]
    for row in rows:
        grid.add(row)
    out = io.StringIO()
    grid.print(Console(file=out, width=width))
    assert "1.21 [0.82, 1.93]" in out.getvalue()
    assert squeezed("out of home and much more") in squeezed(re.sub(r"(1,234,567|1.21 \[0.82, 1.93\])", "", out.getvalue()))


def test_importing_the_terminal_is_light() -> None:
    code = "import sys, mmx.report.terminal; print(sorted({'pandas', 'matplotlib', 'jax', 'xlsxwriter'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_figures_leave_pyplot_alone() -> None:
    code = (
        "import sys; from mmx.report import figures, canvas; canvas.new_figure(2, 2); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
