"""Figures of choices: gain against risk, scenarios side by side, and spend over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.plan_figures import alarm_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from mmx.data.panel import Floats
    from mmx.decide.recommendation import Interval, Recommendation

NAMED = 6  # Channels with a colour of their own over time; the palette has one more for the rest.
GROUPS = 10  # Channels with bars of their own among scenarios.
BARS = 7  # Scenarios among those bars: as many as the palette has colours.
ROWS = 20  # Scenarios with a row of gains.
TICKS = 4


def frontier_figure(rec: Recommendation, path: Path) -> None:
    """Write mean gain against that of the worst tenth of draws, and the interval of every plan's gain.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    points = rec.frontier
    units = words.plan_units(rec)
    worst, mean = np.array([p.worst for p in points]), np.array([p.gain.mean for p in points])
    colours = [canvas.PALETTE[i % len(canvas.PALETTE)] for i in range(len(points))]
    with canvas.style():
        figure = canvas.new_figure(11, max(3.6, 2.0 + 0.42 * len(points)))
        left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
        left.plot(worst, mean, color=canvas.GREY, linewidth=1.2)
        left.scatter(worst, mean, c=colours, s=64, zorder=3)
        left.plot(0, 0, linestyle="none", marker="o", markersize=8, mfc="white", mec=canvas.INK, label="current plan")
        left.margins(0.12)
        left.set_xlabel(fmt.header("mean gain of the worst tenth of draws", units.value))
        left.set_title(fmt.header("Mean gain", units.value))
        left.legend(loc="best")
        canvas.short_ticks(left.xaxis)
        canvas.short_ticks(left.yaxis)
        _gains(right, [words.level_name(p) for p in points], [p.gain for p in points], colours)
        right.set_title(f"{words.extra_header(units)}, 90 % interval")
        canvas.heading(figure, "Gain against risk: each plan is best by the mean of a share of worst draws", alarm_line(rec))
        canvas.save(figure, path)


def scenarios_figure(rec: Recommendation, path: Path) -> None:
    """Write spend by channel of the scenarios as grouped bars, and their gains with intervals.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    units = words.plan_units(rec)
    bars = rec.scenarios[:BARS]
    spend = {n: np.array([s.spend.get(n, 0.0) for s in bars]) for n in rec.channels}
    groups = _grouped(spend, sorted(spend, key=lambda n: -spend[n].max())[:GROUPS])
    shown = rec.scenarios[:ROWS]
    with canvas.style():
        height = max(0.085 * len(groups) * (len(bars) + 1.5), 0.36 * len(shown), 0.3 * len(groups))
        figure = canvas.new_figure(11, 2.3 + height)
        left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
        _bars(left, groups, [s.name for s in bars])
        left.set_title(fmt.header("Spend by channel", units.spend))
        colours = [canvas.PALETTE[i] if i < len(bars) else canvas.GREY for i in range(len(shown))]
        _gains(right, [s.name for s in shown], [s.gain for s in shown], colours)
        right.set_title(f"{words.extra_header(units)}, 90 % interval")
        hidden = len(rec.scenarios) - len(bars)
        more = f"; the bars are those of the first {len(bars)}" if hidden else ""
        canvas.heading(figure, f"Scenarios: gains over the current plan as it is{more}", alarm_line(rec))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
        canvas.save(figure, path)


def _bars(axes: Axes, groups: dict[str, Floats], names: Sequence[str]) -> None:
    thick = 0.8 / len(names)
    rows = np.arange(len(groups))
    for i, name in enumerate(names):
        place = rows + (i - (len(names) - 1) / 2) * thick
        axes.barh(place, [v[i] for v in groups.values()], height=thick, color=canvas.PALETTE[i], label=canvas.name(name))
    axes.set_yticks(rows, [canvas.name(n) for n in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    canvas.short_ticks(axes.xaxis)


def _gains(axes: Axes, names: Sequence[str], gains: Sequence[Interval], colours: Sequence[str]) -> None:
    """A row per plan: mean gain and interval."""
    rows = np.arange(len(names))
    axes.axvline(0, color=canvas.INK, linewidth=0.8)
    axes.hlines(rows, [g.q05 for g in gains], [g.q95 for g in gains], color=list(colours), linewidth=2.5)
    axes.scatter([g.mean for g in gains], rows, c=list(colours), s=44, zorder=3)
    axes.set_yticks(rows, [canvas.name(n) for n in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    canvas.short_ticks(axes.xaxis)


def flighting_figure(rec: Recommendation, path: Path) -> None:
    """Write spend by period, current and recommended, stacked by channel over all geos.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    starts = sorted({c.start for c in rec.cells})
    stacks = [_stack(rec, starts, which) for which in ("current", "recommended")]
    largest = sorted(rec.channels, key=lambda n: -rec.channels[n].recommended_spend)[:NAMED]
    units = words.plan_units(rec)
    with canvas.style():
        figure = canvas.new_figure(11, 4.2)
        both = figure.subplots(1, 2, sharey=True)
        for axes, title, stack in zip(both, ("Current plan", "Recommended plan"), stacks, strict=True):
            _periods(axes, _grouped(stack, largest), starts)
            axes.set_title(fmt.header(title, units.spend))
        both[0].margins(y=0.05)
        canvas.short_ticks(both[0].yaxis)
        figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        canvas.heading(figure, "Spend over time", alarm_line(rec))
        canvas.save(figure, path)


def _stack(rec: Recommendation, starts: Sequence[str], which: str) -> dict[str, Floats]:
    """Money by channel and period, summed over geos."""
    place = {start: i for i, start in enumerate(starts)}
    sums = {name: np.zeros(len(starts)) for name in rec.channels}
    for cell in rec.cells:
        sums[cell.channel][place[cell.start]] += getattr(cell, which)
    return sums


def _periods(axes: Axes, stack: dict[str, Floats], starts: Sequence[str]) -> None:
    base = np.zeros(len(starts))
    for i, (name, values) in enumerate(stack.items()):
        colour = canvas.PALETTE[i] if i < NAMED else canvas.PALE
        axes.bar(np.arange(len(starts)), values, bottom=base, width=0.9, color=colour, label=canvas.name(name))
        base = base + values
    ticks = np.unique(np.linspace(0, len(starts) - 1, TICKS).astype(int))
    axes.set_xticks(ticks, [starts[t] for t in ticks])
    axes.grid(visible=False, axis="x")


def _grouped(rows: Mapping[str, Floats], kept: Sequence[str]) -> dict[str, Floats]:
    """Some of the rows, and the sum of the others as one row."""
    others = [values for name, values in rows.items() if name not in kept]
    rest = {f"{len(others)} others": np.sum(others, axis=0)} if others else {}
    return {name: rows[name] for name in kept} | rest
