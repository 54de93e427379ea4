"""The study of honest claims at smoke size: it runs, stores worlds, takes them up again, and counts as it says."""

import json
import sys

import numpy as np
import pytest

from .test_scripts import SCRIPTS, script

FOLDER = SCRIPTS / "rule_honesty"


@pytest.fixture(scope="module")
def study():
    """The study's script; the modules beside it are found as when it is launched."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield script("rule_honesty/run")
    finally:
        sys.path.remove(str(FOLDER))


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    found = study.main(["--smoke", "--out", str(tmp_path)])
    text = (tmp_path / "worlds.jsonl").read_text(encoding="utf-8")
    (cell,) = [json.loads(line) for line in text.splitlines()]
    assert found["worlds"] == 1
    assert len(cell["true"]) == 4 and cell["true"][0] == 0.0
    assert all(values[0] == 0.0 for values in cell["claimed"].values())
    assert cell["ours"]["low"] <= cell["ours"]["claim"] <= cell["ours"]["high"]
    assert np.isfinite([*cell["holdout"]["true"].values(), *cell["allocations"].values()]).all()
    (tmp_path / "worlds.jsonl").write_text(text + '{"seed": 1', encoding="utf-8")
    assert study.main(["--smoke", "--out", str(tmp_path)]) == found
    assert (tmp_path / "worlds.jsonl").read_text(encoding="utf-8") == text
    assert "s CPU" not in capsys.readouterr().out.rpartition("worlds;")[0].rpartition("worlds;")[2]


def world(claim, true, low, high, *, passed=True, overfitting=0.0, seed=0):
    """A finished world of two candidates of which the second is chosen by all."""
    names = ("replay", "next_period", "folds", "judge")
    windows = {"true": dict.fromkeys(names, true), "error": dict.fromkeys(names, 0.1), "inside": 0.5, "progress": [0.8, 0.7]}
    return {
        "seed": seed,
        "kind": "calm",
        "passed": [True, passed],
        "claimed": {name: [0.0, claim] for name in names},
        "claim": dict.fromkeys(names, claim),
        "true": [0.0, true],
        "holdout": windows,
        "future": windows,
        "ours": {"claim": claim, "low": low, "high": high, "judged": [low, high], "expected": [claim, claim]},
        "elasticity": {"true": 0.5, "folds": 0.6, "judge": 0.7},
        "overfitting": overfitting,
        "allocations": {"hold": 1.0},
    }


def test_tables_count_what_they_say(study):
    cells = [world(3.0, 1.0, 0.5, 4.0), world(1.0, -1.0, 0.0, 2.0, passed=False)]
    found = study.summary(cells)
    own = found["honesty"]["all"]["ours"]
    assert (own["claim"], own["true"], own["error"], own["rmse"], own["se"]) == (2.0, 0.0, 2.0, 2.0, 0.0)
    assert (own["coverage"], own["coverage of one future"], own["width"]) == (0.5, 0.5, 2.75)
    assert own["rank correlation"] == pytest.approx(0.0)
    assert own["regret"] == 0.5
    assert found["value"]["all"]["tuned - hold"]["mean"] == -1.0
    assert found["value"]["all"]["adopted - default"]["mean"] == 0.5
    assert found["gate"]["all"]["models refused"] == 0.25
    assert found["gate"]["all"]["worlds with a refused model"] == 0.5
    causes = found["causes"]["all"]
    assert causes["learning lost"] == pytest.approx(0.1) and causes["error of all candidates"] == 2.0
    assert (causes["coverage by the judge alone"], causes["coverage without luck"]) == (0.5, 0.0)
    assert "ours, recalibrated" not in found["honesty"]["all"]


def test_a_line_through_other_worlds_takes_a_constant_exaggeration_away(study):
    rng = np.random.default_rng(0)
    truth, noise = rng.normal(0.0, 4.0, 400), rng.normal(0.0, 1.0, 400)
    cells = [world(3.0 + 2.0 * (t + e), t, -20.0, 20.0, seed=i) for i, (t, e) in enumerate(zip(truth, noise, strict=True))]
    table = sys.modules[study.summary.__module__]
    claims = table.honesty(cells, "ours", "holdout")
    assert claims["error"] > 2.0 and claims["coverage"] > 0.99
    own = table.recalibrated(cells, "holdout")
    assert abs(own["error"]) < 4.0 * own["se"] < 0.25
    assert own["coverage"] == pytest.approx(0.9, abs=4.0 * 0.9**0.5 * 0.1**0.5 / 20.0)
