"""A run that is kept by a process of its own: what it holds, and what is left when that process is not there."""

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

from mmx.errors import MmxError
from mmx.schema import TrackingSettings
from mmx.track import apart
from mmx.track.apart import DISPENSABLE, Keeper, RunApart, keep
from mmx.track.store import Run

from .test_store import artifacts, folder, read, unusable

__all__ = ["folder"]


@pytest.fixture
def keeper(store):
    made = Keeper(store)
    yield made
    made.close()


def start(keeper, **changes):
    return keeper.start(**{"name": "shop", "kind": "fit", "parent": None, "started": None, **changes})


def test_a_run_holds_what_was_logged(store, keeper, folder, capfd):
    run = start(keeper, started=1_700_000_000.0)
    assert isinstance(run, RunApart) and run.active and run.warning is None
    run.log({"model.drift": True}, {"roas/tv": 1.5, "bad": float("nan")}, {"git_commit": "abc+dirty"})
    run.log_dataset(pd.DataFrame({"d": pd.to_datetime(["2024-01-01"]), "n": [1]}), "shop.csv", "ab" * 32)
    run.log_folder(folder)
    run.finish()
    run.log({"late": 1})
    found = read(store, run.run_id)
    assert (found.info.status, found.info.run_name, found.info.start_time) == ("FINISHED", "shop", 1_700_000_000_000)
    assert found.data.params == {"model.drift": "true"}
    assert found.data.metrics == {"roas/tv": 1.5}
    assert found.data.tags["mmx.not_finite"] == "bad"
    (dataset,) = found.inputs.dataset_inputs
    assert [c["type"] for c in json.loads(dataset.dataset.schema)["mlflow_colspec"]] == ["datetime", "long"]
    assert artifacts(store, run.run_id) == ["summary.json", "tables/channels.csv"]
    assert capfd.readouterr() == ("", "")


def test_a_recommendation_is_a_child_of_its_fit(store, keeper):
    fit = start(keeper)
    fit.finish()
    child = start(keeper, kind="recommendation", parent=fit.run_id)
    child.finish()
    assert read(store, child.run_id).data.tags["mlflow.parentRunId"] == fit.run_id


def test_an_error_marks_the_run_failed_with_its_text(store, keeper):
    with pytest.raises(MmxError), start(keeper) as run:
        run_id = run.run_id
        raise MmxError("column 'tv' is missing")
    found = read(store, run_id)
    assert found.info.status == "FAILED" and found.data.tags["error"] == "column 'tv' is missing"


def test_a_store_that_cannot_be_used_is_a_warning(tmp_path, folder, capfd):
    for uri in unusable(tmp_path):
        keeper = Keeper(TrackingSettings(uri=uri, experiment="mmx"))
        with start(keeper) as run:
            run.log({"a": 1})
            run.log_folder(folder)
        keeper.close()
        assert not run.active
        assert run.warning.startswith("this fit is not logged to MLflow: ") and "\n" not in run.warning
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_before_the_start_is_done_without(store, keeper):
    os.kill(keeper._process.pid, signal.SIGKILL)
    run = start(keeper)
    assert type(run) is Run and run.active
    run.finish()
    assert read(store, run.run_id).info.status == "FINISHED"


def test_a_process_that_dies_later_is_a_warning(store, keeper, folder):
    run = start(keeper)
    run_id = run.run_id
    os.kill(keeper._process.pid, signal.SIGKILL)
    run.log_folder(folder)
    assert not run.active
    assert run.warning.startswith(f"the process that logs run {run_id} to MLflow ended before its time, in log_folder.")
    kept = run.warning
    run.finish()
    assert run.warning == kept


def test_a_process_that_cannot_import_mlflow_ends_in_silence(store, tmp_path, monkeypatch, capfd):
    (tmp_path / "mlflow.py").write_text("raise ImportError('no numpy here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    keeper = Keeper(store)
    run = start(keeper)
    assert type(run) is Run and run.active
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_in_the_middle_of_a_call_mixes_no_answers(store, keeper, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(apart.pickle, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(keeper)
    run = start(keeper, name="again")
    assert type(run) is Run
    run.fail("interrupted")
    assert read(store, run.run_id).info.run_name == "again"


def test_ctrl_c_does_not_reach_the_process(keeper):
    assert os.getpgid(keeper._process.pid) != os.getpgrp()


def test_the_process_ends_with_its_input(store):
    keeper = Keeper(store)
    keeper._process.stdin.close()
    assert keeper._process.wait(60) == 0
    keeper.close()


def test_it_is_used_only_where_it_saves_an_import(store):
    assert keep(TrackingSettings(uri=None, experiment="mmx")) is None
    assert "mlflow" in sys.modules
    assert keep(store) is None
    program = (
        "import sys\nfrom mmx.schema import TrackingSettings\nfrom mmx.track.apart import keep\n"
        "keeper = keep(TrackingSettings(uri=sys.argv[1], experiment='mmx'))\n"
        "run = keeper.start(name='x', kind='fit', parent=None, started=None)\nrun.finish()\nkeeper.close()\n"
        "print(type(run).__name__, run.run_id, 'mlflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, store.uri], capture_output=True, text=True, check=True)
    name, run_id, imported = done.stdout.split()
    assert (name, imported, done.stderr) == ("RunApart", "False", "")
    assert read(store, run_id).info.status == "FINISHED"


def test_what_was_hidden_from_mlflow_is_there_again():
    program = (
        "from mmx.track.apart import DISPENSABLE, _import_mlflow\n_import_mlflow()\nimport sys\n"
        "print([n for n in DISPENSABLE if n in sys.modules])\nimport numpy, pandas\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and "numpy" in DISPENSABLE
