"""What the command line prints of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import pool_words as words
from mmx.report.grid import Grid
from mmx.report.terminal import line, new_console, whole

if TYPE_CHECKING:
    from rich.console import Console


def print_pool(summary: Mapping[str, Any], folder: Path, *, console: Console | None = None) -> None:
    """Print the headline, the table of parameters, and what trials do not tell."""
    console = console or new_console()
    line(console, "Pooled rule parameters", "bold")
    line(console, summary["headline"], "bold green" if summary["converged"] else "bold yellow")
    console.print()
    grid = Grid(words.PARAMETER_HEADER)
    for row in words.parameter_rows(summary):
        grid.add(row)
    grid.print(console)
    console.print()
    for text in (*words.sentences(summary), *words.flat_sentences(summary)):
        line(console, f"- {text}")
    whole(console, "Files:", str(folder))
