"""What the files and the run of a fit say about where its chains started, and that a quick look is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmx.mmm.store import read

from ..command_line import LENIENT, SMALL, UNTRACKED, mmx
from .conftest import Made


@pytest.fixture(scope="module")
def started(project: Path, fitted: Made) -> Made:
    """A fit that starts from the first one."""
    out = ("--out", "out/started", "--start", fitted.folder)
    answer = mmx("fit", "shop", *SMALL, *LENIENT, *out, cwd=project)
    assert answer.code == 0, answer.said
    return Made(project / "out" / "started", answer)


@pytest.fixture(scope="module")
def glanced(project: Path) -> Made:
    """A quick look, and a gate that takes it."""
    quick = ("sampler.name=laplace", "gate.max_pareto_k=1e300")
    answer = mmx("fit", "shop", *SMALL, *LENIENT, *quick, "--out", "out/glanced", cwd=project)
    assert answer.code == 0, answer.said
    return Made(project / "out" / "glanced", answer)


def test_the_start_is_hashed_into_summary_file_and_run(fitted: Made, started: Made, store: Any) -> None:
    first, second = fitted.summary, started.summary
    assert first["start_sha256"] is None
    assert second["start_sha256"] == first["fit_sha256"] == read(fitted.folder / "posterior.nc").sha256
    assert second["fit_sha256"] != first["fit_sha256"]
    assert second["weights_sha256"] == first["weights_sha256"]
    tags = store.get_run(second["mlflow_run_id"]).data.tags
    for tag in ("start_sha256", "weights_sha256", "fit_sha256"):
        assert tags[tag] == second[tag]
    assert "start_sha256" not in store.get_run(first["mlflow_run_id"]).data.tags


def test_a_start_of_another_shape_is_refused(project: Path, fitted: Made) -> None:
    changed = ("model.drift=true", UNTRACKED, "--out", "out/refused", "--start", fitted.folder)
    answer = mmx("fit", "shop", *SMALL, *changed, cwd=project)
    assert answer.code != 0
    assert "the earlier fit has another shape" in " ".join(answer.said.split())
    assert not (project / "out" / "refused").exists()
    missing = mmx("fit", "shop", *SMALL, UNTRACKED, "--out", "out/refused", "--start", "out/nowhere", cwd=project)
    assert missing.code != 0
    assert "is not a fit of mmx" in " ".join(missing.said.split())


def test_a_quick_look_says_so_in_every_output(glanced: Made, fitted: Made, store: Any) -> None:
    summary = glanced.summary
    assert summary["quick_look"] is True and fitted.summary["quick_look"] is False
    assert summary["max_rhat"] is None and summary["gate"]["pareto_k"] is not None
    assert summary["sampler"]["name"] == "laplace"
    assert "QUICK LOOK by laplace, not a full posterior: Pareto k" in " ".join(glanced.answer.out.split())
    assert "QUICK LOOK by laplace" in (glanced.folder / "report.md").read_text(encoding="utf-8")
    assert "QUICK LOOK" not in (fitted.folder / "report.md").read_text(encoding="utf-8")
    run = store.get_run(summary["mlflow_run_id"]).data
    assert run.tags["mmx.quick_look"] == "yes"
    assert "Quick look" in run.tags["mlflow.note.content"]
    assert run.metrics["gate/pareto_k"] == summary["gate"]["pareto_k"]
    assert "max_rhat" not in run.metrics


def test_a_plan_from_a_quick_look_says_so_in_every_output(project: Path, glanced: Made) -> None:
    answer = mmx("recommend", glanced.folder, UNTRACKED, "--out", "out/glanced_plan", cwd=project)
    assert answer.code == 0, answer.said
    assert "QUICK LOOK: this plan rests on an approximation" in " ".join(answer.out.split())
    folder = project / "out" / "glanced_plan"
    plan = json.loads((folder / "recommendation.json").read_text(encoding="utf-8"))
    assert plan["unknowns"][0].startswith("QUICK LOOK")
    assert "QUICK LOOK" in (folder / "recommendation.md").read_text(encoding="utf-8")
