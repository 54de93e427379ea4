"""Pool the rule parameters of several customers whose rules were tuned: read their studies, fit, judge, write, log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from mmx.config import read_config
from mmx.data.ads.read import read_history
from mmx.errors import InputError, NotConvergedError, Problem
from mmx.report.pool_content import pool_content
from mmx.report.pool_files import write_pool_files
from mmx.report.tune_files import TRIALS
from mmx.rules.engine import Engine
from mmx.rules.pooling.place import common_parameters, place
from mmx.rules.pooling.pool import PooledParameters, pool
from mmx.rules.pooling.store import save_pooled
from mmx.rules.pooling.table import PooledRow, pooled_rows
from mmx.rules.pooling.traits import Trait, history_traits
from mmx.track.pool_content import pooling_record
from mmx.tune.customers import SearchedOptimum, searched_optimum
from mmx.tune.problem import Floats
from mmx.tune.trials import Trials, read_trials
from mmx.workflows.fit import CONFIG, JOURNAL, SUMMARY, default_folder
from mmx.workflows.folder import output_folder, refuse_existing, write_text_atomic
from mmx.workflows.journal import Journal
from mmx.workflows.pooled_start import POOLED
from mmx.workflows.provenance import config_sha256, git_commit, lock_sha256, versions
from mmx.workflows.tracked import tracked
from mmx.workflows.tune_log import write_summary

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.rules.parameters import Space
    from mmx.schema import Config


@dataclass(frozen=True)
class Study:
    """A customer's finished search.

    Attributes
    ----------
    config : Config
        With which it was made.
    folder : Path
        Output of ``mmx tune``.
    trials : Trials
    summary : dict
        Content of its ``summary.json``.
    """

    config: Config
    folder: Path
    trials: Trials
    summary: dict[str, Any]

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the objectives that it searched."""
        return {str(name): weight for name, weight in self.config.tune.objectives.items()}


@dataclass(frozen=True)
class PoolOutcome:
    """What ``mmx pool`` left behind."""

    folder: Path
    pooled: PooledParameters
    rows: tuple[PooledRow, ...]
    summary: dict[str, Any]


def read_customers(named: Sequence[str]) -> list[tuple[str, Config, Path | None]]:
    """Read configurations and output folders of ``mmx tune``; texts with a ``=`` are settings that replace theirs.

    Raises
    ------
    ConfigError
    """
    overrides = [text for text in named if "=" in text]
    found = []
    for text in (text for text in named if "=" not in text):
        folder = Path(text) if (Path(text) / CONFIG).is_file() else None
        found.append((text, read_config(text if folder is None else folder / CONFIG, overrides=overrides), folder))
    if not found:
        raise InputError("no customer was named; give configurations, or output folders of mmx tune")
    return found


def run_pool(
    configs: Sequence[tuple[str, Config, Path | None]],
    *,
    out: str | Path | None = None,
    force: bool = False,
    allow_unconverged: bool = False,
    quiet: bool = False,
) -> PoolOutcome:
    """Pool the studies of several customers.

    Parameters
    ----------
    configs : sequence of (str, Config, path or None)
        Of each customer: how the user named it, its configuration, and the output folder of ``mmx tune``; without a folder the
        newest one of that name under ``output.dir``. ``pool``, ``sampler``, ``gate``, ``seed``, ``tracking`` and ``output`` are
        those of the first.
    out, force, quiet
        Output folder, a new one under ``output.dir`` by default; whether it may be replaced; no progress.
    allow_unconverged : bool
        Go on although the pool failed its gate; every output says so.

    Raises
    ------
    InputError
        If a customer has no finished study, with the command that makes one; if customers cannot be pooled.
    DataError, OutputError
    NotConvergedError
        If the posterior cannot be used.
    """
    studies = find_studies(configs)
    config, space = configs[0][1], Engine().space
    folder = Path(out) if out is not None else default_folder(config.model_copy(update={"name": "customers"}), "pool")
    refuse_existing(folder, force)
    journal = Journal(quiet=quiet)
    with journal.stage("read", label="read studies and tables") as stage:
        histories = {name: read_history(study.config.ads) for name, study in studies.items()}
        traits = _traits(histories)
        stage.rows = sum(len(study.trials) for study in studies.values())
    with tracked(config.tracking, journal, name=f"pool of {len(studies)} customers", kind="pooling") as open_run:
        with output_folder(folder, force) as partial:
            journal.open(partial / JOURNAL)
            pooled, rows, found = _fit(studies, traits, space, config, journal)
            reasons = "; ".join(pooled.gate.reasons)
            if not pooled.gate.passed and not allow_unconverged:
                raise NotConvergedError(
                    f"the pool's posterior cannot be used: {reasons}. Set pool.tune and pool.draws higher, or pool fewer "
                    "parameters (pool.common.most); --allow-unconverged goes on without, and says so everywhere"
                )
            with journal.stage("report", label="write the reports") as stage:
                if not pooled.gate.passed:
                    stage.warn(f"NOT CONVERGED: {reasons}")
                told = {name: _told(study, found[name]) for name, study in studies.items()}
                summary = {**pool_content(pooled, rows, traits, told, config.pool), **_provenance(config, studies)}
                save_pooled(pooled, partial / POOLED)
                stage.outputs = [POOLED, *write_pool_files(partial, rows, summary)]
                text = yaml.safe_dump(config.as_mapping(), sort_keys=False, default_flow_style=None, width=120)
                write_text_atomic(partial / CONFIG, text)
                write_summary(partial, summary)
        journal.open(folder / JOURNAL)
        if config.tracking.uri is not None:
            run = open_run()
            if run.active:
                run.log(*pooling_record(summary, config))
                summary = summary | {"mlflow_run_id": run.run_id}
                write_summary(folder, summary)
                run.log_folder(folder)
    return PoolOutcome(folder, pooled, rows, summary)


def find_studies(configs: Sequence[tuple[str, Config, Path | None]]) -> dict[str, Study]:
    """The studies by the customers' names; raises ``InputError`` for every customer without one."""
    problems, found = [], {}
    for named, config, folder in configs:
        place_of = folder or newest_study(config)
        if place_of is None:
            came = f"no output folder of mmx tune for {config.name} under {config.output.dir}"
            problems.append(Problem(named, came, "a finished study", f"Run: mmx tune {named}"))
        elif config.name in found:
            came = f"the name {config.name} came twice"
            todo = "Leave one out, or give each customer's configuration a name of its own and tune it again."
            problems.append(Problem(named, came, "one study per customer", todo))
        else:
            found[config.name] = _read(config, place_of)
    if not problems and len(found) < 2:
        problems.append(Problem("CONFIGS", f"{len(found)} customer came", "two or more", "Name more tuned customers."))
    if problems:
        raise InputError("these customers cannot be pooled", problems)
    return found


def newest_study(config: Config) -> Path | None:
    """The newest output folder of ``mmx tune`` of this configuration under ``output.dir``."""
    found = {}
    for path in Path(config.output.dir).glob(f"*/{TRIALS}"):
        summary = path.parent / SUMMARY
        if summary.is_file() and _summary(path.parent).get("name") == config.name:
            found[summary.stat().st_mtime_ns] = path.parent
    return found[max(found)] if found else None


def _read(config: Config, folder: Path) -> Study:
    if not (folder / TRIALS).is_file() or not (folder / SUMMARY).is_file():
        raise InputError(f"{folder} holds no {TRIALS}; expected an output folder of mmx tune")
    return Study(config, folder, read_trials(folder / TRIALS), _summary(folder))


def _summary(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder / SUMMARY} cannot be read ({error}); run mmx tune again") from error
    return content


def _traits(histories: Mapping[str, AccountHistory]) -> dict[str, dict[str, Trait]]:
    currencies = {history.currency for history in histories.values()}
    if len(currencies) > 1:
        came = ", ".join(f"{name} in {history.currency}" for name, history in histories.items())
        wrong = Problem("ads.currency", came, "one currency, in which spend and order values compare", "Pool them apart.")
        raise InputError("these customers cannot be pooled", [wrong])
    return {name: history_traits(history) for name, history in histories.items()}


def _fit(
    studies: Mapping[str, Study], traits: Mapping[str, Mapping[str, Trait]], space: Space, config: Config, journal: Journal
) -> tuple[PooledParameters, tuple[PooledRow, ...], dict[str, SearchedOptimum]]:
    settings = config.pool
    with journal.stage("optima", label="read off every customer's optimum") as stage:
        found = {
            name: searched_optimum(name, s.trials, s.weights, space, settings.optimum, config.seed)
            for name, s in studies.items()
        }
        shares = [study.summary["search"]["importances"] for study in studies.values()]
        parameters = common_parameters(shares, settings.common)
        if not parameters:
            wrong = Problem("pool.common", "no parameter was searched by two of them", "one at least", "Lower the share.")
            raise InputError("these customers cannot be pooled", [wrong])
        stage.decide(f"{len(parameters)} parameters are pooled: {', '.join(parameters)}")
    default = default_point(space, parameters, settings.optimum.edge)
    optima = {name: place(one.optimum, one.searched, parameters, default) for name, one in found.items()}
    with journal.stage("pool", label=f"fit the hierarchy of {len(optima)} customers"):
        pooled = pool(space, parameters, optima, traits, settings, config.sampler, config.gate, seed=config.seed)
    covariates = np.stack([pooled.encoding.encode(traits[name]) for name in pooled.customers])
    searched = {name: one.searched for name, one in found.items()}
    rows = pooled_rows(pooled, space, optima, covariates, searched, settings.mass, seed=config.seed)
    return pooled, rows, found


def default_point(space: Space, parameters: Sequence[str], edge: float) -> Floats:
    """The defaults of some parameters in unconstrained coordinates, (coordinate,), within the ends of the searches."""
    return np.clip(space.to_free(space.default)[[space.index(name) for name in parameters]], -edge, edge)


def _told(study: Study, found: SearchedOptimum) -> dict[str, Any]:
    """What a report says of a customer's study."""
    return {
        "folder": str(study.folder),
        "study": study.summary["study"],
        "trials": found.trials,
        "searched": len(found.searched),
        "surrogate": found.optimum.surrogate,
        "surrogate_error": found.optimum.fit,
        "verdict": study.summary["headline"],
        "data_sha256": study.summary["data_sha256"],
    }


def _provenance(config: Config, studies: Mapping[str, Study]) -> dict[str, Any]:
    return {
        "config_sha256": config_sha256(config),
        "customer_sha256": {name: study.summary["config_sha256"] for name, study in studies.items()},
        "lock_sha256": lock_sha256(),
        "git_commit": git_commit(),
        "versions": versions(),
        "mlflow_run_id": None,
    }
