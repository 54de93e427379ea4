"""Work that leaves an MLflow run behind whether it succeeds or fails; the store is reached only to log something."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from mmx.schema import TrackingSettings
from mmx.track.store import Kind, Run, start_run
from mmx.workflows.journal import Journal


@contextlib.contextmanager
def tracked(
    settings: TrackingSettings, journal: Journal, *, name: str, kind: Kind, parent: str | None = None
) -> Iterator[Callable[[], Run]]:
    """Give a function that opens the run; if the block raises, the run is marked FAILED with the error text.

    The run starts when the block does, but MLflow is imported (seconds) and the store reached when the function is called.
    """
    began = time.time()
    opened: list[Run] = []

    def open_run() -> Run:
        with journal.stage("track", label="connect to MLflow") as stage:
            opened.append(start_run(settings, name=name, kind=kind, parent=parent, started=began))
            if opened[0].warning:
                stage.warn(opened[0].warning)
        return opened[0]

    try:
        yield open_run
    except BaseException:
        with opened[0] if opened else start_run(settings, name=name, kind=kind, parent=parent, started=began):
            raise
    for run in opened:
        run.finish()
