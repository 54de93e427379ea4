"""Response curves of a plan as small multiples: where each channel stands on its curve, today and as recommended."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.report import canvas
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.plan_figures import alarm_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mmx.decide.recommendation import Curve, Recommendation

PANELS = 15
DASH = (0, (4, 2))
SOLID_BAND, PALE_BAND = 0.22, 0.10
BEYOND = "#F3F3F3"


def plan_curves_figure(rec: Recommendation, path: Path) -> None:
    """Write one panel per channel: KPI money against spend with its 90 % band, and the spend of both plans.

    Beyond the observed spend the curve is dashed, its band paler and the ground grey. With more channels than fit, those with
    the most recommended spend are shown and the title says so.

    Parameters
    ----------
    rec : Recommendation
    path : Path
    """
    shown = words.largest_curves(rec, PANELS)
    units = words.plan_units(rec)
    columns = min(3 if len(shown) <= 9 else 5, max(len(shown), 2))
    rows = math.ceil(len(shown) / columns)
    title = "Response curves: what each channel brings"
    if len(shown) < len(rec.curves):
        title += f" (the {len(shown)} largest of {len(rec.curves)}; all are in recommendation_curves.csv)"
    with canvas.style():
        figure = canvas.new_figure(13.0 if columns > 3 else 9.9, 2.35 * rows + 1.25)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, curve in zip(grid.flat, shown, strict=False):
            _panel(axes, curve, width=30 if columns < 5 else 22)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        across = fmt.header(f"spend over {rec.horizon} periods from {rec.start}", units.spend)
        _legend(figure, f"Across: {across}. Up: {fmt.header(units.value_name, units.value)}. Scales differ.")
        canvas.heading(figure, title, alarm_line(rec))
        canvas.save(figure, path)


def _panel(axes: Axes, curve: Curve, width: int) -> None:
    spend = np.array([p.spend for p in curve.points])
    mean, low, high = (np.array([getattr(p.value, s) for p in curve.points]) for s in ("mean", "q05", "q95"))
    # the last observed point belongs to both parts, so that the line has no gap
    edge = int(np.searchsorted(spend, curve.observed, side="right")) - 1
    for part, dash, alpha in ((slice(0, edge + 1), "-", SOLID_BAND), (slice(edge, None), DASH, PALE_BAND)):
        axes.fill_between(spend[part], low[part], high[part], color=canvas.BLUE, alpha=alpha, linewidth=0)
        axes.plot(spend[part], mean[part], color=canvas.BLUE, linewidth=1.6, linestyle=dash)
    if edge < len(spend) - 1:
        axes.axvspan(spend[edge], spend[-1], color=BEYOND, zorder=0)
    value = dict(zip(spend.tolist(), mean.tolist(), strict=True))
    for at, marker, size, fill in ((curve.current, "o", 8, "white"), (curve.recommended, "D", 6, canvas.INK)):
        axes.plot(at, value[at], linestyle="none", marker=marker, markersize=size, mfc=fill, mec=canvas.INK, zorder=4)
    if min(low.min(), mean.min()) < 0:
        axes.axhline(0, color=canvas.INK, linewidth=0.6)
    axes.set_title(canvas.name(curve.channel, width), fontsize=10)
    axes.margins(x=0.03)
    canvas.short_ticks(axes.xaxis)
    canvas.short_ticks(axes.yaxis)


def _legend(figure: Figure, axes_in_words: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: dict[str, Any] = {"linestyle": "none", "mec": canvas.INK}
    handles = [
        Line2D([], [], color=canvas.BLUE, linewidth=1.6, label="posterior mean"),
        Patch(color=canvas.BLUE, alpha=SOLID_BAND, linewidth=0, label="90 % interval"),
        Line2D([], [], color=canvas.BLUE, linewidth=1.6, linestyle=DASH, label="beyond the observed spend"),
        Line2D([], [], marker="o", markersize=8, mfc="white", label="current plan", **marks),
        Line2D([], [], marker="D", markersize=6, mfc=canvas.INK, label="recommended plan", **marks),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, title=axes_in_words, title_fontsize=9.5)
