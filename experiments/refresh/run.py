"""Fit new weeks from an old posterior: whether the means are those of a fit from scratch, and how much sooner they are there.

Run ``python experiments/refresh/run.py`` (minutes; finished cells are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.data.panel import Panel
from mmx.infer.gate import summarise
from mmx.mmm.fit import Fit, diagnose
from mmx.mmm.quantities import roas_draws

HERE = Path(__file__).parent


def until(panel: Panel, periods: int) -> Panel:
    """The panel as it was when its last periods had not happened yet."""
    return replace(panel, data=panel.data.isel(time=slice(0, panel.data.sizes["time"] - periods)))


def means(fit: Fit) -> pd.DataFrame:
    """Mean and Monte-Carlo standard error of all parameters, ROAS and marginal ROAS, by name."""
    table = pd.concat([diagnose(fit), summarise(roas_draws(fit.posterior, fit.effects))]).set_index("name")
    return pd.DataFrame({"mean": table["mean"], "error": table["sd"] / np.sqrt(table["ess_bulk"])})


def cell(panel: Panel, spec: Any, seed: int, new: int) -> dict[str, Any]:
    """One refresh against one fit from scratch of the same weeks, right after each other, everything compiled."""
    old = mmx.fit(until(panel, new), spec, seed=seed)
    refreshed = mmx.fit(panel, spec, seed=seed + 1, start=old)
    scratch = mmx.fit(panel, spec, seed=seed + 2)
    one, two = means(refreshed), means(scratch)
    apart = (one["mean"] - two["mean"]).abs() / np.hypot(one["error"], two["error"])
    return {
        "seconds": {"scratch": scratch.seconds["sample"], "refreshed": refreshed.seconds["sample"]},
        "total": {"scratch": scratch.seconds["total"], "refreshed": refreshed.seconds["total"]},
        "passed": {"scratch": scratch.converged, "refreshed": refreshed.converged},
        "quantities": len(apart),
        "largest": float(apart.max()),
        "which": str(apart.idxmax()),
        "above_4": int((apart > 4).sum()),
        "root_mean_square": float(np.sqrt((apart**2).mean())),
    }


def table_of(results: dict[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """One row per case: how far apart the means are, in combined standard errors, and the ratio of seconds of sampling."""
    rows = []
    for name, cells in results.items():
        ratios = [c["seconds"]["scratch"] / c["seconds"]["refreshed"] for c in cells]
        rows.append(
            {
                "case": name,
                "rounds": len(cells),
                "passed": sum(c["passed"]["refreshed"] for c in cells),
                "quantities": cells[0]["quantities"],
                "largest": max(c["largest"] for c in cells),
                "above_4": sum(c["above_4"] for c in cells),
                "root_mean_square": statistics.median(c["root_mean_square"] for c in cells),
                "times_faster": statistics.median(ratios),
                "least": min(ratios),
            }
        )
    return pd.DataFrame(rows)


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
        results[name] = []
        for i in range(settings["rounds"]):
            path = args.out / f"{name}-{i + 1}.json"
            if not path.is_file():
                simulated = worlds.simulate(case["world"], seed=settings["seed"] + i, periods=case["periods"])
                config, panel = worlds.read(simulated, geos=case["geos"])
                spec = config.spec.model_copy(update={"sampler": config.sampler.model_copy(update=settings["sampling"])})
                found = cell(panel, spec, 10 * i + 1, case["new"])
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                print(f"{name} {i + 1}: {found['largest']:.2f} standard errors apart at most", flush=True)
            results[name].append(json.loads(path.read_text(encoding="utf-8")))
    print(table_of(results).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
