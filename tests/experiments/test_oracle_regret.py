"""The study of oracle regret at smoke size: it runs, stores its cells, takes them up again, and counts as it says."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from mmx import worlds
from mmx.config import read_budget
from mmx.decide.answer import ask
from mmx.decide.fit_response import response_of
from mmx.decide.problem import Problem, total_row
from mmx.decide.turnover import turnover
from mmx.worlds.plan import PlanProblem

from .test_scripts import script

STUDY = Path(__file__).parents[2] / "experiments" / "oracle_regret"


@pytest.fixture
def study():
    sys.path.insert(0, str(STUDY))
    try:
        yield script("oracle_regret/run")
    finally:
        sys.path.remove(str(STUDY))


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    study.main(["--smoke", "--out", str(tmp_path)])
    (cell,) = json.loads((tmp_path / "narrow-zero.json").read_text(encoding="utf-8"))
    best = cell["oracle"]["value"]
    assert all(plan["value"] <= best * (1 + 1e-6) for plan in cell["plans"].values())  # No plan is better than the best one.
    for plan in [cell["oracle"], *cell["plans"].values()]:
        assert all(0.4999 <= m <= 2.0001 for m in plan["multipliers"])
    (again,) = json.loads((tmp_path / "refresh-zero.json").read_text(encoding="utf-8"))
    same = again["plans"]["mmx mean"]["same question"]
    assert same["allowed"] and same["lost"]["mean"] >= -1e-6  # By the new posterior its own plan is the better one.
    shown = capsys.readouterr().out
    assert "narrow-zero: seed 1 done" in shown and "Refresh after 8 weeks" in shown
    study.main(["--smoke", "--out", str(tmp_path)])
    assert "done" not in capsys.readouterr().out


def test_a_rule_of_thumb_keeps_total_bounds_and_proportions(study):
    current = np.array([100.0, 50.0, 0.0, 10.0])
    problem = Problem(tuple("abcd"), current, 0.5 * current, 2 * current, (total_row(4, 160.0),))
    money = study.regret_cells.regret_plans.within(problem, np.array([1.0, 1.0, 1.0, 1.0]))
    assert money == pytest.approx([70.0, 70.0, 0.0, 20.0])
    assert study.regret_cells.regret_plans.within(problem, current) == pytest.approx(current)


def test_a_posterior_of_equal_draws_is_its_own_mean(study, national_fit):
    plans = study.regret_cells.regret_plans
    full = national_fit.posterior
    names = ("beta", "gamma", "local")

    def repeated(values):
        return np.repeat(values[:1], 3, axis=0)

    params = {name: repeated(values) for name, values in full.params.items()}
    equal = replace(full, params=params, chains=1, **{name: repeated(getattr(full, name)) for name in names})
    window = full.reference(8)
    value = [
        response_of(p, window) for p in (equal, plans.at_means(equal, keep_roas=False), plans.at_means(equal, keep_roas=True))
    ]
    current = value[0].current
    expected = value[0].value(current)[0]
    assert value[1].value(current)[0] == pytest.approx(expected, rel=1e-5)
    assert value[2].value(current)[0] == pytest.approx(expected, rel=1e-5)
    kept = plans.at_means(full, keep_roas=True).totals([1.0])[0, 0, 0]
    assert kept == pytest.approx(full.totals([1.0])[:, 0, 0].mean(axis=0), rel=1e-6)


def test_the_truth_of_some_geos_is_part_of_that_of_all(study):
    made = worlds.simulate("geo", seed=1, periods=60)
    whole = made.scene.problem
    counts = [np.arange(6), np.arange(6, 20)]
    parts = [PlanProblem(study.regret_cells.first_geos(made.scene.mechanism, kept), whole.budget) for kept in counts]
    names = whole.mechanism.channels
    plan = dict(zip(names, np.linspace(0.5, 2, len(names)), strict=True))
    assert sum(part.value(plan) for part in parts) == pytest.approx(made.plan_value(plan), rel=1e-9)
    truth = study.regret_cells.Truth(whole)
    money = truth.current * np.array([plan[name] for name in names])
    assert truth.value(money) == pytest.approx(made.plan_value(plan) - made.plan_value(dict.fromkeys(names, 0.0)), rel=1e-9)


def test_todays_question_to_todays_fit_moves_nothing(study, national_fit):
    cells = study.regret_cells
    asked = ask(national_fit.posterior, read_budget({"horizon": 8}).question)
    twice = [cells.regret_plans.recommended(a, {}, seed=1) for a in (asked, cells.of_today(national_fit, asked, asked))]
    window = asked.window
    spend = twice[0].asked.fit.spread(twice[0].solution.money)
    found = turnover(cells.Earlier("", window.starts[0], window.starts[-1], spend), twice[1])
    assert found.moved == pytest.approx(0.0, abs=1e-9) and found.allowed


def cell(best, current, **values):
    known = {"current": current, **values}
    gain = {"mean": 1.0, "q05": 0.0, "q95": 6.0}
    return {"oracle": {"value": best}, "plans": {n: {"value": v, "gain": gain, "certified": True} for n, v in known.items()}}


def test_regrets_are_counted_by_hand(study):
    score = study.regret_score
    found = {
        "one": [cell(100.0, 90.0, a=95.0, b=96.0), cell(200.0, 180.0, a=180.0, b=176.0)],
        "two": [cell(50.0, 40.0, a=50.0, b=49.0)],
    }
    table = score.table_of(found, "a", 1 / 3, 200).set_index("plan")
    assert table["regret"].to_dict() == pytest.approx({"current": 40 / 3, "a": 5.0, "b": 6.0})
    assert table.loc["a", "left"] == pytest.approx(5 / (40 / 3))
    assert table.loc["b", "worst_regret"] == pytest.approx(12.0) and table.loc["b", "worst_gain"] == pytest.approx(-2.0)
    assert table.loc["b", "worse"] == pytest.approx(1 / 3) and table.loc["b", "beats_first"] == pytest.approx(1 / 3)
    assert table.loc["b", "regret_less"] == pytest.approx(1.0)
    assert (table.loc["b", "regret_low"], table.loc["b", "regret_high"]) == pytest.approx(
        (0.5, 2.0)
    )  # One world only, or the other.
    assert score.by_world(found).set_index("world").loc["two", "b"] == pytest.approx(2.0)
    promise = score.promised(found, ["a", "b"]).set_index("plan")
    assert promise["inside"].to_dict() == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert promise["below"].to_dict() == pytest.approx({"a": 0.0, "b": 1 / 3})


def test_the_settings_of_the_smoke_run_are_those_of_the_study(study):
    settings = yaml.safe_load((STUDY / "config.yaml").read_text(encoding="utf-8"))
    assert set(settings["smoke"]) <= set(settings)
    assert len(settings["worlds"]) * settings["bounds"]["narrow"]["seeds"] >= 40
