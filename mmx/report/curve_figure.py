"""Response curves as small multiples, drawn from plain arrays; see ``mmx.report.fit_figures``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmx.report import canvas
from mmx.report import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mmx.mmm.tables import FitTables

Floats = npt.NDArray[np.float64]
PANELS = 20


def response_curves_figure(
    tables: FitTables, path: Path, *, spend_unit: str = "", unit: str = "", title: str = "", alarm: str = ""
) -> None:
    """Write one panel per medium: response to spend with its 90 % band.

    Today's spend is a dot; beyond the observed range the curve is dashed and its band paler. With more media than fit, those
    with the largest spend are shown and the title says so.

    Parameters
    ----------
    tables : FitTables
        ``curves`` is drawn: money (KPI units for an index) in the window against spend in the window.
    path : Path
    spend_unit, unit : str
        Units of the two axes.
    title, alarm : str
    """
    draw_curves(path, **curve_arrays(tables), spend_unit=spend_unit, unit=unit, title=title, alarm=alarm)


def curve_arrays(tables: FitTables) -> dict[str, Any]:
    """Return what `draw_curves` draws of a fit."""
    names = list(dict.fromkeys(str(c) for c in tables.curves["channel"]))
    spend = dict(zip(tables.channels["channel"].astype(str), tables.channels["spend"].fillna(0), strict=True))
    shown = names
    if len(names) > PANELS:
        largest = set(sorted(names, key=lambda n: -float(spend.get(n, 0)))[:PANELS])
        shown = [n for n in names if n in largest]
    curves, without = {}, []
    for name in shown:
        curve = tables.curves[tables.curves["channel"].astype(str) == name].sort_values("multiplier")
        has_spend = bool(curve["spend"].notna().all())
        without += [] if has_spend else [name]
        numbers = ("multiplier", "spend" if has_spend else "multiplier", "mean", "q05", "q95")
        curves[name] = (
            np.stack([curve[c].to_numpy(dtype=np.float64) for c in numbers]),
            curve["observed"].to_numpy(dtype=bool),
        )
    return {"curves": curves, "without_spend": without, "media": len(names)}


def draw_curves(
    path: Path,
    *,
    curves: dict[str, tuple[Floats, npt.NDArray[np.bool_]]],
    without_spend: list[str],
    media: int,
    spend_unit: str,
    unit: str,
    title: str,
    alarm: str,
) -> None:
    """Write the figure of `response_curves_figure` from arrays.

    Parameters
    ----------
    path : Path
    curves : dict of (array (5, multiplier), array (multiplier,))
        Per medium the multipliers, the positions across, mean and interval; and which points were observed.
    without_spend : list of str
        Media whose positions are multipliers.
    media : int
        How many media there are, shown or not.
    spend_unit, unit, title, alarm : str
    """
    shown = list(curves)
    columns = min(3 if len(shown) <= 9 else 5, max(len(shown), 1))
    rows = max(math.ceil(len(shown) / columns), 1)
    heading = title or "Response curves"
    if len(shown) < media:
        heading += f" (the {len(shown)} media with the largest spend of {media}; all are in response_curves.csv)"
    with canvas.style():
        figure = canvas.new_figure(13.0 if columns > 3 else 9.9, 2.35 * rows + 1.1)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, name in zip(grid.flat, shown, strict=False):
            _panel(axes, *curves[name], name, name not in without_spend, width=30 if columns < 5 else 22)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        across, up = (
            fmt.header("spend in the window (organic media: exposure)", spend_unit),
            fmt.header("contribution in the window", unit),
        )
        _legend(figure, f"Across: {across}. Up: {up}. Scales differ from panel to panel.")
        canvas.heading(figure, heading, alarm)
        canvas.save(figure, path)


def _panel(axes: Axes, numbers: Floats, observed: npt.NDArray[np.bool_], name: str, has_spend: bool, width: int) -> None:
    multiplier, x, mean, low, high = numbers
    # the last observed point belongs to both parts, so that the line has no gap
    edge = int(np.flatnonzero(observed)[-1]) if observed.any() else 0
    for part, dash, alpha in ((slice(0, edge + 1), "-", 0.22), (slice(edge, None), (0, (4, 2)), 0.10)):
        axes.fill_between(x[part], low[part], high[part], color=canvas.BLUE, alpha=alpha, linewidth=0)
        axes.plot(x[part], mean[part], color=canvas.BLUE, linewidth=1.6, linestyle=dash)
    now = int(np.argmin(np.abs(multiplier - 1)))
    axes.plot(x[now], mean[now], color=canvas.ORANGE, marker="o", markersize=6, zorder=4)
    if min(low.min(), mean.min()) < 0:
        axes.axhline(0, color=canvas.INK, linewidth=0.6)
    axes.set_title(canvas.name(name, width), fontsize=10)
    axes.margins(x=0.02)
    canvas.short_ticks(axes.xaxis, "" if has_spend else "×")
    canvas.short_ticks(axes.yaxis)


def _legend(figure: Figure, axes_in_words: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=canvas.BLUE, linewidth=1.6, label="posterior mean"),
        Patch(color=canvas.BLUE, alpha=0.22, linewidth=0, label="90 % interval"),
        Line2D([], [], color=canvas.BLUE, linewidth=1.6, linestyle=(0, (4, 2)), label="beyond the observed range"),
        Line2D([], [], color=canvas.ORANGE, linestyle="none", marker="o", markersize=6, label="actual spend"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, title=axes_in_words, title_fontsize=9.5)
