from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmx.errors import ConfigError, DataError, InputError
from mmx.tune.overrides import yaml_diff
from mmx.tune.problem import Scores, SearchProblem
from mmx.tune.search import Tuning, tune
from mmx.tune.trials import read_trials

from .problems import Bowl, bowl, settings, space

SCALAR = ("tpe", "nsga2", "nsga3", "cmaes", "evolution")


def run(engine: str = "tpe", *, seed: int = 1, problem: SearchProblem | None = None, **changes: Any) -> Tuning:
    return tune(problem or bowl(dead=0), settings(engine=engine, **changes), study="bowl", seed=seed)


@pytest.mark.parametrize("engine", SCALAR)
def test_every_engine_starts_at_the_defaults_and_improves_on_them(engine: str) -> None:
    found = run(engine, trials=120 if engine == "tpe" else 400)
    trials, problem = found.trials, found.search.problem
    assert len(trials) == (120 if engine == "tpe" else 400)
    np.testing.assert_array_equal(trials.vectors[0], problem.space.default)
    assert trials.engine[0] == "start" and set(trials.engine[1:]) == {engine}
    scores = problem.score(trials.vectors)
    np.testing.assert_allclose(trials.by_fold, scores.by_fold)
    np.testing.assert_allclose(trials.violations, scores.violations)
    assert trials.violation[found.winner] == 0.0
    best = 10.0 - trials.by_fold[found.winner, :, 0].mean()
    start = 10.0 - trials.by_fold[0, :, 0].mean()
    assert best < 0.5 * start


@pytest.mark.parametrize("engine", ["tpe", "nsga2", "nsga3", "evolution"])
def test_a_front_with_a_knee_and_a_choice_afterwards(engine: str) -> None:
    found = run(engine, trials=80, multi=True, objectives={"profit": 1, "ctr": 1})
    values = found.search.goals.each(found.trials.by_fold)
    assert len(found.front) > 2 and found.knee in found.front and found.winner in found.front
    profit, ctr = found.choose({"profit": 1}), found.choose({"ctr": 1})
    assert values[profit, 0] == values[found.front, 0].max() and values[ctr, 1] == values[found.front, 1].max()
    assert profit != ctr
    with pytest.raises(ConfigError, match=r"no goal of this search has a weight above 0"):
        found.choose({"roas": 1})


@pytest.mark.parametrize("engine", SCALAR)
def test_a_seed_gives_the_same_trials(engine: str) -> None:
    first, again = run(engine), run(engine)
    np.testing.assert_array_equal(first.trials.vectors, again.trials.vectors)
    if engine != "evolution":
        assert (run(engine, seed=2).trials.vectors[10:] != first.trials.vectors[10:]).any()


@pytest.mark.parametrize("engine", ["tpe", "cmaes", "evolution"])
@hypothesis_settings(max_examples=8)
@given(limit=st.floats(0.05, 0.5), seed=st.integers(0, 99))
def test_a_violation_never_wins(engine: str, limit: float, seed: int) -> None:
    """The default breaks the limit, and what breaks it most would earn most."""
    found = run(engine, seed=seed, problem=bowl(dead=0, limit=limit))
    kept = found.trials.violation == 0.0
    if kept.any():
        assert kept[found.winner] and kept[found.front].all()
        best = found.search.goals.values(found.trials.by_fold)[kept].max()
        assert found.search.goals.values(found.trials.by_fold)[found.winner] == best
    else:
        assert found.trials.violation[found.winner] == found.trials.violation.min()


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_gp_without_torch_says_so() -> None:
    with pytest.raises(ConfigError, match=r"gp without torch.*pip install torch"):
        run("gp")


def test_starting_points_follow_the_defaults_and_screened_ones_stay_there() -> None:
    own = space()
    starts = own.from_unit(np.full((2, 6), [[0.2], [0.8]]))
    chosen = settings(screening={"method": "morris", "keep": [2, 2]})
    found = tune(bowl(), chosen, study="bowl", seed=1, starts=starts)
    assert found.trials.engine[:4] == ("start", "start", "start", "tpe")
    np.testing.assert_allclose(found.trials.vectors[1:3, :2], starts[:, :2])
    np.testing.assert_array_equal(found.trials.vectors[:, 2:], np.tile(own.default[2:], (40, 1)))
    assert set(found.importances) == {own.names[0], own.names[1]}
    assert found.luck is not None and found.luck.folds == 6


def test_importances_name_what_matters() -> None:
    found = run("tpe", trials=150, problem=bowl(dead=3))
    ranked = list(found.importances)
    assert ranked[0] == "raise.p0" and sum(found.importances.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("engine", ["tpe", "evolution"])
def test_a_journal_is_taken_up_again(engine: str, tmp_path: Path) -> None:
    file = {"url": str(tmp_path / "study.journal")}
    first = run(engine, storage=file)
    more = run(engine, storage=file, trials=60)
    assert len(more.trials) == 60
    if engine == "tpe":
        np.testing.assert_array_equal(more.trials.vectors[:40], first.trials.vectors)
        assert run(engine, storage=file, trials=60).trials.number.tolist() == list(range(60))
    else:  # The front of the first run is where the second one starts.
        assert found_in(first.trials.vectors[first.front], more.trials.vectors[:20])
    with pytest.raises(ConfigError, match=r"(?s)cannot be taken up again.*it has other objectives"):
        run(engine, storage=file, objectives={"ctr": 1})
    assert not list(tmp_path.glob("*.alive"))


def found_in(some: np.ndarray, many: np.ndarray) -> bool:
    return all((many == row).all(axis=1).any() for row in some)


def test_a_trial_of_a_dead_process_is_tried_again(tmp_path: Path) -> None:
    """A process takes three trials of a journal and dies at once; the default among them is not lost."""
    file = tmp_path / "study.journal"
    subprocess.run([sys.executable, "-c", DIES], env={**os.environ, "FILE": str(file)}, check=False)

    found = run("tpe", storage={"url": str(file)})
    assert len(found.trials) == 40 and "start" in found.trials.engine
    import optuna
    from optuna.trial import TrialState

    study = optuna.load_study(study_name="bowl", storage=optuna.storages.JournalStorage(journal(file)))
    states = [t.state for t in study.trials]
    assert (states.count(TrialState.COMPLETE), states.count(TrialState.FAIL), len(states)) == (40, 3, 43)


DIES = """
import os
import subprocess
import sys
from tests.tune import problems
from mmx.tune import asking
from mmx.tune.search import tune
def dies(trial, search):
    os._exit(9)
asking._suggest = dies
chosen = problems.settings(batch=3, storage={"url": os.environ["FILE"]})
tune(problems.bowl(dead=0), chosen, study="bowl", seed=1)
"""


def journal(file: Path) -> Any:
    from optuna.storages.journal import JournalFileBackend

    return JournalFileBackend(str(file))


def test_two_processes_share_a_study(tmp_path: Path) -> None:
    chosen = settings(workers=2, batch=2, storage={"url": str(tmp_path / "study.journal")})
    problem = bowl(dead=0, seconds=0.01)
    found = tune(problem, chosen, study="bowl", seed=1)
    assert len(found.trials) == 40 and len(set(found.trials.number)) == 40
    assert found.trials.engine.count("start") == 1


def test_trials_come_back_from_their_file(tmp_path: Path) -> None:
    trials = run("evolution").trials
    trials.save(tmp_path / "trials.parquet")
    again = read_trials(tmp_path / "trials.parquet")
    for name in ("number", "vectors", "by_fold", "violations"):
        np.testing.assert_array_equal(getattr(again, name), getattr(trials, name))
    assert (again.engine, again.parameters, again.constraints) == (trials.engine, trials.parameters, trials.constraints)
    table = trials.table()
    assert {"number", "feasible", "parameter/raise.p0", "fold/5/ctr", "constraint/cap"} <= set(table.columns)
    table.to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"format None"):
        read_trials(tmp_path / "other.parquet")


def test_the_yaml_says_what_differs_and_stays_in_range() -> None:
    own = space()
    vector = own.default
    vector[0], vector[3] = 2.0, own.low[3]
    loaded = yaml.safe_load(yaml_diff(own, vector))
    assert loaded == {"rules": {"parameters": {"raise": {"p0": 2.0}, "cut": {"p_log": 0.01}}}}
    assert yaml.safe_load(yaml_diff(own, own.default * (1 + 1e-9))) == {"rules": {"parameters": {}}}
    third = own.from_unit(np.full(6, 1 / 3))
    values = {
        f"{r}.{p}": v for r, ps in yaml.safe_load(yaml_diff(own, third))["rules"]["parameters"].items() for p, v in ps.items()
    }
    np.testing.assert_allclose(own.vector(values), third, rtol=1e-5)


def test_what_cannot_be_searched_is_refused() -> None:
    own = space()
    with pytest.raises(ConfigError, match=r"tune.objectives.roas.*one of profit, ctr"):
        run(objectives={"profit": 1, "roas": 1})
    with pytest.raises(ConfigError, match=r"tune.constraints.turnover.*one of cap"):
        run(constraints={"turnover": 0.2})
    with pytest.raises(ConfigError, match=r"sqlite.*Write postgresql"):
        run(storage={"url": "sqlite:///study.db"})
    with pytest.raises(ConfigError, match=r"Make the folder /nowhere/at"):
        run(storage={"url": "/nowhere/at/all.journal"})
    wrong = SearchProblem(own, ("profit",), (), lambda v: Scores(np.full((len(v), 2, 1), np.nan), np.zeros((len(v), 0))))
    with pytest.raises(InputError, match=r"objective profit: 1 of 1 vectors have no finite value"):
        run(problem=wrong)
    short = SearchProblem(own, ("profit", "ctr", "roas"), ("cap",), Bowl(own))
    with pytest.raises(InputError, match=r"by_fold: shape \(1, 6, 2\). Expected shape \(1, fold, 3\)"):
        run(problem=short)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objectives": {"profit": 0}}, "none has a weight above 0"),
        ({"engine": "cmaes", "multi": True, "objectives": {"profit": 1, "ctr": 1}}, "takes one objective"),
        ({"workers": 2}, "a study that they share"),
        ({"workers": 2, "engine": "evolution"}, "whole populations"),
        ({"screening": {"keep": [9, 2]}}, "other way round"),
        ({"storage": {"grace": 12}}, "twice the heartbeat"),
        ({"preferences": {"ctr": 1}}, "preferences: none of profit"),
    ],
)
def test_settings_that_contradict_each_other(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings(**changes)
