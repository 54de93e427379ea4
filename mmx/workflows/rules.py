"""Decide the next day's budgets of an account by its rules: read, decide, write, log."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.data.ads.read import read_history
from mmx.errors import ConfigError, InputError
from mmx.jax_setup import jax, jnp
from mmx.report.rules_files import write_advice_files
from mmx.rules.account import Log, account_of, start_of
from mmx.rules.advice import Advice, advise
from mmx.rules.calendar import days_ahead, learn_calendar
from mmx.rules.context import State
from mmx.rules.engine import Engine
from mmx.rules.rule import ACTIVE
from mmx.track.rules_content import advice_record
from mmx.workflows.folder import output_folder, refuse_existing
from mmx.workflows.journal import Journal
from mmx.workflows.rules_from import FromPlan, read_plan
from mmx.workflows.rules_response import learned_elasticities
from mmx.workflows.tracked import tracked

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.schema import Config

STATE, JOURNAL = "state.json", "run.jsonl"


@dataclass(frozen=True)
class RulesRun:
    """What ``mmx rules run`` did; ``folder`` is None for a dry run."""

    advice: Advice
    folder: Path | None
    notes: tuple[str, ...]


def engine_of(config: Config) -> Engine:
    """The engine without the rules that the configuration leaves out.

    Raises
    ------
    ConfigError
        If it names a rule that there is none of.
    """
    engine = Engine()
    names = {rule.name for rule in engine.rules}
    for name in config.rules.without:
        if name not in names:
            raise ConfigError(f"rules.without names {name!r}, which is no rule; `mmx rules list` prints all")
        engine = engine.without(name)
    return engine


def run_rules(
    config: Config,
    *,
    date: dt.date | None = None,
    dry_run: bool = False,
    source: Path | None = None,
    out: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> RulesRun:
    """Decide one day.

    Parameters
    ----------
    config : Config
        With ``ads`` and ``rules``.
    date : date, optional
        The day that is decided about; by default the one after the table's last.
    dry_run : bool
        Write and log nothing.
    source : path, optional
        Output folder of ``mmx recommend``: the account's money and incrementality come from it.
    out, force, quiet
        Output folder, ``NAME-rules-DATE`` under ``output.dir`` by default; whether it may be replaced; no progress.

    Raises
    ------
    ConfigError, DataError, InputError, OutputError
    """
    engine = engine_of(config)
    vector = engine.space.vector(config.rules.values)
    journal = Journal(quiet=quiet)
    with journal.stage("read", label="read the tables of ads") as stage:
        history = read_history(config.ads, until=date)
        day = (history.dates[-1] + np.timedelta64(1, "D")).astype("datetime64[D]")
        stage.rows = len(history.dates)
    target = out if out is not None else Path(config.output.dir) / f"{config.name}-rules-{day}"
    if not dry_run:
        refuse_existing(target, force)
    plan = None if source is None else read_plan(source, config, history, day.item())
    earlier = latest_state(config, history.dates[-1].item())
    with tracked(config.tracking, journal, name=f"{config.name} rules {day}", kind="rules") as open_run:
        elasticity, known = learned_elasticities(config, history, journal)
        notes = (*_notes(history, plan, earlier), known)
        with journal.stage("decide", label=f"decide about {day}") as stage:
            advice = _advise(engine, vector, config, history, day, plan, elasticity, earlier)
            for note in notes:
                stage.decide(note)
        if dry_run:
            return RulesRun(advice, None, notes)
        with output_folder(target, force) as partial:
            journal.open(partial / JOURNAL)
            with journal.stage("report", label="write budgets") as stage:
                stage.outputs = write_advice_files(partial, advice)
                (partial / STATE).write_text(json.dumps({"date": str(day), "state": advice.state}, indent=1), encoding="utf-8")
        journal.open(target / JOURNAL)
        run = open_run() if config.tracking.uri is not None else None
        if run is not None and run.active:
            run.log(*advice_record(advice, engine.space.differing(vector), notes))
            run.log_folder(target)
    return RulesRun(advice, target, notes)


def _advise(
    engine: Engine,
    vector: Any,
    config: Config,
    history: AccountHistory,
    day: np.datetime64,
    plan: FromPlan | None,
    elasticity: Log | None,
    earlier: dict[str, Any] | None,
) -> Advice:
    window, state = start_of(history)
    settings, ads = config.rules, config.ads
    money = plan.money if plan is not None else settings.daily_budget or float(history.budget[-1].sum())
    account = account_of(
        history,
        settings,
        month_budget=ads.month_budget,
        delay_curve=ads.delay_curve,
        elasticity=elasticity,
        incrementality=None if plan is None else Log(plan.log_incrementality, plan.log_sd),
    )
    days = days_ahead(np.array([day]), money, learn_calendar(history), settings, history)
    state = state._replace(budget=jnp.round(state.budget, 2))  # what stays as it is stays to the cent
    if earlier is not None:
        state = resumed(state, earlier["state"], history)
    return advise(engine, vector, window, state, account, jax.tree.map(lambda x: x[0], days), history, day)


def latest_state(config: Config, before: dt.date) -> dict[str, Any] | None:
    """State of the newest earlier run of this configuration that decided about a day not after ``before``."""
    found: dict[str, dict[str, Any]] = {}
    for path in Path(config.output.dir).glob(f"{config.name}-rules-*/{STATE}"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found[content["date"]] = {**content, "path": str(path)}
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path} cannot be read ({error}); remove its folder, or restore the file") from error
    days = [date for date in found if dt.date.fromisoformat(date) <= before]
    return found[max(days)] if days else None


def resumed(state: State, kept: dict[str, Any], history: AccountHistory) -> State:
    """The state with the phases of an earlier run: frozen and probing ad sets go on where they were.

    Budgets are those of the table: where a person gave money to a frozen ad set, it is active again.
    """
    place = {name: i for i, name in enumerate(kept["adsets"])}
    arrays = {name: np.array(getattr(state, name), dtype=float) for name in ("phase", "days_in_phase", "before", "failures")}
    for a, name in enumerate(history.adsets):
        if name in place and (kept["phase"][place[name]] != ACTIVE):
            unfrozen = kept["budget"][place[name]] == 0.0 and history.budget[-1, a] > 0.0
            for key, array in arrays.items():
                array[a] = array[a] if unfrozen else kept[key][place[name]]
    phase = jnp.asarray(arrays.pop("phase"), jnp.int32)
    return state._replace(phase=phase, **{name: jnp.asarray(array) for name, array in arrays.items()})


def _notes(history: AccountHistory, plan: FromPlan | None, earlier: dict[str, Any] | None) -> list[str]:
    notes = [] if plan is None else [plan.sentence]
    if earlier is not None:
        notes.append(f"frozen and probing ad sets go on from the run for {earlier['date']} ({earlier['path']})")
    if history.immature_days:
        notes.append(f"purchases and revenue of the last {history.immature_days} days are not used: attribution is not done")
    return notes


def rule_list(engine: Engine) -> list[dict[str, Any]]:
    """Every rule as plain data: ``name, group, kind, purpose, parameters``."""
    fields = ("name", "meaning", "unit", "low", "high", "default")
    return [
        {
            "name": rule.name,
            "group": rule.group,
            "kind": rule.kind,
            "purpose": rule.purpose,
            "parameters": [{key: dataclasses.asdict(p)[key] for key in fields} for p in rule.parameters],
        }
        for rule in engine.rules
    ]
