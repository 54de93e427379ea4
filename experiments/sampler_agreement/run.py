"""Do the three samplers draw from one posterior? Means and 5 / 95 % quantiles of everything, in Monte Carlo standard errors.

Run ``python experiments/sampler_agreement/run.py`` (minutes; finished fits are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.mmm.fit import Fit
from mmx.mmm.quantities import roas_draws
from mmx.mmm.target import coordinate_names

HERE = Path(__file__).parent
STATISTICS = {
    "mean": {"method": "mean"},
    "q05": {"method": "quantile", "prob": 0.05},
    "q95": {"method": "quantile", "prob": 0.95},
}


def quantities(fit: Fit) -> dict[str, np.ndarray]:
    """Every sampled parameter, ROAS and marginal ROAS, each (chain, draw)."""
    posterior = fit.posterior
    names = coordinate_names(posterior.structure, posterior.media)
    columns = np.concatenate([posterior.params[b.name] for b in posterior.structure.blocks], axis=1)
    values = {name: posterior.split_chains(columns[:, i]) for i, name in enumerate(names)}
    return values | roas_draws(posterior, fit.effects)


def summarise(fit: Fit) -> dict[str, Any]:
    """Statistics with their Monte Carlo standard errors, and effective sample sizes."""
    from arviz_stats.base.array import array_stats

    values = quantities(fit)
    stacked = np.stack(list(values.values()), axis=-1)
    estimates = {
        "mean": stacked.mean(axis=(0, 1)),
        "q05": np.quantile(stacked, 0.05, axis=(0, 1)),
        "q95": np.quantile(stacked, 0.95, axis=(0, 1)),
    }
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        "names": list(values),
        "ess": array_stats.ess(stacked, method="bulk", **axes).tolist(),
        **{f"{k}": v.tolist() for k, v in estimates.items()},
        **{f"mcse_{k}": array_stats.mcse(stacked, **axes, **how).tolist() for k, how in STATISTICS.items()},
        "converged": fit.converged,
        "reasons": list(fit.gate.reasons),
    }


def compare(results: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Largest difference between two samplers in combined standard errors, per statistic."""
    rows = []
    for first, second in itertools.combinations(results, 2):
        a, b = results[first], results[second]
        for statistic in STATISTICS:
            error = np.hypot(a[f"mcse_{statistic}"], b[f"mcse_{statistic}"])
            ratio = np.abs(np.array(a[statistic]) - np.array(b[statistic])) / error
            worst = int(ratio.argmax())
            rows.append(
                {
                    "pair": f"{first} - {second}",
                    "statistic": statistic,
                    "quantities": len(ratio),
                    "worst_mcse": float(ratio[worst]),
                    "worst_name": a["names"][worst],
                    "median_mcse": float(np.median(ratio)),
                    "min_ess": float(min(*a["ess"], *b["ess"])),
                }
            )
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the missing fits, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished fits")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    sampling = settings["sampling"]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, case in settings["cases"].items():
        simulated = worlds.simulate(case["world"], seed=settings["seed"], periods=case["periods"])
        config, panel = worlds.read(simulated, geos=case["geos"])
        results = {}
        for sampler in settings["samplers"]:
            store = args.out / f"{name}-{sampler}.json"
            if not store.is_file():
                own = {
                    "sampler": config.sampler.model_copy(update={"name": sampler, **sampling}),
                    "gate": config.gate.model_copy(update=settings["gate"]),
                }
                spec = config.spec.model_copy(update=own)
                began = time.perf_counter()
                fit = mmx.fit(panel, spec, seed=settings["seed"])
                result = {**summarise(fit), "seconds": round(time.perf_counter() - began, 1), "sampling": sampling}
                store.write_text(json.dumps(result) + "\n", encoding="utf-8")
                print(f"{name} {sampler}: {result['seconds']} s, converged {result['converged']}", flush=True)
            results[sampler] = json.loads(store.read_text(encoding="utf-8"))
        table = compare(results)
        print(f"\n{name}: {len(results['nutpie']['names'])} quantities\n{table.round(2).to_string(index=False)}", flush=True)
        limits = settings["limits"]
        enough = table["min_ess"].min() >= limits["ess"]
        agree = bool((table["worst_mcse"] < limits["mcse"]).all())
        print(f"{name}: effective sample sizes {'enough' if enough else 'too small to tell'}, agreement {agree}\n", flush=True)


if __name__ == "__main__":
    main()
