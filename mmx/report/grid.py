"""A text table that never cuts a number: names fold, and what does not fit the width is printed row by row."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NAME_WIDTH = 8
FOLDS = 3
GAP = 2


class Grid:
    """Rows of text under headers; the widest column of text folds, the others stay whole.

    Parameters
    ----------
    headers : sequence of str
    left : collection of str
        Headers of columns that are set to the left besides the first; the others are set to the right.
    """

    def __init__(self, headers: Sequence[str], left: Collection[str] = ()) -> None:
        self.headers = list(headers)
        self.left = {self.headers[0], *left}
        self.rows: list[list[str]] = []

    def add(self, cells: Sequence[str]) -> None:
        """Add a row."""
        if len(cells) != len(self.headers):
            raise ValueError(f"a row of {len(self.headers)} cells was expected, {len(cells)} came")
        self.rows.append([" ".join(c.split()) for c in cells])

    def _widths(self) -> list[int]:
        """Width of each column: whole cells, and headers that may fold at spaces."""
        out = []
        for i, header in enumerate(self.headers):
            words = max((cell_len(w) for w in header.split()), default=0)
            out.append(max([words, *(cell_len(row[i]) for row in self.rows)]))
        return out

    def print(self, console: Console, indent: int = 0) -> None:
        """Print as a table if it fits the console, else each row as a block."""
        widths = self._widths()
        fold = max((i for i, h in enumerate(self.headers) if h in self.left), key=lambda i: widths[i])
        wanted = widths[fold]
        room = console.width - indent - (sum(widths) - wanted) - GAP * (len(widths) - 1)
        if room < min(wanted, NAME_WIDTH) or wanted > FOLDS * room:
            self._blocks(console, indent)
            return
        # the box itself puts one space between two columns
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        for i, header in enumerate(self.headers):
            width = min(wanted, room) if i == fold else widths[i]
            table.add_column(Text(header), justify="left" if header in self.left else "right", width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(Padding(table, (0, 0, 0, indent), expand=False))

    def _blocks(self, console: Console, indent: int) -> None:
        """Print the first cell, then the others as ``header value`` on as many lines as they need."""
        space = " " * indent
        for row in self.rows:
            console.print(Text(f"{space}{row[0]}"))
            line = f"{space}  "
            for header, cell in zip(self.headers[1:], row[1:], strict=True):
                if not cell:
                    continue
                item = f"{header} {cell}"
                if line.strip() and cell_len(line) + cell_len(item) + 3 > console.width:
                    console.print(Text(line.rstrip().rstrip(",")), soft_wrap=True)
                    line = f"{space}  "
                line += f"{item},  "
            console.print(Text(line.rstrip().rstrip(",")), soft_wrap=True)
