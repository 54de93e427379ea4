"""``mmx tune`` from files to files: one search through real response models, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mmx import read_config
from mmx.data.ads.read import read_history
from mmx.errors import ConfigError, NotConvergedError
from mmx.infer.gate import Gate
from mmx.rules.engine import Engine
from mmx.rules.parameters import Space
from mmx.rules.pooling.pool import PooledParameters
from mmx.rules.pooling.store import save_pooled
from mmx.rules.pooling.traits import Trait, make_encoding
from mmx.tune.overrides import yaml_diff
from mmx.tune.rule_evidence import PRIOR_DOMINATED
from mmx.tune.trials import read_trials
from mmx.validate.rule_folds import rule_folds
from mmx.workflows import tune as workflow
from mmx.workflows.pooled_start import pooled_beginning
from mmx.workflows.tune import run_tune

from ..command_line import Answer, mmx
from ..small_account import QUICK, write_account

FILES = {
    *("trials.parquet", "parameters.yaml", "front.csv", "summary.json", "report.md", "config.yaml", "run.jsonl"),
    *("front.png", "slices.png", "importances.png", "holdout.png"),
}
prepare = workflow.prepare_backtest


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_account(tmp_path_factory.mktemp("account"))


@pytest.fixture(scope="module", autouse=True)
def fitted(account: Path) -> Iterator[list[Any]]:
    """Response models are fitted once; every later search gets the same ones, with its own limits."""
    made: list[Any] = []

    def once(*arguments: Any, **options: Any) -> Any:
        if not made:
            made.append(prepare(*arguments, **options))
        return replace(made[0], limits=dict(options["limits"]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "prepare_backtest", once)
        yield made


@pytest.fixture(scope="module")
def tuned(account: Path, fitted: list[Any], project: Path) -> tuple[Path, Answer]:
    """A first search, logged to the project's MLflow."""
    out = account.parent / "tuned"
    answer = mmx("tune", account, *QUICK, "--allow-unconverged", "--out", out, cwd=project)
    assert answer.code == 0, answer.said
    return out, answer


def summary_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return content


def settings(account: Path, *overrides: str) -> Any:
    return read_config(account, overrides=[*QUICK, "tracking.uri=null", *overrides])


def test_every_file_is_there_and_says_the_same(tuned: tuple[Path, Answer]) -> None:
    folder, answer = tuned
    summary, report = summary_of(folder), (folder / "report.md").read_text(encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == FILES
    plain = " ".join(report.replace("\\", "").split())
    for sentence in (summary["headline"], *summary["basis"], summary["search"]["screening"]):
        assert sentence in plain and " ".join(sentence.split()) in answer.said
    assert "model-based" in summary["headline"] and "A replay of the hold-out's days claims" in answer.said
    assert "Probability of backtest overfitting" in answer.said and "This is the share of splits" in plain
    assert "The table shows every day as it stands now" in answer.said


def test_trials_hold_the_scores_by_fold_and_the_table_their_means(tuned: tuple[Path, Answer]) -> None:
    folder, _ = tuned
    trials, summary = read_trials(folder / "trials.parquet"), summary_of(folder)
    assert trials.by_fold.shape == (24, 2, 6) and trials.objectives[0] == "profit"
    assert trials.engine[0] == "start" and np.array_equal(trials.vectors[0], Engine().space.default)
    front = pd.read_csv(folder / "front.csv")
    row = trials.number.tolist().index(int(front["number"][0]))
    assert front["roles"][0].startswith("winner") and "defaults" in " ".join(front["roles"])
    profit = trials.by_fold[:, :, 0].mean(axis=1) / 7
    assert profit[row] == profit.max() == pytest.approx(front["objective/profit"][0], rel=1e-12)
    assert summary["tuning"]["profit"] == {"unit": "EUR per day", "default": profit[0], "winner": profit[row]}


def test_tuned_parameters_go_into_a_configuration_as_they_are(tuned: tuple[Path, Answer]) -> None:
    folder, _ = tuned
    text = (folder / "parameters.yaml").read_text(encoding="utf-8")
    trials, space = read_trials(folder / "trials.parquet"), Engine().space
    config = read_config({"name": "x", "ads": {"files": ["x.csv"], "schema": "meta_export"}, **yaml.safe_load(text)})
    winner = int(pd.read_csv(folder / "front.csv")["number"][0])
    vector = trials.vectors[trials.number.tolist().index(winner)]
    assert space.vector(config.rules.values) == pytest.approx(vector, rel=1e-5)
    assert text.splitlines()[1] == f"# {summary_of(folder)['headline']}"


def test_the_verdict_is_that_of_paired_draws(tuned: tuple[Path, Answer], fitted: list[Any]) -> None:
    folder, _ = tuned
    trials, verdict = read_trials(folder / "trials.parquet"), summary_of(folder)["verdict"]
    winner = trials.vectors[trials.number.tolist().index(int(pd.read_csv(folder / "front.csv")["number"][0]))]
    found = fitted[0].differences(winner, Engine().space.default)["profit"]
    draws = found.draws(np.random.default_rng([1, 3])) / 7
    assert verdict["mean"] == pytest.approx(draws.mean(), rel=1e-9) and verdict["unit"] == "EUR per day"
    assert [verdict["low"], verdict["high"]] == pytest.approx(np.quantile(draws, [0.05, 0.95]), rel=1e-9)


def test_mlflow_has_a_run_of_the_study_with_few_children(tuned: tuple[Path, Answer], store: Any) -> None:
    summary = summary_of(tuned[0])
    run = store.get_run(summary["mlflow_run_id"])
    assert run.data.tags["mmx.kind"] == "tuning" and run.data.params["study"] == summary["study"]
    assert run.data.metrics["verdict/low"] == pytest.approx(summary["verdict"]["low"])
    assert run.data.metrics["replay/same_day"] == pytest.approx(summary["replay"]["same_day"])
    assert {a.path for a in store.list_artifacts(run.info.run_id)} == FILES
    children = store.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert len(children) == len(summary["listed"]) and {c.data.tags["mmx.kind"] for c in children} == {"trial"}
    assert sum("winner" in child.data.tags["mmx.roles"] for child in children) == 1


def test_a_study_goes_on_where_it_was(tuned: tuple[Path, Answer], account: Path, project: Path) -> None:
    before = read_trials(tuned[0] / "trials.parquet")
    out = account.parent / "more"
    answer = mmx(
        "tune", account, *QUICK, "tune.trials=36", "tracking.uri=null", "--allow-unconverged", "--out", out, cwd=project
    )
    assert "it held 24 complete trials" in answer.said, answer.said
    after = read_trials(out / "trials.parquet")
    assert len(after) == 36 and np.array_equal(after.by_fold[:24], before.by_fold)
    assert summary_of(out)["study"] == summary_of(tuned[0])["study"]


def test_other_preferences_choose_from_stored_trials(
    tuned: tuple[Path, Answer], account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = tuned
    monkeypatch.setattr(workflow, "prepare_backtest", None)
    out = account.parent / "chosen"
    answer = mmx("tune", account, "--from", folder, "--prefer", "stability=1", "--out", out)
    assert answer.code == 0, answer.said
    trials, choice = read_trials(folder / "trials.parquet"), json.loads((out / "choice.json").read_text(encoding="utf-8"))
    column = trials.objectives.index("stability")
    best = trials.by_fold[:, :, column].mean(axis=1)
    assert choice["number"] == trials.number[best.argmax()] and choice["objectives"]["stability"]["chosen"] == best.max()
    assert "No verdict" in answer.said and yaml.safe_load((out / "parameters.yaml").read_text(encoding="utf-8"))["rules"]


def test_a_front_with_limits_is_searched_from_starting_points(
    tuned: tuple[Path, Answer], account: Path, tmp_path: Path
) -> None:
    config = settings(
        account,
        *("tune.multi=true", "tune.objectives={profit: 1, stability: 0.5}", "tune.engine=evolution", "tune.trials=40"),
        *("tune.constraints={turnover: 0.2}", "tune.evolution.population=20", "tune.storage.url=memory"),
    )
    start, space, earlier = tmp_path / "start.yaml", Engine().space, read_trials(tuned[0] / "trials.parquet")
    middle = np.where(np.ptp(earlier.vectors, axis=0) > 0.0, 0.5 * (space.low + space.high), space.default)
    start.write_text(yaml_diff(space, middle), encoding="utf-8")
    from mmx.workflows.tune_choose import read_start

    starts = {"start.yaml": read_start(Engine(), start)}
    done = run_tune(config, out=tmp_path / "out", starts=starts, allow_unconverged=True, quiet=True)
    tuning, evidence = done.made.tuning, done.made.evidence
    assert tuning.trials.engine[:2] == ("start", "start") and "start.yaml" in done.made.starts
    assert [d.name for d in evidence.differences[:3]] == ["weighted gain", "profit", "stability"]
    weights = tuning.search.goals.weights / tuning.search.goals.scale
    parts = evidence.differences[1].judged * 7 * weights[0] + evidence.differences[2].judged * weights[1]
    assert evidence.differences[0].judged == pytest.approx(parts, rel=1e-9)
    assert done.summary["search"]["constraints"] == ["turnover"] and tuning.winner in tuning.front


def test_what_rests_on_the_prior_is_called_so(
    tuned: tuple[Path, Answer], account: Path, tmp_path: Path, fitted: list[Any]
) -> None:
    stage = fitted[0].judge
    known = replace(stage.model.identification, verdict=PRIOR_DOMINATED, sentence="Nothing was learned.")
    judge = replace(stage, model=replace(stage.model, identification=known))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "prepare_backtest", lambda *_, **__: replace(fitted[0], judge=judge))
        done = run_tune(settings(account), out=tmp_path / "out", allow_unconverged=True, quiet=True)
    assert done.made.evidence.headline.endswith("rests on the prior: the data do not say how purchases answer to budgets.")
    assert "What the judge knows of elasticities: Nothing was learned." in done.summary["basis"]
    assert done.summary["verdict"]["rests_on_prior"] is True


def test_posteriors_that_cannot_be_used_are_not(
    account: Path, tmp_path: Path, fitted: list[Any], tuned: tuple[Path, Answer]
) -> None:
    stage = fitted[0].judge
    verdict = replace(stage.model.verdicts[0], passed=False, reasons=("Pareto k is 1.2, above 0.7",))
    judge = replace(stage, model=replace(stage.model, verdicts=(verdict, *stage.model.verdicts[1:])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "prepare_backtest", lambda *_, **__: replace(fitted[0], judge=judge))
        with pytest.raises(NotConvergedError, match=r"judge .*Pareto k is 1\.2(.|\n)*tune\.response\.method=auto"):
            run_tune(settings(account), out=tmp_path / "out", quiet=True)
        assert not (tmp_path / "out").exists()
        done = run_tune(settings(account), out=tmp_path / "out", allow_unconverged=True, quiet=True)
    assert done.made.evidence.headline.startswith("NOT CONVERGED: ")
    assert "NOT CONVERGED" in (tmp_path / "out" / "parameters.yaml").read_text(encoding="utf-8")


REFUSED = {
    "profit without a margin": (("rules.margin=null",), "rules.margin is not known"),
    "unknown limit": (("tune.constraints={edit: 1}",), "one of turnover, edits, unallocated, overspend, roas"),
    "limit of nothing": (("tune.constraints={edits: 0}",), "a limit above 0"),
    "too few days": (("tune.backtest.shortest=60",), "days are too few for 2 folds"),
    "unknown parameter": (("rules.parameters={step_up: {shar: 1}}",), "the nearest is 'step_up.share'"),
    "--prefer alone": (("--prefer", "profit=1"), "--from DIR and --prefer WEIGHTS go together"),
    "no such folder": (("--from", "nowhere", "--prefer", "profit=1"), "expected an output folder of mmx tune"),
    "no such weight": (("--from", "nowhere", "--prefer", "profit"), "OBJECTIVE=WEIGHT"),
    "no such start": (("--start", "nowhere.yaml"), "the starting point nowhere.yaml cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_before_anything_is_fitted(case: str, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "prepare_backtest", None)
    arguments, words = REFUSED[case]
    answer = mmx("tune", account, *QUICK, "tracking.uri=null", *arguments)
    assert answer.code == 2 and words in answer.said, answer.said


def test_preferences_name_recorded_objectives(tuned: tuple[Path, Answer], account: Path) -> None:
    answer = mmx("tune", account, "--from", tuned[0], "--prefer", "profits=1")
    assert answer.code == 2 and "Did you mean 'profit'?" in answer.said


def test_the_study_is_named_by_what_makes_its_scores(account: Path) -> None:
    space, history = Engine().space, read_history(settings(account).ads)

    def named(*overrides: str) -> str:
        return workflow.study_name(settings(account, *overrides), space, history)

    assert named() == named("tune.trials=99", "tune.workers=2", "tune.preferences={profit: 1}", "tune.verdict.mass=0.8")
    others = {
        named(),
        named("seed=2"),
        named("tune.backtest.horizon=14"),
        named("rules.margin=0.5"),
        named("tune.engine=nsga2"),
    }
    assert len(others) == 5
    later = replace(history, metrics=history.metrics * 1.01)
    assert workflow.study_name(settings(account), space, later) not in others


def test_a_search_begins_with_a_pools_points(tuned: tuple[Path, Answer], account: Path, tmp_path: Path) -> None:
    """``--pooled``: the study's first trials after the defaults are draws for this account's traits."""
    space, earlier = Engine().space, read_trials(tuned[0] / "trials.parquet")
    names = [n for n, moved in zip(space.names, np.ptp(earlier.vectors, axis=0) > 0.0, strict=True) if moved]
    (tmp_path / "pool").mkdir()
    save_pooled(around(space, names), tmp_path / "pool" / "pooled.npz")
    study = tmp_path / "study.journal"
    answer = mmx(
        *("tune", account, *QUICK, "tracking.uri=null", "pool.starts=3", f"tune.storage.url={study}"),
        *("--pooled", tmp_path / "pool", "--allow-unconverged", "--out", tmp_path / "out"),
    )
    assert answer.code == 0, answer.said
    trials = read_trials(tmp_path / "out" / "trials.parquet")
    config = settings(account, f"pool.source={tmp_path / 'pool'}", "pool.starts=3")
    history = read_history(config.ads)
    folds = rule_folds(len(history.dates), history.immature_days, config.tune.backtest)
    begin = pooled_beginning(config, space, history.until(folds.origins[-1]))
    live = np.flatnonzero(np.ptp(trials.vectors, axis=0) > 0.0)
    assert {space.names[i] for i in live} & set(names)
    for row, vector in enumerate(begin.starts.values(), start=1):
        assert trials.engine[row] == "start" and trials.vectors[row, live] == pytest.approx(vector[live], rel=1e-12)
    assert (trials.vectors >= begin.space.low).all() and (trials.vectors <= begin.space.high).all()
    assert "The search begins with 3 points of the pool" in answer.said
    assert list(summary_of(tmp_path / "out")["search"]["starts"])[:3] == list(begin.starts)
    assert mmx("tune", account, *QUICK, "--pooled", tmp_path).code == 2


def around(space: Space, names: list[str]) -> PooledParameters:
    """A pool whose customers' optima lie half a logit above the defaults."""
    rng, d = np.random.default_rng(1), len(names)
    centre = np.clip(space.to_free(space.default)[[space.index(n) for n in names]] + 0.5, -3.0, 3.0)
    traits: list[dict[str, Trait]] = [
        {"spend": s, "order_value": 50.0, "ad_sets": 4.0, "platform": "meta"} for s in (100.0, 900.0)
    ]
    encoding = make_encoding(traits)
    w = np.zeros((200, len(encoding.columns), d))
    w[:, 0] = centre + 0.05 * rng.normal(size=(200, d))
    lower = np.tile(0.3 * np.eye(d), (200, 1, 1))
    gate = Gate(True, (), 1.0, 1000.0, 1000.0, 1.0, 0, 0)
    return PooledParameters(tuple(names), ("a", "b"), encoding, w, lower, np.zeros((200, 2, d)), 4.0, gate)


def test_an_engine_without_its_package_is_refused(account: Path) -> None:
    from importlib.util import find_spec

    if find_spec("torch") is not None:
        pytest.skip("torch is installed")
    with pytest.raises(ConfigError, match="gp without torch"):
        run_tune(settings(account, "tune.engine=gp"), quiet=True)
