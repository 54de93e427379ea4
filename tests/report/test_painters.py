"""Figures drawn by processes of their own: the same bytes, and nothing is lost when such a process is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmx.report import canvas, fit_figures
from mmx.report.fit_files import write_fit_files
from mmx.report.painters import COUNT, Painters, painters

from .examples import Example, six

FIGURES = ("contributions.png", "response_curves.png", "fit.png")


def write(example: Example, folder: Path, drawing: Painters | None) -> list[str]:
    return write_fit_files(
        folder,
        example.tables,
        example.summary,
        notes=example.notes,
        currency=example.currency,
        target_kind=example.target_kind,
        name=example.name,
        painters=drawing,
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Painters, started as in a process that has not imported matplotlib."""
    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "matplotlib")
        context = painters()
        made = context.__enter__()
    yield made
    context.__exit__(None, None, None)


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the figures that this process saves."""
    names: list[str] = []
    save = canvas.save
    monkeypatch.setattr(canvas, "save", lambda figure, path: (names.append(path.name), save(figure, path)))
    return names


def test_painters_draw_the_same_bytes(started: Painters, drawn_here: list[str], tmp_path: Path) -> None:
    example = six()
    files = write(example, tmp_path / "apart", started)
    started.finish()
    assert drawn_here == []
    assert write(example, tmp_path / "here", None) == files
    assert sorted(drawn_here) == sorted(FIGURES)
    for name in files:
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "here" / name).read_bytes(), name


def test_what_a_dead_painter_did_not_draw_is_drawn_here(started: Painters, drawn_here: list[str], tmp_path: Path) -> None:
    for process in started._processes:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    files = write(six(), tmp_path, started)
    started.finish()
    assert sorted(drawn_here) == sorted(FIGURES)
    assert all((tmp_path / name).is_file() for name in files)


def test_what_fails_there_fails_here(started: Painters, tmp_path: Path) -> None:
    arrays = fit_figures.fit_arrays(six().tables)
    gone = tmp_path / "no such folder" / "fit.png"
    started.draw(fit_figures.draw_fit, {"path": gone, **arrays, "kpi_unit": "", "title": "", "alarm": ""})
    with pytest.raises(FileNotFoundError):
        started.finish()


def test_painters_end_with_the_block() -> None:
    program = (
        "import os, sys\nfrom mmx.report.painters import painters\n"
        "with painters() as drawing:\n    found = [p.pid for p in drawing._processes]\n"
        "alive = [pid for pid in found if os.path.exists(f'/proc/{pid}')]\n"
        "print(len(found), len(alive), sorted({'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{COUNT} 0 []" and done.stderr == ""


def test_a_process_that_has_matplotlib_draws_itself() -> None:
    assert "matplotlib" in sys.modules
    with painters() as drawing:
        assert drawing._processes == []


def test_a_painter_needs_no_pandas() -> None:
    program = (
        "import sys\nsys.modules['pandas'] = None\nfrom mmx.report import canvas, curve_figure, fit_figures\ncanvas.warm_up()\n"
        "print('pandas' in sys.modules and sys.modules['pandas'] is None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
