"""``mmx pool`` from studies to files: what it says of customers with known optima, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mmx import read_config
from mmx.data.ads.read import read_history
from mmx.errors import InputError, NotConvergedError
from mmx.rules.engine import Engine
from mmx.rules.parameters import make_space
from mmx.rules.pooling.store import load_pooled
from mmx.workflows import pool as workflow
from mmx.workflows.pooled_start import pooled_beginning

from ..command_line import Answer, mmx
from ..tuned_customers import FLAT, OPTIMA, QUICK_POOL, SEARCHED, write_customers

FILES = {"pooled.npz", "summary.json", "pooled.csv", "pooled.png", "report.md", "config.yaml", "run.jsonl"}


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_customers(tmp_path_factory.mktemp("customers"))


@pytest.fixture(scope="module")
def pooled(customers: list[Path], project: Path) -> tuple[Path, Answer]:
    """Three configurations and a folder of mmx tune, logged to the project's MLflow."""
    home, out = customers[0].parent, customers[0].parent / "pooled"
    outputs = home / "mlruns" / "outputs"
    given = [*customers[:3], outputs / "west-tune-1"]
    answer = mmx("pool", *given, *QUICK_POOL, f"output.dir={outputs}", "--out", out, cwd=project)
    assert answer.code == 0, answer.said
    return out, answer


@pytest.fixture(scope="module")
def summary(pooled: tuple[Path, Answer]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((pooled[0] / "summary.json").read_text(encoding="utf-8"))
    return content


def test_every_file_is_there_and_says_the_same(pooled: tuple[Path, Answer], summary: dict[str, Any]) -> None:
    folder, answer = pooled
    assert {path.name for path in folder.iterdir()} == FILES
    report = (folder / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert summary["headline"] in report and summary["headline"] in answer.said
    assert "4 customers tell little of how customers differ" in answer.said
    table, posterior = pd.read_csv(folder / "pooled.csv"), load_pooled(folder / "pooled.npz")
    assert len(table) == 12 and set(table["customer"]) == set(OPTIMA) == set(posterior.customers)
    assert set(posterior.parameters) == set(summary["parameters"]) == set(SEARCHED)


def test_optima_are_found_and_shrunken_together(summary: dict[str, Any]) -> None:
    space = Engine().space
    for i, name in enumerate(SEARCHED[:2]):
        row, parameter = summary["parameters"][name], space.parameters[space.index(name)]
        free = {
            c: space.to_free(space.vector({name: row["customers"][c]["pooled"]["median"]}))[space.index(name)] for c in OPTIMA
        }
        for customer in OPTIMA:
            own = row["customers"][customer]
            if own["own"] is not None:
                assert own["told"] == "inside" and free[customer] == pytest.approx(OPTIMA[customer][i], abs=0.4)
        assert row["centre"]["low"] < row["centre"]["median"] < row["centre"]["high"]
        assert parameter.low < row["new_customer"]["low"] < row["new_customer"]["high"] < parameter.high


def test_flat_directions_are_named(pooled: tuple[Path, Answer], summary: dict[str, Any]) -> None:
    assert summary["flat"] == [FLAT]
    west = summary["parameters"]["cooldown.days"]["customers"]["west"]
    assert west["told"] == "not searched" and west["own"] is None and west["weight"] < 0.5
    # What west did not search is what the others let expect.
    others = summary["parameters"]["cooldown.days"]["new_customer"]
    assert others["low"] < west["pooled"]["median"] < others["high"]
    assert "not searched: cooldown.days" in pooled[1].said and f"flat: {FLAT}" in pooled[1].said


def test_mlflow_has_one_run(summary: dict[str, Any], store: Any) -> None:
    run = store.get_run(summary["mlflow_run_id"])
    assert run.data.tags["mmx.kind"] == "pooling" and run.data.tags["study.north"] == "north-study"
    assert run.data.metrics["customers"] == 4
    assert run.data.metrics["centre/step_up.share"] == pytest.approx(summary["parameters"]["step_up.share"]["centre"]["median"])
    assert {a.path for a in store.list_artifacts(run.info.run_id)} == FILES


def test_a_search_begins_within_what_the_pool_expects(pooled: tuple[Path, Answer], customers: list[Path]) -> None:
    config = read_config(customers[0], overrides=[f"pool.source={pooled[0]}", "pool.starts=4"])
    history, space = read_history(config.ads), Engine().space
    begin = pooled_beginning(config, space, history)
    place = [space.index(name) for name in SEARCHED]
    assert len(begin.starts) == 4 and "4 customers" in begin.notes[-1]
    for vector in begin.starts.values():
        assert (begin.space.low <= vector).all() and (vector <= begin.space.high).all()
    step = space.index("step_up.share")
    first = next(iter(begin.starts.values()))
    assert space.to_free(first)[step] == pytest.approx(1.0, abs=0.5)
    assert begin.space.high[step] - begin.space.low[step] < space.high[step] - space.low[step]
    others = np.setdiff1d(np.arange(len(space)), place)
    assert np.array_equal(begin.space.low[others], space.low[others]) and np.array_equal(begin.space.default, space.default)
    assert pooled_beginning(read_config(customers[0]), space, history).space is space


def test_a_pool_of_other_rules_is_refused(pooled: tuple[Path, Answer], customers: list[Path], tmp_path: Path) -> None:
    config = read_config(customers[0], overrides=[f"pool.source={pooled[0]}"])
    own = next(rule for rule in Engine().rules if rule.name not in {name.split(".")[0] for name in SEARCHED})
    with pytest.raises(InputError, match=r"parameters that these rules lack: .*step_up\.share"):
        pooled_beginning(config, make_space([(own.name, own.parameters)]), read_history(config.ads))
    missing = read_config(customers[0], overrides=[f"pool.source={tmp_path}"])
    with pytest.raises(InputError, match="expect an output folder of mmx pool"):
        pooled_beginning(missing, Engine().space, read_history(config.ads))


def test_a_customer_without_a_study_is_told_how_to_make_one(customers: list[Path]) -> None:
    answer = mmx("pool", *customers[:2], "output.dir=nowhere", "tracking.uri=null")
    assert answer.code == 2 and f"mmx tune {customers[1].name}" in answer.said.replace(f"{customers[1].parent}/", "")


def test_customers_that_cannot_be_pooled_are_refused(customers: list[Path], tmp_path: Path) -> None:
    outputs = customers[0].parent / "mlruns" / "outputs"
    one = mmx("pool", outputs / "north-tune-1", "tracking.uri=null")
    assert one.code == 2 and "two or more" in one.said
    twice = mmx("pool", outputs / "north-tune-1", outputs / "north-tune-1", "tracking.uri=null")
    assert twice.code == 2 and "came twice" in twice.said
    dollars = yaml.safe_load(customers[1].read_text(encoding="utf-8"))
    dollars["ads"]["currency"] = "USD"
    other = customers[1].parent / "dollars.yaml"
    other.write_text(yaml.safe_dump(dollars), encoding="utf-8")
    mixed = mmx("pool", customers[0], other, f"output.dir={outputs}", "tracking.uri=null")
    assert mixed.code == 2 and "one currency" in mixed.said
    assert mmx("pool", "seed=1").code == 2


def test_a_pool_that_fails_its_gate_is_not_used(
    pooled: tuple[Path, Answer], customers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, found = customers[0].parent / "mlruns" / "outputs", load_pooled(pooled[0] / "pooled.npz")
    failed = replace(found, gate=replace(found.gate, passed=False, reasons=("R-hat above 1.01",)))
    monkeypatch.setattr(workflow, "pool", lambda *_, **__: failed)
    given = workflow.read_customers([*map(str, customers), f"output.dir={outputs}", "tracking.uri=null"])
    with pytest.raises(NotConvergedError, match=r"the pool's posterior cannot be used: R-hat above 1\.01"):
        workflow.run_pool(given, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
    done = workflow.run_pool(given, out=tmp_path / "out", allow_unconverged=True, quiet=True)
    assert done.summary["headline"].startswith("NOT CONVERGED") and "FAILED" in (tmp_path / "out" / "report.md").read_text()
