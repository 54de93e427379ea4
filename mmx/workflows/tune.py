"""Tune the parameters of an account's rules: read, fit response models, search, judge on days that no trial saw, write, log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from mmx.data.ads.digest import history_sha256
from mmx.data.ads.read import read_history
from mmx.errors import NotConvergedError
from mmx.report.tune_content import summary_content
from mmx.report.tune_files import write_tune_files
from mmx.rules.account import account_of
from mmx.rules.auto import automatic
from mmx.rules.response.settings import ResponseSettings
from mmx.tune.problem import Floats
from mmx.tune.rule_evidence import ModelNote, judge_winner, model_notes
from mmx.tune.rule_problem import check_search, recorded, rule_problem
from mmx.tune.rule_tuning import RuleTuning
from mmx.tune.search import tune
from mmx.tune.shortlist import shortlist
from mmx.tune.study import complete_in
from mmx.validate.rule_backtest import Backtest, Customer, prepare_backtest
from mmx.validate.rule_folds import rule_folds
from mmx.workflows.fit import CONFIG, JOURNAL, default_folder
from mmx.workflows.folder import output_folder, refuse_existing, write_text_atomic
from mmx.workflows.journal import Journal
from mmx.workflows.pooled_start import Beginning, pooled_beginning
from mmx.workflows.provenance import config_sha256, git_commit, lock_sha256, versions
from mmx.workflows.rules import engine_of
from mmx.workflows.tracked import tracked
from mmx.workflows.tune_log import log_tuning, write_summary

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.rules.engine import Engine
    from mmx.rules.parameters import Space
    from mmx.schema import Config
    from mmx.tune_settings import TuneSettings
    from mmx.validate.rule_folds import RuleFolds

STUDIES, AUTO = "studies", "auto"
OWN, LEARNED = "the configuration's own parameters", "those of mmx rules auto"
# What may differ between two runs of one study.
FREE = {"trials", "batch", "workers", "storage", "preferences", "verdict", "shown"}


@dataclass(frozen=True)
class TuneOutcome:
    """What ``mmx tune`` left behind."""

    folder: Path
    made: RuleTuning
    summary: dict[str, Any]


def run_tune(
    config: Config,
    *,
    out: str | Path | None = None,
    force: bool = False,
    starts: Mapping[str, Floats] | None = None,
    allow_unconverged: bool = False,
    quiet: bool = False,
) -> TuneOutcome:
    """Tune the parameters of an account's rules and judge the winner.

    Parameters
    ----------
    config : Config
        With ``ads``, ``rules`` and ``tune``.
    out, force, quiet
        Output folder, a new one under ``output.dir`` by default; whether it may be replaced; no progress.
    starts : mapping of str to array, optional
        Vectors, (parameter,), to try right after the defaults, the configuration's own parameters and those that ``mmx rules
        auto`` learns from the days before the last fold, by where they come from: a pooled posterior's, for example.
        They count in the parameters that are searched.
    allow_unconverged : bool
        Go on although a response model's posterior cannot be used; every output says so.

    Raises
    ------
    ConfigError, DataError, OutputError
    NotConvergedError
        If a response model's posterior cannot be used.
    """
    engine = engine_of(config)
    own = engine.space.vector(config.rules.values)
    folder = Path(out) if out is not None else default_folder(config, "tune")
    refuse_existing(folder, force)
    journal = Journal(quiet=quiet)
    with journal.stage("read", label="read the tables of ads") as stage:
        history = read_history(config.ads)
        folds = rule_folds(len(history.dates), history.immature_days, config.tune.backtest)
        stage.rows = len(history.dates)
    begin = pooled_beginning(config, engine.space, history.until(folds.origins[-1]))
    given = {**begin.starts, OWN: own, LEARNED: learned_start(engine, history, folds, config), **(starts or {})}
    given = {name: np.clip(vector, begin.space.low, begin.space.high) for name, vector in given.items()}
    given = {name: vector for name, vector in given.items() if not np.array_equal(vector, engine.space.default)}
    study = study_name(config, begin.space, history)
    settings = _with_storage(config, study)
    check_search(settings, config.rules.margin)
    with tracked(config.tracking, journal, name=f"{config.name} tuning", kind="tuning") as open_run:
        with output_folder(folder, force) as partial:
            journal.open(partial / JOURNAL)
            backtest, notes = _fit(engine, history, folds, config, journal, allow_unconverged)
            begin = replace(begin, starts=given, notes=(*begin.notes, *notes))
            made = _search(backtest, history, folds, config, settings, study, begin, journal)
            with journal.stage("report", label="write the reports") as stage:
                summary = {**summary_content(made), **_provenance(config)}
                stage.outputs = write_tune_files(partial, made, summary, stage.update)
                text = yaml.safe_dump(config.as_mapping(), sort_keys=False, default_flow_style=None, width=120)
                write_text_atomic(partial / CONFIG, text)
                write_summary(partial, summary)
        journal.open(folder / JOURNAL)
        if config.tracking.uri is not None:
            summary = log_tuning(open_run(), folder, summary, config, history, journal)
    return TuneOutcome(folder, made, summary)


def study_name(config: Config, space: Space, history: AccountHistory) -> str:
    """Name of a study: configuration, data and the settings that must be the same for it to go on."""
    return f"{config.name}-{history_sha256(history)[:8]}-{search_sha256(config, space)[:8]}"


def search_sha256(config: Config, space: Space) -> str:
    """Digest of what makes a score: rules with their parameters, backtest, response model, objectives, screening, seed."""
    content = {
        "rules": config.rules.model_dump(mode="json", exclude={"parameters"}),
        "ads": config.ads.model_dump(mode="json", include={"month_budget", "delay_curve"}),
        "tune": config.tune.model_dump(mode="json", exclude=FREE),
        "seed": config.seed,
        "space": [[name, p.low, p.high, p.default, p.scale] for name, p in zip(space.names, space.parameters, strict=True)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _with_storage(config: Config, study: str) -> TuneSettings:
    """Settings whose storage is a place: the study's own journal where it was left open."""
    settings = config.tune
    if settings.storage.url != AUTO:
        return settings
    path = Path(config.output.dir) / STUDIES / f"{study}.journal"
    path.parent.mkdir(parents=True, exist_ok=True)
    return settings.model_copy(update={"storage": settings.storage.model_copy(update={"url": str(path)})})


def learned_start(engine: Engine, history: AccountHistory, folds: RuleFolds, config: Config) -> Floats:
    """Parameters from the account's own distributions, of days that tuning may use."""
    past = history.until(folds.origins[-1])
    account = account_of(past, config.rules, month_budget=config.ads.month_budget, delay_curve=config.ads.delay_curve)
    return automatic(past, engine.space, account=account).vector


def response_settings(config: Config) -> ResponseSettings:
    """Settings of the response models; days that attribution has not finished are left out."""
    return replace(ResponseSettings(), **config.tune.response.model_dump())


def _fit(
    engine: Engine, history: AccountHistory, folds: RuleFolds, config: Config, journal: Journal, allow_unconverged: bool
) -> tuple[Backtest, list[str]]:
    settings = config.tune
    customer = Customer(config.rules, config.ads.month_budget, tuple(config.ads.delay_curve))
    purge = f", without the {history.immature_days} days before it, whose attribution was not finished" * bool(
        history.immature_days
    )
    notes = [f"The table shows every day as it stands now: the model of an earlier morning is fitted on these numbers{purge}."]
    with journal.stage("models", label=f"fit {len(folds.origins) + 1} response models") as stage:
        backtest = prepare_backtest(
            engine,
            history,
            history.until,
            folds,
            customer,
            settings.backtest,
            response_settings(config),
            objectives=recorded(config.rules.margin),
            limits=settings.constraints,
            seed=config.seed,
            progress=stage.update,
        )
        for note in model_notes(backtest, history, folds):
            stage.decide(f"{note.label}, {note.first} to {note.last}: elasticities {note.identification}")
        failed = [note for note in model_notes(backtest, history, folds) if not note.passed]
        if failed and not allow_unconverged:
            raise NotConvergedError(_failed(failed))
        for note in failed:
            stage.warn(f"NOT CONVERGED: the model of {note.label}: {'; '.join(note.reasons)}")
        if failed:
            labels = ", ".join(note.label for note in failed)
            notes.append(f"NOT CONVERGED: {labels}; the table of response models says why, and --allow-unconverged went on.")
    return backtest, notes


def _failed(failed: list[ModelNote]) -> str:
    lines = [f"  {note.label} ({note.first} to {note.last}): {'; '.join(note.reasons)}" for note in failed]
    return "\n".join(
        [
            "a response model's posterior cannot be used, so that nothing was tuned:",
            *lines,
            "Set tune.response.method=auto, which samples such a part by NUTS, or more tune.response.proposals; "
            "--allow-unconverged goes on without, and says so everywhere.",
        ]
    )


def _search(
    backtest: Backtest,
    history: AccountHistory,
    folds: RuleFolds,
    config: Config,
    settings: TuneSettings,
    study: str,
    begin: Beginning,
    journal: Journal,
) -> RuleTuning:
    before = 0 if settings.storage.url == "memory" else complete_in(settings.storage, study)
    with journal.stage("search", label=f"search with {settings.engine}, {settings.trials} trials") as stage:
        stage.update("screening")
        if before:
            stage.decide(f"the study {study} goes on: it held {before} complete trials")
        vectors = np.stack(list(begin.starts.values())) if begin.starts else None
        progress = lambda done, total: stage.update(f"{done:,} of {total:,} trials")  # noqa: E731
        problem = replace(rule_problem(backtest), space=begin.space)
        found = tune(problem, settings, study=study, seed=config.seed, starts=vectors, progress=progress)
        stage.rows = len(found.trials)
        stage.decide(found.screening.sentence)
    with journal.stage("judge", label="judge the winner on the hold-out"):
        evidence = judge_winner(backtest, found, history, folds, settings.verdict, seed=config.seed)
    return RuleTuning(
        name=config.name,
        account=history.account,
        platform=history.platform,
        currency=history.currency,
        margin=config.rules.margin,
        dates=(str(history.dates[0]), str(history.dates[-1])),
        adsets=len(history.adsets),
        folds=folds,
        horizon=settings.backtest.horizon,
        tuning=found,
        evidence=evidence,
        listed=shortlist(found, settings.shown),
        starts=begin.starts,
        notes=begin.notes,
        engine=settings.engine,
        storage=_shown(settings.storage.url),
        hashes={
            "data": history_sha256(history),
            "config": config_sha256(config),
            "search": search_sha256(config, begin.space),
        },
        seed=config.seed,
    )


def _shown(url: str) -> str:
    """A storage's address without what stands before the @."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if mark else url


def _provenance(config: Config) -> dict[str, Any]:
    return {
        "config_sha256": config_sha256(config),
        "lock_sha256": lock_sha256(),
        "git_commit": git_commit(),
        "versions": versions(),
        "mlflow_run_id": None,
    }
