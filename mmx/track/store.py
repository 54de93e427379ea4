"""Runs in MLflow: started, filled and ended so that tracking never loses, delays or stops a fit.

A run that cannot be logged is inactive: it has a one-line ``warning``, its ``run_id`` is None and its methods do nothing.
mlflow takes seconds to import and is imported on first use.
"""

from __future__ import annotations

import atexit
import datetime as dt
import json
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from mmx.errors import MmxError
from mmx.track.address import resolve, shown
from mmx.track.client import ANSWER_SECONDS, TRANSFER_SECONDS, calm, connect, experiment_id, find_run, one_line
from mmx.track.entries import TAG_LENGTH, accepted_metrics, accepted_params, accepted_tags, cut

if TYPE_CHECKING:
    import pandas as pd

    from mmx.schema import TrackingSettings

KIND_TAG = "mmx.kind"
RUN_ID = re.compile(r"^[0-9a-f]{32}$")
PER_BATCH = 100  # MLflow's limit on params and on tags in one call
DIGEST_LENGTH = 36  # MLflow's limit
NEWEST = 3

Kind = Literal["fit", "recommendation", "rules", "tuning", "trial", "pooling"]
COMMANDS = {
    "fit": "fit",
    "recommendation": "recommend",
    "rules": "rules run",
    "tuning": "tune",
    "trial": "tune",
    "pooling": "pool",
}


class Run:
    """One run, active or not. Made by `start_run`.

    Attributes
    ----------
    run_id : str or None
        None when nothing is logged.
    warning : str or None
        Why not, or what of it was lost, in one line.
    """

    def __init__(self, client: Any = None, run_id: str | None = None, warning: str | None = None) -> None:
        self._client = client
        self.run_id = run_id
        self.warning = warning

    @property
    def active(self) -> bool:
        """Whether calls reach a store."""
        return self.run_id is not None

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Log settings, numbers and labels in as few calls as the store takes.

        Long params are cut with a marker. Metrics that are not finite are left out and named in the tag
        ``mmx.not_finite``. Characters that MLflow refuses become ``_``. A tag ``git_commit`` also fills MLflow's own column.
        """

        def send(client: Any, run_id: str) -> None:
            from mlflow.entities import Metric, Param, RunTag

            finite, skipped = accepted_metrics(metrics or {})
            labels = accepted_tags(tags or {}, skipped)
            if labels.get("git_commit"):
                labels["mlflow.source.git.commit"] = labels["git_commit"].partition("+")[0]
            now = int(time.time() * 1000)
            p = [Param(k, v) for k, v in accepted_params(params or {}).items()]
            m = [Metric(k, v, now, 0) for k, v in finite.items()]
            t = [RunTag(k, v) for k, v in labels.items()]
            for i in range(0, max(len(p), len(m), len(t)), PER_BATCH):
                part = slice(i, i + PER_BATCH)
                client.log_batch(run_id, metrics=m[part], params=p[part], tags=t[part])

        self._do("settings and numbers", send)

    def log_dataset(self, frame: pd.DataFrame, name: str, sha256: str) -> None:
        """Name the table as the run's input: columns, types, rows and the first characters of its sha256."""
        columns = [{"name": str(c), "type": _column_type(t), "required": True} for c, t in frame.dtypes.items()]
        self.log_input(name, sha256, columns, {"num_rows": len(frame), "num_elements": int(frame.size)})

    def log_input(self, name: str, sha256: str, columns: list[dict[str, Any]], profile: dict[str, int]) -> None:
        """Name a table as the run's input, by its description; see `log_dataset`."""

        def send(client: Any, run_id: str) -> None:
            from mlflow.entities import Dataset, DatasetInput, InputTag

            dataset = Dataset(
                name=name,
                digest=sha256[:DIGEST_LENGTH],
                source_type="local",
                source=json.dumps({"uri": name}),
                schema=json.dumps({"mlflow_colspec": columns}),
                profile=json.dumps(profile),
            )
            context = [InputTag("mlflow.data.context", "training")]
            client.log_inputs(run_id, datasets=[DatasetInput(dataset=dataset, tags=context)])

        self._do("the dataset", send)

    def log_folder(self, path: Path) -> None:
        """Log every file of a folder as an artifact, subfolders included."""
        self._do("the files", lambda client, run_id: client.log_artifacts(run_id, str(path)), TRANSFER_SECONDS)

    def finish(self) -> None:
        """Mark the run FINISHED."""
        self._do("the end", lambda client, run_id: client.set_terminated(run_id, "FINISHED"))
        self._client = None

    def fail(self, error_text: str) -> None:
        """Mark the run FAILED, with the text in the tag ``error``, on the run's page and in ``error.txt``."""

        def send(client: Any, run_id: str) -> None:
            client.set_terminated(run_id, "FAILED")
            client.set_tag(run_id, "error", cut(error_text, TAG_LENGTH))
            note = cut(error_text, TAG_LENGTH - 100)
            client.set_tag(run_id, "mlflow.note.content", f"This run failed.\n\n```\n{note}\n```")
            client.log_text(run_id, error_text + "\n", "error.txt")

        self._do("the error", send)
        self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is None:
            return
        if error is None:
            self.finish()
        elif isinstance(error, MmxError):
            self.fail(str(error))
        else:
            self.fail("".join(traceback.format_exception(kind, error, trace)).rstrip())

    def _do(self, what: str, send: Callable[[Any, str], None], seconds: int = ANSWER_SECONDS) -> None:
        if self._client is None or self.run_id is None:
            return
        try:
            with calm(seconds):
                send(self._client, self.run_id)
        except Exception as error:
            self.warning = (
                f"{what} of run {self.run_id} could not be logged to MLflow: {one_line(error)}. "
                "The output folder is complete; this run is not tracked from here on."
            )
            self._client, self.run_id = None, None


def start_run(
    settings: TrackingSettings, *, name: str, kind: Kind, parent: str | None = None, started: float | None = None
) -> Run:
    """Start a run, or return an inactive one that says why.

    Parameters
    ----------
    settings : TrackingSettings
        ``uri: null`` gives an inactive run without a warning.
    name : str
        Shown in the table of runs.
    kind : {"fit", "recommendation", "rules", "tuning", "trial", "pooling"}
        Becomes the tag ``mmx.kind``.
    parent : str, optional
        Run id of the fit that a recommendation belongs to; the run goes into its experiment. A parent that this store
        does not know leaves the run on its own, with a warning.
    started : float, optional
        When the work began, in seconds since 1970; now by default.
    """
    if settings.uri is None:
        return Run()
    try:
        client = connect(settings.uri)
        with calm(ANSWER_SECONDS):
            tags = {
                KIND_TAG: kind,
                "mlflow.user": _user(),
                "mlflow.source.name": f"mmx {COMMANDS[kind]}",
                "mlflow.source.type": "LOCAL",
            }
            above = find_run(client, parent)
            warning = None
            if above is not None:
                tags["mlflow.parentRunId"] = above.info.run_id
                experiment = above.info.experiment_id
            else:
                experiment = experiment_id(client, resolve(settings.uri), settings.experiment)
                if parent is not None:
                    tags["mmx.parent"] = parent
                    warning = f"the fit's run {parent} is not in this MLflow store; the {kind} is logged on its own."
            begun = None if started is None else int(started * 1000)
            run = client.create_run(experiment, start_time=begun, tags=tags, run_name=name)
            return Run(client, run.info.run_id, warning)
    except Exception as error:
        return Run(
            warning=f"this {kind} is not logged to MLflow: {one_line(error)}. The output folder is complete; "
            "set tracking.uri to a store that can be reached, or to null for no tracking."
        )


def looks_like_run_id(text: str) -> bool:
    """Whether a text has the form of an MLflow run id: 32 hexadecimal digits."""
    return RUN_ID.match(text) is not None


def fetch_folder(settings: TrackingSettings, run_id: str) -> Path:
    """Download the files of a fit's run into a temporary folder, removed when the process ends.

    Raises
    ------
    MmxError
        When the store cannot be reached, does not know the run, or the run is no fit with files; names the newest fits.
    """
    if settings.uri is None:
        raise MmxError(f"run {run_id} cannot be fetched: tracking.uri is null. Set it, or give the fit's output folder.")
    where = shown(settings.uri)
    try:
        database = resolve(settings.uri).database
        if database is not None and not database.exists():
            raise MmxError(
                f"run {run_id} cannot be fetched from {where}: there is no such store. Give the fit's output folder."
            )
        client = connect(settings.uri)
        with calm(TRANSFER_SECONDS):
            run = find_run(client, run_id)
            if run is None:
                raise MmxError(f"there is no run {run_id} in {where}. {_newest_fits(client)}")
            if run.data.tags.get(KIND_TAG) == "recommendation":
                above = run.data.tags.get("mlflow.parentRunId")
                hint = f"Give its fit, {above}." if above else _newest_fits(client)
                raise MmxError(f"run {run_id} is a recommendation; expected the run of a fit. {hint}")
            if not client.list_artifacts(run_id):
                raise MmxError(f"run {run_id} ({run.info.status}) has no files. {_newest_fits(client)}")
            folder = Path(tempfile.mkdtemp(prefix="mmx-run-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            client.download_artifacts(run_id, "", str(folder))
            return folder
    except MmxError:
        raise
    except Exception as error:
        raise MmxError(
            f"run {run_id} cannot be fetched from {where}: {one_line(error)}. "
            "Check tracking.uri, or give the fit's output folder."
        ) from error


def _newest_fits(client: Any) -> str:
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(
        experiments,
        filter_string=f"tags.`{KIND_TAG}` = 'fit' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=NEWEST,
    )
    if not found:
        return "It holds no finished fit yet: run `mmx fit CONFIG`, or give a fit's output folder."
    lines = [
        f"  {run.info.run_id}  {run.info.run_name}  "
        f"{dt.datetime.fromtimestamp(run.info.start_time / 1000, dt.UTC).strftime('%Y-%m-%d %H:%M')} UTC"
        for run in found
    ]
    return "\n".join(["Give one of the newest fits, or a fit's output folder:", *lines])


def _column_type(dtype: Any) -> str:
    kind = getattr(dtype, "kind", "O")
    return {"f": "double", "i": "long", "u": "long", "b": "boolean", "M": "datetime"}.get(kind, "string")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user entry
        return "unknown"
