"""What randomised accounts say of elasticities and curvature: the priors of the response model; see README.md.

Accounts of the simulator, budgets moved at random, are fitted under wide priors. A posterior over its prior is what the data
say (both nearly normal); what accounts have in common is the normal law of their means of largest likelihood. No truth is used.

Run: python experiments/response_model/learn_priors.py [--smoke] [--out FOLDER] [--accounts N]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize

from mmx.rules.padding import pad_history
from mmx.rules.response.data import padded_shape
from mmx.rules.response.fit import fit
from mmx.rules.response.settings import ResponseSettings, Slope
from mmx.worlds.accounts import draw_customer, make_world

HERE = Path(__file__).parent
PLACES = {name: (name, 0) for name in ("impressions", "clicks", "purchases")} | {"curvature": ("purchases", 1)}
CAMPAIGNS = 4


def one_account(seed: int, settings: dict[str, Any], response: ResponseSettings) -> dict[str, Any]:
    """Posterior mean and standard deviation of an account's mean slopes under the wide priors."""
    customer = draw_customer(seed)
    customer = replace(customer, ad_sets=min(customer.ad_sets, settings["ad_sets"]))
    world = make_world(seed, kind="randomised", customer=customer, days=settings["days"], horizon=0)
    history = pad_history(world.history(), settings["ad_sets"], CAMPAIGNS)
    found = fit(history, response, seed=seed, shape=padded_shape(settings["days"], settings["ad_sets"], CAMPAIGNS))
    slopes = {name: found.common[part]["slope"][place] for name, (part, place) in PLACES.items()}
    return {"seed": seed, "passed": found.passed} | {
        name: [round(float(draws.mean()), 5), round(float(draws.std(ddof=1)), 5)] for name, draws in slopes.items()
    }


def common_law(posterior: NDArray[np.float64], prior: Slope) -> dict[str, float]:
    """Mean and standard deviation over accounts, and the standard error of the mean, from (account, (mean, sd))."""
    precision = np.maximum(posterior[:, 1] ** -2.0 - prior.sd**-2.0, 1e-3)
    said = (posterior[:, 0] * posterior[:, 1] ** -2.0 - prior.mean * prior.sd**-2.0) / precision

    def minus_log(x: NDArray[np.float64]) -> float:
        variance = np.exp(2.0 * x[1]) + 1.0 / precision
        return float(0.5 * np.sum(np.log(variance) + (said - x[0]) ** 2 / variance))

    mean, log_sd = minimize(minus_log, [np.average(said, weights=precision), np.log(0.1)], method="Nelder-Mead").x
    error = np.sum(1.0 / (np.exp(2.0 * log_sd) + 1.0 / precision)) ** -0.5
    return {"mean": round(float(mean), 3), "sd": round(float(np.exp(log_sd)), 3), "standard_error": round(float(error), 3)}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Fit what is missing and print what accounts have in common."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="two short accounts: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of fitted accounts")
    parser.add_argument("--accounts", type=int, help="how many, instead of those of priors.yaml")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "priors.yaml").read_text(encoding="utf-8"))
    settings |= settings.pop("smoke") if args.smoke else {}
    wide = {name: Slope(*values) for name, values in settings["priors"].items()}
    response = ResponseSettings(draws=settings["draws"])
    response = replace(response, priors=replace(response.priors, **wide))
    accounts = settings["accounts"] if args.accounts is None else args.accounts
    store = args.out / "priors.jsonl"
    args.out.mkdir(parents=True, exist_ok=True)
    cells = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()] if store.is_file() else []
    for seed in range(settings["seed"], settings["seed"] + accounts):
        if seed not in {cell["seed"] for cell in cells}:
            cells.append(one_account(seed, settings, response))
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(cells[-1]) + "\n")
            print(cells[-1], flush=True)
    kept = [cell for cell in cells if cell["passed"]]
    found = {name: common_law(np.array([cell[name] for cell in kept]), prior) for name, prior in wide.items()}
    print(json.dumps({"accounts": len(kept), "refused": len(cells) - len(kept)} | found, indent=1), flush=True)
    return found


if __name__ == "__main__":
    main()
