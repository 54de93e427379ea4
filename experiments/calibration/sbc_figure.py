"""How far the distribution of ranks is from uniform, with the bands that hold it when a quantity is calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sbc_bands

from mmx.report import canvas

COLOURS = (canvas.BLUE, canvas.ORANGE, *canvas.PALETTE[2:])
ACROSS, SHADES = 5, (0.6, 1.0)  # Wide bands, of few simulations, are paler.


def draw(
    ranks: Mapping[str, npt.NDArray[np.int64]],
    names: Mapping[str, list[str]],
    draws: int,
    level: float,
    labels: Mapping[str, str],
    path: Path,
) -> None:
    """Write one panel per quantity and one line per cell that has it, with the bands of each number of simulations.

    ``ranks`` holds (simulation, quantity) of each cell, ``names`` its quantities. Parameters are left out.
    """
    sizes = sorted({len(found) for found in ranks.values()})
    every = dict.fromkeys(name for cell in ranks for name in names[cell])
    shown = [name for name in every if not name.startswith("parameter ")]
    grid = np.arange(1, draws + 1) / (draws + 1)
    with canvas.style():
        down = -(-len(shown) // ACROSS)
        figure = canvas.new_figure(14, 1.6 + 2.7 * down)
        panels = np.atleast_1d(figure.subplots(down, ACROSS, sharex=True, sharey=False)).ravel()
        for panel, name in zip(panels, shown, strict=False):
            for size, shade in zip(sizes, SHADES, strict=False):
                edges = (np.asarray(edge) / size - grid for edge in sbc_bands.bands(size, draws, level))
                told = f"{level:.0%} bands of {size} simulations"
                panel.fill_between(grid, *edges, color=canvas.PALE, alpha=shade, step="mid", linewidth=0, label=told)
            for (cell, found), colour in zip(ranks.items(), COLOURS, strict=False):
                if name not in names[cell]:
                    continue
                column = found[:, names[cell].index(name)]
                difference = sbc_bands.counts(column, draws) / len(found) - grid
                said = labels[cell] if len(sizes) == 1 else f"{labels[cell]} ({len(found)})"
                panel.step(grid, difference, where="mid", color=colour, linewidth=1.2, label=said)
            panel.axhline(0, color=canvas.INK, linewidth=0.6)
            panel.set_title(name)
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        for panel in panels[: len(shown)][-ACROSS:]:
            panel.set_xlabel("rank of the truth, as a share")
        for panel in panels[::ACROSS]:
            panel.set_ylabel("ECDF minus uniform")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        canvas.heading(figure, "Ranks of the truth among posterior draws: calibrated inside the grey band")
        canvas.save(figure, path)
