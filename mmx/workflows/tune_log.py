"""A tuning in MLflow: one run of the study, a child run for each trial that is worth looking at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.data.ads.history import METRICS
from mmx.track.store import start_run
from mmx.track.tune_content import trial_record, tuning_record

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.schema import Config
    from mmx.track.store import Run
    from mmx.workflows.journal import Journal


def log_tuning(
    run: Run, folder: Path, summary: dict[str, Any], config: Config, history: AccountHistory, journal: Journal
) -> dict[str, Any]:
    """Log a tuning's numbers, files and listed trials; returns the summary with the run's id."""
    if not run.active:
        return summary
    with journal.stage("log", label="log the study to MLflow") as stage:
        run.log(*tuning_record(summary, config))
        days, ad_sets = history.budget.shape
        columns = [{"name": name, "type": "double", "required": True} for name in (*METRICS, "budget")]
        run.log_input(config.name, summary["data_sha256"], columns, {"num_rows": days * ad_sets})
        run.log_folder(folder)
        parent = run.run_id
        for listed in summary["listed"] if parent is not None else ():
            name = f"trial {listed['number']} ({', '.join(listed['roles'])})"
            with start_run(config.tracking, name=name, kind="trial", parent=parent) as child:
                child.log(*trial_record(listed, summary))
                if child.warning:
                    stage.warn(child.warning)
        if run.warning:
            stage.warn(run.warning)
        if run.run_id is not None:
            stage.outputs = [f"run {run.run_id}"]
    return {**summary, "mlflow_run_id": run.run_id}
