"""How far the distribution of ranks is from uniform, with the bands that hold it when a quantity is calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sbc_bands

from mmx.report import canvas

COLOURS = (canvas.BLUE, canvas.ORANGE, *canvas.PALETTE[2:])
ACROSS = 5


def draw(
    ranks: Mapping[str, npt.NDArray[np.int64]],
    names: Mapping[str, list[str]],
    draws: int,
    level: float,
    labels: Mapping[str, str],
    path: Path,
) -> None:
    """Write one panel per quantity and one line per cell that has it; the bands are the first cell's.

    ``ranks`` holds (simulation, quantity) of each cell, ``names`` its quantities. Parameters are left out.
    """
    every = dict.fromkeys(name for cell in ranks for name in names[cell])
    shown = [name for name in every if not name.startswith("parameter ")]
    grid = np.arange(1, draws + 1) / (draws + 1)
    with canvas.style():
        down = -(-len(shown) // ACROSS)
        figure = canvas.new_figure(14, 1.6 + 2.7 * down)
        panels = np.atleast_1d(figure.subplots(down, ACROSS, sharex=True, sharey=False)).ravel()
        for panel, name in zip(panels, shown, strict=False):
            for (cell, found), colour in zip(ranks.items(), COLOURS, strict=False):
                lower, upper = sbc_bands.bands(len(found), draws, level)
                if cell == next(iter(ranks)):
                    edges = lower / len(found) - grid, upper / len(found) - grid
                    panel.fill_between(grid, *edges, color=canvas.PALE, step="mid", linewidth=0, label=f"{level:.0%} bands")
                if name not in names[cell]:
                    continue
                column = found[:, names[cell].index(name)]
                difference = sbc_bands.counts(column, draws) / len(found) - grid
                panel.step(grid, difference, where="mid", color=colour, linewidth=1.2, label=labels[cell])
            panel.axhline(0, color=canvas.INK, linewidth=0.6)
            panel.set_title(name)
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        for panel in panels[: len(shown)][-ACROSS:]:
            panel.set_xlabel("rank of the truth, as a share")
        for panel in panels[::ACROSS]:
            panel.set_ylabel("ECDF minus uniform")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        size = len(next(iter(ranks.values())))
        canvas.heading(figure, f"Ranks of the truth among posterior draws, {size} simulations: calibrated inside the grey band")
        canvas.save(figure, path)
