"""Work that leaves an MLflow run behind whether it succeeds or fails; the store is reached only to log something."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from mmx.schema import TrackingSettings
from mmx.track.apart import keep
from mmx.track.store import Kind, Run, start_run
from mmx.workflows.journal import Journal


@contextlib.contextmanager
def tracked(
    settings: TrackingSettings, journal: Journal, *, name: str, kind: Kind, parent: str | None = None
) -> Iterator[Callable[[], Run]]:
    """Give a function that opens the run; if the block raises, the run is marked FAILED with the error text.

    The run starts when the block does, but it is made in the store when the function is called. A process of its own
    imports MLflow (seconds) and reaches the store meanwhile.
    """
    began = time.time()
    opened: list[Run] = []
    keeper = keep(settings)

    def start() -> Run:
        if keeper is not None:
            return keeper.start(name=name, kind=kind, parent=parent, started=began)
        return start_run(settings, name=name, kind=kind, parent=parent, started=began)

    def open_run() -> Run:
        with journal.stage("track", label="connect to MLflow") as stage:
            opened.append(start())
            if opened[0].warning:
                stage.warn(opened[0].warning)
        return opened[0]

    try:
        try:
            yield open_run
        except BaseException:
            with opened[0] if opened else start():
                raise
        for run in opened:
            run.finish()
    finally:
        if keeper is not None:
            keeper.close()
