"""The study of solvers at smoke size: it runs, keeps to the constraints, stores its markets, and takes them up again."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from .test_scripts import script

STUDY = Path(__file__).parents[2] / "experiments" / "decisions"


@pytest.fixture
def study():
    sys.path.insert(0, str(STUDY))
    try:
        yield script("decisions/run")
    finally:
        sys.path.remove(str(STUDY))


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    study.main(["--smoke", "--out", str(tmp_path)])
    for path in tmp_path.glob("*.json"):
        for world in json.loads(path.read_text(encoding="utf-8")):
            assert world["allowed"] and world["certified"] and world["bound"] >= world["value"]
            assert all(v is None or v <= world["bound"] * (1 + 1e-6) for v in world["slsqp"])
    first = capsys.readouterr().out
    assert "s_shaped 1: gap" in first
    study.main(["--smoke", "--out", str(tmp_path)])
    again = capsys.readouterr().out
    assert "s_shaped 1: gap" not in again and again.strip() in first


def test_slopes_of_a_market_are_its_differences(study):
    made = study.decision_markets.market(3, 2, 5, 4, (1.5, 3.0))
    money = np.random.default_rng(0).uniform(5, 30, 8)
    slope = made.value_and_slope(money)[1]
    for i in range(8):
        step = np.zeros(8)
        step[i] = 1e-5
        rise = (made.value(money + step) - made.value(money - step)).sum(axis=1) / 2e-5
        assert slope[:, i] == pytest.approx(rise, rel=1e-6)


def test_a_miss_is_counted_against_the_best_that_is_known(study):
    world = {"certified": True, "gap": 1e-4, "seconds": 1.0, "slsqp_seconds": 2.0}
    worlds = [world | {"value": 100.0, "slsqp": [90.0, 100.0]}, world | {"value": 100.0, "slsqp": [101.0, None]}]
    row = study.table_of({"case": worlds}, 0.001).iloc[0]
    assert (row["we miss"], row["one start misses"], row["all starts miss"]) == (1, 1, 0)
    assert row["starts that miss"] == 0.5
