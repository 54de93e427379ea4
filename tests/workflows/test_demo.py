"""``mmx demo``: from nothing to a tracked budget recommendation."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import mmx as package

from ..command_line import LENIENT, SMALL, Answer, mmx
from .conftest import FIT_FILES, PLAN_FILES


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A folder with nothing in it but the demo's output, and what it printed."""
    home = tmp_path_factory.mktemp("empty")
    answer = mmx("demo", *SMALL, *LENIENT, cwd=home)
    assert answer.code == 0, answer.said
    return home, answer


def test_it_leaves_world_fit_and_recommendation(demo: tuple[Path, Answer]) -> None:
    home, _ = demo
    folder = home / "mlruns" / "outputs" / "demo"
    assert {p.name for p in (folder / "world").iterdir()} == {"clean.csv", "clean.truth.json", "clean.yaml"}
    assert {p.name for p in (folder / "fit").iterdir()} >= FIT_FILES
    assert {p.name for p in (folder / "recommendation").iterdir()} == PLAN_FILES
    assert (folder / "truth.png").read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in home.iterdir()} == {"mlruns"}
    assert (home / "mlruns" / "mlflow.db").is_file()


def test_it_prints_what_it_found(demo: tuple[Path, Answer]) -> None:
    home, answer = demo
    folder = home / "mlruns" / "outputs" / "demo"
    truth = json.loads((folder / "world" / "clean.truth.json").read_text(encoding="utf-8"))
    summary = json.loads((folder / "fit" / "summary.json").read_text(encoding="utf-8"))
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line.strip()}
    assert len(truth["roas"]) == 6
    for name, roas in truth["roas"].items():
        found = summary["channels"][name]["roas"]
        assert f"{found['mean']:.2f} [{found['q05']:.2f}, {found['q95']:.2f}]" in lines[name]
        assert f" {roas:.2f} " in lines[name]
    for word in ("simulated", "fitted", "recommended", "Expected extra KPI money", "Files of the fit:", "mmx ui"):
        assert word in answer.said, word
    for stage in ("sample with nutpie", "write the exports"):
        assert stage in answer.err  # progress


def test_its_runs_are_in_the_store(demo: tuple[Path, Answer]) -> None:
    from mlflow import MlflowClient

    home, _ = demo
    client = MlflowClient(tracking_uri=f"sqlite:///{home}/mlruns/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    kinds = {r.data.tags["mmx.kind"]: r for r in runs}
    assert len(runs) == 2 and set(kinds) == {"fit", "recommendation"}
    assert all(r.info.status == "FINISHED" for r in runs)
    assert kinds["recommendation"].data.tags["mlflow.parentRunId"] == kinds["fit"].info.run_id
    summary = json.loads((home / "mlruns/outputs/demo/fit/summary.json").read_text(encoding="utf-8"))
    assert summary["mlflow_run_id"] == kinds["fit"].info.run_id


def test_its_world_is_the_committed_configuration(demo: tuple[Path, Answer]) -> None:
    home, _ = demo
    written = package.read_config(home / "mlruns/outputs/demo/world/clean.yaml")
    committed = package.read_config(Path(__file__).parents[2] / "configs" / "demo.yaml")
    assert committed.spec.channels == written.spec.channels and committed.spec.model == written.spec.model
    assert committed.data.model_copy(update={"path": None}) == written.data.model_copy(update={"path": None})
    columns = pd.read_csv(home / "mlruns/outputs/demo/world/clean.csv").columns
    assert {c.spend for c in committed.data.channels.values()} | {committed.data.target} <= set(columns)
