"""``mmx fit`` in a process of its own, as from a shell: figures and the MLflow run are made by processes beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..command_line import LENIENT, SMALL
from .conftest import FIT_FILES, Made

HEAVY = ("jax", "matplotlib", "mlflow", "arviz", "arviz_stats", "pymc")
PROGRAM = (
    "import atexit, sys\nfrom mmx.cli import main\nsys.argv[0] = 'mmx'\n"
    f"atexit.register(lambda: print('imported', sorted(set({HEAVY}) & set(sys.modules))))\nmain()"
)


def shell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def apart(project: Path, fitted: Made) -> tuple[Made, subprocess.CompletedProcess[str]]:
    """The same fit as ``fitted``."""
    folder = project / "out" / "apart"
    command = [sys.executable, "-c", PROGRAM, "fit", "shop", *SMALL, *LENIENT, "--out", str(folder), "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project)
    assert done.returncode == 0, done.stderr
    return Made(folder, fitted.answer), done


def test_it_leaves_the_same_files_and_a_finished_run(apart: Any, fitted: Made, store: Any) -> None:
    made, done = apart
    assert {p.name for p in made.folder.iterdir()} >= FIT_FILES
    for name in ("fit.png", "contributions.png", "response_curves.png", "channels.csv", "parameters.csv"):
        assert (made.folder / name).read_bytes() == (fitted.folder / name).read_bytes(), name
    run = store.get_run(made.summary["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert {f.path for f in store.list_artifacts(run.info.run_id)} >= FIT_FILES
    assert "warning" not in done.stderr


def test_it_imports_nothing_that_it_can_leave_to_others(apart: Any) -> None:
    assert apart[1].stdout.splitlines()[-1] == "imported []"


def test_a_failing_fit_marks_its_run_failed(project: Path, store: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("week\n2024-01-01\n", encoding="utf-8")
    done = shell("fit", "shop", "--data", tmp_path / "bad.csv", "--out", tmp_path / "out", "name=broken apart")
    assert done.returncode != 0 and not (tmp_path / "out").exists()
    experiments = [e.experiment_id for e in store.search_experiments()]
    found = store.search_runs(experiments, "attributes.run_name = 'broken apart'")
    assert [run.info.status for run in found] == ["FAILED"]
    assert "bad.csv cannot be used" in found[0].data.tags["error"]


def test_a_server_that_nobody_started_costs_a_warning(project: Path, tmp_path: Path) -> None:
    where = "tracking.uri=http://127.0.0.1:9"
    done = shell("fit", "shop", *SMALL, *LENIENT, "--out", tmp_path / "out", where)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not logged to MLflow") == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} >= FIT_FILES
