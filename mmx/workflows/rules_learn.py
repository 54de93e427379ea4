"""Learn from a customer's own past: parameters from its distributions, and conditions that no rule has yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmx.data.ads.read import read_history
from mmx.report.csv_files import write_csv
from mmx.rules.auto import Automatic, automatic
from mmx.rules.discover import discover
from mmx.rules.discovery.found import Discovery
from mmx.workflows.folder import output_folder, refuse_existing
from mmx.workflows.journal import Journal
from mmx.workflows.rules import engine_of

if TYPE_CHECKING:
    from mmx.schema import Config

PARAMETERS, LEARNED, FOUND, CONTENT, ENTRY, JOURNAL = (
    "parameters.yaml",
    "learned.csv",
    "conditions.csv",
    "discovery.json",
    "found_rules.py",
    "run.jsonl",
)


@dataclass(frozen=True)
class AutoRun:
    """What ``mmx rules auto`` learned, and where it lies."""

    learned: Automatic
    folder: Path


@dataclass(frozen=True)
class DiscoverRun:
    """What ``mmx rules discover`` found, and where it lies."""

    discovery: Discovery
    folder: Path


def run_auto(config: Config, *, out: Path | None = None, force: bool = False, quiet: bool = False) -> AutoRun:
    """Learn parameters from an account's distributions; writes ``parameters.yaml`` and ``learned.csv``.

    Raises
    ------
    ConfigError, DataError, OutputError
    """
    import pandas as pd

    target = out if out is not None else Path(config.output.dir) / f"{config.name}-auto"
    refuse_existing(target, force)
    journal = Journal(quiet=quiet)
    with journal.stage("read", label="read the tables of ads"):
        history = read_history(config.ads)
    with journal.stage("learn", label="learn parameters"):
        learned = automatic(history, engine_of(config).space)
    with output_folder(target, force) as partial:
        journal.open(partial / JOURNAL)
        (partial / PARAMETERS).write_text(learned.yaml(), encoding="utf-8")
        write_csv(pd.DataFrame(learned.table()), partial / LEARNED)
    return AutoRun(learned, target)


def run_discover(config: Config, *, out: Path | None = None, force: bool = False, quiet: bool = False) -> DiscoverRun:
    """Look for new rules in an account's past; writes every judged condition, and a library file of what was found.

    Raises
    ------
    ConfigError, DataError, OutputError
    """
    import pandas as pd

    target = out if out is not None else Path(config.output.dir) / f"{config.name}-discover"
    refuse_existing(target, force)
    journal = Journal(quiet=quiet)
    with journal.stage("read", label="read the tables of ads"):
        history = read_history(config.ads)
    with journal.stage("discover", label="grow trees, judge their conditions"):
        found = discover(history, engine_of(config), seed=config.seed)
    with output_folder(target, force) as partial:
        journal.open(partial / JOURNAL)
        write_csv(pd.DataFrame(found.table()), partial / FOUND)
        content = {"note": found.note, "proposed": found.proposed, "conditions": found.table()}
        (partial / CONTENT).write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")
        if found.entry:
            (partial / ENTRY).write_text(found.entry, encoding="utf-8")
    return DiscoverRun(found, target)
