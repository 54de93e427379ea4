import http.server
import json
import math
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest

from mmx.errors import MmxError
from mmx.schema import TrackingSettings
from mmx.track.client import _create_database, calm, connect
from mmx.track.store import fetch_folder, looks_like_run_id, start_run


def read(store, run_id):
    with calm(1):
        return connect(store.uri).get_run(run_id)


def artifacts(store, run_id, path=""):
    with calm(1):
        client = connect(store.uri)
        found = client.list_artifacts(run_id, path)
        return sorted(name for f in found for name in (artifacts(store, run_id, f.path) if f.is_dir else [f.path]))


def finished(store, name="a fit", kind="fit", parent=None, folder=None):
    run = start_run(store, name=name, kind=kind, parent=parent)
    if folder is not None:
        run.log_folder(folder)
    run.finish()
    return run.run_id


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "out"
    (made / "tables").mkdir(parents=True)
    (made / "summary.json").write_text('{"format": 1}')
    (made / "tables" / "channels.csv").write_text("channel,spend\ntv,1\n")
    return made


def test_a_run_holds_what_was_logged(store, folder, capfd):
    run = start_run(store, name="shop", kind="fit")
    assert (run.active, run.warning, looks_like_run_id(run.run_id)) == (True, None, True)
    run.log({"model.drift": True, "long": "x" * 700}, {"roas/tv": 1.5, "roas/b[1]": 2}, {"git_commit": "abc+dirty"})
    run.log_dataset(
        pd.DataFrame({"d": pd.to_datetime(["2024-01-01"]), "n": [1], "x": [0.5], "t": ["a"]}), "shop.csv", "ab" * 32
    )
    run.log_folder(folder)
    run.finish()
    found = read(store, run.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "shop")
    assert found.data.params["model.drift"] == "true"
    assert found.data.params["long"].endswith("[cut, 700 characters]")
    assert found.data.metrics == {"roas/tv": 1.5, "roas/b_1_": 2.0}
    assert found.data.tags["mmx.kind"] == "fit"
    assert found.data.tags["mlflow.source.git.commit"] == "abc"
    (dataset,) = found.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("shop.csv", ("ab" * 32)[:36])
    types = [c["type"] for c in json.loads(dataset.dataset.schema)["mlflow_colspec"]]
    assert types == ["datetime", "long", "double", "string"]
    assert artifacts(store, run.run_id) == ["summary.json", "tables/channels.csv"]
    assert capfd.readouterr() == ("", "")


def test_files_lie_beside_the_database_under_experiment_and_run(store, folder, tmp_path):
    run_id = finished(store, folder=folder)
    place = tmp_path / "my runs" / "mmx" / run_id / "artifacts"
    assert (place / "summary.json").read_text() == '{"format": 1}'


def test_experiments_with_difficult_names_get_folders_of_their_own(store, folder, tmp_path):
    names = ["mmx", "a/b", "a b", "../up", "50 % #1"]
    for name in names:
        run_id = finished(store.model_copy(update={"experiment": name}), folder=folder)
        assert artifacts(store, run_id) == ["summary.json", "tables/channels.csv"]
    made = [p for p in (tmp_path / "my runs").iterdir() if p.is_dir()]
    assert len(made) == len(names)
    assert {p.name for p in tmp_path.iterdir()} == {"my runs", "out"}


def test_many_entries_go_in_few_calls(store, monkeypatch):
    run = start_run(store, name="wide", kind="fit")
    calls = []
    send = run._client.log_batch
    monkeypatch.setattr(run._client, "log_batch", lambda *a, **k: (calls.append(k), send(*a, **k)))
    run.log({f"p{i}": i for i in range(150)}, {f"m/{i}": i for i in range(250)}, {f"t{i}": i for i in range(20)})
    assert len(calls) == 3
    data = read(store, run.run_id).data
    assert (len(data.params), len(data.metrics)) == (150, 250)
    assert data.tags["t19"] == "19"


def test_metrics_that_are_not_finite_are_named_in_a_tag(store):
    run = start_run(store, name="x", kind="fit")
    run.log({}, {"good": 1.0, "fit/mape": math.nan, "roas/tv": math.inf}, {})
    data = read(store, run.run_id).data
    assert data.metrics == {"good": 1.0}
    assert data.tags["mmx.not_finite"] == "fit/mape, roas/tv"


def test_an_error_marks_the_run_failed_with_its_text(store):
    with pytest.raises(MmxError), start_run(store, name="x", kind="fit") as run:
        run_id = run.run_id
        raise MmxError("column 'tv' is missing")
    found = read(store, run_id)
    assert found.info.status == "FAILED"
    assert found.data.tags["error"] == "column 'tv' is missing"
    assert "column 'tv' is missing" in found.data.tags["mlflow.note.content"]
    assert artifacts(store, run_id) == ["error.txt"]
    assert (fetch_text := fetch_folder(store, run_id) / "error.txt").read_text() == "column 'tv' is missing\n", fetch_text


def test_an_unexpected_error_leaves_its_traceback(store):
    with pytest.raises(ZeroDivisionError), start_run(store, name="x", kind="fit") as run:
        run_id = run.run_id
        _ = 1 / 0
    assert "test_store.py" in read(store, run_id).data.tags["error"]


def test_a_very_long_error_is_cut_in_the_tag_and_whole_in_the_file(store):
    run = start_run(store, name="x", kind="fit")
    run_id = run.run_id
    run.fail("e" * 20_000)
    assert run.warning is None
    assert read(store, run_id).data.tags["error"].endswith("[cut, 20000 characters]")
    assert len((fetch_folder(store, run_id) / "error.txt").read_text()) == 20_001


def test_what_follows_the_end_is_ignored(store):
    run = start_run(store, name="x", kind="fit")
    run.finish()
    run.fail("too late")
    run.log({"a": 1}, {}, {})
    assert run.warning is None
    assert read(store, run.run_id).info.status == "FINISHED"


def test_a_recommendation_is_a_child_of_its_fit_from_another_process(store):
    fit = finished(store)
    program = (
        "import sys\nfrom mmx.schema import TrackingSettings\nfrom mmx.track.store import start_run\n"
        "settings = TrackingSettings(uri=sys.argv[1], experiment='another')\n"
        "run = start_run(settings, name='plan', kind='recommendation', parent=sys.argv[2])\nrun.finish()\nprint(run.run_id)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, store.uri, fit], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    child = read(store, done.stdout.strip())
    assert child.data.tags["mlflow.parentRunId"] == fit
    assert child.info.experiment_id == read(store, fit).info.experiment_id
    assert child.info.status == "FINISHED"


def test_a_parent_that_the_store_does_not_know_is_a_warning(store):
    run = start_run(store, name="plan", kind="recommendation", parent="0" * 32)
    assert run.active
    assert "is not in this MLflow store" in run.warning
    tags = read(store, run.run_id).data.tags
    assert "mlflow.parentRunId" not in tags
    assert tags["mmx.parent"] == "0" * 32


def test_no_tracking_is_no_warning():
    run = start_run(TrackingSettings(uri=None, experiment="mmx"), name="x", kind="fit")
    assert (run.active, run.run_id, run.warning) == (False, None, None)


def unusable(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "file").write_text("")
    (tmp_path / "text.db").write_text("no database " * 100)
    return [f"http://127.0.0.1:{port}", "nonsense", f"sqlite:///{tmp_path}/file/x.db", f"sqlite:///{tmp_path}/text.db"]


def test_a_store_that_cannot_be_used_costs_a_line_and_no_time(tmp_path, folder, capfd):
    for uri in unusable(tmp_path):
        began = time.monotonic()
        with start_run(TrackingSettings(uri=uri, experiment="mmx"), name="x", kind="fit") as run:
            run.log({"a": 1}, {"b": 2}, {"c": 3})
            run.log_dataset(pd.DataFrame({"a": [1]}), "a", "0" * 64)
            run.log_folder(folder)
        assert time.monotonic() - began < 5
        assert not run.active
        assert run.warning.startswith("this fit is not logged to MLflow: ")
        assert "\n" not in run.warning
    assert capfd.readouterr() == ("", "")


def test_a_deleted_experiment_says_how_to_bring_it_back(store):
    finished(store)
    with calm(1):
        client = connect(store.uri)
        number = client.get_experiment_by_name("mmx").experiment_id
        client.delete_experiment(number)
    run = start_run(store, name="x", kind="fit")
    assert f"mlflow experiments restore -x {number}" in run.warning


def test_a_database_of_another_version_says_how_to_upgrade_it(template, tmp_path):
    shutil.copy(template, tmp_path / "old.db")
    connection = sqlite3.connect(tmp_path / "old.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    connection.close()
    run = start_run(TrackingSettings(uri=f"sqlite:///{tmp_path}/old.db", experiment="mmx"), name="x", kind="fit")
    assert "mlflow db upgrade" in run.warning


class Mortal(http.server.BaseHTTPRequestHandler):
    """An MLflow server that knows how to start a run and then dies."""

    def do_GET(self):
        self.answer({"experiment": {"experiment_id": "7", "name": "mmx", "lifecycle_stage": "active"}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"run": {"info": {"run_id": "c" * 32, "status": "RUNNING", "experiment_id": "7"}, "data": {}}})

    def answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_server_that_dies_in_the_middle_is_a_warning(folder, capfd):
    server = http.server.HTTPServer(("127.0.0.1", 0), Mortal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings = TrackingSettings(uri=f"http://127.0.0.1:{server.server_port}", experiment="mmx")
    run = start_run(settings, name="x", kind="fit")
    assert (run.run_id, run.warning) == ("c" * 32, None)
    run.log({"a": 1}, {}, {})
    assert run.active
    server.shutdown()
    thread.join()
    server.server_close()
    began = time.monotonic()
    run.log({"b": 1}, {}, {})
    assert time.monotonic() - began < 15
    assert (run.active, run.run_id) == (False, None)
    assert run.warning.startswith(f"settings and numbers of run {'c' * 32} could not be logged to MLflow: ")
    assert "\n" not in run.warning
    kept = run.warning
    run.log_folder(folder)
    run.finish()
    assert run.warning == kept
    assert capfd.readouterr() == ("", "")


def test_what_the_user_has_set_stays_and_nothing_of_ours_does(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with calm(10):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_files_of_a_fit_come_back(store, folder):
    fetched = fetch_folder(store, finished(store, folder=folder))
    assert (fetched / "summary.json").read_text() == '{"format": 1}'
    assert (fetched / "tables" / "channels.csv").is_file()


def test_an_unknown_run_names_the_newest_three_fits(store, folder):
    with pytest.raises(MmxError, match="holds no finished fit yet"):
        fetch_folder(store, "0" * 32)
    ids = [finished(store, name=f"fit {i}") for i in range(4)]
    start_run(store, name="broken", kind="fit").fail("x")
    with pytest.raises(MmxError) as caught:
        fetch_folder(store, "0" * 32)
    lines = str(caught.value).splitlines()
    assert "there is no run" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ids[:0:-1]
    assert [" ".join(line.split()[1:3]) for line in lines[1:]] == ["fit 3", "fit 2", "fit 1"]


def test_a_recommendation_is_not_taken_for_a_fit(store, folder):
    fit = finished(store, folder=folder)
    plan = finished(store, kind="recommendation", parent=fit, folder=folder)
    with pytest.raises(MmxError, match=f"expected the run of a fit. Give its fit, {fit}"):
        fetch_folder(store, plan)


def test_a_run_without_files_or_without_a_store_is_an_error(store, tmp_path):
    with pytest.raises(MmxError, match=r"\(FINISHED\) has no files"):
        fetch_folder(store, finished(store))
    for uri in unusable(tmp_path):
        with pytest.raises(MmxError, match="cannot be fetched from"):
            fetch_folder(TrackingSettings(uri=uri, experiment="mmx"), "0" * 32)
    with pytest.raises(MmxError, match=r"tracking\.uri is null"):
        fetch_folder(TrackingSettings(uri=None, experiment="mmx"), "0" * 32)


def test_creating_a_store_never_replaces_one(store, tmp_path):
    path = tmp_path / "my runs" / "mlflow.db"
    run_id = finished(store)
    _create_database(path)
    assert read(store, run_id).info.status == "FINISHED"
    assert sorted(p.name for p in path.parent.iterdir()) == ["mlflow.db"]


@pytest.mark.parametrize(("text", "expected"), [("0" * 32, True), ("0" * 31, False), ("mlruns/out", False), ("G" * 32, False)])
def test_run_ids_are_told_from_folders(text, expected):
    assert looks_like_run_id(text) is expected


def test_importing_the_room_does_not_import_mlflow():
    program = "import sys, mmx.track.store, mmx.track.server, mmx.track.content; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
