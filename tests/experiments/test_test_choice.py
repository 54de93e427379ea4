"""The study of which test to run at smoke size: it runs, compares, stores its fits, and takes them up again."""

import json

import numpy as np
import pytest

from mmx.decide.designs import Design
from mmx.decide.menu import menu_of
from mmx.decide.problem import Problem, total_row

from ..decide.fakes import curves
from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("test_choice/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "zero-1.json").read_text(encoding="utf-8"))
    assert set(found["arms"]) == {*study.ARMS, "random"}
    assert len(found["none"]) == 4
    regrets = np.array([found["none"], *(arm["regret"] for arm in found["arms"].values())])
    assert (regrets >= -1e-9 * np.abs(regrets).max()).all()  # No plan is better than the truth's best one.
    assert "zero: seed 1 done" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert "done" not in capsys.readouterr().out


def test_a_perfect_test_of_everything_leaves_no_regret():
    """One unknown number behind all curves, measured exactly: what is left is the belief's own coarseness."""
    study = script("test_choice/run")
    response, unknown = curves(3, 2001, 4, spread=0.0), np.random.default_rng(1).uniform(0.5, 2.0, 2001)
    response.top[:, 0] *= unknown
    current = np.full(4, 80.0)
    problem = Problem(tuple("abcd"), current, 0.5 * current, 2 * current, (total_row(4, 320.0),))
    menu = menu_of(problem, response, current, np.arange(4))
    truth, belief = np.arange(0, 2001, 100), np.setdiff1d(np.arange(2001), np.arange(0, 2001, 100))
    noise = np.zeros((len(truth), 1))
    exact, blind = (Design("a", "dark", 1, (), -1.0, -1.0, unknown, unknown, se) for se in (1e-3, 1e6))
    none, after = study.regrets(menu, truth, belief, (exact, blind), noise)
    assert after[0].mean() < 0.01 * none.mean()
    assert after[1] == pytest.approx(none, rel=1e-4, abs=1e-4 * none.mean())


def test_regrets_are_compared_fit_by_fit():
    study = script("test_choice/run")
    arms = {name: {"test": "", "regret": [5.0, 5.0]} for name in study.ARMS}
    cells = [{"none": [10.0, 10.0], "arms": arms | {"random": {"test": "", "regret": [8.0, 8.0]}}}]
    table = study.table_of(cells, 50).set_index("arm")
    assert table.loc["recommended", "regret"] == pytest.approx(0.5)
    assert table.loc["random", "regret"] == pytest.approx(0.8)
    assert table.loc["recommended", "less_random"] == pytest.approx(-0.3)
    assert table.loc["recommended", "less_low"] == pytest.approx(-0.3)
