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


def write_part(part: str, example: Example, folder: Path) -> None:
    """Write the files of the fit or of the plan."""
    if part == "plan":
        write_recommendation_files(folder, example.rec)
        return
    write_fit_files(
        folder,
        example.tables,
        example.summary,
        notes=example.notes,
        currency=example.currency,
        target_kind=example.target_kind,
        name=example.name,
    )
    truth_figure(example.tables.channels, dict.fromkeys(example.rec.channels, 1.0), folder / "truth.png")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Written]:
    """Return a function from an example's name and a part to the example and the folder that holds its files at least."""
    cases = {case.__name__: case for case in CASES}

    @cache
    def place(name: str) -> Written:
        return Written(cases[name](), tmp_path_factory.mktemp(name), {})

    @cache
    def write(name: str, part: str) -> Written:
        made = place(name)
        with pytest.MonkeyPatch.context() as patch:
            record_figures(patch, made.figures)
            write_part(part, made.example, made.folder)
        return made

    return write


@pytest.fixture
def write_once(request: pytest.FixtureRequest, shelf: Callable[[str, str], Written]) -> Callable[[str], Written]:
    """Return a function from an example's name to its files; those of the module's ``PARTS`` are there."""

    def write(name: str) -> Written:
        made = [shelf(name, part) for part in request.module.PARTS]
        return made[0]

    return write


@pytest.fixture(params=[case.__name__ for case in CASES])
def written(request: pytest.FixtureRequest, write_once: Callable[[str], Written]) -> Written:
    """Each example in turn, with the folder that holds its files."""
    return write_once(request.param)
