"""Reading reports back: what a person would see, as values."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LOST = re.compile(r"\b(nan|inf|infinity|none|null|nat)\b", re.IGNORECASE)


def tables(markdown: str) -> list[list[dict[str, str]]]:
    """All tables of a Markdown text, each as rows by header, escapes undone."""
    out: list[list[dict[str, str]]] = []
    block: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            block.append([re.sub(r"\\(.)", r"\1", c).strip() for c in cells])
        elif block:
            assert len({len(r) for r in block}) == 1, f"ragged table: {block}"
            out.append([dict(zip(block[0], row, strict=True)) for row in block[2:]])
            block = []
    return out


def number(text: str) -> float:
    """The first number of a text, its k, M, B or T applied."""
    found = re.search(r"[+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?([kMBT]?)", text)
    assert found, text
    digits = found.group(0).removesuffix(found.group(1)) if found.group(1) else found.group(0)
    return float(digits.replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[found.group(1)]


class Page(HTMLParser):
    """A web page as a person sees it: its paragraphs and list items, its tables as lists of rows, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
        elif tag in ("p", "li", "h1", "h2"):
            self.lines.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "li", "h1", "h2"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.lines[-1] += data
        elif self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data.strip("\n")
