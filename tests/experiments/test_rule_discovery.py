"""The study of rule discovery at smoke size: it runs, counts, stores its cells, and takes them up again."""

import json
import sys

import pytest

from .test_scripts import SCRIPTS, script


@pytest.fixture(scope="module")
def study():
    """The study's script; the module beside it is found as when it is launched."""
    folder = str(SCRIPTS / "rule_discovery")
    sys.path.insert(0, folder)
    try:
        yield script("rule_discovery/run")
    finally:
        sys.path.remove(folder)


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    table = study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(stored) == ["calm.json", "planted_45.json"]
    assert list(table["accounts"]) == [1, 1]
    found = json.loads(stored["planted_45.json"])[0]
    assert found["proposed"] > 50
    assert all(candidate["p"] <= candidate["adjusted"] for candidate in found["candidates"])
    assert len(found["enriched"]) == sum(candidate["found"] for candidate in found["candidates"])
    assert "with a finding" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert "done" not in capsys.readouterr().out


def test_findings_are_counted_as_what_they_are(study):
    """Without a planted rule every finding is false; with one, those are that do not meet it."""
    no = {"p": 0.5, "adjusted": 0.9, "found": False, "low": -0.1, "high": 0.1}
    yes = no | {"p": 0.001, "adjusted": 0.01, "found": True, "low": -0.3, "high": -0.1}
    cells = [{"candidates": [yes, no], "enriched": [5.0], "seconds": 1.0}, {"candidates": [no], "enriched": [], "seconds": 3.0}]
    noise = study.row_of("noise", study.Recipe(), cells)
    assert (noise["with a finding"], noise["false"], noise["seconds"]) == (0.5, 1, 2.0)
    assert noise["interval holds 0"] == pytest.approx(2 / 3)
    assert study.row_of("planted", study.Recipe(drop=0.3), cells)["false"] == 0
    beside = [cells[0] | {"enriched": [1.1]}, cells[1]]
    assert study.row_of("planted", study.Recipe(drop=0.3), beside)["false"] == 1
