"""A study on a real PostgreSQL server: four workers, one killed, the server restarted; every trial counted."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmx.errors import ConfigError
from mmx.tune.search import tune
from mmx.tune.storage import open_storage
from mmx.tune.study import BY_FOLD, Search

from .problems import bowl, settings

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "start_postgres.sh"
TRIALS = 40


def start(folder: Path, port: int) -> str:
    """Address of a running server; the test is not run where PostgreSQL is missing, and fails where it is required."""
    done = subprocess.run([SCRIPT, str(folder), str(port)], capture_output=True, text=True, timeout=120)
    if done.returncode == 3 and os.environ.get("MMX_REQUIRE_POSTGRES") != "1":
        pytest.skip(f"not run: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def stop(folder: Path) -> None:
    subprocess.run([SCRIPT, "--stop", str(folder)], check=True, capture_output=True, timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, int, str]]:
    folder, port = Path(f"/tmp/mmx_postgres_{os.getpid()}"), free_port()  # Readable by the user that the server runs as.
    url = start(folder, port)
    yield folder, port, url
    stop(folder)
    shutil.rmtree(folder)


def chosen(url: str, **changes: Any) -> Any:
    storage = {"url": url, "heartbeat": 1, "grace": 3, "patience": 60}
    return settings(trials=TRIALS, batch=2, storage=storage, **changes)


WORKER = """
import sys
import numpy as np
from tests.tune.problems import bowl
from tests.tune.test_postgres import chosen, search
from mmx.tune.workers import join_study
found = search(float(sys.argv[3]))
join_study("shared", found, chosen(sys.argv[1]), int(sys.argv[2]), found.base[None], None)
"""


def search(seconds: float) -> Search:
    from mmx.tune.problem import make_goals

    problem, quick = bowl(dead=0, seconds=seconds), bowl(dead=0)
    goals = make_goals(quick, {"profit": 1.0}, quick.score(problem.space.default[None]), False)
    return Search(problem, goals, np.arange(4), problem.space.default)


def trials_in(url: str) -> list[Any]:
    import optuna

    shelf = open_storage(chosen(url).storage)
    try:
        study = optuna.load_study(study_name="shared", storage=shelf.storage)
        return list(study.get_trials(deepcopy=False))
    finally:
        shelf.close()


def wait_for(url: str, count: int, state: str = "COMPLETE") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if sum(t.state.name == state for t in trials_in(url)) >= count:
                return
        except KeyError:
            pass  # The study is not there yet.
        time.sleep(0.2)
    raise AssertionError(f"{count} trials were not {state} in time")


def worker(url: str, seed: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, url, str(seed), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_four_workers_one_killed_and_the_server_restarted(server: tuple[Path, int, str]) -> None:
    from optuna.trial import TrialState

    folder, port, url = server
    workers = [worker(url, 0, 60.0)]  # It is killed before it has finished what it took.
    wait_for(url, 1, "RUNNING")
    workers += [worker(url, seed, 0.1) for seed in (1, 2, 3)]
    wait_for(url, 6)
    workers[0].send_signal(signal.SIGKILL)
    wait_for(url, 16)
    stop(folder)
    time.sleep(0.5)
    start(folder, port)
    said = [worker.communicate(timeout=90)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0, 0], said
    trials = trials_in(url)
    by_state = {state: [t for t in trials if t.state == state] for state in TrialState}
    complete, failed = by_state[TrialState.COMPLETE], by_state[TrialState.FAIL]
    assert len(complete) == TRIALS, {state.name: len(found) for state, found in by_state.items()}
    assert not by_state[TrialState.RUNNING] and not by_state[TrialState.WAITING]
    assert sorted(t.number for t in trials) == list(range(len(trials)))
    assert all(len(t.user_attrs[BY_FOLD]) == 6 and t.constraints for t in complete)
    # What the killed worker held, or the restart interrupted, was done again at the same point, once.
    again = {n: t for t in complete for n in t.system_attrs.get("retry_history", [])}
    assert failed and len(again) == sum(len(t.system_attrs.get("retry_history", [])) for t in complete)
    for t in failed:
        assert not t.params or again[t.number].params.items() >= t.params.items()
    assert len({tuple(t.params.values()) for t in complete}) == TRIALS


def test_a_study_on_a_server_is_taken_up_again(server: tuple[Path, int, str]) -> None:
    url = server[2]
    for engine in ("tpe", "evolution"):
        own = {"engine": engine, "evolution": {"population": 10}}
        first = tune(bowl(dead=0), chosen(url, **own).model_copy(update={"trials": 20}), study=engine, seed=1)
        more = tune(bowl(dead=0), chosen(url, **own).model_copy(update={"trials": 30}), study=engine, seed=1)
        assert (len(first.trials), len(more.trials)) == (20, 30)


def test_a_server_that_does_not_answer_is_said(server: tuple[Path, int, str]) -> None:
    with pytest.raises(ConfigError, match=r"(?s)postgresql://127.0.0.1:1/none.*Start it, or correct the address") as caught:
        open_storage(chosen("postgresql://mmx:secret@127.0.0.1:1/none").storage)
    assert "secret" not in str(caught.value)
