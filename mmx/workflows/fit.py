"""Fit a configuration: load, sample, judge, write the output folder, log the run."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmx.config import merge, read_config
from mmx.data.lift import LiftTests, read_lift_tests
from mmx.data.load import load
from mmx.data.panel import Panel
from mmx.data.source import locate
from mmx.errors import InputError
from mmx.mmm.fit import Fit, fit
from mmx.mmm.lift_check import used_tests
from mmx.mmm.store import read, save
from mmx.report.fit_files import write_fit_files
from mmx.report.painters import Painters, painters
from mmx.schema import Config
from mmx.track.content import fit_record
from mmx.track.store import Run
from mmx.workflows.folder import output_folder, refuse_existing, write_text_atomic
from mmx.workflows.journal import Journal
from mmx.workflows.provenance import config_sha256, git_commit, lock_sha256, versions
from mmx.workflows.tracked import tracked

SUMMARY, POSTERIOR, CONFIG, JOURNAL = "summary.json", "posterior.nc", "config.yaml", "run.jsonl"


@dataclass(frozen=True)
class FitOutcome:
    """What a fit left behind.

    Attributes
    ----------
    folder : Path
    fit : Fit
    summary : dict
        Content of ``summary.json``.
    config : Config
        As written to ``config.yaml``.
    """

    folder: Path
    fit: Fit
    summary: dict[str, Any]
    config: Config


def run_fit(
    config: Config,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    start: str | Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> FitOutcome:
    """Fit a configuration and write everything a colleague needs to trust or repeat it.

    Parameters
    ----------
    config : Config
    data : path, optional
        Table to use instead of ``data.path``.
    out : path, optional
        Output folder; a new one under ``output.dir`` by default.
    start : path, optional
        Output folder of an earlier fit with the same parameters, to start the chains from. Its digest is recorded.
    force : bool
        Replace an existing output folder.
    quiet : bool
        Show no progress.

    Returns
    -------
    FitOutcome
        Also when the gate failed.

    Raises
    ------
    DataError, OutputError, InputError
        Nothing is left behind then but a run marked FAILED.
    """
    folder = Path(out) if out is not None else default_folder(config, "fit")
    refuse_existing(folder, force)
    path = locate(config, data)
    journal = Journal(quiet=quiet)
    with tracked(config.tracking, journal, name=config.name, kind="fit") as open_run, painters() as drawing:
        with output_folder(folder, force) as partial:
            journal.open(partial / JOURNAL)
            with journal.stage("load", inputs=[path], label=f"load {path.name}") as stage:
                panel = load(config, path)
                tests = read_lift_tests(config, panel)
                config = tests.config
                stage.rows = panel.describe()["time"] * panel.describe()["geo"]
                stage.inputs += [tests.source] if tests.source else []
                for note in (*panel.notes, *tests.notes):
                    stage.decide(note)
            made = _sample(panel, config, journal, None if start is None else Path(start) / POSTERIOR)
            config = read_config(merge(config.as_mapping(), {"data": {"path": str(path.resolve())}}))
            with journal.stage("report", label="compute and write the reports") as stage:
                summary = summarise(made, config, tests)
                stage.outputs = _write(partial, made, config, summary, drawing, stage.update)
        journal.open(folder / JOURNAL)
        if config.tracking.uri is not None:
            _log(open_run(), folder, made, config, summary, journal)
    return FitOutcome(folder, made, summary, config)


def _sample(panel: Panel, config: Config, journal: Journal, start: Path | None) -> Fit:
    settings = config.sampler
    label = f"sample with {settings.name}, {settings.chains} chains x {settings.draws} draws"
    with journal.stage("sample", label=label) as stage:

        def progress(done: int, total: int, divergences: int) -> None:
            diverged = f", {divergences} divergent" if divergences else ""
            stage.update(f"{done:,} of {total:,} draws, tuning included{diverged}")

        earlier = None if start is None else read(start)
        try:
            made = fit(panel, config.spec, seed=config.seed, start=earlier, progress=progress)
        except ValueError as error:
            if start is None:
                raise
            raise InputError(f"the fit cannot start from {start}: {error}") from error
        stage.inputs, stage.rows = [Path(panel.source).name], int(made.posterior.window.sum()) * made.posterior.structure.geos
        for decision in made.decisions:
            stage.decide(decision)
        for reason in made.gate.reasons:
            stage.warn(f"not converged: {reason}")
    return made


def default_folder(config: Config, kind: str) -> Path:
    """New folder under ``output.dir``, named after the configuration, the job and the time."""
    now = dt.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path(config.output.dir) / f"{config.name}-{kind}-{now}"


def summarise(made: Fit, config: Config, tests: LiftTests) -> dict[str, Any]:
    """Content of ``summary.json``, format 1, before the run id is known."""
    gate = made.gate
    content = {
        "format": 1,
        "name": config.name,
        "converged": made.converged,
        "reasons": list(gate.reasons),
        "gate": gate.as_mapping(),
        "sampler": {"name": made.draws.sampler, **made.draws.settings},
        "seconds": made.seconds,
        "min_ess": gate.min_ess,
        "max_rhat": gate.max_rhat,
        "divergences": gate.divergences,
        "channels": made.tables.channel_stats(),
        "fit": made.tables.fit,
        "window": made.panel.describe(),
        "notes": [*made.panel.notes, *tests.notes],
        "decisions": list(made.decisions),
        "lift_tests": used_tests(tests, made.panel, made.posterior.weights > 0),
        "data_sha256": made.panel.sha256,
        "config_sha256": config_sha256(config),
        "weights_sha256": made.weights_sha256,
        "start_sha256": made.start_sha256,
        "fit_sha256": made.sha256,
        "lock_sha256": lock_sha256(),
        "git_commit": git_commit(),
        "seed": config.seed,
        "versions": versions(),
        "mlflow_run_id": None,
    }
    finite: dict[str, Any] = _finite(content)
    return finite


def _finite(value: Any) -> Any:
    """Replace numbers that JSON cannot hold by null."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(
    folder: Path, made: Fit, config: Config, summary: dict[str, Any], drawing: Painters, progress: Callable[[str], None]
) -> list[str]:
    """Write all files; what can be drawn beside the rest is asked for first."""
    files = write_fit_files(
        folder,
        made.tables,
        summary,
        notes=[*summary["notes"], *made.decisions],
        currency=made.panel.currency,
        target_kind=made.panel.target_kind,
        name=config.name,
        progress=progress,
        painters=drawing,
    )
    progress(POSTERIOR)
    save(made, folder / POSTERIOR)
    write_text_atomic(folder / CONFIG, yaml.safe_dump(config.as_mapping(), sort_keys=False, default_flow_style=None, width=120))
    drawing.finish()
    _write_summary(folder, summary)
    return [POSTERIOR, CONFIG, *files, SUMMARY]


def _write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    write_text_atomic(folder / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _log(run: Run, folder: Path, made: Fit, config: Config, summary: dict[str, Any], journal: Journal) -> None:
    """Log the run; the run id is written to ``summary.json`` once the run holds the rest."""
    if not run.active:
        return
    with journal.stage("log", label="log the run to MLflow") as stage:
        params, metrics, tags = fit_record(summary, config)
        run.log(params, metrics, tags)
        panel = made.panel
        frame = panel.data[["kpi", "unit_value"]].to_dataframe().reset_index()
        run.log_dataset(frame, Path(panel.source).name, panel.sha256)
        if run.active:
            summary["mlflow_run_id"] = run.run_id
            _write_summary(folder, summary)
            run.log_folder(folder)
        if run.run_id is None and summary["mlflow_run_id"] is not None:
            summary["mlflow_run_id"] = None
            _write_summary(folder, summary)
        if run.run_id is not None:
            stage.outputs = [f"run {run.run_id}"]
        if run.warning:
            stage.warn(run.warning)
