"""Does a quick look save time where it can be trusted? Pareto k, seconds against NUTS, and ROAS against that of NUTS.

Run ``python experiments/quick_look/run.py`` (minutes; finished fits are stored and skipped) or with ``--smoke``. The gate is
opened for the quick looks, so that they are seen where they would fall back to NUTS.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.mmm.fit import Fit
from mmx.mmm.quantities import roas_draws

HERE = Path(__file__).parent
OPEN = {"max_rhat": 1e9, "min_ess": 1e-9, "min_ebfmi": 1e-9, "max_divergences": 10**9, "max_pareto_k": 1e300}


def case_panel(world: str, periods: int, geos: int | None, seed: int) -> tuple[Any, Any]:
    """Panel and specification of one world, with its first geos where it has any."""
    simulated = worlds.simulate(world, seed=seed, periods=periods)
    table, geo = simulated.table, simulated.settings["data"].get("geo")
    if geo is not None:
        table = table[table[geo].isin(sorted(table[geo].unique())[:geos])]
    config = mmx.read_config(simulated.settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.csv"
        table.to_csv(path, index=False)
        return mmx.load(config, path), config.spec


def summary(fit: Fit) -> dict[str, Any]:
    """Cost, verdict and ROAS (the ``roas[...]`` of all channels) of one fit."""
    importance = fit.draws.importance
    roas = {name: values for name, values in roas_draws(fit.posterior, fit.effects).items() if name.startswith("roas[")}
    statistics = {"mean": np.mean, "sd": np.std, "q05": lambda v: np.quantile(v, 0.05), "q95": lambda v: np.quantile(v, 0.95)}
    shape = None if importance is None else importance.pareto_k
    return {
        "seconds": fit.draws.seconds["sample"],
        "dim": fit.draws.q.shape[2],
        "converged": fit.converged,
        "reasons": list(fit.gate.reasons),
        "min_ess": fit.gate.min_ess,
        "pareto_k": shape if shape is None or np.isfinite(shape) else str(shape),
        "roas": {n: {key: float(f(v)) for key, f in statistics.items()} for n, v in roas.items()},
    }


def run(panel: Any, spec: Any, sampler: str, seed: int, sampling: dict[str, Any]) -> dict[str, Any]:
    """One fit, the second of two for NUTS, so that everything is compiled."""
    settings = spec.sampler.model_copy(update={**sampling, "name": sampler})
    gate = spec.gate if sampler == "nutpie" else spec.gate.model_copy(update=OPEN)
    chosen = spec.model_copy(update={"sampler": settings, "gate": gate})
    if sampler == "nutpie":
        hasty = settings.model_copy(update={"tune": 50, "draws": 50})
        mmx.fit(panel, spec.model_copy(update={"sampler": hasty, "gate": spec.gate.model_copy(update=OPEN)}), seed=seed)
    return summary(mmx.fit(panel, chosen, seed=seed))


def compare(size: str, world: str, sampler: str, quick: dict[str, Any], nuts: dict[str, Any], limit: float) -> dict[str, Any]:
    """A quick look beside NUTS: differences of ROAS means in standard deviations of NUTS, ratios of 90 % interval widths."""
    pairs = [(quick["roas"][name], nuts["roas"][name]) for name in nuts["roas"]]
    return {
        "size": size,
        "world": world,
        "sampler": sampler,
        "dim": quick["dim"],
        "pareto_k": float(quick["pareto_k"]),
        "trusted": float(quick["pareto_k"]) < limit,
        "ess": quick["min_ess"],
        "seconds": quick["seconds"],
        "saving": nuts["seconds"] / quick["seconds"],
        "mean_off": max(abs(q["mean"] - n["mean"]) / n["sd"] for q, n in pairs),
        "width": float(np.median([(q["q95"] - q["q05"]) / (n["q95"] - n["q05"]) for q, n in pairs])),
        "nuts_converged": nuts["converged"],
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the missing fits, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished fits")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for size, names in settings["sizes"].items():
        for world in names:
            panel, spec = case_panel(world, settings["periods"], settings["geos"], settings["seed"])
            results = {}
            for sampler in ("nutpie", *settings["samplers"]):
                store = args.out / f"{size}-{world}-{sampler}.json"
                if not store.is_file():
                    result = run(panel, spec, sampler, settings["seed"], settings["sampling"])
                    store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                    print(f"{store.stem}: {result['seconds']:.2f} s, k {result['pareto_k']}", flush=True)
                results[sampler] = json.loads(store.read_text(encoding="utf-8"))
            limit = settings["max_pareto_k"]
            rows += [compare(size, world, s, results[s], results["nutpie"], limit) for s in settings["samplers"]]
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    for (size, sampler), part in table.groupby(["size", "sampler"]):
        kept = part["trusted"] & (part["ess"] >= spec.gate.min_ess)
        worth = kept & (part["saving"] >= settings["saving"])
        print(f"{size}, {sampler}: k below {settings['max_pareto_k']} in {part['trusted'].sum()} of {len(part)}, with enough")
        print(
            f"    effective draws in {kept.sum()}, and {settings['saving']} times faster than NUTS in {worth.sum()}", flush=True
        )


if __name__ == "__main__":
    main()
