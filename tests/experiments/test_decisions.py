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
    before = list(sys.path)
    sys.path.insert(0, str(STUDY))
    try:
        yield script("decisions/run")
    finally:
        sys.path[:] = before
        for name in ("decision_peers", "run_peer"):
            sys.modules.pop(name, None)


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    study.main(["--smoke", "--out", str(tmp_path)])
    for path in tmp_path.glob("*.json"):
        for world in json.loads(path.read_text(encoding="utf-8")):
            assert world["allowed"] and world["certified"] and world["bound"] >= world["value"]
            assert all(v is None or v <= world["bound"] * (1 + 1e-6) for v in world["slsqp"])
            assert "pymc_marketing" not in world and (world["meridian"] is None) == (path.stem == "flighting")
            if world["meridian"] is not None:
                assert world["meridian"]["value"] <= world["bound"] and -1e-9 < world["meridian"]["unspent"] < 1
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
    row = study.decision_tables.table_of({"case": worlds}, 0.001).iloc[0]
    assert (row["we miss"], row["one start misses"], row["all starts miss"]) == (1, 1, 0)
    assert row["starts that miss"] == 0.5


def test_solvers_stand_side_by_side(study):
    common = {"bound": 101.0, "seconds": 1.0, "slsqp_seconds": 2.0, "slsqp_first_seconds": 0.1}
    peers = {"pymc_marketing": {"value": 99.0, "seconds": 3.0}, "meridian": {"value": 50.0, "seconds": 4.0, "unspent": 0.4}}
    worlds = [
        common | peers | {"value": 100.0, "slsqp": [90.0, 100.0]},
        common | peers | {"value": 100.0, "slsqp": [None, 101.0]},
    ]
    worlds[1]["pymc_marketing"] = {"failed": "no way", "seconds": 3.0}
    table = study.decision_tables.side_by_side({"case": worlds}, 0.001).set_index("solver")
    assert table["misses"].to_dict() == {
        "mmx": 1,
        "SLSQP, one start": 2,
        "SLSQP, 2 starts": 0,
        "PyMC-Marketing": 2,
        "Meridian's step": 2,
    }
    assert table.loc["PyMC-Marketing", "no plan"] == table.loc["SLSQP, one start", "no plan"] == 1
    assert table.loc["PyMC-Marketing", "mean %"] == 99 and table.loc["SLSQP, 2 starts", "highest %"] == 101
    assert table.loc["Meridian's step", "unspent %"] == 40 and table["bounds"].tolist() == [2, 0, 0, 0, 0]
    del worlds[0]["pymc_marketing"]
    table = study.decision_tables.side_by_side({"case": worlds}, 0.001)
    assert "PyMC-Marketing" not in set(table["solver"])


def test_money_is_rounded_as_meridian_says(study):
    """The budget is rounded to 10^n, n the digits below the tolerance: its documentation's rule."""
    greedy = study.decision_peers.decision_greedy
    assert [greedy.digits(b) for b in (5000.0, 9e4, 9e5, 1.8e6)] == [0, -1, -2, -3]
    lower, upper = greedy.bounds(np.array([1230.0, 4560.0]), np.array([0.5, 0.0]), np.array([1.0, 2.0]), 1e5)
    assert (lower.tolist(), upper.tolist()) == ([600, 0], [1200, 9200])


def test_the_step_is_best_on_a_concave_grid_and_stops_at_the_first_move_that_is_too_large(study):
    """On concave curves greedy is the best plan of the grid (Fox, 1966); a jump over the total leaves all the rest unspent."""
    greedy = study.decision_peers.decision_greedy
    points = np.arange(0.0, 7.0)
    spends = np.column_stack([points, points, np.where(points <= 4, points, np.nan)])
    outcomes = np.array([3.0, 5.0, 4.0]) * spends / (np.array([2.0, 4.0, 1.0]) + spends)
    plan = greedy.climb(spends, outcomes, 6.0)
    every = [(a, b, 6 - a - b) for a in range(7) for b in range(7 - a) if 6 - a - b <= 4]
    value = [outcomes[a, 0] + outcomes[b, 1] + outcomes[c, 2] for a, b, c in every]
    assert tuple(plan) == every[int(np.argmax(value))]
    jump = np.column_stack([points >= 4, 0.01 * points]).astype(float)
    assert greedy.climb(spends[:, :2], jump, 3.0).tolist() == [0, 0]


def test_the_step_gives_the_answers_that_meridian_gave(study):
    """Grids and plans that Meridian made on a fit of its own are stored with the results."""
    greedy = study.decision_peers.decision_greedy
    stored = json.loads((STUDY / "results" / "meridian_step.json").read_text(encoding="utf-8"))
    assert stored["equal_plans"] == stored["markets"] >= 30
    assert all(answer["equal_grid"] and answer["equal_plan"] and answer["moved"] for answer in stored["fit"])
    kept = [answer["grids"] for answer in stored["fit"] if answer["grids"] is not None]
    assert kept
    for grids in kept:
        spends, outcomes = (np.array(grids[name], dtype=float) for name in ("spends", "outcomes"))
        assert greedy.climb(spends, outcomes, grids["total"]).tolist() == grids["plan"]


def test_no_solver_found_more_than_ours():
    for path in (STUDY / "results").glob("*.json"):
        worlds = json.loads(path.read_text(encoding="utf-8"))
        for world in worlds if isinstance(worlds, list) else []:
            others = [*world["slsqp"], *(world[peer]["value"] for peer in ("pymc_marketing", "meridian") if world.get(peer))]
            assert all(v is None or v <= world["value"] * (1 + 1e-9) for v in others), path.name
            if "pymc_marketing" in world:
                assert world["pymc_marketing"]["current_differs"] < 1e-12
