"""The grid of regrets: means over customers with intervals, paired differences, and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pooling_accounts import Floats
from scipy.stats import t as student

ARMS = {
    "default": "default",
    "own": "own",
    "others": "others only, optima",
    "both": "others + own, optima",
    "scores": "others only, scores",
    "both scores": "others + own, scores",
}
POINTS = 100.0


def regret_rows(
    heterogeneity: str, cells: list[dict[str, Any]], gains: list[dict[str, float]], settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """One row per weeks of own data and arm; without own data, own is the default and both is others only."""
    rows, mass = [], settings["mass"]
    best = np.array([g["best"] for g in gains])

    def regret(name: str) -> Floats:
        lost: Floats = POINTS * (best - np.array([g[name] for g in gains]))
        return lost

    for weeks in [0, *settings["weeks"]]:
        of = {
            "default": "default",
            "own": f"own {weeks}",
            "others": "others",
            "both": f"both {weeks}",
            "surrogate": f"surrogate {weeks}",
            "scores": "scores",
            "both scores": f"both scores {weeks}",
        }
        if weeks == 0:
            of |= {"own": "default", "both": "others", "surrogate": "default", "both scores": "scores"}
        for arm, name in of.items():
            mean, low, high = interval(regret(name), mass)
            row = {"heterogeneity": heterogeneity, "weeks": weeks, "arm": arm, "regret": mean, "low": low, "high": high}
            for against in ("default", "own", "others"):
                saved, least, most = interval(regret(name) - regret(of[against]), mass)
                row[f"less_{against}"] = {"mean": saved, "low": least, "high": most}
            rows.append(row | {"customers": len(cells), "refused": refusals(cells, weeks)})
    return rows


def refusals(cells: list[dict[str, Any]], weeks: int) -> int:
    """How many response models the gate refuses."""
    return sum(bool(cell["own"][str(weeks)]["refused"]) for cell in cells) if weeks else 0


def interval(values: Floats, mass: float) -> tuple[float, float, float]:
    """Mean over customers with Student's interval."""
    wide = float(student.ppf(0.5 + mass / 2.0, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return mean, mean - wide, mean + wide


def table_text(rows: list[dict[str, Any]]) -> str:
    """The grid in Markdown."""
    lines = ["| between customers | weeks | " + " | ".join(ARMS.values()) + " | scores: both less own | less default |"]
    lines.append("|" + "---|" * (len(ARMS) + 4))
    for heterogeneity, weeks in dict.fromkeys((row["heterogeneity"], row["weeks"]) for row in rows):
        of = {r["arm"]: r for r in rows if (r["heterogeneity"], r["weeks"]) == (heterogeneity, weeks)}
        cells = [f"{of[arm]['regret']:.2f} ({of[arm]['low']:.2f} to {of[arm]['high']:.2f})" for arm in ARMS]
        for against in ("own", "default"):
            d = of["both scores"][f"less_{against}"]
            cells.append(f"{d['mean']:+.2f} ({d['low']:+.2f} to {d['high']:+.2f})")
        lines.append(f"| {heterogeneity} | {weeks} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def regret_figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Regret over weeks of own data, a panel per heterogeneity."""
    from mmx.report import canvas

    kinds = list(dict.fromkeys(row["heterogeneity"] for row in rows))
    colours = dict(zip(ARMS, (canvas.INK, canvas.GREY, canvas.ORANGE, canvas.ALARM, canvas.BLUE, canvas.PALE), strict=True))
    with canvas.style():
        figure = canvas.new_figure(4.2 * len(kinds), 4)
        panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
        for axes, kind in zip(panels, kinds, strict=True):
            for shift, (arm, label) in enumerate(ARMS.items()):
                own = [row for row in rows if (row["heterogeneity"], row["arm"]) == (kind, arm)]
                at = np.arange(len(own)) + 0.07 * (shift - 2.5)
                middle = np.array([row["regret"] for row in own])
                ends = np.array([[row["regret"] - row["low"], row["high"] - row["regret"]] for row in own]).T
                axes.errorbar(at, middle, yerr=ends, fmt="o-", ms=4, color=colours[arm], label=label)
            axes.set_xticks(np.arange(len(own)), [str(row["weeks"]) for row in own])
            axes.set_title(f"{kind} heterogeneity")
            axes.set_xlabel("weeks of own data")
        panels[0].set_ylabel("regret, points of spend")
        panels[0].legend(loc="best")
        canvas.heading(
            figure, "Regret of rule parameters on customers left out of the pool", "mean over customers, 90 % interval"
        )
        canvas.save(figure, path)
