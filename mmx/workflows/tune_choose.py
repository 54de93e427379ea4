"""Choose from the stored trials of a tuning by other preferences; nothing is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mmx.errors import ConfigError, InputError, Problem
from mmx.report.tune_files import PARAMETERS, TRIALS
from mmx.tune.overrides import yaml_diff
from mmx.tune.problem import Floats
from mmx.tune.rule_problem import MONEY
from mmx.tune.shortlist import default_rows, ranked
from mmx.tune.trials import Trials, read_trials
from mmx.workflows.fit import SUMMARY
from mmx.workflows.folder import output_folder, refuse_existing, write_text_atomic
from mmx.workflows.journal import Journal
from mmx.workflows.rules import engine_of

if TYPE_CHECKING:
    from mmx.rules.engine import Engine
    from mmx.schema import Config

JOURNAL, CHOICE = "run.jsonl", "choice.json"


@dataclass(frozen=True)
class Choice:
    """A trial chosen from stored ones: ``content`` for programs, ``yaml`` for a configuration, its ``vector``."""

    content: dict[str, Any]
    yaml: str
    vector: Floats
    folder: Path | None


def read_preferences(text: str) -> dict[str, float]:
    """Read ``profit=1,stability=.5``.

    Raises
    ------
    ConfigError
    """
    found: dict[str, float] = {}
    for part in (piece.strip() for piece in text.split(",")):
        name, mark, weight = part.partition("=")
        try:
            if not mark or name.strip() in found:
                raise ValueError
            found[name.strip()] = float(weight)
        except ValueError as error:
            remedy = "Write for example --prefer profit=1,stability=.5"
            raise ConfigError(
                "the preferences cannot be read",
                [Problem("--prefer", repr(part), "OBJECTIVE=WEIGHT once for each, joined by commas", remedy)],
            ) from error
    return found


def read_start(engine: Engine, path: Path) -> Floats:
    """Parameters of a YAML file that says ``rules: {parameters: ...}``, as a vector; others stay at the defaults.

    Raises
    ------
    InputError, ConfigError
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        values = {f"{rule}.{n}": float(v) for rule, own in content["rules"]["parameters"].items() for n, v in own.items()}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise InputError(
            f"the starting point {path} cannot be read: {error}. Expected YAML with rules: {{parameters: {{RULE: {{PARAMETER: "
            "VALUE}}}}, as mmx tune and mmx rules auto write it"
        ) from error
    return engine.space.vector(values)


def run_choose(
    config: Config,
    source: Path,
    preferences: Mapping[str, float],
    *,
    out: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Choice:
    """Choose by other preferences among the trials that a tuning stored.

    Parameters
    ----------
    config : Config
        Of the same rules.
    source : path
        Output folder of ``mmx tune``.
    preferences : mapping of str to float
        Weights of recorded objectives.
    out : path, optional
        Where to write ``parameters.yaml`` and ``choice.json``; nothing is written without.
    force, quiet : bool

    Raises
    ------
    InputError, ConfigError, OutputError
    """
    trials, summary = _read(source)
    space = engine_of(config).space
    if trials.parameters != space.names:
        odd = sorted(set(trials.parameters) ^ set(space.names))
        raise InputError(
            f"the trials in {source} are of other rules: {', '.join(odd[:5])} differ. Choose with the configuration and the "
            "version that tuned them, or tune again"
        )
    if out is not None:
        refuse_existing(out, force)
    rows = ranked(trials, preferences)
    row = int(rows[0])
    vector, text = trials.vectors[row], yaml_diff(space, trials.vectors[row])
    content = _content(trials, summary, row, len(rows), preferences, default_rows(trials, space.default))
    text = f"# {content['headline']}\n# {content['notes'][0]}\n{text}"
    if out is not None:
        with output_folder(out, force) as partial:
            write_text_atomic(partial / PARAMETERS, text)
            write_text_atomic(partial / CHOICE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            journal = Journal(partial / JOURNAL, quiet=quiet)
            with journal.stage("choose", inputs=[source / TRIALS], label="choose from stored trials") as stage:
                stage.rows = len(trials)
    return Choice(content, text, vector, out)


def _read(source: Path) -> tuple[Trials, dict[str, Any]]:
    missing = [name for name in (TRIALS, SUMMARY) if not (source / name).is_file()]
    if missing:
        raise InputError(f"{source} lacks {', '.join(missing)}; expected an output folder of mmx tune")
    summary: dict[str, Any] = json.loads((source / SUMMARY).read_text(encoding="utf-8"))
    return read_trials(source / TRIALS), summary


def _content(
    trials: Trials, summary: Mapping[str, Any], row: int, front: int, preferences: Mapping[str, float], default: Any
) -> dict[str, Any]:
    days = summary["days"]["horizon"]
    numbers = trials.number.tolist()
    earlier = next((one["number"] for one in summary["listed"] if "winner" in one["roles"]), None)
    winner = numbers.index(earlier) if earlier in numbers else None
    places = {"default": int(default[0]) if len(default) else None, "winner": winner, "chosen": row}
    wanted = ", ".join(f"{name} {weight:g}" for name, weight in preferences.items())
    return {
        "study": summary["study"],
        "preferences": dict(preferences),
        "headline": f"Trial {numbers[row]} of {len(trials):,}, by {wanted}, from a front of {front} trials.",
        "notes": [
            "No verdict: this choice was not judged on the hold-out. A search with these weights as tune.objectives is.",
            f"The study's own winner was judged: {summary['headline']}",
        ],
        "number": numbers[row],
        "feasible": bool(trials.violation[row] <= 0.0),
        "objectives": {
            name: {
                key: None if place is None else float(trials.by_fold[place, :, i].mean() / (days if name in MONEY else 1.0))
                for key, place in places.items()
            }
            for i, name in enumerate(trials.objectives)
        },
        "parameters": {n: float(v) for n, v in zip(trials.parameters, trials.vectors[row], strict=True)},
    }
