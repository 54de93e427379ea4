"""Files of a pool: the report, its table, and a figure of every parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import pool_words as words
from mmx.report.csv_files import write_csv
from mmx.report.fit_report import table
from mmx.rules.pooling.table import PooledRow

TABLE, FIGURE, REPORT = "pooled.csv", "pooled.png", "report.md"
FILES = (
    ("summary.json", "every number of this page, for programs"),
    ("pooled.npz", "the posterior, which mmx tune --pooled begins with"),
    (TABLE, "each customer's parameters, own and pooled"),
    ("config.yaml", "the resolved configuration"),
    ("run.jsonl", "what was done, in order"),
)
SHOWN = 12  # Parameters with a panel of their own.
COLUMNS = 3


def write_pool_files(folder: Path, rows: Sequence[PooledRow], summary: Mapping[str, Any]) -> list[str]:
    """Write everything of a pool but its posterior and ``summary.json``; returns the names."""
    write_csv(pool_table(rows), folder / TABLE)
    pool_figure(rows, summary, folder / FIGURE)
    (folder / REPORT).write_text(pool_report(summary), encoding="utf-8", newline="\n")
    return [TABLE, FIGURE, REPORT]


def pool_table(rows: Sequence[PooledRow]) -> pd.DataFrame:
    """One row per parameter and customer."""
    return pd.DataFrame(
        [
            {
                "parameter": row.name,
                "unit": row.parameter.unit,
                "customer": one.name,
                "told": one.told,
                "own": np.nan if one.own is None else one.own,
                **dict(zip(("pooled", "pooled_low", "pooled_high"), one.pooled, strict=True)),
                "weight": one.weight,
            }
            for row in rows
            for one in row.customers
        ]
    )


def pool_report(summary: Mapping[str, Any]) -> str:
    """Return the text of ``report.md``."""
    lines = ["# Pooled rule parameters", "", f"> **{fmt.markdown(summary['headline'])}**", ""]
    lines += [f"- {text}" for text in words.sentences(summary)]
    lines += ["", "## Parameters", "", *_table(words.PARAMETER_HEADER, words.parameter_rows(summary)), ""]
    lines += ["![Parameters of the customers, own and pooled](pooled.png)", ""]
    lines += ["## Customers", "", *_table(words.STUDY_HEADER, words.study_rows(summary)), ""]
    lines += ["## What trials do not tell", "", *(f"- {fmt.markdown(text)}" for text in words.flat_sentences(summary)), ""]
    for name, parameter in summary["parameters"].items():
        about = f"In {parameter['unit']}, from {parameter['low']:g} to {parameter['high']:g}; default {parameter['default']:g}."
        lines += [f"## {fmt.markdown(name)}", "", about, "", *_table(words.CUSTOMER_HEADER, words.customer_rows(parameter)), ""]
    gate = "passed" if summary["converged"] else "FAILED: " + "; ".join(summary["gate"]["reasons"])
    lines += ["## Gate", "", f"The convergence gate {gate}.", ""]
    lines += ["## Files", "", *(f"- `{file}`: {what}." for file, what in FILES), ""]
    return "\n".join(lines)


def _table(header: list[str], rows: words.Rows) -> list[str]:
    return table(header, [[fmt.markdown(cell) for cell in row] for row in rows])


def pool_figure(rows: Sequence[PooledRow], summary: Mapping[str, Any], path: Path) -> None:
    """Write own and pooled values of every customer, a panel per parameter, with the population behind them."""
    shown = rows[:SHOWN]
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    names = [one.name for one in rows[0].customers]
    with canvas.style():
        figure = canvas.new_figure(4.2 * columns, lines * (1.4 + 0.22 * len(names)) + 0.5)
        panels = np.atleast_2d(figure.subplots(lines, columns, squeeze=False))
        for axes, row in zip(panels.flat, shown, strict=False):
            _panel(axes, row)
            axes.set_yticks(np.arange(len(names)), [canvas.name(name) for name in names])
            axes.set_ylim(len(names) - 0.5, -0.5)
        for axes in panels.flat[len(shown) :]:
            axes.set_axis_off()
        panels.flat[0].legend(loc="best")
        canvas.heading(
            figure,
            f"{len(rows)} rule parameters of {len(names)} customers; medians and {100 * summary['mass']:.0f} % intervals",
            "" if summary["converged"] else "NOT CONVERGED",
        )
        canvas.save(figure, path)


def _panel(axes: Any, row: PooledRow) -> None:
    axes.axvspan(row.range[1], row.range[2], color=canvas.PALE, alpha=0.5, linewidth=0, label="a new customer")
    axes.axvline(row.parameter.default, color=canvas.INK, linewidth=0.9, linestyle="--", label="default")
    at = np.arange(len(row.customers))
    middle = np.array([one.pooled[0] for one in row.customers])
    ends = np.array([[one.pooled[0] - one.pooled[1], one.pooled[2] - one.pooled[0]] for one in row.customers]).T
    axes.errorbar(middle, at, xerr=np.maximum(ends, 0.0), fmt="o", ms=4, color=canvas.BLUE, label="with all customers")
    own = np.array([np.nan if one.own is None else one.own for one in row.customers])
    axes.plot(own, at, "x", color=canvas.ORANGE, ms=6, label="own trials", linestyle="none")
    axes.set_xlim(row.parameter.low, row.parameter.high)
    if row.parameter.scale == "log":
        axes.set_xscale("log")
    axes.set_title(row.name)
    axes.set_xlabel(row.parameter.unit)
