"""Figures of a decision: current against recommended spend, and estimated against true ROAS where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import plan_words as words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmx.decide.recommendation import ChannelPlan, Recommendation

ROWS = 20
HELD = 22  # Characters of what holds a channel that fit beside its marker.


def recommendation_figure(rec: Recommendation, path: Path) -> None:
    """Write current against recommended spend per channel, sorted by change, with the extra KPI money of each.

    With more channels than fit, those with the largest absolute change are shown and the figure says so.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    plans = sorted(rec.channels.items(), key=lambda item: -words.change(item[1]))
    hidden = 0
    if len(plans) > ROWS:
        largest = {n for n, _ in sorted(plans, key=lambda item: -abs(words.change(item[1])))[:ROWS]}
        hidden = len(plans) - ROWS
        plans = [item for item in plans if item[0] in largest]
    with canvas.style():
        figure = canvas.new_figure(11, 2.2 + 0.36 * len(plans))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.5, 1])
        _spend(left, plans, rec)
        _extra(right, plans, rec)
        left.set_yticks(np.arange(len(plans)), [_label(n, p) for n, p in plans])
        left.set_ylim(len(plans) - 0.4, -0.6)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2)
        canvas.heading(figure, words.gain_sentence(rec), alarm_line(rec))
        if note := _note(plans, hidden):
            figure.supxlabel(note, x=0.99, ha="right", fontsize=9)
        canvas.save(figure, path)


def alarm_line(rec: Recommendation) -> str:
    """Return the red line of a figure of an unconverged fit; empty otherwise."""
    return "" if rec.converged else "NOT CONVERGED: do not decide on this plan"


def _note(plans: list[tuple[str, ChannelPlan]], hidden: int) -> str:
    notes = []
    if any(p.outside_observed for _, p in plans):
        notes.append("* beyond the observed range")
    if hidden:
        notes.append(f"{hidden} channels with smaller changes are in recommendation.csv")
    return "; ".join(notes)


def _label(name: str, plan: ChannelPlan) -> str:
    return canvas.name(name) + (" *" if plan.outside_observed else "")


def _spend(axes: Axes, plans: list[tuple[str, ChannelPlan]], rec: Recommendation) -> None:
    rows = np.arange(len(plans))
    current = np.array([p.current_spend for _, p in plans])
    recommended = np.array([p.recommended_spend for _, p in plans])
    rise = recommended >= current
    axes.hlines(rows, current, recommended, color=np.where(rise, canvas.BLUE, canvas.ORANGE).tolist(), linewidth=3)
    axes.plot(current, rows, linestyle="none", marker="o", markersize=8, mfc="white", mec=canvas.INK, label="current")
    axes.plot(recommended, rows, linestyle="none", marker="D", markersize=7, color=canvas.INK, label="recommended")
    for row, (_, plan) in enumerate(plans):
        text = words.change_text(plan)
        if plan.binding:
            held = fmt.shorten(plan.binding, HELD)
            text = f"{text} ({held})" if plan.recommended_spend > 0 else held
        axes.annotate(
            text,
            (max(plan.current_spend, plan.recommended_spend), row),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    top = max(float(np.max([current, recommended])), 1e-12)
    axes.set_xlim(-0.02 * top, 1.42 * top)
    axes.grid(visible=False, axis="y")
    axes.set_title(fmt.header(f"Spend, {rec.horizon} periods from {rec.start}", words.plan_units(rec).spend))
    canvas.short_ticks(axes.xaxis)


def _extra(axes: Axes, plans: list[tuple[str, ChannelPlan]], rec: Recommendation) -> None:
    rows = np.arange(len(plans))
    mean, low, high = (np.array([getattr(p.extra, s) for _, p in plans]) for s in ("mean", "q05", "q95"))
    colours = np.where(mean >= 0, canvas.BLUE, canvas.ORANGE).tolist()
    axes.axvline(0, color=canvas.INK, linewidth=0.8)
    axes.hlines(rows, low, high, color=colours, linewidth=2)
    axes.scatter(mean, rows, c=colours, s=36, zorder=3)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    units = words.plan_units(rec)
    axes.set_title(f"{words.extra_header(units)}, 90 % interval")
    canvas.short_ticks(axes.xaxis)


def truth_figure(channels: pd.DataFrame, truth: Mapping[str, float], path: Path, *, title: str = "") -> None:
    """Write posterior ROAS against the true ROAS of a simulated world.

    Parameters
    ----------
    channels : DataFrame
        ``channel, roas_mean, roas_q05, roas_q95`` as in ``FitTables.channels``; rows without ROAS are left out.
    truth : mapping of str to float
        True ROAS by channel; a channel without one has no diamond.
    path : Path
    title : str
        Heading; by default the number of intervals that hold the truth.
    """
    shown = channels[channels["roas_mean"].notna()]
    names = [str(c) for c in shown["channel"]]
    mean, low, high = (shown[f"roas_{s}"].to_numpy(dtype=np.float64) for s in ("mean", "q05", "q95"))
    true = np.array([truth.get(n, np.nan) for n in names], dtype=np.float64)
    known = np.isfinite(true)
    inside = int(((low <= true) & (true <= high) & known).sum())
    rows = np.arange(len(names))
    with canvas.style():
        figure = canvas.new_figure(8.5, 1.7 + 0.42 * len(names))
        axes = figure.subplots()
        axes.hlines(rows, low, high, color=canvas.BLUE, linewidth=5, alpha=0.35, label="90 % interval")
        axes.plot(mean, rows, linestyle="none", marker="o", markersize=7, color=canvas.BLUE, label="posterior mean")
        axes.plot(
            true[known],
            rows[known],
            linestyle="none",
            marker="D",
            markersize=8,
            mfc="none",
            mec=canvas.ORANGE,
            mew=2,
            label="truth",
        )
        axes.set_yticks(rows, [canvas.name(n) for n in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        left, right = axes.get_xlim()
        axes.set_xlim(min(left, 0.0), right)
        if left < 0:
            axes.axvline(0, color=canvas.INK, linewidth=0.6)
        axes.set_xlabel("ROAS: KPI money per unit of spend")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        canvas.heading(figure, title or f"ROAS: {inside} of {int(known.sum())} intervals hold the truth")
        canvas.save(figure, path)
