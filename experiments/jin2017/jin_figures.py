"""The study's figures: bias beside the paper's, curves that are hard to tell apart, and the best mix by draw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jin_mix
import numpy as np
import numpy.typing as npt

from mmx.report import canvas

Floats = npt.NDArray[np.float64]


POINTS = (  # Which estimates are shown, and how.
    (-0.2, "matched", "mean", canvas.GREY),
    (-0.05, "weighted", "mean", canvas.BLUE),
    (0.1, "weighted", "median", canvas.PALETTE[4]),
)
ACROSS = 3


def draw_bias(summaries: Mapping[str, dict[str, Any]], labels: Mapping[str, str], path: Path) -> None:
    """Write one panel per cell: relative bias of each medium's effect, two standard errors, and the paper's."""
    with canvas.style():
        down = -(-len(summaries) // ACROSS)
        figure = canvas.new_figure(9.5, 1.0 + 2.6 * down)
        panels = figure.subplots(down, ACROSS, sharey=True, squeeze=False).ravel()
        for panel in panels[len(summaries) :]:
            panel.set_visible(False)
        for panel, (name, summary) in zip(panels, summaries.items(), strict=False):
            at = np.arange(len(summary["paper"]))
            for shift, kind, stat, colour in POINTS:
                found = [summary[kind][f"bias_{stat}{what}"] for what in ("", "_se")]
                percent, error = 100 * np.array(found, dtype=float)
                panel.errorbar(
                    at + shift, percent, 2 * error, fmt="o", color=colour, label=f"mmx, {kind}, {stat}", markersize=5
                )
            panel.plot(at + 0.25, 100 * np.array(summary["paper"]), "D", color=canvas.ORANGE, label="paper", markersize=5)
            panel.axhline(0, color=canvas.INK, linewidth=0.6)
            panel.set_xticks(at, [f"medium {m + 1}" for m in at])
            panel.set_title(f"{labels[name]}; data sets: {summary['sets']}")
        for panel in panels[::ACROSS]:
            panel.set_ylabel("relative bias, %")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        canvas.heading(figure, "Effect of full exposure: relative bias, with two standard errors")
        canvas.save(figure, path)


def draw_pairs(pairs: list[tuple[tuple[float, float, float], tuple[float, float, float]]], path: Path) -> None:
    """Write one panel per pair of (half saturation, slope, beta), over the observed range and beyond it."""
    x = np.linspace(0, 3, 301)
    with canvas.style():
        figure = canvas.new_figure(9, 3.6)
        for panel, pair in zip(figure.subplots(1, len(pairs)), pairs, strict=True):
            for (k, slope, beta), colour, line in zip(pair, (canvas.BLUE, canvas.ORANGE), ("-", "--"), strict=True):
                label = f"K {k:.2g}, S {slope:.2f}, beta {beta:.2f}"
                panel.plot(x, jin_mix.hill(x, k, slope, beta), line, color=colour, label=label)
            panel.axvspan(0, 1, color=canvas.PALE, alpha=0.5, linewidth=0)
            panel.set_xlabel("exposure; grey: the observed range")
            panel.legend(loc="lower right")
        canvas.heading(figure, "Two sets of Hill parameters, one curve where there are data")
        canvas.save(figure, path)


def draw_mix(shares: Floats, true: Floats, path: Path) -> None:
    """Write the best shares (sample, 3): where the draws lie, and the distribution of each medium's share."""
    bins = np.linspace(0, 1, 26)
    with canvas.style():
        figure = canvas.new_figure(9, 3.8)
        left, right = figure.subplots(1, 2)
        counts = np.histogram2d(shares[:, 0], shares[:, 1], bins=[bins, bins])[0].T
        mesh = left.pcolormesh(bins, bins, np.where(counts > 0, counts, np.nan), cmap="Blues", vmin=0)
        figure.colorbar(mesh, ax=left, label="draws")
        left.plot([0, 1], [1, 0], color=canvas.GREY, linewidth=0.8)
        left.plot(*true[:2], "*", color=canvas.ORANGE, markersize=11, label="best under the true curves")
        left.set(xlabel="share of medium 1", ylabel="share of medium 2")
        left.legend(loc="upper right")
        for m, colour in enumerate(canvas.PALETTE[:3]):
            right.hist(shares[:, m], bins=bins, histtype="step", color=colour, linewidth=1.4, label=f"medium {m + 1}")
        right.set(xlabel="share of the budget", ylabel="draws")
        right.legend()
        canvas.heading(figure, "Best mix of half the budget, by posterior draw")
        canvas.save(figure, path)
