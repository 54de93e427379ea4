"""Run the command line as a user does, inside the test's process, where imports are already paid for."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from mmx.cli import main

# A fit that is over in seconds and passes its gate: for tests of what happens around the sampler.
SMALL = ("sampler.chains=2", "sampler.tune=100", "sampler.draws=100", "sampler.max_depth=5")
LENIENT = ("gate.max_rhat=100", "gate.min_ess=0.1", "gate.min_ebfmi=0.0001", "gate.max_divergences=100000")
UNTRACKED = "tracking.uri=null"


class Answer(NamedTuple):
    """What a command left on the screen."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams, line breaks of the terminal's width undone."""
        return " ".join(f"{self.out} {self.err}".split())


def mmx(*arguments: str | Path, cwd: Path | None = None, columns: int = 100) -> Answer:
    """Run ``mmx ARGUMENTS``; exceptions that the command line does not handle reach the test."""
    out, err = io.StringIO(), io.StringIO()
    folder = contextlib.chdir(cwd) if cwd is not None else contextlib.nullcontext()
    argv = mock.patch.object(sys, "argv", ["mmx", *map(str, arguments)])
    screen = mock.patch.dict(os.environ, {"COLUMNS": str(columns)})
    with folder, argv, screen, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())
