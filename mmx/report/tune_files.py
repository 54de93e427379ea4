"""Files of a tuning: trials, parameters, front, figures, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmx.report.csv_files import write_csv
from mmx.report.tune_content import front_table
from mmx.report.tune_figures import front_figure, hold_out_figure, importances_figure, slices_figure
from mmx.report.tune_report import tune_report
from mmx.tune.overrides import yaml_diff
from mmx.tune.rule_tuning import RuleTuning

TRIALS, PARAMETERS, FRONT, REPORT = "trials.parquet", "parameters.yaml", "front.csv", "report.md"


def write_tune_files(
    folder: Path, made: RuleTuning, summary: Mapping[str, Any], progress: Callable[[str], None] | None = None
) -> list[str]:
    """Write everything of a tuning but ``summary.json``; returns the names.

    Parameters
    ----------
    folder : Path
    made : RuleTuning
    summary : mapping
        Content of ``summary.json``.
    progress : callable, optional
        Called with the name of each file before it is written.
    """
    writers: dict[str, Callable[[Path], None]] = {
        TRIALS: made.tuning.trials.save,
        PARAMETERS: lambda p: _text(p, parameters_text(made)),
        FRONT: lambda p: write_csv(front_table(made), p),
        "holdout.png": lambda p: hold_out_figure(made, p),
        "front.png": lambda p: front_figure(made, p),
        "slices.png": lambda p: slices_figure(made, p),
        "importances.png": lambda p: importances_figure(made, p),
        REPORT: lambda p: _text(p, tune_report(made, summary)),
    }
    for name, write in writers.items():
        if progress is not None:
            progress(name)
        write(folder / name)
    return list(writers)


def parameters_text(made: RuleTuning) -> str:
    """``parameters.yaml``: the winner as a difference to the defaults, under its verdict."""
    space = made.tuning.search.problem.space
    about = [
        f"# Parameters of the rules, tuned for {made.name} on {made.dates[0]} to {made.dates[1]}.",
        f"# {made.evidence.headline}",
    ]
    return "\n".join(about) + "\n" + yaml_diff(space, made.tuning.vector)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
