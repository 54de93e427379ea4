"""What the command line prints of a tuning, and of a choice by other preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import tune_words as words
from mmx.report.grid import Grid
from mmx.report.terminal import line, new_console, whole

if TYPE_CHECKING:
    from rich.console import Console

    from mmx.tune.rule_tuning import RuleTuning

PARAMETERS = 15


def print_tuning(made: RuleTuning, folder: Path, *, console: Console | None = None) -> None:
    """Print the verdict, what it rests on, and the tuned parameters."""
    console = console or new_console()
    line(console, f"Tuned rules of {made.name}", "bold")
    sure = made.evidence.verdict.adopt and not made.evidence.alarm
    line(console, made.evidence.headline, "bold green" if sure else "bold yellow")
    for text in (*made.evidence.basis, *made.notes):
        line(console, f"- {text}")
    console.print()
    _grid(console, words.HOLD_OUT_HEADER, words.hold_out_rows(made))
    line(console, f"{words.table_sentence(made)} {words.spend_sentence(made)}")
    for text in (*words.luck_sentences(made), words.replay_sentence(made), *words.search_sentences(made)):
        line(console, f"- {text}")
    console.print()
    rows = words.change_rows(made, PARAMETERS)
    if rows:
        _grid(console, words.CHANGE_HEADER, rows)
        if len(made.changes) > len(rows):
            line(console, f"and {len(made.changes) - len(rows)} more in parameters.yaml.")
    whole(console, "Files:", str(folder))


def _grid(console: Console, header: Sequence[str], rows: words.Rows) -> None:
    grid = Grid(header)
    for row in rows:
        grid.add(row)
    grid.print(console)
    console.print()


def print_choice(choice: Mapping[str, Any], yaml: str, folder: Path | None = None, *, console: Console | None = None) -> None:
    """Print a choice from stored trials by other preferences."""
    console = console or new_console()
    line(console, choice["headline"], "bold")
    for text in choice["notes"]:
        line(console, f"- {text}")
    console.print()
    rows = [
        [name, *(f"{values[key]:.5g}" if values[key] is not None else "n/a" for key in ("default", "winner", "chosen"))]
        for name, values in choice["objectives"].items()
    ]
    _grid(console, ["Objective, folds of tuning", "Defaults", "Winner of the study", "Chosen"], rows)
    console.print(yaml.rstrip(), soft_wrap=True)
    if folder is not None:
        whole(console, "Files:", str(folder))
