"""The journal of a run: what was done, in order, one JSON line per stage in ``run.jsonl``, told to the person as it happens."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console


def _unseen(text: str) -> None:
    """Show nothing: there is no terminal, or the stage is over."""


@dataclass
class Stage:
    """One stage, filled in while it runs.

    Attributes
    ----------
    stage : str
    started : str
        UTC, ISO 8601.
    seconds : float
        Duration.
    inputs, outputs : list of str
        Files or things read and written.
    rows : int or None
    warnings, decisions : list of str
        What a reader should know, and what was decided on the way; one sentence each.
    error : str or None
        Why the stage failed.
    """

    stage: str
    started: str
    seconds: float = 0.0
    inputs: list[str] = field(default_factory=list)
    rows: int | None = None
    outputs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    error: str | None = None
    _show: Callable[[str], None] = field(default_factory=lambda: _unseen, init=False, repr=False, compare=False)

    def warn(self, text: str) -> None:
        """Record a warning; it is printed with the stage."""
        self.warnings.append(text)

    def decide(self, text: str) -> None:
        """Record a decision that was taken for the user; it is printed with the stage."""
        self.decisions.append(text)

    def update(self, text: str) -> None:
        """Show how far the stage is, on a terminal only."""
        self._show(text)

    def as_mapping(self) -> dict[str, Any]:
        """Return the content of the JSON line."""
        fields = asdict(self)
        del fields["_show"]
        fields["rows"] = None if self.rows is None else int(self.rows)
        return {**fields, "seconds": round(self.seconds, 3)}


class Journal:
    """Stages of one run.

    Parameters
    ----------
    path : Path, optional
        File to append to. Without one the stages are kept until `open` names it.
    console : rich Console, optional
        Where progress is shown; standard error by default.
    quiet : bool
        Show nothing.
    """

    def __init__(self, path: Path | None = None, *, console: Console | None = None, quiet: bool = False) -> None:
        self.path: Path | None = None
        self.stages: list[Stage] = []
        self._console = console
        self._quiet = quiet
        self._depth = 0
        if path is not None:
            self.open(path)

    def open(self, path: Path) -> None:
        """Write all stages so far to a file and append the coming ones; again after the folder was renamed."""
        self.path = path
        self._write("".join(map(_line, self.stages)), "w")

    @property
    def warnings(self) -> list[str]:
        """All warnings so far."""
        return [text for stage in self.stages for text in stage.warnings]

    @property
    def decisions(self) -> list[str]:
        """All decisions so far."""
        return [text for stage in self.stages for text in stage.decisions]

    @contextlib.contextmanager
    def stage(self, name: str, *, inputs: Sequence[str | Path] = (), label: str | None = None) -> Iterator[Stage]:
        """Run a stage: time it, show it, record it, also when it fails.

        Parameters
        ----------
        name : str
            Short name in ``run.jsonl``.
        inputs : sequence of str or Path
        label : str, optional
            What the person reads; the name by default.
        """
        begun = time.perf_counter()
        stage = Stage(name, dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"), inputs=[str(i) for i in inputs])
        self._depth += 1
        try:
            with self._spinner(stage, label or name):
                yield stage
        except BaseException as error:
            stage.error = str(error) or type(error).__name__
            raise
        finally:
            self._depth -= 1
            stage.seconds = time.perf_counter() - begun
            self.stages.append(stage)
            self._tell(stage, label or name)
            if self.path is not None:
                self._record(stage)

    def _record(self, stage: Stage) -> None:
        try:
            self._write(_line(stage), "a")
        except OutputError:
            # A failed stage must show its own error; the folder may be what failed.
            if stage.error is None:
                raise

    def _write(self, text: str, mode: str) -> None:
        if self.path is None:
            return
        try:
            with self.path.open(mode, encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror}). Check the folder and the free space."
            ) from error

    def _screen(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False, markup=False)
        return self._console

    @contextlib.contextmanager
    def _spinner(self, stage: Stage, label: str) -> Iterator[None]:
        """Show a spinner with the elapsed seconds; a stage within a stage leaves it to the outer one."""
        if self._quiet or self._depth > 1 or not self._screen().is_terminal:
            yield
            return
        from rich.markup import escape
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._screen(), transient=True) as progress:
            task = progress.add_task(escape(label), total=None)
            stage._show = lambda text: progress.update(task, description=escape(f"{label}: {text}"))
            try:
                yield
            finally:
                stage._show = _unseen

    def _tell(self, stage: Stage, label: str) -> None:
        if self._quiet:
            return
        from rich.text import Text

        facts = [] if stage.rows is None else [f"{stage.rows:,} rows"]
        facts += [f"{stage.seconds:.1f} s"] + (["failed"] if stage.error is not None else [])
        lines = [(f"{label}: {', '.join(facts)}", "red" if stage.error is not None else "")]
        lines += [(f"  {text}", "dim") for text in stage.decisions]
        lines += [(f"  warning: {text}", "yellow") for text in stage.warnings]
        for text, style in lines:
            self._screen().print(Text(text, style=style), soft_wrap=True)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a ``run.jsonl``; a last line that a killed process left half-written is dropped."""
    text = path.read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in complete.split("\n") if line]


def _line(stage: Stage) -> str:
    text = json.dumps(stage.as_mapping(), ensure_ascii=False, default=str)
    # JSON leaves these as they are, while many readers end a line at them.
    for character in "\x85\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"
