"""Search default parameters of the rules that are good for simulated customers on average; see README.md.

Run: python experiments/rule_defaults/run.py [--smoke] [--shares | --value | --unspent]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmx.config import read_config
from mmx.rules.engine import Engine
from mmx.validate.rule_policy import RulePolicy
from mmx.validate.rule_shares import rule_shares
from mmx.worlds.accounts import AccountWorld, Allocation, Windows, make_world, roll

HERE = Path(__file__).parent


def gains(engine: Engine, worlds: Sequence[AccountWorld], vectors: np.ndarray, days: int, futures: int) -> np.ndarray:
    """True expected profit over that of unchanged budgets, as a share of spend, (world, vector)."""
    base = read_config(HERE / "rules.yaml").rules
    out = []
    for world in worlds:
        seeds = list(range(1, futures + 1))
        stacked = np.repeat(vectors, futures, axis=0)
        policy = RulePolicy(engine, stacked, base.model_copy(update={"margin": world.customer.margin}))
        ran = roll(world, policy, days=days, seeds=seeds * len(vectors))
        held = roll(world, Allocation("hold"), days=days, seeds=seeds)
        gain = ran.expected_profit.reshape(len(vectors), futures) - held.expected_profit
        out.append(gain.mean(axis=1) / held.spend.mean())
    return np.array(out)


def search(settings: dict[str, Any], engine: Engine, store: Path | None) -> dict[str, Any]:
    """Cross-entropy search in unit coordinates; every generation is judged on the next few worlds."""
    rng = np.random.default_rng(settings["seed"])
    worlds = [make_world(settings["seed"] + i) for i in range(settings["worlds"])]
    space = engine.space
    first = space.to_unit(space.default)
    mean, sd = first.copy(), np.full(len(space), settings["spread"])
    history: list[dict[str, float]] = []
    for generation in range(settings["generations"]):
        chosen = [
            worlds[(generation * settings["per_generation"] + i) % len(worlds)] for i in range(settings["per_generation"])
        ]
        units = np.clip(mean + sd * rng.standard_normal((settings["population"], len(space))), 0.01, 0.99)
        units[0], units[1] = mean, first
        found = gains(engine, chosen, space.from_unit(units), settings["days"], settings["futures"])
        score = found.mean(axis=0) - settings["pull"] * ((units - first) ** 2).mean(axis=1)
        elite = units[np.argsort(-score)[: settings["elite"]]]
        mean = 0.5 * mean + 0.5 * elite.mean(axis=0)
        sd = np.maximum(0.6 * sd + 0.4 * elite.std(axis=0), 0.02)
        history.append({"mean": float(found[:, 0].mean()), "first": float(found[:, 1].mean()), "best": float(score.max())})
        print(generation, history[-1], flush=True)
        if store is not None:
            values = dict(zip(space.names, space.from_unit(mean).tolist(), strict=True))
            store.write_text(json.dumps({"generations": history, "parameters": values}, indent=1), encoding="utf-8")
    return {"generations": history, "parameters": dict(zip(space.names, space.from_unit(mean).tolist(), strict=True))}


def shares(settings: dict[str, Any], engine: Engine) -> dict[str, float]:
    """Print by how much each rule matters at the defaults, in percent of ad-set-days of fresh accounts, rarest first."""
    own = settings["shares"]
    pasts = [own["days"] if i >= own["worlds"] - own["long"] else settings["past"] for i in range(own["worlds"])]
    worlds = [make_world(own["seed"] + i, days=days) for i, days in enumerate(pasts)]
    base = read_config(HERE / "rules.yaml").rules
    found = rule_shares(engine, engine.space.default, worlds, base, days=settings["days"], futures=settings["futures"])
    found = dict(sorted(found.items(), key=lambda item: item[1]))
    print("\n".join(f"{name:28} {100.0 * share:6.2f} %" for name, share in found.items()))
    return found


def value(settings: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """Gains of the defaults and of those before they were loosened, shares of spend, on the same futures of fresh accounts."""
    own, space = settings["value"], engine.space
    before = space.default
    for name, number in settings["before"].items():
        before[space.index(name)] = number
    worlds = [make_world(own["seed"] + i, days=settings["past"]) for i in range(own["worlds"])]
    found = gains(engine, worlds, np.stack([space.default, before]), settings["days"], own["futures"])
    difference = found[:, 0] - found[:, 1]
    error = float(difference.std(ddof=1) / np.sqrt(len(worlds))) if len(worlds) > 1 else None
    mean = {"now": float(found[:, 0].mean()), "before": float(found[:, 1].mean()), "difference": float(difference.mean())}
    print(mean, error)
    return mean | {"standard_error": error, "worlds": found.round(6).tolist()}


class WholeBudget(RulePolicy):
    """The rules, but that what they leave unspent goes to all ad sets that are on, in proportion to their budgets."""

    def decide(self, windows: Windows, held: Any) -> tuple[np.ndarray, Any]:
        """Budgets, (future, ad set), and the next state."""
        budgets, after = super().decide(windows, held)
        total = budgets.sum(axis=1, keepdims=True)
        return budgets * np.where(total > 0.0, np.maximum(held.money / np.maximum(total, 1e-9), 1.0), 1.0), after


def unspent(settings: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """What the defaults leave unspent, and what spending it as well would truly bring, on the accounts of ``--value``.

    Spend and expected profit are shares of what unchanged budgets spend; the last is the true return on the money in question:
    margin times the revenue that it brings, over it.
    """
    own = settings["value"]
    base = read_config(HERE / "rules.yaml").rules
    seeds, rows = list(range(1, own["futures"] + 1)), []
    for i in range(own["worlds"]):
        world = make_world(own["seed"] + i, days=settings["past"])
        rules = base.model_copy(update={"margin": world.customer.margin})
        vectors = np.repeat(engine.space.default[None], len(seeds), axis=0)
        policies = (Allocation("hold"), RulePolicy(engine, vectors, rules), WholeBudget(engine, vectors, rules))
        ran = [roll(world, policy, days=settings["days"], seeds=seeds) for policy in policies]
        spend, profit = (np.array([getattr(o, name).mean() for o in ran]) for name in ("spend", "expected_profit"))
        rows.append(
            [*(spend[1:] / spend[0]), *((profit[1:] - profit[0]) / spend[0]), spend[2] - spend[1], profit[2] - profit[1]]
        )
    cells = np.array(rows)
    means = dict(zip(("spend", "spend whole", "gain", "gain whole"), cells[:, :4].mean(axis=0).tolist(), strict=True))
    lost = cells[:, 2] - cells[:, 3]
    returned = 1.0 + float(cells[:, 5].sum() / cells[:, 4].sum()) if cells[:, 4].any() else None
    error = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else None
    found = means | {"less by spending all": float(lost.mean()), "standard error": error, "return on it": returned}
    print(found)
    return found | {"worlds": cells[:, :4].round(6).tolist()}


def main() -> None:
    """Search, and store every generation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", action="store_true", help="How often each rule matters at the defaults; stores them.")
    parser.add_argument("--value", action="store_true", help="The defaults against those before they were loosened; stores it.")
    parser.add_argument("--unspent", action="store_true", help="What the defaults leave unspent, and what it would bring.")
    parser.add_argument("--smoke", action="store_true", help="Two generations on two worlds; stores nothing.")
    args = parser.parse_args()
    smoke = args.smoke
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if smoke:
        settings |= {"worlds": 2, "per_generation": 2, "population": 4, "elite": 2, "generations": 2, "days": 7, "futures": 1}
        settings |= {"shares": {"seed": 30000, "worlds": 1, "long": 1, "days": 400}}
        settings |= {"value": {"seed": 41000, "worlds": 1, "futures": 1}}
    name = next((n for n in ("shares", "value", "unspent") if getattr(args, n)), "search")
    store = None if smoke else HERE / "results" / f"{name}.json"
    if store is not None:
        store.parent.mkdir(exist_ok=True)
    engine = Engine()
    if name == "search":
        search(settings, engine, store)
        return
    if name == "shares":
        counted = {rule: round(share, 6) for rule, share in shares(settings, engine).items()}
        found = {"parameters": dict(zip(engine.space.names, engine.space.default.tolist(), strict=True)), "shares": counted}
    else:
        found = {"value": value, "unspent": unspent}[name](settings, engine)
    if store is not None:
        store.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
