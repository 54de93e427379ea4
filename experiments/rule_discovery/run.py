"""How often rule discovery finds what is not there, and how often what is.

Run ``python experiments/rule_discovery/run.py`` (minutes; finished cells are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from discovery_accounts import Recipe, planted, simulate
from scipy.stats import binomtest

from mmx.data.ads.history import AccountHistory
from mmx.rules.daily import daily_features
from mmx.rules.discover import discover
from mmx.rules.discovery.found import Discovering, Discovery
from mmx.rules.discovery.terms import hold
from mmx.rules.engine import Engine

HERE = Path(__file__).parent
ENRICHED = 2.0


def cell(recipe: Recipe, seed: int, level: float) -> dict[str, Any]:
    """What discovery says of one account."""
    history = simulate(recipe, seed)
    begun = time.perf_counter()
    discovery = discover(history, Engine(), options=Discovering(level=level), seed=seed)
    seconds = time.perf_counter() - begun
    candidates = [
        {
            "words": c.words,
            **{name: float(f"{getattr(c, name):.6g}") for name in ("effect", "low", "high", "p", "adjusted")},
            "days": c.days,
            "found": c.found,
        }
        for c in discovery.candidates
    ]
    enriched = enrichment(history, discovery) if recipe.drop else []
    return {"proposed": discovery.proposed, "seconds": seconds, "candidates": candidates, "enriched": enriched}


def enrichment(history: AccountHistory, discovery: Discovery) -> list[float]:
    """How much more often the planted rule holds on the day after a found condition than elsewhere, per finding."""
    if not discovery.found:
        return []
    rows = np.arange(100, len(history.dates) - 1)
    features = daily_features(history, rows)
    truth = planted(*(history.metric(name) for name in ("impressions", "reach", "clicks")))[rows + 1]
    runs, out = hold((), features), []
    for candidate in discovery.found:
        inside = hold(candidate.conditions, features)
        out.append(float(truth[inside].mean() / max(truth[runs & ~inside].mean(), 1e-9)))
    return out


def row_of(kind: str, recipe: Recipe, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table.

    Without a planted rule every finding is false, and every interval should hold zero. With one, a finding is true where the
    planted rule holds at least twice as often, or at most half as often, as elsewhere.
    """
    some = sum(any(c["found"] for c in one["candidates"]) for one in cells)
    interval = binomtest(some, len(cells)).proportion_ci(0.9, "wilson")
    every = [c for one in cells for c in one["candidates"]]
    ratios = [ratio for one in cells for ratio in one["enriched"]]
    true = sum(ratio >= ENRICHED or ratio <= 1.0 / ENRICHED for ratio in ratios)
    holds = [c["low"] <= 0.0 <= c["high"] for c in every]
    return {
        "kind": kind,
        "accounts": len(cells),
        "with a finding": some / len(cells),
        "90 % from": interval.low,
        "to": interval.high,
        "findings": sum(c["found"] for c in every),
        "false": len(ratios) - true if recipe.drop else sum(c["found"] for c in every),
        "judged": len(every) / len(cells),
        "p below .1": float(np.mean([c["p"] <= 0.1 for c in every])) if every else float("nan"),
        "interval holds 0": float(np.mean(holds)) if holds and not recipe.drop else float("nan"),
        "seconds": float(np.median([one["seconds"] for one in cells])),
    }


def stored(path: Path, make: Any) -> Any:
    """Content of a finished cell, made where it is missing."""
    if not path.is_file():
        lines = ",\n".join(json.dumps(one) for one in make())  # a line per account
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{path.stem}: done", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    """Run the missing cells, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="two small accounts: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished cells")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind, values in settings["kinds"].items():
        recipe = Recipe(**values)
        name = kind.replace(" %", "").replace(" ", "_")

        def run(recipe: Recipe = recipe) -> list[dict[str, Any]]:
            accounts = settings["planted" if recipe.drop else "accounts"]
            seeds = range(settings["seed"], settings["seed"] + accounts)
            return [cell(recipe, seed, settings["level"]) for seed in seeds]

        rows.append(row_of(kind, recipe, stored(args.out / f"{name}.json", run)))
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False), flush=True)
    return table


if __name__ == "__main__":
    main()
