"""A run that is kept by a process of its own: importing mlflow and opening the store, seconds of work, go on beside the fit.

The process imports mlflow and connects at once, starts the run when it is told to, and does what a `Run` does: it answers every
call with the run's id and warning. It ends when its input ends. If it dies before the run was started, the run is kept without
it; if it dies later, the run has a warning and the work goes on. Messages are pickled on its standard input and output.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

from mmx.track.address import UnreachableError, reach, resolve
from mmx.track.store import Kind, Run, start_run

if TYPE_CHECKING:
    from mmx.schema import TrackingSettings

Answer = tuple[str | None, str | None]  # Run id and warning.
# What mlflow-skinny does without, mlflow does without: not importing these saves nearly half of the processor time.
DISPENSABLE = ("IPython", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn")


class Keeper:
    """The process of one run."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._in_step = True
        # A session of its own: Ctrl-C reaches us alone, and we mark the run before it ends.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mmx.track.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        with contextlib.suppress(OSError):
            self._send((settings.uri, settings.experiment))

    def start(self, *, name: str, kind: Kind, parent: str | None, started: float | None) -> Run:
        """Start the run as `start_run` does; here, in this process, if the other one is not there."""
        arguments = {"name": name, "kind": kind, "parent": parent, "started": started}
        try:
            run_id, warning = self.call("start", arguments)
        except (OSError, EOFError, pickle.PickleError):
            self.close()
            return start_run(self._settings, name=name, kind=kind, parent=parent, started=started)
        return RunApart(self, run_id, warning)

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Have a method of the run called there, and return its id and warning.

        Raises
        ------
        OSError, EOFError
            If the process is not there any more.
        """
        if not self._in_step:
            raise EOFError
        self._in_step = False  # An exchange that Ctrl-C breaks off leaves an answer behind that belongs to no later call.
        self._send((name, dict(arguments)))
        assert self._process.stdout is not None
        answer: Answer = pickle.load(self._process.stdout)
        self._in_step = True
        return answer

    def close(self) -> None:
        """End the process; it has nothing left to do."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()


class RunApart(Run):
    """A `Run` whose calls are made by the process that keeps it."""

    def __init__(self, keeper: Keeper, run_id: str | None, warning: str | None) -> None:
        super().__init__(keeper if run_id is not None else None, run_id, warning)

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """See `Run.log`."""
        self._pass_on("log", params=dict(params or {}), metrics=dict(metrics or {}), tags=dict(tags or {}))

    def log_input(self, name: str, sha256: str, columns: list[dict[str, Any]], profile: dict[str, int]) -> None:
        """See `Run.log_input`."""
        self._pass_on("log_input", name=name, sha256=sha256, columns=columns, profile=profile)

    def log_folder(self, path: Path) -> None:
        """See `Run.log_folder`."""
        self._pass_on("log_folder", path=path.absolute())

    def finish(self) -> None:
        """See `Run.finish`."""
        self._pass_on("finish")
        self._client = None

    def fail(self, error_text: str) -> None:
        """See `Run.fail`."""
        self._pass_on("fail", error_text=error_text)
        self._client = None

    def _pass_on(self, method: str, **arguments: Any) -> None:
        if self._client is None:
            return
        try:
            self.run_id, self.warning = self._client.call(method, arguments)
        except (OSError, EOFError, pickle.PickleError):
            self.warning = (
                f"the process that logs run {self.run_id} to MLflow ended before its time, in {method}. "
                "The output folder is complete; this run is not tracked from here on."
            )
            self.run_id = None
        if self.run_id is None:
            self._client = None


def keep(settings: TrackingSettings) -> Keeper | None:
    """Start the process of a run to come; None where nothing is tracked, or mlflow is at hand in this process."""
    if settings.uri is None or "mlflow" in sys.modules:
        return None
    try:
        return Keeper(settings)
    except OSError:  # No room for another process: this one does its work.
        return None


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Keep one run: connect, then do what is asked until the input ends."""
    uri, experiment = pickle.load(requests)
    settings: Any = SimpleNamespace(uri=uri, experiment=experiment)
    _connect(uri, experiment)
    run = Run()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            name, arguments = pickle.load(requests)
            if name == "start":
                run = start_run(settings, **arguments)
            else:
                getattr(run, name)(**arguments)
            pickle.dump((run.run_id, run.warning), answers)
            answers.flush()


def _connect(uri: str, experiment: str) -> None:
    """Import mlflow and open the store ahead of time; what goes wrong is told when the run is started."""
    from mmx.track.client import ANSWER_SECONDS, calm, connect

    with contextlib.suppress(UnreachableError):
        reach(resolve(uri))
        _import_mlflow()
        with contextlib.suppress(Exception):
            client = connect(uri)
            with calm(ANSWER_SECONDS):
                client.get_experiment_by_name(experiment)


def _import_mlflow() -> None:
    """Import mlflow without the packages that it can do without.

    Raises
    ------
    ImportError
        If it cannot. This process ends then, and the run is kept by the one that started it.
    """
    hidden = [name for name in DISPENSABLE if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        import mlflow
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def _main() -> None:
    gc.disable()  # Nothing that mlflow makes on import is garbage, and the process is short-lived.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever is printed here must not get between the answers.
    with contextlib.suppress(ImportError):
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
