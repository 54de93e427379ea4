import socket
import sqlite3
import time
from pathlib import Path

import pytest

from mmx.track.address import UnreachableError, reach, resolve, shown


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_relative_database_is_resolved_against_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = resolve("sqlite:///ml runs/mlflow.db")
    assert address.uri == f"sqlite:///{tmp_path}/ml runs/mlflow.db"
    assert (address.kind, address.root) == ("sqlite", tmp_path / "ml runs")


@pytest.mark.parametrize(
    ("uri", "kind", "resolved"),
    [
        ("sqlite:////var/x.db", "sqlite", "sqlite:////var/x.db"),
        ("sqlite+pysqlite:////var/x.db", "sqlite", "sqlite:////var/x.db"),
        ("http://tracking:5000/", "server", "http://tracking:5000"),
        ("https://tracking.example", "server", "https://tracking.example"),
        ("postgresql+psycopg2://u:p@db/mlflow", "database", "postgresql+psycopg2://u:p@db/mlflow"),
    ],
)
def test_known_addresses(uri, kind, resolved):
    address = resolve(uri)
    assert (address.kind, address.uri) == (kind, resolved)


@pytest.mark.parametrize(
    "uri", ["", "mlruns", "./mlruns", "file:///mlruns", "ftp://x", "sqlite://", "sqlite:///:memory:", "http://"]
)
def test_what_cannot_hold_runs_is_refused_with_what_can(uri):
    with pytest.raises(UnreachableError, match=r"expected sqlite:///mlruns/mlflow\.db"):
        resolve(uri)


def test_a_port_that_is_no_number_is_refused():
    with pytest.raises(UnreachableError, match="cannot be read"):
        resolve("http://host:port")


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_nobody_listening_is_found_at_once(scheme):
    port, began = closed_port(), time.monotonic()
    with pytest.raises(UnreachableError, match=f"nothing answers at 127.0.0.1:{port}"):
        reach(resolve(f"{scheme}://127.0.0.1:{port}/x"))
    assert time.monotonic() - began < 5


def test_a_server_behind_a_proxy_is_not_judged_by_a_direct_connection(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    reach(resolve("http://tracking.invalid:5000"))


def test_reaching_a_new_database_makes_its_folder_and_nothing_else(tmp_path):
    reach(resolve(f"sqlite:///{tmp_path}/a/b/mlflow.db"))
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_reaching_a_database_leaves_it_as_it_was(tmp_path):
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    before = path.read_bytes()
    reach(resolve(f"sqlite:///{path}"))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.db"]


def test_a_database_that_cannot_be_used_says_why(tmp_path):
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "text.db").write_text("this is no database, but long enough to be taken for one " * 20)
    for name, why in (("folder.db", "is a folder"), ("text.db", "not a database"), ("text.db/x.db", "cannot be made")):
        with pytest.raises(UnreachableError, match=why):
            reach(resolve(f"sqlite:///{tmp_path}/{name}"))


def test_a_database_that_another_process_writes_to_is_waited_for_then_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("mmx.track.address.CONNECT_SECONDS", 0.1)
    path = Path(tmp_path / "x.db")
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnreachableError, match="locked"):
        reach(resolve(f"sqlite:///{path}"))
    connection.close()


def test_passwords_are_never_shown():
    assert shown("to postgresql://me:secret@db/x and http://a:b@c") == "to postgresql://me:***@db/x and http://a:***@c"
    assert shown("http://host:5000/a@b") == "http://host:5000/a@b"
