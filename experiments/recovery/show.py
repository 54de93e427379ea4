"""The study's tables, for the terminal and as Markdown, and its figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Rows = list[list[str]]
HEAD = ["tool", "cells", "through gate", "error", "coverage", "interval score", "relative", "seconds"]
TITLES = {
    "through_gate": ("Share of fits through the gate", "R-hat <= 1.01, ESS >= 400, no divergences"),
    "error": ("Median error of ROAS", "|posterior median - truth| / truth"),
    "coverage": ("Coverage of 90 % intervals", "dashed: 0.90"),
    "interval_score": ("Mean interval score of ROAS", "width + 20 x miss; lower is better"),
}


def tables(summary: dict[str, Any]) -> dict[str, tuple[list[str], Rows]]:
    """Return titled tables: heads and rows of text."""
    out = {
        "Cells that all tools have": (HEAD, _pooled(summary, "paired")),
        "Of these, inside the default model's family": (HEAD, _pooled(summary, "paired_inside")),
        "Of these, outside it": (HEAD, _pooled(summary, "paired_outside")),
        "All cells of each tool": (HEAD, [_line(t, v, v["cells"], v["all_cells"]) for t, v in summary["tools"].items()]),
    }
    ratios = [
        [tool, *(_ratio(values, k, c) for k in ("interval_score", "relative_score") for c in ("world", "world_seed"))]
        for tool, values in list(summary["paired"]["tools"].items())[1:]
    ]
    if ratios:
        first = next(iter(summary["paired"]["tools"]))
        heads = ["by world", "by world-seed", "relative, by world", "relative, by world-seed"]
        out[f"Interval score of {first} over that of"] = (["tool", *heads], ratios)
    out["By world, all cells of each tool"] = (
        ["world", "tool", "channels", "error", "coverage", "interval score", "relative"],
        [
            [w, t, str(v["channels"]), *(f"{v[k]:.2f}" for k in ("error", "coverage", "interval_score", "relative_score"))]
            for w, pooled in {**summary["worlds"], "inside": summary["inside"], "outside": summary["outside"]}.items()
            for t, v in pooled.items()
        ],
    )
    zero = [
        [t, str(z["channels"]), f"{z['q95']:.2f}", f"{z['interval_score']:.2f}", _share(z["plans_that_raise_it"])]
        for t, v in summary["tools"].items()
        if (z := v["zero"]) is not None
    ]
    out["The channel without effect"] = (["tool", "cells", "q95", "interval score", "plans that raise it"], zero)
    return {title: table for title, table in out.items() if table[1]}


def _pooled(summary: dict[str, Any], part: str) -> Rows:
    pooled = summary[part]
    return [_line(t, v["convergence"], pooled["cells"], v) for t, v in pooled["tools"].items()]


def _line(tool: str, about: dict[str, Any], cells: int, v: dict[str, Any] | None) -> list[str]:
    gate = f"{about['through_gate']:.0%} of {about['cells']}"
    seconds = "" if about["seconds_median"] is None else f"{about['seconds_median']:.1f}"
    if v is None:
        return [tool, str(cells), gate, *[""] * 4, seconds]
    interval = v["interval"]["world"]

    def figure(key: str) -> str:
        low, high = interval[key]
        return f"{v[key]:.2f} ({low:.2f} to {high:.2f})"

    return [tool, str(cells), gate, *(figure(k) for k in ("error", "coverage", "interval_score", "relative_score")), seconds]


def _ratio(values: dict[str, Any], key: str, cluster: str) -> str:
    low, high = values[f"ratio_{key}_interval"][cluster]
    return f"{values[f'ratio_{key}']:.2f} ({low:.2f} to {high:.2f})"


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.0%}"


def as_text(summary: dict[str, Any]) -> str:
    """Tables for a terminal."""
    parts = []
    for title, (head, rows) in tables(summary).items():
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]]
        parts.append("\n".join([title, "-" * len(title), *lines]))
    return "\n\n".join(parts) + "\n"


def as_markdown(summary: dict[str, Any]) -> str:
    """Tables in Markdown."""
    parts = []
    for title, (head, rows) in tables(summary).items():
        lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
        parts.append("\n".join([f"**{title}**", "", *lines]))
    return "\n\n".join(parts) + "\n"


def figure(summary: dict[str, Any], path: Path) -> None:
    """Draw the four figures of merit of every tool, on the cells that all tools have."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pooled = summary["paired"]["tools"]
    tools = list(pooled)
    canvas = Figure(figsize=(11, 1.9 + 0.75 * len(tools)), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(2, 2, sharey=True)
    at = range(len(tools))[::-1]
    for axis, (key, (title, note)) in zip(axes.flat, TITLES.items(), strict=True):
        for y, tool in zip(at, tools, strict=True):
            colour = "#0b6e4f" if tool.startswith("mmx") else "#8a8f98"
            if key == "through_gate":
                share = pooled[tool]["convergence"][key]
                axis.barh(y, share, height=0.5, color=colour)
                axis.text(share + 0.02, y, f"{share:.0%}", va="center", fontsize=9)
                continue
            value, (low, high) = pooled[tool][key], pooled[tool]["interval"]["world"][key]
            axis.plot([low, high], [y, y], color=colour, lw=2)
            axis.plot(value, y, "o", color=colour)
            axis.annotate(f"{value:.2f}", (value, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
        axis.set_title(f"{title}\n", fontsize=10, loc="left", weight="bold")
        axis.text(0, 1.02, note, transform=axis.transAxes, fontsize=9, color="#555555")
        axis.set_yticks(list(at), tools)
        axis.set_ylim(-0.6, len(tools) - 0.3)
        axis.spines[["top", "right"]].set_visible(False)
        if key == "coverage":
            axis.axvline(0.9, color="black", lw=1, ls="--")
        if key == "through_gate":
            axis.set_xlim(0, 1.12)
        if key == "interval_score" and max(v[key] for v in pooled.values()) > 4 * min(v[key] for v in pooled.values()):
            axis.set_xscale("log")
    cells = summary["paired"]["cells"]
    canvas.suptitle(
        f"Known truth: {cells} simulated data sets, the same for all tools; lines: 90 % bootstrap intervals over worlds",
        fontsize=11,
    )
    canvas.savefig(path, dpi=120)
