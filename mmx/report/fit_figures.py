"""Figures of a fit over time: KPI against the posterior, and what each channel contributed.

Each is drawn from plain arrays, so that a process without pandas can draw it (``mmx.report.painters``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmx.report import canvas
from mmx.report import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmx.mmm.tables import FitTables

Floats = npt.NDArray[np.float64]
STATS = ("kpi", "mean", "q05", "q95")
AREAS = 6
ROWS = 20
BASELINE, CARRY_IN, OTHERS = "\0baseline", "\0carry_in", "\0others"  # No channel bears such a name.
_LOOKS: dict[str, dict[str, Any]] = {
    BASELINE: {"color": canvas.PALE},
    CARRY_IN: {"color": canvas.GREY, "alpha": 0.7},
    OTHERS: {"color": "#B8A488"},
}


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
    draw_fit(path, **fit_arrays(tables), kpi_unit=kpi_unit, title=title, alarm=alarm)


def fit_arrays(tables: FitTables) -> dict[str, Any]:
    """Return what `draw_fit` draws of a fit."""
    import pandas as pd

    frame = tables.fitted
    numbers = {name: frame[c].to_numpy(dtype=np.float64) for name, c in zip(("kpi", "mean", "low", "high"), STATS, strict=True)}
    return {"dates": pd.to_datetime(frame["date"]).to_numpy(), **numbers}


def draw_fit(
    path: Path,
    *,
    dates: npt.NDArray[np.datetime64],
    kpi: Floats,
    mean: Floats,
    low: Floats,
    high: Floats,
    kpi_unit: str,
    title: str,
    alarm: str,
) -> None:
    """Write the figure of `fit_figure` from arrays, (period,) each."""
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
    draw_contributions(path, **contribution_arrays(tables), unit=unit, title=title, alarm=alarm)


def contribution_arrays(tables: FitTables) -> dict[str, Any]:
    """Return what `draw_contributions` draws of a fit."""
    import pandas as pd

    shares = tables.channels.assign(size=tables.channels["contribution_share_mean"].abs())
    shares = shares.sort_values("size", ascending=False, kind="stable", na_position="last")
    names = [str(c) for c in shares["channel"]]
    alone = names if len(names) <= AREAS + 1 else names[:AREAS]
    media = tables.contributions.pivot_table(index="date", columns="channel", values="mean", sort=False).sort_index()
    base = tables.baseline.pivot_table(index="date", columns="component", values="mean", sort=False).sort_index()
    base = base.reindex(media.index)
    layers = [("baseline", BASELINE, base["baseline"].to_numpy(dtype=np.float64))]
    if "carry_in" in base and bool((base["carry_in"].abs() > 0).any()):
        layers.append(("media before the window", CARRY_IN, base["carry_in"].to_numpy(dtype=np.float64)))
    layers += [(n, n, media[n].to_numpy(dtype=np.float64)) for n in alone if n in media]
    others = [c for c in media.columns if c not in alone]
    if others:
        layers.append((f"{len(others)} others", OTHERS, media[others].sum(axis=1).to_numpy(dtype=np.float64)))
    columns = [f"contribution_share_{s}" for s in ("mean", "q05", "q95")]
    return {
        "names": names,
        "shares": 100 * shares[columns].to_numpy(dtype=np.float64).T,
        "dates": pd.to_datetime(media.index).to_numpy(),
        "layers": layers,
    }


def draw_contributions(
    path: Path,
    *,
    names: list[str],
    shares: Floats,
    dates: npt.NDArray[np.datetime64],
    layers: list[tuple[str, str, Floats]],
    unit: str,
    title: str,
    alarm: str,
) -> None:
    """Write the figure of `contributions_figure` from arrays.

    Parameters
    ----------
    path : Path
    names : list of str, (channel,)
        Largest first.
    shares : array, (3, channel)
        Mean and interval of the shares of the KPI, in percent.
    dates : array, (period,)
    layers : list of (label, key, array (period,))
        Areas from the bottom up; the key is a channel's name or one of ``BASELINE, CARRY_IN, OTHERS``.
    unit, title, alarm : str
    """
    with canvas.style():
        alone = names if len(names) <= AREAS + 1 else names[:AREAS]
        colours = dict(zip(alone, canvas.PALETTE, strict=False))
        rows = min(len(names), ROWS + 1)
        figure = canvas.new_figure(11, max(5.5, 2.2 + 0.27 * rows))
        left, right = figure.subplots(1, 2, width_ratios=[2.1, 1])
        _areas(left, dates, layers, colours, unit)
        _shares(right, names, shares, colours)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        canvas.heading(figure, title or "Contributions", alarm)
        canvas.save(figure, path)


def _areas(
    axes: Axes,
    dates: npt.NDArray[np.datetime64],
    layers: list[tuple[str, str, Floats]],
    colours: dict[str, str],
    unit: str,
) -> None:
    up, down, total = (np.zeros(len(dates)) for _ in range(3))
    for label, key, values in layers:
        look = _LOOKS[key] if key in _LOOKS else {"color": colours[key]}
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


def _shares(axes: Axes, names: list[str], shares: Floats, colours: dict[str, str]) -> None:
    """Bars of the shares with intervals, the largest on top; those that find no room are summed, without an interval."""
    count = len(names) if len(names) <= ROWS + 1 else ROWS
    mean, low, high = shares[:, :count]
    rows = np.arange(count)
    axes.barh(rows, mean, height=0.72, color=[colours.get(n, "#B8A488") for n in names[:count]])
    axes.hlines(rows, low, high, color=canvas.INK, linewidth=1.3)
    axes.plot(mean, rows, color=canvas.INK, linestyle="none", marker="o", markersize=3.5)
    labels = [canvas.name(n) for n in names[:count]]
    hidden = len(names) - count
    if hidden:
        axes.barh([count], [np.nansum(shares[0, count:])], height=0.72, color="#B8A488")
        labels.append(f"{hidden} others, sum")
    axes.axvline(0, color=canvas.INK, linewidth=0.6)
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_title("Share of KPI, 90 % interval")
    canvas.short_ticks(axes.xaxis, " %")
