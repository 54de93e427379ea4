"""Figures of a fit over time: KPI against the posterior, and what each channel contributed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.report import canvas
from mmx.report import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmx.mmm.tables import FitTables

Floats = npt.NDArray[np.float64]
AREAS = 6
ROWS = 20


def fit_figure(tables: FitTables, path: Path, *, kpi_unit: str = "", title: str = "", alarm: str = "") -> None:
    """Write KPI and posterior mean with its 90 % band, residuals below.

    Parameters
    ----------
    tables : FitTables
        ``fitted`` is drawn, in KPI units per period.
    path : Path
    kpi_unit : str
        Unit of the KPI for the axis, such as ``EUR``.
    title, alarm : str
        Heading; ``alarm`` is set above it in red.
    """
    frame = tables.fitted
    dates = pd.to_datetime(frame["date"]).to_numpy()
    kpi, mean, low, high = (frame[c].to_numpy(dtype=np.float64) for c in ("kpi", "mean", "q05", "q95"))
    with canvas.style():
        figure = canvas.new_figure(10, 6)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
        top.fill_between(dates, low, high, color=canvas.BLUE, alpha=0.22, linewidth=0, label="90 % prediction interval")
        top.plot(dates, mean, color=canvas.BLUE, linewidth=1.6, label="posterior mean")
        top.plot(dates, kpi, color=canvas.INK, linewidth=0.7, marker=".", markersize=4, label="KPI")
        handles, labels = top.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
        top.set_ylabel(fmt.header("KPI per period", kpi_unit))
        bottom.fill_between(dates, low - mean, high - mean, color=canvas.BLUE, alpha=0.22, linewidth=0)
        bottom.axhline(0, color=canvas.BLUE, linewidth=1.2)
        bottom.vlines(dates, 0, kpi - mean, color=canvas.INK, linewidth=0.8)
        bottom.plot(dates, kpi - mean, color=canvas.INK, linestyle="none", marker=".", markersize=4)
        bottom.set_ylabel("residual")
        for axes in (top, bottom):
            canvas.short_ticks(axes.yaxis)
            axes.margins(x=0.01)
        canvas.date_ticks(bottom)
        canvas.heading(figure, title or "Fit", alarm)
        canvas.save(figure, path)


def contributions_figure(tables: FitTables, path: Path, *, unit: str = "", title: str = "", alarm: str = "") -> None:
    """Write baseline and channels stacked over time, and the shares of the KPI with intervals.

    The largest channels by absolute share have a colour of their own, the others are one area. Negative parts are stacked
    below zero, and a line shows the sum of everything.

    Parameters
    ----------
    tables : FitTables
        ``contributions``, ``baseline`` and ``channels`` are drawn, money (KPI units for an index) per period.
    path : Path
    unit : str
        Unit of the contributions for the axis.
    title, alarm : str
    """
    shares = tables.channels.assign(size=tables.channels["contribution_share_mean"].abs())
    shares = shares.sort_values("size", ascending=False, kind="stable", na_position="last")
    names = [str(c) for c in shares["channel"]]
    alone = names if len(names) <= AREAS + 1 else names[:AREAS]
    colours = dict(zip(alone, canvas.PALETTE, strict=False))
    with canvas.style():
        rows = min(len(names), ROWS + 1)
        figure = canvas.new_figure(11, max(5.5, 2.2 + 0.27 * rows))
        left, right = figure.subplots(1, 2, width_ratios=[2.1, 1])
        _areas(left, tables, alone, colours, unit)
        _shares(right, shares, colours)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        canvas.heading(figure, title or "Contributions", alarm)
        canvas.save(figure, path)


def _areas(axes: Axes, tables: FitTables, alone: list[str], colours: dict[str, str], unit: str) -> None:
    media = tables.contributions.pivot_table(index="date", columns="channel", values="mean", sort=False).sort_index()
    base = tables.baseline.pivot_table(index="date", columns="component", values="mean", sort=False).sort_index()
    base = base.reindex(media.index)
    layers: list[tuple[str, Floats, dict[str, Any]]] = [
        ("baseline", base["baseline"].to_numpy(dtype=np.float64), {"color": canvas.PALE})
    ]
    if "carry_in" in base and bool((base["carry_in"].abs() > 0).any()):
        carry = base["carry_in"].to_numpy(dtype=np.float64)
        layers.append(("media before the window", carry, {"color": canvas.GREY, "alpha": 0.7}))
    layers += [(n, media[n].to_numpy(dtype=np.float64), {"color": colours[n]}) for n in alone if n in media]
    others = [c for c in media.columns if c not in alone]
    if others:
        rest = media[others].sum(axis=1).to_numpy(dtype=np.float64)
        layers.append((f"{len(others)} others", rest, {"color": "#B8A488"}))
    dates = pd.to_datetime(media.index).to_numpy()
    up, down, total = (np.zeros(len(dates)) for _ in range(3))
    for label, values, look in layers:
        positive, negative = np.clip(values, 0, None), np.clip(values, None, 0)
        axes.fill_between(dates, up, up + positive, linewidth=0, label=canvas.name(label), **look)
        if bool((negative < 0).any()):
            axes.fill_between(dates, down, down + negative, linewidth=0, **look)
        up, down, total = up + positive, down + negative, total + values
    axes.plot(dates, total, color=canvas.INK, linewidth=0.8, label="sum")
    axes.axhline(0, color=canvas.INK, linewidth=0.6)
    axes.set_title("Per period, posterior mean")
    axes.set_ylabel(unit or "money")
    axes.margins(x=0)
    canvas.short_ticks(axes.yaxis)
    canvas.date_ticks(axes)


def _shares(axes: Axes, shares: pd.DataFrame, colours: dict[str, str]) -> None:
    """Bars of the shares with intervals, the largest on top; those that find no room are summed, without an interval."""
    shown = shares if len(shares) <= ROWS + 1 else shares.head(ROWS)
    mean, low, high = (100 * shown[f"contribution_share_{s}"].to_numpy(dtype=np.float64) for s in ("mean", "q05", "q95"))
    rows = np.arange(len(shown))
    names = [str(c) for c in shown["channel"]]
    axes.barh(rows, mean, height=0.72, color=[colours.get(n, "#B8A488") for n in names])
    axes.hlines(rows, low, high, color=canvas.INK, linewidth=1.3)
    axes.plot(mean, rows, color=canvas.INK, linestyle="none", marker="o", markersize=3.5)
    labels = [canvas.name(n) for n in names]
    hidden = len(shares) - len(shown)
    if hidden:
        rest = 100 * float(shares["contribution_share_mean"].iloc[len(shown) :].sum())
        axes.barh([len(shown)], [rest], height=0.72, color="#B8A488")
        labels.append(f"{hidden} others, sum")
    axes.axvline(0, color=canvas.INK, linewidth=0.6)
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_title("Share of KPI, 90 % interval")
    canvas.short_ticks(axes.xaxis, " %")
