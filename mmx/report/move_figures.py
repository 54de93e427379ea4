"""Figures of a plan's reasons: what each move brings net, and how far the advice itself is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.plan_figures import ROWS, alarm_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmx.decide.recommendation import ChannelPlan, Recommendation

SUM = 1e-6  # Share of the gain below which what the moves leave of it is rounding.


def moves_figure(rec: Recommendation, path: Path) -> None:
    """Write the net gain of each move as a waterfall that ends at the gain.

    With more channels than fit, the smaller ones are one bar.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    steps = _steps(rec)
    names = [name for name, _ in steps]
    sizes = np.array([size for _, size in steps])
    ends = np.cumsum(sizes)
    units = words.plan_units(rec)
    with canvas.style():
        figure = canvas.new_figure(9.5, 1.7 + 0.34 * (len(steps) + 1))
        axes = figure.subplots()
        rows = np.arange(len(steps))
        axes.barh(rows, sizes, left=ends - sizes, height=0.62, color=np.where(sizes >= 0, canvas.BLUE, canvas.ORANGE).tolist())
        axes.barh(len(steps), rec.gain.mean, height=0.62, color=canvas.INK)
        for row, end in enumerate(ends):
            axes.plot([end, end], [row - 0.31, row + 1.31], color=canvas.GREY, linewidth=0.8)
        for row, (left, right, size) in enumerate(
            [*zip(ends - sizes, ends, sizes, strict=True), (0.0, rec.gain.mean, rec.gain.mean)]
        ):
            text = fmt.short(float(size), sign=True)
            axes.annotate(text, (max(left, right), row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        axes.axvline(0, color=canvas.INK, linewidth=0.8)
        axes.set_yticks([*rows, len(steps)], [*(canvas.name(n) for n in names), "gain"])
        axes.set_ylim(len(steps) + 0.6, -0.6)
        low, high = min(0.0, *ends, rec.gain.mean), max(0.0, *ends, rec.gain.mean)
        room = (high - low) or 1.0
        axes.set_xlim(low - 0.03 * room, high + 0.13 * room)
        axes.grid(visible=False, axis="y")
        canvas.short_ticks(axes.xaxis)
        axes.set_xlabel(fmt.header("Net gain, adding up", units.value))
        canvas.heading(figure, "What each move brings, net of what its money would earn elsewhere", alarm_line(rec))
        canvas.save(figure, path)


def _steps(rec: Recommendation) -> list[tuple[str, float]]:
    """Net gains from the largest down, the small ones together, then what they leave of the gain."""
    nets = sorted(((n, p.net) for n, p in rec.channels.items()), key=lambda item: -item[1])
    if len(nets) > ROWS:
        kept = {n for n, _ in sorted(nets, key=lambda item: -abs(item[1]))[: ROWS - 1]}
        others = [size for n, size in nets if n not in kept]
        nets = [item for item in nets if item[0] in kept] + [(f"{len(others)} others", float(sum(others)))]
    rest = rec.gain.mean - sum(size for _, size in nets)
    largest = max((abs(size) for _, size in nets), default=0.0)
    return [*nets, ("rest", rest)] if abs(rest) > SUM * max(abs(rec.gain.mean), largest) else nets


def optimum_figure(rec: Recommendation, path: Path) -> None:
    """Write the spend of the best plan of each draw by channel, and how often it stands at a bound.

    Every row has its own scale, from 0 to the money at its end, as channels differ in size by orders of magnitude.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    plans = sorted(rec.channels.items(), key=lambda item: -item[1].recommended_spend)
    hidden = max(0, len(plans) - ROWS)
    plans = plans[:ROWS]
    with canvas.style():
        figure = canvas.new_figure(11, 2.3 + 0.36 * len(plans))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.7, 1])
        _marks(left, plans)
        _shares(right, plans)
        left.set_yticks(np.arange(len(plans)), [canvas.name(n) for n, _ in plans])
        left.set_ylim(len(plans) - 0.4, -0.6)
        for axes in (left, right):
            axes.grid(visible=False, axis="y")
        unit = words.plan_units(rec).spend
        left.set_title(fmt.header("Best plan per draw, as a part of the money beside it", unit))
        right.set_title("Where that plan stands, share of draws")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=4)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=3)
        rest = f"; {hidden} smaller channels are in recommendation.json" if hidden else ""
        canvas.heading(figure, f"How far the advice itself is known{rest}", alarm_line(rec))
        canvas.save(figure, path)


def _marks(axes: Axes, plans: list[tuple[str, ChannelPlan]]) -> None:
    """Allowed range, interval of the optimum, current and recommended spend, each row over its own largest number."""
    rows = np.arange(len(plans))
    table = np.array(
        [[p.low, p.high, p.optimum.q05, p.optimum.mean, p.optimum.q95, p.current_spend, p.recommended_spend] for _, p in plans]
    )
    end = table[:, 2:].max(axis=1)
    shown = table / np.where(end > 0, end, 1.0)[:, None]
    low, high, q05, mean, q95, current, recommended = shown.T
    axes.barh(rows, np.minimum(high, 1.0) - low, left=low, height=0.66, color=canvas.PALE, label="allowed")
    axes.hlines(rows, q05, q95, color=canvas.BLUE, linewidth=3, label="90 % of draws")
    axes.plot(mean, rows, linestyle="none", marker="|", markersize=13, mew=2.5, color=canvas.BLUE)
    axes.plot(current, rows, linestyle="none", marker="o", markersize=7, mfc="white", mec=canvas.INK, label="current")
    axes.plot(recommended, rows, linestyle="none", marker="D", markersize=6, color=canvas.INK, label="recommended")
    for row, money in enumerate(end):
        axes.annotate(fmt.short(float(money)), (1.06, row), va="center", fontsize=9, annotation_clip=False)
    axes.set_xlim(-0.03, 1.22)
    axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])


def _shares(axes: Axes, plans: list[tuple[str, ChannelPlan]]) -> None:
    """Shares of draws at the least, between, and at the largest allowed spend; nothing for a channel that cannot move."""
    rows = np.arange(len(plans))
    free = np.array([p.high > p.low for _, p in plans])
    least, most = (100 * np.where(free, [p.at_bounds[i] for _, p in plans], 0.0) for i in (0, 1))
    between = np.where(free, 100 - least - most, 0.0)
    axes.barh(rows, least, height=0.66, color=canvas.ORANGE, label="at least")
    axes.barh(rows, between, left=least, height=0.66, color=canvas.PALE, label="between")
    axes.barh(rows, most, left=least + between, height=0.66, color=canvas.BLUE, label="at most")
    for row in np.flatnonzero(~free):
        axes.annotate("cannot move", (2, row), va="center", fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="y", length=0)
