"""Where a study is kept: memory, a journal file, or PostgreSQL; one worker at a time decides, and dead ones are noticed.

Taking trials is serialised by a lock that its holder's death releases (a file lock, an advisory lock of the server), so that
the number of trials is exact. A worker is alive in a journal as long as it holds a lock on a file of its own, and on a server
as long as its heartbeats are younger than the grace period.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import crc32

from mmx.errors import ConfigError, Problem
from mmx.tune_settings import StorageSettings

if TYPE_CHECKING:
    import optuna
    from filelock import BaseFileLock
    from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
    from optuna.trial import FrozenTrial

WORKER = "worker"
SCHEMES = ("postgresql://", "postgresql+psycopg://")


@dataclass
class Shelf:
    """An open storage as seen by one worker.

    Attributes
    ----------
    storage : BaseStorage
    server : RDBStorage or None
    journal : Path or None
        The one that ``storage`` is; both None for memory.
    retry : callable
        Puts a trial back into the queue.
    worker : str
        Unique name of this worker.
    settings : StorageSettings
    alive : lock or None
        Of the worker's own file, with a journal.
    """

    storage: BaseStorage
    server: RDBStorage | None
    journal: Path | None
    retry: RetryHeartbeatStaleTrialCallback
    worker: str
    settings: StorageSettings
    alive: BaseFileLock | None = None

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the study's lock: one worker at a time decides who evaluates what."""
        if self.journal is not None:
            from filelock import FileLock

            with FileLock(f"{self.journal}.claim.lock"):
                yield
        elif self.server is not None:
            from sqlalchemy import text

            with self.server.engine.connect() as connection:  # Closing the connection would free the lock, too.
                key = {"key": crc32(f"mmx tune {name}".encode())}
                connection.execute(text("select pg_advisory_lock(:key)"), key)
                try:
                    yield
                finally:
                    connection.execute(text("select pg_advisory_unlock(:key)"), key)
        else:
            yield

    def claim(self, trial: optuna.Trial) -> None:
        """Mark a trial as this worker's; a trial without a mark or a heartbeat of its own was lost in between."""
        self.beat([trial._trial_id])
        trial.set_user_attr(WORKER, f"{self.worker}/{trial.number}")

    def beat(self, trial_ids: list[int]) -> None:
        """Say that these trials are being worked on."""
        if self.server is not None:
            for trial_id in trial_ids:
                self.server.record_heartbeat(trial_id)

    def recover(self, study: optuna.Study) -> None:
        """Put the trials of dead workers back into the queue; call it while ``alone``."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.storages import fail_stale_trials
        from optuna.trial import TrialState

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=_experimental())
            if self.server is not None:
                fail_stale_trials(study)
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            for trial in [t for t in running if self._lost(t)]:
                with suppress(UpdateFinishedTrialError, ValueError):  # It came to an end in this moment.
                    study.tell(trial.number, state=TrialState.FAIL)
                    self.retry(study, study.get_trials(deepcopy=True)[trial.number])

    def _lost(self, trial: FrozenTrial) -> bool:
        worker, _, number = str(trial.user_attrs.get(WORKER, "")).partition("/")
        if self.journal is not None:
            return worker != self.worker and not _holds(_own_file(self.journal, worker))
        if self.server is None or number == str(trial.number):
            return False  # With a mark it has heartbeats, and these are judged by the server's clock.
        began = trial.datetime_start
        return began is not None and datetime.now() - began > timedelta(seconds=self.settings.grace)

    def close(self) -> None:
        """Give back what the worker holds."""
        if self.alive is not None and self.journal is not None:
            self.alive.release()
            _own_file(self.journal, self.worker).unlink(missing_ok=True)
        if self.server is not None:
            self.server.engine.dispose()


def _experimental() -> type[Warning]:
    from optuna.exceptions import ExperimentalWarning

    return ExperimentalWarning


def _own_file(journal: Path, worker: str) -> Path:
    return Path(f"{journal}.{worker or 'nobody'}.alive")


def _holds(path: Path) -> bool:
    """Whether a living process holds the lock of a worker's file."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def open_storage(settings: StorageSettings) -> Shelf:
    """Open a storage for one worker.

    Raises
    ------
    ConfigError
        If the server is not PostgreSQL or does not answer, or the folder of a journal is missing.
    """
    from optuna.storages import InMemoryStorage, RetryHeartbeatStaleTrialCallback

    worker = uuid4().hex[:12]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=_experimental())
        retry = RetryHeartbeatStaleTrialCallback(max_retry=settings.retries)
        if settings.url == "memory":
            return Shelf(InMemoryStorage(), None, None, retry, worker, settings)
        if "://" in settings.url:
            server = _server(settings, retry)
            return Shelf(server, server, None, retry, worker, settings)
        return _journal(settings, retry, worker)


def _server(settings: StorageSettings, retry: RetryHeartbeatStaleTrialCallback) -> RDBStorage:
    import sqlalchemy
    from optuna.storages import RDBStorage

    scheme, _, rest = settings.url.partition("://")
    shown = f"{scheme}://{rest.rpartition('@')[2]}"  # Without a password.
    if f"{scheme}://" not in SCHEMES:
        remedy = "Write postgresql://user@host:port/database, memory, or the path of a journal file."
        raise _unusable(shown, "PostgreSQL", remedy)
    address = f"postgresql+psycopg://{rest}"
    try:
        engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:  # Two workers must not make the tables at once; closing frees the lock.
            connection.execute(sqlalchemy.text("select pg_advisory_lock(:key)"), {"key": crc32(b"mmx tune tables")})
            return RDBStorage(
                address,
                engine_kwargs={"pool_pre_ping": True, "pool_size": 4},
                heartbeat_interval=settings.heartbeat,
                grace_period=settings.grace,
                heartbeat_stale_trial_callback=retry,
            )
    except sqlalchemy.exc.OperationalError as error:
        why = str(error.orig).splitlines()[0]
        raise _unusable(f"{shown}: {why}", "a server that answers", "Start it, or correct the address.") from error


def _journal(settings: StorageSettings, retry: RetryHeartbeatStaleTrialCallback, worker: str) -> Shelf:
    from filelock import FileLock
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = Path(settings.url)
    if not path.parent.is_dir():
        raise _unusable(str(path), "a file in a folder that exists", f"Make the folder {path.parent} first.")
    alive = FileLock(_own_file(path, worker))
    alive.acquire()
    return Shelf(JournalStorage(JournalFileBackend(str(path))), None, path, retry, worker, settings, alive)


def _unusable(came: str, expected: str, remedy: str) -> ConfigError:
    return ConfigError("the study cannot be stored", [Problem("tune.storage.url", came, expected, remedy)])
