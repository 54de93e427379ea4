"""What the files and the run of a fit say about where its chains started."""

from __future__ import annotations

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
