"""A small project, as a user has it, and the fits in it that several tests read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmx import read_config, worlds

from ..command_line import LENIENT, SMALL, UNTRACKED, Answer, mmx

# Every kind of column that a table may have, and a KPI window with history before and planned rows after it.
SHOP: dict[str, Any] = {
    "name": "shop",
    "data": {
        "path": "shop.csv",
        "date": "week",
        "window": {"start": "2021-04-05", "end": "2023-09-25"},
        "target": "revenue",
        "currency": "EUR",
        "channels": {"tv": {"spend": "tv_spend"}, "search": {"spend": "search_spend", "exposure": "clicks"}},
        "organic": {"newsletter": {"exposure": "mails"}},
        "treatments": ["promotion"],
        "controls": ["rival_sales"],
        "events": {"column": "event", "none": ["none"]},
    },
    "model": {"drift": False},
    "budget": {"horizon": 8, "frontier": [1, 0.1]},
}
FIT_FILES = {
    *("posterior.nc", "summary.json", "channels.csv", "contributions.csv", "baseline.csv", "response_curves.csv"),
    *("fit.png", "contributions.png", "response_curves.png", "report.md", "config.yaml", "run.jsonl"),
}
PLAN_FILES = {
    *(f"recommendation.{suffix}" for suffix in ("json", "schema.json", "csv", "xlsx", "md", "html", "png")),
    *(f"recommendation_{figure}.png" for figure in ("moves", "optimum", "curves", "flighting", "frontier")),
    *("recommendation_curves.csv", "run.jsonl"),
}
# What a repetition may change in summary.json: how long it took, and where it was logged.
EXCLUDED = ("seconds", "mlflow_run_id")


@dataclass(frozen=True)
class Made:
    """One run of a command: its folder and what it printed."""

    folder: Path
    answer: Answer

    @property
    def summary(self) -> dict[str, Any]:
        """Content of ``summary.json``."""
        content: dict[str, Any] = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))
        return content

    @property
    def repeatable(self) -> dict[str, Any]:
        """What a repetition must give again."""
        summary = self.summary
        assert set(EXCLUDED) <= set(summary)
        return {key: value for key, value in summary.items() if key not in EXCLUDED}

    @property
    def plan(self) -> dict[str, Any]:
        """Content of ``recommendation.json``."""
        content: dict[str, Any] = json.loads((self.folder / "recommendation.json").read_text(encoding="utf-8"))
        return content


@pytest.fixture(scope="session", autouse=True)
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have mlflow and matplotlib at hand, as ``command_line`` assumes: processes of their own would import them per command."""
    import matplotlib  # noqa: F401

    from mmx.track.client import connect

    connect(f"sqlite:///{tmp_path_factory.mktemp('imported')}/mlflow.db")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``configs/shop.yaml`` and the table beside it; runs go to its ``mlruns``."""
    folder = tmp_path_factory.mktemp("project")
    table, _, written = worlds.write(worlds.like(read_config(SHOP), seed=3), folder / "configs" / "shop.csv")
    assert written.name == "shop.yaml" and table.name == yaml.safe_load(written.read_text(encoding="utf-8"))["data"]["path"]
    return folder


@pytest.fixture(autouse=True)
def _at_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the project, as a user does."""
    monkeypatch.chdir(project)


@pytest.fixture(scope="session")
def fitted(project: Path) -> Made:
    """A fit that passes a lenient gate, logged to MLflow."""
    answer = mmx("fit", "shop", *SMALL, *LENIENT, "--out", "out/fitted", "--seed", "5", cwd=project)
    assert answer.code == 0, answer.said
    return Made(project / "out" / "fitted", answer)


@pytest.fixture(scope="session")
def unconverged(project: Path) -> Made:
    """A fit too short for the gate, logged nowhere."""
    short = ("sampler.chains=2", "sampler.tune=50", "sampler.draws=50", "sampler.max_depth=4")
    answer = mmx("fit", "shop", *short, UNTRACKED, "--out", "out/unconverged", cwd=project)
    assert answer.code == 0, answer.said
    return Made(project / "out" / "unconverged", answer)


@pytest.fixture(scope="session")
def planned(project: Path, fitted: Made) -> Made:
    """A recommendation from the fit, logged to MLflow."""
    answer = mmx("recommend", fitted.folder, "--out", "out/planned", cwd=project)
    assert answer.code == 0, answer.said
    return Made(project / "out" / "planned", answer)


@pytest.fixture(scope="session")
def store(project: Path) -> Any:
    """An MLflow client on the project's store."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{project}/mlruns/mlflow.db")


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Return a function that gives every file of a folder with its bytes."""

    def read(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return read
