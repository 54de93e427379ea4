"""What do ten refits of an expanding window cost when each starts from the last? In gradients and in seconds of sampling.

Run ``python experiments/refits/run.py`` (minutes; finished cells are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.mmm.fit import Fit

HERE = Path(__file__).parent


def case_panel(case: dict[str, Any], seed: int, sampling: dict[str, Any]) -> tuple[Any, Any]:
    """Panel and specification of one simulated case."""
    simulated = worlds.simulate(case["world"], seed=seed, periods=case["periods"])
    config, panel = worlds.read(simulated, geos=case["geos"])
    return panel, config.spec.model_copy(update={"sampler": config.sampler.model_copy(update=sampling)})


def windows(panel: Any, folds: int, first: float) -> list[np.ndarray]:
    """Row weights of expanding windows: one that everything starts from, then one per fold."""
    rows = np.flatnonzero(panel.window)
    sizes = np.linspace(first * len(rows), len(rows), folds + 1).round().astype(int)
    weights = np.zeros((len(sizes), len(panel.window)))
    for one, size in zip(weights, sizes, strict=True):
        one[rows[:size]] = 1.0
    return list(weights)


def summary(fit: Fit) -> dict[str, Any]:
    """Cost and quality of one fit."""
    draws = fit.draws
    return {
        "rows": int((fit.posterior.weights > 0).sum()),
        "tune_gradients": draws.tune_steps,
        "draw_gradients": int(draws.stats["n_steps"].sum()),
        "seconds": fit.seconds["sample"],
        "passed": fit.converged,
        "reasons": list(fit.gate.reasons),
        "retried": any("sampled once more" in decision for decision in fit.decisions),
        "min_ess": fit.gate.min_ess,
        "max_rhat": fit.gate.max_rhat,
    }


def scratch(panel: Any, spec: Any, seed: int, repeats: int) -> list[dict[str, Any]]:
    """Fits from scratch of the whole window; one more comes first, in which everything is compiled."""
    return [summary(mmx.fit(panel, spec, seed=seed + i)) for i in range(repeats + 1)][1:]


def refits(panel: Any, spec: Any, seed: int, weights: list[np.ndarray]) -> list[dict[str, Any]]:
    """Fits of expanding windows, each started from the last; the first window is fitted from scratch and not counted."""
    fit = mmx.fit(panel, spec, seed=seed, weights=weights[0])
    rows = []
    for i, window in enumerate(weights[1:], 1):
        fit = mmx.fit(panel, spec, seed=seed + i, weights=window, start=fit)
        rows.append(summary(fit))
    return rows


def gradients(row: dict[str, Any]) -> int:
    """All gradients of a fit. One that was sampled twice counts its second attempt only, its seconds both."""
    return int(row["tune_gradients"] or 0) + int(row["draw_gradients"])


def table_of(results: dict[str, Any], reach: float) -> pd.DataFrame:
    """One row per case and tuning."""
    lines = []
    for (case, tune), rows in results["refits"].items():
        alone = results["scratch"][case]
        one = statistics.median(gradients(r) for r in alone)
        seconds = statistics.median(r["seconds"] for r in alone)
        ratio = sum(r["seconds"] for r in rows) / seconds
        lines.append(
            {
                "case": case,
                "warm_tune": tune,
                "refits": len(rows),
                "gradients_of_one": one,
                "gradients_ratio": sum(map(gradients, rows)) / one,
                "seconds_of_one": seconds,
                "seconds_ratio": ratio,
                "min_ess_of_one": min(r["min_ess"] for r in alone),
                "min_ess": min(r["min_ess"] for r in rows),
                "passed": sum(r["passed"] for r in rows),
                "retried": sum(r["retried"] for r in rows),
                "reached": ratio <= reach and all(r["passed"] for r in rows),
            }
        )
    return pd.DataFrame(lines)


def stored(path: Path, make: Any) -> Any:
    """Content of a finished cell, made where it is missing."""
    if not path.is_file():
        result = make()
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"{path.stem}: done", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Run the missing cells, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished cells")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"scratch": {}, "refits": {}}
    seed = settings["seed"]
    for name, case in settings["cases"].items():
        panel, spec = case_panel(case, seed, settings["sampling"])
        weights = windows(panel, settings["folds"], settings["first"])

        def once(panel: Any = panel, spec: Any = spec) -> list[dict[str, Any]]:
            return scratch(panel, spec, seed, settings["repeats"])

        results["scratch"][name] = stored(args.out / f"{name}-scratch.json", once)
        for tune in settings["warm_tune"]:
            warm = spec.model_copy(update={"sampler": spec.sampler.model_copy(update={"warm_tune": tune})})

            def folds(panel: Any = panel, warm: Any = warm, weights: Any = weights) -> list[dict[str, Any]]:
                return refits(panel, warm, seed, weights)

            results["refits"][name, tune] = stored(args.out / f"{name}-{tune}.json", folds)
    print(table_of(results, settings["reach"]).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
