"""The demonstration: a simulated world with known truth, fitted, judged, and turned into a budget."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmx.config import read_config
from mmx.report.figures import truth_figure
from mmx.workflows.fit import FitOutcome, run_fit
from mmx.workflows.recommend import RecommendOutcome, run_recommend
from mmx.worlds import simulate, write

WORLD = "clean"


@dataclass(frozen=True)
class DemoOutcome:
    """What the demonstration made."""

    fit: FitOutcome
    recommendation: RecommendOutcome
    truth: dict[str, Any]
    folder: Path


def run_demo(*, seed: int = 1, overrides: tuple[str, ...] = (), quiet: bool = False) -> DemoOutcome:
    """Simulate three years of six channels, fit, recommend the next quarter, log both runs.

    The outputs go to ``output.dir/demo`` and replace those of an earlier demonstration.
    """
    simulated = simulate(WORLD, seed=seed)
    config = read_config({**simulated.settings, "name": "demo"}, overrides=overrides)
    folder = Path(config.output.dir) / "demo"
    table, truth_path, _ = write(simulated, folder / "world" / f"{WORLD}.csv", force=True)
    made = run_fit(config, data=table, out=folder / "fit", force=True, quiet=quiet)
    plan = run_recommend(made.folder, out=folder / "recommendation", force=True, allow_unconverged=True, quiet=quiet)
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    truth_figure(made.fit.tables.channels, truth["roas"], folder / "truth.png")
    return DemoOutcome(made, plan, truth, folder)
