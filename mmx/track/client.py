"""The one way to MLflow: a client on a store that answers, made quietly, with short waits.

mlflow takes seconds to import and is imported on first use.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import logging
import os
import re
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmx.track.address import Address, UnreachableError, reach, resolve, shown
from mmx.track.entries import cut
from mmx.track.view import experiment_tags

ANSWER_SECONDS = 10
TRANSFER_SECONDS = 120  # a server may pass a large file on before it answers


def connect(uri: str) -> Any:
    """Return an MLflow client on a store that answers; a missing database file is created."""
    address = resolve(uri)
    reach(address)
    with _unswept(), calm(ANSWER_SECONDS):
        if address.database is not None and not address.database.exists():
            _create_database(address.database)
        from mlflow import MlflowClient

        if address.kind != "server":
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (a second of imports that the first call would make)

        return MlflowClient(tracking_uri=address.uri)


def _create_database(database: Path) -> None:
    """Create an empty store beside its place and link it there: no other process meets a half-made one, and none is replaced.

    MLflow builds its tables in some seventy steps. Nothing is lost when they are not flushed to disk one by one, since the
    file counts only once it is complete.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import Engine, event

    def unflushed(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    partial = database.with_name(f".{database.name}.partial-{uuid.uuid4().hex[:12]}")
    event.listen(Engine, "connect", unflushed)
    try:
        store = SqlAlchemyStore(f"sqlite:///{partial}", str(database.parent))
        store.engine.dispose()
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            try:
                os.link(partial, database)
            except FileExistsError:
                raise
            except OSError:  # a file system without hard links
                if not database.exists():
                    os.replace(partial, database)
    finally:
        event.remove(Engine, "connect", unflushed)
        partial.unlink(missing_ok=True)


def experiment_id(client: Any, address: Address, name: str) -> str:
    """Return the id of an experiment, made if missing; beside a database file its artifacts go into a folder of its own."""
    found = client.get_experiment_by_name(name)
    if found is None:
        from mlflow.exceptions import MlflowException

        place = str(address.root / _folder_name(name)) if address.root is not None else None
        try:
            return str(client.create_experiment(name, artifact_location=place, tags=experiment_tags()))
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise UnreachableError(
            f"the experiment {name!r} was deleted; bring it back with `mlflow experiments restore -x {found.experiment_id}` "
            "or choose another tracking.experiment"
        )
    return str(found.experiment_id)


def _folder_name(name: str) -> str:
    """Return an experiment's name as a folder name; names that differ get folders that differ."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "experiment"
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def find_run(client: Any, run_id: str | None) -> Any:
    """Return a run, or None if the store does not know it or has deleted it."""
    if run_id is None:
        return None
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


@contextlib.contextmanager
def _unswept() -> Iterator[None]:
    """Collect no garbage meanwhile: beside JAX and ArviZ that is a third of the time that mlflow takes to import."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextlib.contextmanager
def calm(seconds: int) -> Iterator[None]:
    """Keep MLflow quiet and its waits short for the calls inside; what the user has set in the environment stays."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    limits = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds),
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    ours = {key: value for key, value in limits.items() if key not in os.environ}
    os.environ.update(ours)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow  # noqa: F401  (its import sets the level of its logger, hence before the lines below)

            loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
            levels = [logger.level for logger in loggers]
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            try:
                yield
            finally:
                for logger, level in zip(loggers, levels, strict=True):
                    logger.setLevel(level)
    finally:
        for key in ours:
            os.environ.pop(key, None)


def one_line(error: Exception) -> str:
    """Return the reason of a failure in one line, without passwords."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "out-of-date database schema" in text:
        text = "its database was made by another version of MLflow; back it up and run `mlflow db upgrade URI`"
    return cut(shown(text), 300).rstrip(".")
