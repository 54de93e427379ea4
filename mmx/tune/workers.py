"""Several processes on one study: each takes trials until enough are complete; one that dies is made good by the others."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmx.errors import MmxError
from mmx.tune.asking import Progress, work
from mmx.tune.problem import Floats
from mmx.tune.storage import open_storage
from mmx.tune.study import Search, open_study
from mmx.tune_settings import TuneSettings

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


def join_study(name: str, search: Search, settings: TuneSettings, seed: int, starts: Floats, progress: Progress | None) -> None:
    """Be one worker of a study that is kept in a file or on a server, until it is complete."""
    shelf = open_storage(settings.storage)
    try:
        work(open_study(shelf, name, search, settings, seed, starts), shelf, search, settings, progress)
    finally:
        shelf.close()


def run_workers(name: str, search: Search, settings: TuneSettings, seed: int, starts: Floats) -> None:
    """Run ``settings.workers`` processes on one study. They are spawned: the evaluator is pickled.

    Raises
    ------
    MmxError
        If all of them ended before the study was complete; how they ended is said.
    """
    context = multiprocessing.get_context("spawn")
    processes: Sequence[BaseProcess] = [
        context.Process(target=join_study, args=(name, search, settings, seed + number, starts, None))
        for number in range(settings.workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    codes = [process.exitcode for process in processes]
    if all(code != 0 for code in codes):
        raise MmxError(f"no worker finished: they ended with {', '.join(str(c) for c in codes)}; what they printed says why")
