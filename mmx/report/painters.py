"""Figures drawn by processes of their own: importing matplotlib and drawing, seconds of work, go on beside the fit.

A painter imports matplotlib at once, without pandas, and draws from plain arrays what it is given. A figure that a painter
did not draw, for whatever reason, is drawn by the process that asked for it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import IO, Any

COUNT = 2


class Painters:
    """Processes that draw, and what they were given."""

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self._processes = processes
        self._given: list[tuple[int, Callable[..., None], dict[str, Any]]] = []

    def draw(self, function: Callable[..., None], arguments: dict[str, Any]) -> None:
        """Have a module's function called with arguments that can be pickled, or call it."""
        if not self._processes:
            function(**arguments)
            return
        place = len(self._given) % len(self._processes)
        pipe = self._processes[place].stdin
        assert pipe is not None
        with contextlib.suppress(OSError):  # It is not there any more: `finish` finds no answer.
            pickle.dump((function.__module__, function.__name__, arguments), pipe)
            pipe.flush()
        self._given.append((place, function, arguments))

    def finish(self) -> None:
        """Wait until everything is drawn, and draw what was not."""
        for place, function, arguments in self._given:
            pipe = self._processes[place].stdout
            assert pipe is not None
            try:
                done = pipe.read(1) == b"\1"
            except OSError:
                done = False
            if not done:
                function(**arguments)
        self._given.clear()


@contextlib.contextmanager
def painters() -> Iterator[Painters]:
    """Start painters for the block; none where matplotlib is at hand in this process, which then draws itself."""
    processes: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "mmx.report.painters"]
    if "matplotlib" not in sys.modules:
        with contextlib.suppress(OSError):  # No room for another process: this one draws.
            # A session of its own: Ctrl-C reaches us alone, and ends the painters with the block.
            for _ in range(COUNT):
                pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
                processes.append(subprocess.Popen(command, start_new_session=True, **pipes))
    try:
        yield Painters(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def paint(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Draw what is asked until the input ends; answer 1 for a figure that was drawn, 0 for one that was not."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            module, function, arguments = pickle.load(requests)
            try:
                getattr(import_module(module), function)(**arguments)
                done = b"\1"
            except Exception:
                done = b"\0"
            answers.write(done)
            answers.flush()


def _main() -> None:
    gc.disable()  # The process is short-lived.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever is printed here must not get between the answers.
    from mmx.report import canvas

    canvas.warm_up()
    paint(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
