"""Let Meridian answer budget questions: on a small fit of its own, and on grids of our curves; in its own environment.

.peers/meridian/bin/python experiments/decisions/meridian_step.py CASE_FOLDER QUESTIONS.json GRIDS.npz RESULT.json
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))

from case import Case, read_case
from fit_meridian import input_data


def main(arguments: list[str]) -> None:
    """Fit, ask, write."""
    os.environ.setdefault("MERIDIAN_BACKEND", "jax")
    warnings.filterwarnings("ignore")
    folder, questions, grids, out = (Path(a) for a in arguments)
    asked = json.loads(questions.read_text(encoding="utf-8"))
    result = {
        "versions": {"google-meridian": version("google-meridian"), "numpy": np.__version__},
        "fit": own_fit(read_case(folder, asked["options"]), asked["questions"]),
        "curves": {name: ours(name, np.load(grids), asked["curves"][name]) for name in asked["curves"]},
    }
    out.write_text(json.dumps(result) + "\n", encoding="utf-8")


def own_fit(case: Case, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers of ``BudgetOptimizer.optimize`` on a fit, with the grids that it made."""
    from meridian.analysis import optimizer
    from meridian.model import model, spec

    meridian = model.Meridian(input_data=input_data(case), model_spec=spec.ModelSpec(max_lag=case.options["carryover"]))
    tune = case.options["tune"]
    meridian.sample_posterior(n_chains=2, n_adapt=tune, n_burnin=tune, n_keep=case.options["draws"], seed=case.options["seed"])
    asker = optimizer.BudgetOptimizer(meridian)
    answers = []
    for question in questions:
        began = time.perf_counter()
        found = asker.optimize(**question)
        seconds = time.perf_counter() - began
        made = found.optimization_grid
        outcomes = np.asarray(made.incremental_outcome_grid, dtype=float)
        answers.append(
            {
                "question": question,
                "seconds": round(seconds, 2),
                "historical": np.asarray(made.historical_spend, dtype=float).tolist(),
                "spends": lists(np.asarray(made.spend_grid, dtype=float)),
                "outcomes": lists(outcomes),
                "plan": np.asarray(found.optimized_data.spend, dtype=float).tolist(),
            }
        )
    return answers


def ours(name: str, grids: Any, question: dict[str, Any]) -> list[float]:
    """Answer of ``OptimizationGrid.optimize`` on a grid of our curves."""
    import xarray as xr
    from meridian.analysis import optimizer

    spends, outcomes = grids[f"{name}_spends"], grids[f"{name}_outcomes"]
    spend, budget = np.asarray(question["spend"]), question["budget"]
    places = optimizer.get_round_factor(budget, question["gtol"])
    axes = ["grid_spend_index", "channel"]
    made = xr.Dataset(
        {"spend_grid": (axes, spends), "incremental_outcome_grid": (axes, outcomes)},
        coords={"channel": [f"channel {c}" for c in range(len(spend))], "grid_spend_index": np.arange(len(spends))},
        attrs={"spend_step_size": 10**-places},
    )
    nothing = dict.fromkeys(("start_date", "end_date", "optimal_frequency", "selected_geos", "selected_times"))
    choice = {"use_kpi": False, "use_posterior": True, "use_optimal_frequency": False}
    step = optimizer.OptimizationGrid(
        made, historical_spend=spend, gtol=question["gtol"], round_factor=places, **choice, **nothing
    )
    found = step.optimize(
        optimizer.FixedBudgetScenario(total_budget=budget),
        spend_constraint_lower=question["lower"],
        spend_constraint_upper=question["upper"],
    )
    plan: list[float] = np.asarray(found.optimized, dtype=float).tolist()
    return plan


def lists(grid: np.ndarray) -> list[list[float | None]]:
    """Return a grid for JSON, without numbers that are not finite."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in grid]


if __name__ == "__main__":
    main(sys.argv[1:])
