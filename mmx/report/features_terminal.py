"""What the command line prints of features: the tables as they came, what was done to them, what was computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.report import format as fmt
from mmx.report.grid import Grid
from mmx.report.terminal import line, new_console, whole

if TYPE_CHECKING:
    from rich.console import Console

    from mmx.data.ads.definitions import Feature

WORDS = {"adset": "ad set"}
NAMES = 12
THIN = 6


def print_features(summary: Mapping[str, Any], folder: Path, *, console: Console | None = None) -> None:
    """Print a run of ``mmx features``.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    folder : Path
    console : Console, optional
        Where to print; stdout by default.
    """
    console = console or new_console()
    unit = f" {summary['currency']}" if summary["currency"] else ""
    entities = ", ".join(
        f"{count:,} {WORDS.get(level, level)}{'s' if count != 1 else ''}" for level, count in summary["entities"].items()
    )
    line(console, f"{summary['rows']:,} rows from {summary['start']} to {summary['end']}: {entities}.", "bold")
    _totals(console, summary, unit)
    _recovered(console, summary)
    _names(console, summary)
    for note in summary["notes"]:
        line(console, f"- {note}")
    console.print()
    _coverage(console, summary)
    for account, found in summary["signal"].items():
        prefix = f"{account}: " if len(summary["signal"]) > 1 else ""
        line(console, f"Signal: {prefix}{found['sentence']}", "" if found["enough"] else "yellow")
    console.print()
    months = summary["months"]
    line(console, f"Months computed: {_span(months['computed'])}; kept as they were: {_span(months['kept'])}.")
    whole(console, "Files:", str(folder))


def print_feature_list(features: Sequence[Feature], *, console: Console | None = None) -> None:
    """Print every feature with its meaning, unit and levels."""
    console = console or new_console()
    grid = Grid(["feature", "unit", "levels", "meaning"], left=["unit", "levels", "meaning"])
    for feature in features:
        levels = "all" if len(feature.levels) == 4 else ", ".join(feature.levels)
        grid.add([feature.name, feature.unit, levels, feature.meaning + (" (with orders)" if feature.orders else "")])
    grid.print(console)
    line(console, f"{len(features)} features. Those of a date are computed from the days before it.")


def _totals(console: Console, summary: Mapping[str, Any], unit: str) -> None:
    grid = Grid(["as it came", *summary["missing"]])
    totals, missing = summary["raw_totals"], summary["missing"]
    cells = [f"{totals[m]:,.2f}{unit}" if m in ("spend", "revenue") else f"{totals[m]:,.10g}" for m in missing]
    grid.add(["total", *cells])
    grid.add(["empty cells", *(f"{n:,}" for n in missing.values())])
    grid.print(console)


def _recovered(console: Console, summary: Mapping[str, Any]) -> None:
    for r in summary["recovered"]:
        error = f"; rounding of the ratio moves a value by at most {fmt.percent(r['worst'])}" if r["recovered"] else ""
        line(console, f"- {r['recovered']:,} of {r['missing']:,} empty {r['metric']} recovered from {r['formula']}{error}")
    words = {"drop": "rows dropped", "zero": "cells taken as zero"}
    for key, count in summary["policies"].items():
        metric, policy = key.split(": ")
        line(console, f"- {count:,} {words[policy]} for want of {metric} (ads.missing.{key})")
    if refused := summary["rows"] - summary["rows_used"]:
        line(console, f"- {refused:,} of {summary['rows']:,} rows are not used")
    if summary["rows_added_up"]:
        line(console, f"- {summary['rows_added_up']:,} rows added to another of the same ad and day (ads.duplicates: sum)")


def _names(console: Console, summary: Mapping[str, Any]) -> None:
    for column, found in summary["names"].items():
        if found["spellings"] == len(found["names"]):
            line(console, f"- {found['spellings']:,} names of {column} have one spelling each")
        else:
            _mapping(console, column, found)
        for spelling, candidates in found["ambiguous"][:NAMES]:
            line(console, f"  kept: {spelling!r} is one letter from {', '.join(map(repr, candidates))}", "yellow")
        for spelling, name, why in found["apart"][:NAMES]:
            line(console, f"  kept apart: {spelling!r} and {name!r} ({why})")


def _mapping(console: Console, column: str, found: Mapping[str, Any]) -> None:
    line(console, f"- {found['spellings']:,} spellings of {column} are {len(found['names']):,} names (names.csv has each):")
    grid = Grid([column, "spellings", "slips", "rows", "such as"], left=["such as"])
    for name in found["names"][:NAMES]:
        examples = ", ".join(repr(e) for e in name["examples"])
        grid.add([name["name"], f"{name['spellings']:,}", f"{name['slips']:,}", f"{name['rows']:,}", examples])
    grid.print(console, indent=2)
    if len(found["names"]) > NAMES:
        line(console, f"  and {len(found['names']) - NAMES} more")


def _coverage(console: Console, summary: Mapping[str, Any]) -> None:
    grid = Grid(["features of", "rows", "features", "values", "least covered"], left=["least covered"])
    for level, part in summary["coverage"].items():
        shares = part["features"]
        thin = sorted((s, n) for n, s in shares.items() if s < 1)[:THIN]
        cells = [
            WORDS.get(level, level),
            f"{part['rows']:,}",
            f"{len(shares)}",
            fmt.percent(sum(shares.values()) / max(1, len(shares))),
        ]
        grid.add([*cells, ", ".join(f"{n} {fmt.percent(s)}" for s, n in thin)])
    grid.print(console)
    line(console, "Values are those that are not NaN: a ratio without a denominator is (coverage.csv has each feature).")


def _span(months: Sequence[str]) -> str:
    if not months:
        return "none"
    return f"{len(months)} ({months[0]}{'' if len(months) == 1 else f' to {months[-1]}'})"
