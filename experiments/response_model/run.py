"""Do posteriors of the response model's quick fit hold the truth? Accounts drawn from the model itself; see README.md.

Run: python experiments/response_model/run.py [--smoke] [--out FOLDER] [--accounts N]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import binom, kstest

from mmx.rules.response.data import padded_shape
from mmx.rules.response.fit import ResponseFit, fit
from mmx.rules.response.generate import Truth, simulate
from mmx.rules.response.settings import ResponseSettings

HERE = Path(__file__).parent


def pairs(found: ResponseFit, truth: Truth) -> dict[str, tuple[Any, float]]:
    """Draws and truth of what decisions rest on and of what the quick path may miss: scales."""
    total = found.draw.slope.sum(axis=0)
    out = {
        "elasticity, account": (total.mean(axis=0), truth.elasticity.mean()),
        "elasticity, an ad set": (total[0], truth.elasticity[0]),
        "curvature": (found.draw.curvature, truth.scales["purchases"]["curvature"]),
        "log order value, an ad set": (found.draw.log_amount[0], truth.levels["amounts"][0]),
        "dispersion of clicks": (found.draw.click_dispersion, truth.scales["clicks"]["dispersion"]),
        "dispersion of purchases": (found.draw.purchase_dispersion, truth.scales["purchases"]["dispersion"]),
    }
    for part in ("impressions", "clicks", "purchases"):
        for name in ("campaign_sd", "adset_sd", "day_sd", "drift_sd"):
            out[f"{name} of {part}"] = (found.common[part][name], truth.scales[part][name])
    return out


def one_account(seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Ranks of the truth among draws, and what the gate says."""
    response = ResponseSettings(draws=settings["draws"], proposals=settings["proposals"])
    sizes = {name: settings[name] for name in ("days", "adsets", "campaigns")}
    history, truth = simulate(seed, response, variation=settings["variation"], **sizes)
    clock = time.process_time()
    found = fit(history, response, seed=seed, shape=padded_shape(*sizes.values()))
    return {
        "seed": seed,
        "cpu": round(time.process_time() - clock, 2),
        "refused": {v.part: list(v.reasons) for v in found.verdicts if not v.passed},
        "khat": {v.part: round(v.khat, 3) for v in found.verdicts},
        "ranks": {name: int((draws < true).sum()) for name, (draws, true) in pairs(found, truth).items()},
    }


def table(cells: list[dict[str, Any]], draws: int) -> str:
    """Coverage of central intervals, and whether ranks are uniform."""
    names, count = list(cells[0]["ranks"]), len(cells)
    low, high = (binom.ppf(q, count, 0.9) / count for q in (0.025, 0.975))
    lines = [f"{count} accounts; 90 % intervals of honest posteriors hold {low:.2f} to {high:.2f} of them, 19 times of 20", ""]
    lines += ["| quantity | 50 % | 90 % | p of uniform ranks |", "|---|---|---|---|"]
    for name in names:
        place = (np.array([cell["ranks"][name] for cell in cells]) + 0.5) / (draws + 1)
        held = [float((np.abs(place - 0.5) < mass / 2).mean()) for mass in (0.5, 0.9)]
        lines.append(f"| {name} | {held[0]:.2f} | {held[1]:.2f} | {kstest(place, 'uniform').pvalue:.2f} |")
    refused = sum(bool(cell["refused"]) for cell in cells)
    cpu = np.median([cell["cpu"] for cell in cells])
    return "\n".join([*lines, "", f"{refused} accounts with a part that the gate refuses; median {cpu:.1f} s CPU for a fit"])


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Fit what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one small account: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished accounts")
    parser.add_argument("--accounts", type=int, help="how many, instead of those of config.yaml")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    settings |= settings.pop("smoke") if args.smoke else {}
    args.out.mkdir(parents=True, exist_ok=True)
    store = args.out / "accounts.jsonl"
    cells = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()] if store.is_file() else []
    done = {cell["seed"] for cell in cells}
    for seed in range(settings["seed"], settings["seed"] + (args.accounts or settings["accounts"])):
        if seed not in done:
            cells.append(one_account(seed, settings))
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(cells[-1]) + "\n")
    print(table(cells, settings["draws"]), flush=True)
    return cells


if __name__ == "__main__":
    main()
