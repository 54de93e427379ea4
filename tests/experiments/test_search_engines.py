"""The study of search engines, at smoke size: it runs, stores its cells and resumes."""

import json
import sys

import numpy as np
import pytest

from .test_scripts import SCRIPTS, script


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS / "search_engines"))
    yield script("search_engines/run")
    sys.modules.pop("search_problem", None)


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    cells = study.main(["--smoke", "--out", str(tmp_path)])
    ran = [one for engine in ("nsga2", "evolution") for one in cells[engine]]
    shared = json.loads((tmp_path / "problem.json").read_text(encoding="utf-8"))
    assert 2 <= len(shared["coordinates"]) <= 5
    for one in ran:
        volumes = [volume for _, _, volume in one["curve"]]
        assert 0.0 <= volumes[0] <= volumes[1]
        assert one["curve"][1][1] <= one["evaluations"]
    share = study.shares(cells, np.array(shared["reference"]))
    assert 0.0 < max(values[:, -1].max() for values in share.values()) <= 1.0 + 1e-12
    stored = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    capsys.readouterr()
    assert study.main(["--smoke", "--out", str(tmp_path)]) == cells
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json")} == stored
    assert "| NSGA-II |" in capsys.readouterr().out
    assert (tmp_path / "hypervolume.png").stat().st_size > 10_000
