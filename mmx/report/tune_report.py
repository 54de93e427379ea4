"""``report.md`` of a tuning: the verdict first, then what it rests on, and how the search went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmx.report import format as fmt
from mmx.report import tune_words as words
from mmx.report.fit_report import table
from mmx.tune.rule_tuning import RuleTuning

FILES = (
    ("summary.json", "every number of this page, for programs"),
    ("parameters.yaml", "the tuned parameters as a difference to the defaults; a configuration takes it as it is"),
    ("trials.parquet", "every trial: parameters, scores by fold, constraints"),
    ("front.csv", "winner, front, best trials and defaults"),
    ("config.yaml", "the resolved configuration"),
    ("run.jsonl", "what was done, in order"),
)
FRONT_ROWS = 20


def tune_report(made: RuleTuning, summary: Mapping[str, Any]) -> str:
    """Return the text of ``report.md``."""
    lines = [f"# Tuned rules: {fmt.markdown(made.name)}", "", f"> **{fmt.markdown(made.evidence.headline)}**", ""]
    lines += [f"- {fmt.markdown(text)}" for text in made.evidence.basis]
    lines += [f"- {fmt.markdown(text)}" for text in made.notes]
    lines += ["", "## Tuned against defaults", "", *_table(words.HOLD_OUT_HEADER, words.hold_out_rows(made)), ""]
    lines += [
        f"{words.table_sentence(made)} {words.spend_sentence(made)}",
        "",
        "![Tuned minus defaults on the hold-out](holdout.png)",
        "",
    ]
    lines += ["## How much of it is luck", "", *(f"- {text}" for text in words.luck_sentences(made)), ""]
    lines += ["## What a replay would claim", "", words.replay_sentence(made), ""]
    lines += ["## Response models", "", *_table(words.MODEL_HEADER, words.model_rows(made)), ""]
    lines += ["## Tuned parameters", ""]
    changed = words.change_rows(made)
    lines += [*_table(words.CHANGE_HEADER, changed)] if changed else ["The winner is the defaults."]
    lines += ["", "## Search", "", *(f"- {fmt.markdown(text)}" for text in words.search_sentences(made)), ""]
    lines += _listed(made)
    for file, caption in (
        ("front.png", "Front" if made.tuning.search.goals.multi else "Best trial so far"),
        ("slices.png", "Score against parameters"),
        ("importances.png", "Importance of parameters"),
    ):
        lines += [f"![{caption}]({file})", ""]
    lines += ["## Files", "", *(f"- `{file}`: {what}." for file, what in FILES), "", "## Repeat it", "", *_repeat(summary), ""]
    return "\n".join(lines)


def _table(header: list[str], rows: words.Rows) -> list[str]:
    return table(header, [[fmt.markdown(cell) for cell in row] for row in rows])


def _listed(made: RuleTuning) -> list[str]:
    trials, names = made.tuning.trials, made.tuning.trials.objectives
    rows = []
    for one in made.listed[:FRONT_ROWS]:
        mean = trials.by_fold[one.row].mean(axis=0)
        scores = [f"{made.reported(name, value):.5g}" for name, value in zip(names, mean, strict=True)]
        rows.append([str(trials.number[one.row]), ", ".join(one.roles), *scores])
    rest = len(made.listed) - len(rows)
    more = ["", f"and {rest} more in `front.csv`."] if rest > 0 else []
    return [*_table(["Trial", "Role", *names], rows), *more, ""]


def _repeat(summary: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{k} {v}" for k, v in (summary.get("versions") or {}).items())
    return [
        "    mmx tune config.yaml --out NEW_FOLDER",
        "    mmx tune config.yaml --from THIS_FOLDER --prefer roas=1,stability=.5",
        "",
        f"Data: sha256 `{summary['data_sha256']}`. Configuration: sha256 `{summary['config_sha256']}`. Versions: {versions}.",
    ]
