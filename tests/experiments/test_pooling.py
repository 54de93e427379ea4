"""The study of pooled rule parameters, at smoke size, and its arms of scores."""

import json

import numpy as np
import pytest

from .test_scripts import SCRIPTS, script


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    """The study's files find each other, as they do where its script is run."""
    monkeypatch.syspath_prepend(str(SCRIPTS / "pooling"))


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("pooling/run")
    rows = study.main(["--smoke", "--out", str(tmp_path)])
    by = {(row["weeks"], row["arm"]): row for row in rows}
    assert {weeks for weeks, _ in by} == {0, 4}
    assert by[0, "own"]["regret"] == by[0, "default"]["regret"] and by[0, "both"]["regret"] == by[4, "others"]["regret"]
    stored = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    capsys.readouterr()
    again = study.main(["--smoke", "--out", str(tmp_path)])
    assert again == rows and {path: path.read_bytes() for path in stored} == stored
    gains = json.loads((tmp_path / "real" / "60001_gains.json").read_text(encoding="utf-8"))
    arms = json.loads((tmp_path / "real" / "arms.json").read_text(encoding="utf-8"))["arms"]["60001"]
    assert set(gains) == {"default", "best", *arms}


def cell(customer, gain, sd):
    return {"customer": customer, "own": {"26": {"scores": {"gain": gain, "sd": sd}}}}


def test_scores_of_others_yield_to_own_ones_that_are_known_well():
    """A vector that the others like and one that this customer likes: its own uncertainty decides between them."""
    arms = script("pooling/pooling_scores")
    others = [cell(i, [0.0, 0.10 + 0.01 * i, 0.02 - 0.01 * i], [0.0, 0.001, 0.001]) for i in range(4)]
    settings = {"others": 26, "weeks": [26], "left_out": 1}
    sure, unsure = (cell(9, [0.0, -0.05, 0.08], [0.0, sd, sd]) for sd in (1e-4, 1.0))
    assert arms.score_arms([*others, sure], settings)["9"] == {"scores": 1, "both scores 26": 2, "own 26": 2}
    assert arms.score_arms([*others, unsure], settings)["9"]["both scores 26"] == 1


def test_told_gains_are_those_over_the_defaults():
    scores = np.array([[1.0, 2.0], [1.5, 3.0]])
    found = script("pooling/pooling_scores").told(scores)
    assert found["gain"] == [0.0, 0.75] and found["sd"] == pytest.approx([0.0, np.std([0.5, 1.0], ddof=1)], abs=1e-6)
