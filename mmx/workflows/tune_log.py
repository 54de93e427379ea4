"""A tuning in MLflow: one run of the study, a child run for each trial that is worth looking at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.data.ads.history import METRICS
from mmx.track.store import start_run
from mmx.track.tune_content import trial_record, tuning_record
from mmx.workflows.fit import SUMMARY
from mmx.workflows.folder import write_text_atomic

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.schema import Config
    from mmx.track.store import Run
    from mmx.workflows.journal import Journal

CHILDREN = 20  # Points of a front with a run of their own; all of them are in the files.


def log_tuning(
    run: Run, folder: Path, summary: dict[str, Any], config: Config, history: AccountHistory, journal: Journal
) -> dict[str, Any]:
    """Log a tuning's numbers, files and listed trials; returns the summary with the run's id, as it is in the folder."""
    if not run.active:
        return summary
    with journal.stage("log", label="log the study to MLflow") as stage:
        run.log(*tuning_record(summary, config))
        columns = [{"name": name, "type": "double", "required": True} for name in (*METRICS, "budget")]
        rows = history.budget.size
        run.log_input(config.name, summary["data_sha256"], columns, {"num_rows": rows, "num_elements": rows * len(columns)})
        summary = summary | {"mlflow_run_id": run.run_id}
        write_summary(folder, summary)
        run.log_folder(folder)
        for listed in logged(summary["listed"]):
            if run.run_id is None:
                break
            name = f"trial {listed['number']} ({', '.join(listed['roles'])})"
            with start_run(config.tracking, name=name, kind="trial", parent=run.run_id) as child:
                child.log(*trial_record(listed, summary))
                if child.warning:
                    stage.warn(child.warning)
        if run.warning:
            stage.warn(run.warning)
        if run.run_id is None:
            summary = summary | {"mlflow_run_id": None}
            write_summary(folder, summary)
        else:
            stage.outputs = [f"run {run.run_id}"]
    return summary


def logged(listed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Trials with a run of their own: of a long front evenly spaced points, by their first objective."""
    front = sorted((one for one in listed if one["roles"] == ["front"]), key=lambda one: next(iter(one["objectives"].values())))
    kept = [front[i] for i in np.unique(np.linspace(0, len(front) - 1, min(CHILDREN, len(front))).round().astype(int))]
    return [*(one for one in listed if one["roles"] != ["front"]), *kept]


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``."""
    write_text_atomic(folder / SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
