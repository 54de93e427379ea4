"""Every example's files, written once, and the figures as they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mmx.report import canvas
from mmx.report.figures import truth_figure
from mmx.report.fit_files import write_fit_files
from mmx.report.recommendation_files import write_recommendation_files

from .examples import CASES, Example


@dataclass(frozen=True)
class Drawn:
    """A figure and the texts that were drawn on it, with their boxes in pixels; ticks outside the view are not drawn."""

    figure: Figure
    texts: list[tuple[str, Bbox]]


@dataclass(frozen=True)
class Written:
    """An example, the folder with its files, and its figures by file name."""

    example: Example
    folder: Path
    figures: dict[str, Drawn]


def record_figures(patch: pytest.MonkeyPatch, figures: dict[str, Drawn]) -> None:
    """Keep every figure that is saved while the patch holds."""
    draw, save = Text.draw, canvas.save
    seen: list[Text] = []

    def recording_draw(self: Text, *args: Any, **kwargs: Any) -> None:
        seen.append(self)
        draw(self, *args, **kwargs)

    def recording_save(figure: Figure, path: Path) -> None:
        seen.clear()
        save(figure, path)
        boxes = [(t.get_text(), t.get_window_extent()) for t in seen if t.get_visible() and t.get_text().strip()]
        figures[path.name] = Drawn(figure, [(text, box) for text, box in boxes if box.width > 0])

    patch.setattr(Text, "draw", recording_draw)
    patch.setattr(canvas, "save", recording_save)


def write_all(example: Example, folder: Path) -> list[str]:
    """Write the files of fit and recommendation into one folder."""
    names = write_fit_files(
        folder,
        example.tables,
        example.summary,
        notes=example.notes,
        currency=example.currency,
        target_kind=example.target_kind,
        name=example.name,
    )
    return names + write_recommendation_files(folder, example.rec)


@pytest.fixture(scope="session")
def write_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """Return a function from an example's name to the example and the folder with its files."""
    cases = {case.__name__: case for case in CASES}

    @cache
    def write(name: str) -> Written:
        example = cases[name]()
        folder = tmp_path_factory.mktemp(name)
        figures: dict[str, Drawn] = {}
        with pytest.MonkeyPatch.context() as patch:
            record_figures(patch, figures)
            write_all(example, folder)
            truth = dict.fromkeys(example.rec.channels, 1.0)
            truth_figure(example.tables.channels, truth, folder / "truth.png")
        return Written(example, folder, figures)

    return write


@pytest.fixture(params=[case.__name__ for case in CASES])
def written(request: pytest.FixtureRequest, write_once: Callable[[str], Written]) -> Written:
    """Each example in turn, with the folder that holds its files."""
    return write_once(request.param)
