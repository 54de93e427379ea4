"""What the command line prints: checks, problems, a fit, the demo; ``plan_terminal`` and ``lift_terminal`` print the rest.

Nothing is coloured unless the output is a terminal, and no number is cut: a table that is wider than the terminal is printed
as one block per row. Paths and commands stay on one line, so that they can be copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mmx.decide.recommendation import Recommendation
from mmx.errors import InputError
from mmx.report import format as fmt
from mmx.report import plan_words, words
from mmx.report.grid import Grid

if TYPE_CHECKING:
    import pandas as pd

    from mmx.data.checks import CheckResult
    from mmx.mmm.tables import FitTables

TABLE_ROWS = 20
_STATUS = {True: ("ok", "green"), False: ("FAIL", "bold red"), None: ("info", "cyan")}


def new_console() -> Console:
    """Return a console on stdout that neither guesses colours in numbers nor reads markup in names."""
    return Console(highlight=False, markup=False, emoji=False)


def line(console: Console, text: str, style: str = "") -> None:
    """Print prose, wrapped at words."""
    console.print(Text(text, style=style))


def whole(console: Console, label: str, text: str) -> None:
    """Print a path or a command on a line that is never wrapped."""
    console.print(Text.assemble((f"{label} ", "bold"), text), soft_wrap=True)


def alarm(console: Console, reasons: Sequence[str]) -> None:
    """Print the loud line of an unconverged posterior."""
    console.print(Text(words.not_converged(reasons), style="bold white on red"))


def print_checks(results: Sequence[CheckResult], *, console: Console | None = None) -> None:
    """Print every check with its evidence, then how many failed.

    Parameters
    ----------
    results : sequence of CheckResult
    console : Console, optional
        Where to print; stdout by default.
    """
    console = console or new_console()
    for result in results:
        word, style = _STATUS[result.passed]
        console.print(Text.assemble((f"{word:<5}", style), (result.name, "bold"), f": {result.text}"))
        if result.table is not None and len(result.table):
            _print_frame(console, result.table)
    failed = sum(1 for r in results if r.passed is False)
    line(console, f"{len(results)} checks, {failed} failed.", "bold red" if failed else "")


def _print_frame(console: Console, frame: pd.DataFrame) -> None:
    grid = Grid([str(c) for c in frame.columns], left=frame.select_dtypes(exclude="number").columns.astype(str))
    for row in frame.head(TABLE_ROWS).itertuples(index=False, name=None):
        grid.add([fmt.number(v.item() if hasattr(v, "item") else v) for v in row])
    grid.print(console, indent=5)
    if len(frame) > TABLE_ROWS:
        line(console, f"     and {len(frame) - TABLE_ROWS} more rows")


def print_problems(error: InputError, *, console: Console | None = None) -> None:
    """Print bad input with all its problems, each with what came, what was expected and what to do.

    Parameters
    ----------
    error : InputError
    console : Console, optional
        Where to print; stderr by default.
    """
    console = console or Console(highlight=False, markup=False, emoji=False, stderr=True)
    line(console, error.what, "bold red")
    for i, problem in enumerate(error.problems, 1):
        console.print()
        line(console, f"{i}. {problem.where}", "bold")
        for label, text in (("came", problem.came), ("expected", problem.expected), ("to do", problem.remedy)):
            grid = Text.assemble((f"{label:<9}", "cyan"), text)
            for part in grid.wrap(console, max(20, console.width - 3)):
                console.print(Text("   ") + part, soft_wrap=True)
    if len(error.problems) > 1:
        console.print()
        line(console, f"{len(error.problems)} problems.", "bold red")


def print_fit(
    summary: Mapping[str, Any],
    tables: FitTables,
    folder: Path,
    *,
    currency: str = "",
    target_kind: str = "money",
    ui_command: str = "",
    console: Console | None = None,
) -> None:
    """Print a fit: the gate's verdict, the channels, fit quality, and where the files are.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    tables : FitTables
    folder : Path
        Output folder.
    currency, target_kind : str
        As in ``write_fit_files``.
    ui_command : str
        Command that opens the tracking UI, if any.
    console : Console, optional
    """
    console = console or new_console()
    units = words.fit_units(currency, target_kind)
    _verdict(console, summary)
    console.print()
    rows = tables.channels.to_dict("records")
    has_roas = any(fmt.exists(row["roas_mean"]) for row in rows)
    headers = ["channel", fmt.header("spend", units.spend), "share of KPI"]
    grid = Grid([*headers, units.roas, units.mroas] if has_roas else headers)
    for row in rows:
        paid = row["kind"] == "paid"
        cells = [str(row["channel"]), fmt.short(row["spend"]) if paid else ""]
        cells.append(fmt.percent_interval(*_stats(row, "contribution_share")))
        if has_roas:
            cells += [fmt.interval(*_stats(row, q)) if paid else "" for q in ("roas", "mroas")]
        grid.add(cells)
    grid.print(console)
    line(console, f"Means with the {words.INTERVAL}.")
    console.print()
    line(console, _quality(tables.fit))
    places(console, folder, ui_command)


def _verdict(console: Console, summary: Mapping[str, Any]) -> None:
    if summary["converged"]:
        line(console, words.verdict(summary), "green")
    else:
        alarm(console, [str(r) for r in summary.get("reasons") or ()])
        line(console, f"It has: {words.gate_numbers(summary)}.")


def _stats(row: Mapping[Any, Any], quantity: str) -> list[float]:
    return [row[f"{quantity}_{s}"] for s in ("mean", "q05", "q95")]


def _quality(fit: Mapping[str, float | None]) -> str:
    parts = [f"R2 {fmt.percent(fit.get('r2'))}", f"MAPE {fmt.percent(fit.get('mape'))}", f"WAPE {fmt.percent(fit.get('wape'))}"]
    parts.append(f"{fmt.percent(fit.get('coverage90'))} of the observations inside their 90 % interval")
    return "On the rows of the fit: " + ", ".join(parts) + "."


def places(console: Console, folder: Path, ui_command: str) -> None:
    """Print where the files are, and how to open the runs."""
    console.print()
    whole(console, "Files:", str(folder))
    if ui_command:
        whole(console, "Runs: ", ui_command)


def print_demo(
    summary: Mapping[str, Any],
    tables: FitTables,
    rec: Recommendation,
    truth: Mapping[str, float],
    *,
    folders: Mapping[str, Path],
    ui_command: str,
    did: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print the demo's end: what was done, the channels with the truth, where the files are, how to open the UI.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    tables : FitTables
    rec : Recommendation
    truth : mapping of str to float
        True ROAS by channel.
    folders : mapping of str to Path
        Output folders by what they hold, such as ``{"fit": ..., "recommendation": ...}``.
    ui_command : str
        Command that opens the tracking UI.
    did : sequence of str
        What was done, one sentence each.
    console : Console, optional
    """
    console = console or new_console()
    units = plan_words.plan_units(rec)
    for sentence in did:
        line(console, f"- {sentence}")
    _verdict(console, summary)
    console.print()
    headers = ["channel", "spend", units.roas, "true", "current", "recommended", "change"]
    grid = Grid(headers)
    paid = tables.channels[tables.channels["kind"] == "paid"]
    for row in paid.to_dict("records"):
        name = str(row["channel"])
        plan = rec.channels[name]
        cells = [name, fmt.short(row["spend"]), fmt.interval(*_stats(row, "roas")), fmt.ratio(truth.get(name))]
        cells += [fmt.short(plan.current_spend), fmt.short(plan.recommended_spend), plan_words.change_text(plan)]
        grid.add(cells)
    grid.print(console)
    money = f", {units.spend}" if units.spend else ""
    line(
        console,
        f"Spend and {units.roas} ({words.INTERVAL}) over the {len(tables.fitted)} periods of the fit; current and "
        f"recommended spend over the next {rec.horizon}{money}. The true {units.roas} is known: this world is simulated.",
    )
    console.print()
    line(console, plan_words.gain_sentence(rec), "bold")
    line(console, plan_words.gain_definition(units))
    console.print()
    for what, folder in folders.items():
        whole(console, f"Files of the {what}:", str(folder))
    whole(console, "Open the runs:", ui_command)
