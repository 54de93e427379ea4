"""Recommend a budget from a fit: read it, decide, write the exports, log a child run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmx.config import read_config, read_tracking
from mmx.decide.recommend import recommend
from mmx.decide.recommendation import Recommendation
from mmx.errors import InputError
from mmx.mmm.store import read
from mmx.report.recommendation_files import write_recommendation_files
from mmx.schema import Config
from mmx.track.content import recommendation_record
from mmx.track.store import fetch_folder, looks_like_run_id
from mmx.workflows.fit import CONFIG, JOURNAL, POSTERIOR, SUMMARY, default_folder
from mmx.workflows.folder import output_folder, refuse_existing
from mmx.workflows.journal import Journal
from mmx.workflows.tracked import tracked

RECOMMENDATION = "recommendation.json"


@dataclass(frozen=True)
class RecommendOutcome:
    """What a recommendation left behind."""

    folder: Path
    recommendation: Recommendation
    config: Config


def run_recommend(
    source: str | Path,
    *,
    overrides: tuple[str, ...] = (),
    out: str | Path | None = None,
    force: bool = False,
    allow_unconverged: bool = False,
    quiet: bool = False,
    since: str | Path | None = None,
) -> RecommendOutcome:
    """Recommend a budget from an output folder of ``mmx fit`` or from an MLflow run.

    Parameters
    ----------
    source : path or run id
    overrides : tuple of str
        ``budget.total=...``, ``budget.objective=cvar``: settings that differ from the fit's.
    out : path, optional
        Output folder; a new one under ``output.dir`` by default.
    force, allow_unconverged, quiet : bool
    since : path, optional
        ``recommendation.json`` of an earlier recommendation, or the folder that holds it, to compare with.

    Raises
    ------
    InputError, DecisionError, NotConvergedError, OutputError
    """
    folder = fit_folder(source, overrides)
    config = stored_config(folder, overrides)
    target = Path(out) if out is not None else default_folder(config, "recommendation")
    refuse_existing(target, force)
    before = None if since is None else earlier_content(Path(since))
    journal = Journal(quiet=quiet)
    inputs = [folder / POSTERIOR, *([] if since is None else [earlier_file(Path(since))])]
    with journal.stage("read", inputs=inputs, label=f"read the fit {config.name}"):
        made = read(folder / POSTERIOR)
        parent = json.loads((folder / SUMMARY).read_text(encoding="utf-8")).get("mlflow_run_id")
    budget = config.budget
    name = f"{config.name} budget"
    with tracked(config.tracking, journal, name=name, kind="recommendation", parent=parent) as open_run:
        with output_folder(target, force) as partial:
            journal.open(partial / JOURNAL)
            with journal.stage("recommend", label=f"recommend the next {budget.horizon} periods") as stage:
                say, seed = stage.update, config.seed
                made_plan = recommend(made, budget, allow_unconverged=allow_unconverged, seed=seed, say=say, since=before)
                for note in made_plan.notes:
                    stage.decide(note)
            with journal.stage("report", label="write the exports") as stage:
                stage.outputs = write_recommendation_files(partial, made_plan, progress=stage.update)
        journal.open(target / JOURNAL)
        run = open_run() if config.tracking.uri is not None else None
        if run is not None and run.active:
            with journal.stage("log", label="log the run to MLflow") as stage:
                run.log(*recommendation_record(made_plan))
                run.log_folder(target)
                if run.warning:
                    stage.warn(run.warning)
    return RecommendOutcome(target, made_plan, config)


def fit_folder(source: str | Path, overrides: Sequence[str] = ()) -> Path:
    """Folder of a fit, fetched from MLflow where a run id is given; overrides may name the store (``tracking.uri=...``).

    Raises
    ------
    InputError
        If there is neither such a folder nor such a run.
    """
    folder = Path(source)
    if not folder.is_dir() and looks_like_run_id(str(source)):
        return fetch_folder(read_tracking([o for o in overrides if o.startswith("tracking.")]), str(source))
    missing = [n for n in (POSTERIOR, CONFIG, SUMMARY) if not (folder / n).is_file()]
    if missing:
        what = f"the folder {folder} lacks {', '.join(missing)}" if folder.is_dir() else f"there is no folder {folder}"
        raise InputError(f"{what}; expected an output folder of `mmx fit`, or the id of its MLflow run (32 hexadecimal digits)")
    return folder


def earlier_file(since: Path) -> Path:
    """``recommendation.json`` itself, or in its folder."""
    return since / RECOMMENDATION if since.is_dir() else since


def earlier_content(since: Path) -> dict[str, Any]:
    """Read an earlier ``recommendation.json``.

    Raises
    ------
    InputError
        If there is no such file, or it holds no JSON.
    """
    file = earlier_file(since)
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the earlier recommendation {file} cannot be read: {error}. Expected {RECOMMENDATION} of `mmx recommend`, or the "
            "folder that holds it (--since)"
        ) from error
    return content


def stored_config(folder: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Return the configuration that a fit was made with, some settings replaced."""
    return read_config(folder / CONFIG, overrides=overrides)
