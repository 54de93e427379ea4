"""A page as a value: headings, sentences, tables and pictures, written once as Markdown and once as a web page.

Both are made from the same texts, so that they cannot say different numbers. The web page is one file: pictures are inside it,
it asks nothing of the network (its policy forbids it), runs no script, and stands on paper and on a phone.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from mmx.report import format as fmt

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
LONG = 24  # Characters of a name from which on its column is given more room.


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Sentence:
    """A paragraph; ``look`` is ``plain``, ``strong`` or ``alarm``."""

    text: str
    look: str = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list; each item has a lead, which may be empty, and a text."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes
    ----------
    header : sequence of str
    rows : sequence of sequence of str
    left : collection of int
        Columns that are set to the left besides the first.
    total : bool
        Whether the last row is a sum.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Collection[int] = ()
    total: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure by the name of its file."""

    file: str
    caption: str


Block = Heading | Sentence | Bullets | Table | Picture


def sentences(lines: Sequence[str]) -> Bullets:
    """Return a list without leads."""
    return Bullets([("", line) for line in lines])


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """Return a page as Markdown; pictures are files beside it."""
    lines = [f"# {fmt.markdown(title)}", ""]
    for block in blocks:
        lines += [*_markdown(block), ""]
    return "\n".join(lines)


def _markdown(block: Block) -> list[str]:
    match block:
        case Heading(text):
            return [f"## {fmt.markdown(text)}"]
        case Sentence(text, look):
            plain = fmt.markdown(text)
            return [{"plain": plain, "strong": f"**{plain}**", "alarm": f"> **{plain}**"}[look]]
        case Bullets(items):
            return [
                f"- **{fmt.markdown(lead)}**: {fmt.markdown(text)}" if lead else f"- {fmt.markdown(text)}"
                for lead, text in items
            ]
        case Picture(file, caption):
            return [f"![{fmt.markdown(caption)}]({file})"]
        case Table():
            return _markdown_table(block)


def _markdown_table(table: Table) -> list[str]:
    rule = ["---" if i == 0 or i in table.left else "---:" for i in range(len(table.header))]
    rows = [[fmt.markdown(cell) for cell in row] for row in (table.header, *table.rows)]
    if table.total:
        rows[-1][0] = f"**{rows[-1][0]}**"
    return [f"| {' | '.join(cells)} |" for cells in (rows[0], rule, *rows[1:])]


def html(title: str, blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """Return a page as one HTML file.

    Parameters
    ----------
    title : str
    blocks : sequence of Block
    pictures : mapping of str to bytes
        PNG by the name of its file.
    """
    style = files("mmx.report").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(_html(block, pictures) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _html(block: Block, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Sentence(text, look):
            return f'<p class="{look}">{escape(text)}</p>'
        case Bullets(items):
            return f"<ul>\n{_lines(items, lambda i: f'<li>{_lead(i[0])}{escape(i[1])}</li>')}\n</ul>"
        case Picture(file, caption):
            data = base64.b64encode(pictures[file]).decode("ascii")
            return f'<div class="wide"><img src="data:image/png;base64,{data}" alt="{escape(caption)}"></div>'
        case Table():
            return _html_table(block)


def _lead(text: str) -> str:
    return f"<strong>{escape(text)}</strong>: " if text else ""


def _html_table(table: Table) -> str:
    left = {0, *table.left}

    def cells(row: Sequence[str], tag: str) -> str:
        classes = ['class="text"' if i in left else 'class="number"' for i in range(len(row))]
        first = '<th scope="row" class="text">' if tag == "td" else '<th scope="col" class="text">'
        opened = [first, *(f"<{tag} {c}>" if tag == "td" else f'<{tag} scope="col" {c}>' for c in classes[1:])]
        closed = ["</th>", *[f"</{tag}>"] * (len(row) - 1)]
        return "".join(f"{a}{escape(cell)}{b}" for a, cell, b in zip(opened, row, closed, strict=True))

    body, foot = (table.rows[:-1], table.rows[-1:]) if table.total else (table.rows, ())
    text = f"<thead>\n<tr>{cells(table.header, 'th')}</tr>\n</thead>\n"
    text += f"<tbody>\n{_lines(body, lambda row: f'<tr>{cells(row, "td")}</tr>')}\n</tbody>\n"
    if foot:
        text += f"<tfoot>\n<tr>{cells(foot[0], 'td')}</tr>\n</tfoot>\n"
    long = max((len(row[0]) for row in table.rows), default=0) > LONG
    return f'<div class="wide"><table{' class="long"' if long else ""}>\n{text}</table></div>'


def _lines[T](items: Sequence[T], line: Callable[[T], str]) -> str:
    return "\n".join(line(item) for item in items)
