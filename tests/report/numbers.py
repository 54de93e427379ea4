"""Numbers that texts show, held against the content of ``recommendation.json``."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from mmx.decide.recommendation import Recommendation
from mmx.report import format as fmt
from mmx.report import plan_words as words

TOKEN = re.compile(r"(?<![\w.])([+-]?)(\d[\d,]*(?:\.\d+)?)(?:e([+-]?\d+))?([kMBT]?)( %)?(?!\w)")
SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
# Of prose: intervals of 90 % with their quantiles, the next 1 % of spend, ends of a probability, zero.
PROSE = (0.0, 1.0, 90.0, 5.0, 95.0, 0.99, 0.01, 0.9, 0.05, 0.95, -1.0)


def leaves(node: Any) -> Iterator[Any]:
    """All numbers and texts of JSON content, keys included."""
    if isinstance(node, dict):
        yield from node
        node = list(node.values())
    if isinstance(node, list | tuple):
        yield from chain.from_iterable(leaves(item) for item in node)
    elif node is not None:
        yield node


def quoted(rec: Recommendation) -> list[str]:
    """The texts that a recommendation brings along, longest first, as they stand and as Markdown writes them."""
    found = {str(leaf) for leaf in leaves(rec.as_mapping()) if isinstance(leaf, str) and any(c.isdigit() for c in leaf)}
    found |= {text.removeprefix(words.BINDS) for text in rec.constraints}
    found |= {fmt.markdown(text) for text in found} | {fmt.cell_text(text) for text in found}
    return sorted(found, key=len, reverse=True)


def told(rec: Recommendation) -> list[float]:
    """Every number of the JSON but those of cells and curves, and what is made of them, sorted."""
    content = {key: value for key, value in rec.as_mapping().items() if key not in ("cells", "curves")}
    found = [float(leaf) for leaf in leaves(content) if isinstance(leaf, int | float)]
    for plan in rec.channels.values():
        found += [words.change(plan), words.change_share(plan) or 0.0, words.moved(rec, plan)]
    found += [rec.total - rec.current_total, float(len(rec.cells)), *PROSE]
    found += [-test.cost for test in rec.tests]  # what a test earns
    found += [flip.factor * rec.total for flip in rec.flips if flip.factor is not None]
    return sorted(found)


def in_cells(rec: Recommendation) -> list[float]:
    """Numbers of cells and their sums by period, sorted: what sheets show besides."""
    found = []
    others = sorted(rec.channels, key=lambda n: -rec.channels[n].recommended_spend)[6:]
    for which in ("current", "recommended"):
        sums: dict[tuple[str, str], float] = {}
        for cell in rec.cells:
            money = getattr(cell, which)
            found += [money, cell.recommended - cell.current]
            groups = [cell.channel, "all", *(["others"] if cell.channel in others else [])]
            for key in chain.from_iterable(((g, cell.start), (g, "all")) for g in groups):
                sums[key] = sums.get(key, 0.0) + money
        found += sums.values()
    return sorted(found)


def in_curves(rec: Recommendation) -> list[float]:
    """Numbers of response curves: what the sheet of curves shows."""
    return sorted(float(leaf) for leaf in leaves(rec.as_mapping()["curves"]) if isinstance(leaf, float))


def near(value: float, known: list[float], slack: float) -> bool:
    """Whether a sorted list has a number within ``slack``."""
    at = bisect_left(known, value - slack)
    return at < len(known) and known[at] <= value + slack


def strays(texts: Iterable[str], rec: Recommendation, *, more: Iterable[float] = ()) -> list[str]:
    """Numbers of texts that are not numbers of the recommendation at the precision shown."""
    known = sorted([*told(rec), *more])
    gaps = [rec.certificate.relative_gap, *(s.relative_gap for s in rec.scenarios)]
    rounded_up = {fmt.at_most(gap) for gap in gaps}
    pattern = re.compile("|".join(re.escape(text) for text in quoted(rec)) or r"(?!)")
    return [
        token
        for text in texts
        for token, value, slack in tokens(pattern.sub(" ", text))
        if token.strip("+") not in rounded_up and not near(value, known, slack)
    ]


def tokens(text: str) -> Iterator[tuple[str, float, float]]:
    """Every number of a text with its value and half a unit of its last digit; percentages as shares."""
    for found in TOKEN.finditer(text):
        sign, digits, power, scale, percent = found.groups()
        size = SCALES[scale] * 10.0 ** int(power or 0) / (100 if percent else 1)
        value = float(digits.replace(",", "")) * size * (-1 if sign == "-" else 1)
        decimals = len(digits.partition(".")[2])
        yield found.group(0), value, 0.50001 * 10.0**-decimals * size + 1e-12 * math.fabs(value)
