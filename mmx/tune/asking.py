"""The loop of a worker: take trials from the study, evaluate them at once, tell what came, until enough are complete."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mmx.tune.problem import Scores
from mmx.tune.storage import Shelf
from mmx.tune.study import ENGINE, EVOLVED, Search, quiet, tell
from mmx.tune_settings import TuneSettings

if TYPE_CHECKING:
    import optuna

Progress = Callable[[int, int], None]  # complete trials, trials in all
PAUSE = 0.2  # Seconds between looks at a study whose last trials others hold, or a server that does not answer.


def work(study: optuna.Study, shelf: Shelf, search: Search, settings: TuneSettings, progress: Progress | None) -> None:
    """Evaluate until the study has ``settings.trials`` complete trials, with any number of workers beside this one.

    A server that goes away is waited for. What was asked and not yet evaluated is then given back; what was evaluated is told
    once it answers again.

    Raises
    ------
    OperationalError
        Of SQLAlchemy, when the server stays away for ``settings.storage.patience`` seconds.
    """
    patience = settings.storage.patience
    with quiet():
        while True:
            complete, trials = _patient(partial(_claim, study, shelf, settings), patience)
            if progress is not None:
                progress(min(complete, settings.trials), settings.trials)
            if complete >= settings.trials:
                return
            if not trials:
                time.sleep(PAUSE)
                continue
            with _beating(shelf, trials):
                try:
                    params = [_suggest(trial, search) for trial in trials]
                except _lost_connection():
                    _patient(partial(_give_back, study, shelf, trials, set()), patience)
                    continue
                scores = search.problem.score(search.vectors(params))
                for i, trial in enumerate(trials):
                    one = Scores(scores.by_fold[i : i + 1], scores.violations[i : i + 1])
                    _patient(partial(tell, study, search, trial, one, settings.engine), patience)


def _claim(study: optuna.Study, shelf: Shelf, settings: TuneSettings) -> tuple[int, list[optuna.Trial]]:
    """Number of complete trials, and those that this worker is to evaluate now."""
    from optuna.trial import TrialState

    asked: list[optuna.Trial] = []
    try:
        with shelf.alone(study.study_name):
            shelf.recover(study)
            own = [t for t in study.get_trials(deepcopy=False) if t.user_attrs.get(ENGINE) != EVOLVED]
            complete = sum(t.state == TrialState.COMPLETE for t in own)
            running = sum(t.state == TrialState.RUNNING for t in own)
            for _ in range(min(settings.batch, settings.trials - complete - running)):
                asked.append(study.ask())
                shelf.claim(asked[-1])
        # Leaving the lock fails where it was lost with the connection: another worker may have counted without these trials.
    except _lost_connection():
        _patient(partial(_give_back, study, shelf, asked, set()), settings.storage.patience)
        raise
    return complete, asked


def _give_back(study: optuna.Study, shelf: Shelf, trials: list[optuna.Trial], failed: set[int]) -> None:
    """Take trials out of work; those with values that somebody chose go back into the queue.

    A trial leaves the list when it is done with, and its number is noted when it was taken out here, so that another attempt
    goes on from there. One that others took out already was put back by them.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    while trials:
        number = trials[-1].number
        if number not in failed:
            try:
                study.tell(trials[-1], state=TrialState.FAIL)
            except (UpdateFinishedTrialError, ValueError):
                trials.pop()
                continue
            failed.add(number)
        frozen = study.get_trials(deepcopy=True)[number]
        if frozen.params or "fixed_params" in frozen.system_attrs:
            shelf.retry(study, frozen)
        trials.pop()


def _suggest(trial: optuna.Trial, search: Search) -> dict[str, float]:
    chosen = [search.problem.space.parameters[i] for i in search.live]
    pairs = zip(search.names, chosen, strict=True)
    return {name: trial.suggest_float(name, p.low, p.high, log=p.scale == "log") for name, p in pairs}


@contextmanager
def _beating(shelf: Shelf, trials: list[optuna.Trial]) -> Iterator[None]:
    """Send heartbeats of these trials meanwhile, where the storage has them."""
    if shelf.server is None:
        yield
        return
    ended, ids = threading.Event(), [trial._trial_id for trial in trials]

    def beat() -> None:
        while not ended.wait(shelf.settings.heartbeat):
            try:
                shelf.beat(ids)
            except _lost_connection():
                continue  # The next beat may reach it.

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _lost_connection() -> tuple[type[Exception], ...]:
    """What a server that goes away raises."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    return (StorageInternalError, DBAPIError)


def _patient[T](action: Callable[[], T], patience: float) -> T:
    """Repeat an action as long as the server is away, at most ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return action()
        except _lost_connection():
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE * float(np.random.default_rng().uniform(0.5, 1.5)))
