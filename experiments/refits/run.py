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


def round_of(panel: Any, spec: Any, seed: int, weights: list[np.ndarray], lengths: list[int]) -> dict[str, Any]:
    """One fit from scratch of the whole window, and right after it the refits of expanding windows, each from the last.

    The refits are done once per length, that is, number of draws per chain. What all of them begin with, a fit from scratch
    of the first window, comes before: it compiles what they share.
    """
    first = mmx.fit(panel, spec, seed=seed, weights=weights[0])
    out: dict[str, Any] = {"scratch": summary(mmx.fit(panel, spec, seed=seed, weights=weights[-1])), "refits": {}}
    for length in lengths:
        shorter = spec.model_copy(update={"sampler": spec.sampler.model_copy(update={"draws": length, "warm_draws": length})})
        fit, rows = first, []
        for i, window in enumerate(weights[1:], 1):
            fit = mmx.fit(panel, shorter, seed=seed + i, weights=window, start=fit)
            rows.append(summary(fit))
        out["refits"][str(length)] = rows
    return out


def gradients(row: dict[str, Any]) -> int:
    """All gradients of a fit. One that was sampled twice counts its second attempt only, its seconds both."""
    return int(row["tune_gradients"] or 0) + int(row["draw_gradients"])


def table_of(results: dict[str, list[dict[str, Any]]], reach: float) -> pd.DataFrame:
    """One row per case and length: ratios of all refits of a round to its fit from scratch, their median and their smallest."""
    return pd.DataFrame(
        [line(case, rounds, length, reach) for case, rounds in results.items() for length in rounds[0]["refits"]]
    )


def line(case: str, rounds: list[dict[str, Any]], length: str, reach: float) -> dict[str, Any]:
    """Return the row of one case and one length of refits."""
    alone, refits = [r["scratch"] for r in rounds], [r["refits"][length] for r in rounds]
    rows = [row for group in refits for row in group]
    seconds = [sum(r["seconds"] for r in group) / one["seconds"] for one, group in zip(alone, refits, strict=True)]
    return {
        "case": case,
        "draws": int(length),
        "rounds": len(rounds),
        "refits": len(rows),
        "gradients_of_one": statistics.median(map(gradients, alone)),
        "gradients_ratio": statistics.median(
            sum(map(gradients, group)) / gradients(one) for one, group in zip(alone, refits, strict=True)
        ),
        "seconds_of_one": statistics.median(r["seconds"] for r in alone),
        "seconds_ratio": statistics.median(seconds),
        "smallest": min(seconds),
        "min_ess_of_one": min(r["min_ess"] for r in alone),
        "min_ess": min(r["min_ess"] for r in rows),
        "passed": sum(r["passed"] for r in rows),
        "retried": sum(r["retried"] for r in rows),
        "reached": statistics.median(seconds) <= reach and all(r["passed"] for r in rows),
    }


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
    results: dict[str, list[dict[str, Any]]] = {}
    for name, case in settings["cases"].items():
        panel, spec = case_panel(case, settings["seed"], settings["sampling"])
        weights = windows(panel, settings["folds"], settings["first"])
        results[name] = []
        for i in range(settings["rounds"]):

            def run(
                panel: Any = panel, spec: Any = spec, weights: Any = weights, case: Any = case, i: int = i
            ) -> dict[str, Any]:
                return round_of(panel, spec, settings["seed"] + 100 * i, weights, case["lengths"])

            results[name].append(stored(args.out / f"{name}-{i}.json", run))
    print(table_of(results, settings["reach"]).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
