import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from mmx.errors import MmxError
from mmx.schema import TrackingSettings
from mmx.track.address import resolve
from mmx.track.server import serve, server_command, ui_command
from mmx.track.store import fetch_folder, start_run

WAIT_SECONDS = 150


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings(uri):
    return TrackingSettings(uri=uri, experiment="mmx")


def test_the_command_is_short_for_the_default_store_and_names_any_other(monkeypatch):
    monkeypatch.setattr("mmx.track.server._program", lambda: "mmx")
    assert ui_command(settings("sqlite:///mlruns/mlflow.db")) == "mmx ui"
    assert ui_command(settings("sqlite:///my runs/x.db")) == "mmx ui 'tracking.uri=sqlite:///my runs/x.db'"
    assert ui_command(settings(None)) == ""


def test_the_command_is_one_that_a_shell_finds(tmp_path, monkeypatch):
    program = tmp_path / "env" / "bin" / "mmx"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    default = settings("sqlite:///mlruns/mlflow.db")
    assert ui_command(default) == "env/bin/mmx ui"
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(program.parent))
    assert ui_command(default) == "mmx ui"


def test_the_server_is_closed_to_unknown_names_also_when_it_is_open_to_the_network(tmp_path):
    address = resolve(f"sqlite:///{tmp_path}/x.db")
    assert "--allowed-hosts" not in server_command(address, "127.0.0.1", 5000)
    command = server_command(address, "0.0.0.0", 5000)
    hosts = command[command.index("--allowed-hosts") + 1].split(",")
    assert f"{socket.gethostname()}:5000" in hosts
    assert "*" not in hosts
    assert command[command.index("--artifacts-destination") + 1] == str(tmp_path)


def test_a_server_elsewhere_is_named_and_none_is_started(capsys):
    serve(settings("http://tracking.invalid:5000/"))
    assert capsys.readouterr().out == "The runs are on an MLflow server: http://tracking.invalid:5000\n"


def test_what_cannot_be_served_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MmxError, match=r"tracking\.uri is null"):
        serve(settings(None))
    with pytest.raises(MmxError, match="the store cannot be shown"):
        serve(settings(f"sqlite:///{tmp_path}/file/x.db"))


def test_a_port_in_use_is_an_error_with_another_to_try(store):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MmxError, match=rf"in use.*another port, such as {port + 1}"):
            serve(store, port=port)


def test_a_server_that_does_not_start_shows_its_last_words(store, monkeypatch):
    monkeypatch.setattr(
        "mmx.track.server.server_command", lambda *a: [sys.executable, "-c", "print('no luck'); raise SystemExit(3)"]
    )
    with pytest.raises(MmxError, match=r"did not start \(exit code 3\):\n  no luck"):
        serve(store, port=free_port())


@pytest.fixture
def served(store):
    """A server of our own on a store, as ``mmx ui`` starts it, with the address that it prints."""
    port = free_port()
    program = (
        "import sys\nfrom mmx.schema import TrackingSettings\nfrom mmx.track.server import serve\n"
        "serve(TrackingSettings(uri=sys.argv[1], experiment='mmx'), port=int(sys.argv[2]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, store.uri, str(port)], stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(WAIT_SECONDS, process.kill)
    guard.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    yield process, re.search(r"http://127\.0\.0\.1:\d+/\S*", "".join(lines)).group()
    guard.cancel()
    process.kill()
    process.stdout.close()
    process.wait()


def test_runs_are_served_logged_over_http_and_the_server_stops_when_told(store, tmp_path, request):
    start_run(store, name="first", kind="fit").finish()
    process, page = request.getfixturevalue("served")
    assert page.endswith("/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=mmx")
    base = page.partition("/#")[0]
    with urllib.request.urlopen(base, timeout=20) as reply:
        assert b"<title>MLflow</title>" in reply.read()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text("{}")
    remote = settings(base)
    run = start_run(remote, name="over http", kind="fit")
    run.log({"a": 1}, {f"roas/{i}": float(i) for i in range(120)}, {"git_commit": "abc"})
    run.log_folder(tmp_path / "out")
    run.finish()
    assert run.warning is None
    for where in (remote, store):
        assert (fetch_folder(where, run.run_id) / "summary.json").read_text() == "{}"
    late = start_run(remote, name="late", kind="fit")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read().strip() == "Stopped."
    assert process.wait(20) == 0
    late.finish()
    assert "could not be logged" in late.warning
