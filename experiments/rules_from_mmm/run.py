"""Whether daily rules that take money and incrementality from a marketing-mix model are told the truth, and what it changes.

Run ``python experiments/rules_from_mmm/run.py`` (minutes; finished worlds are stored and skipped) or with ``--smoke``.
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
from joint_world import CHANNEL, Joint, make_joint
from scipy.stats import binomtest

from mmx.config import read_config
from mmx.data.ads.read import read_history
from mmx.rules.advice import Advice
from mmx.rules.engine import Engine
from mmx.rules_settings import LogNormal
from mmx.schema import Config
from mmx.validate.rule_policy import RulePolicy
from mmx.workflows.fit import run_fit
from mmx.workflows.journal import Journal
from mmx.workflows.recommend import run_recommend
from mmx.workflows.rules import run_rules
from mmx.workflows.rules_from import read_plan
from mmx.workflows.rules_response import learned_elasticities
from mmx.worlds.accounts import roll

HERE = Path(__file__).parent
Z90 = 1.6448536269514722


def tests_of(joint: Joint, settings: dict[str, Any], arm: str) -> list[dict[str, Any]]:
    """The lift test of an arm, as a row of a configuration."""
    if arm == "no test":
        return []
    first, last = settings["test"]["weeks"]
    truth, dates = joint.roas(first, last), pd.DatetimeIndex(joint.shop.table["week"])
    se = settings["test"]["error"] * truth
    value = truth + se * np.random.default_rng([joint.account.seed, 29]).standard_normal()
    days = {"start": str(dates[first].date()), "end": str((dates[last] - pd.Timedelta(days=1)).date())}
    row = {"test": "search", "channel": CHANNEL, "metric": "roas", "value": float(value), "se": float(se)}
    return [row | days | {"inflation": settings["test"]["inflation"] if arm == "inflated test" else 1.0}]


def told(joint: Joint, settings: dict[str, Any], arm: str, folder: Path) -> tuple[Config, dict[str, Any]]:
    """Fit, recommend, and read what the rules are told, as a user would; returns the account's configuration as well."""
    layers = {name: settings[name] for name in ("sampler", "budget", "rules")}
    files = joint.write(folder, tests_of(joint, settings, arm), layers)
    account = read_config(files[0])
    fit = run_fit(read_config(files[1]), out=folder / "fit", quiet=True)
    run_recommend(folder / "fit", out=folder / "plan", allow_unconverged=True, quiet=True)
    day = joint.account.truth.calendar.dates[joint.day].item()
    plan = read_plan(folder / "plan", account, read_history(account.ads, until=day), day)
    cells = json.loads((folder / "plan" / "recommendation.json").read_text(encoding="utf-8"))["cells"]
    month = [cell["recommended"] for cell in cells if cell["channel"] == CHANNEL][:4]
    bounds = {name: float(np.exp(plan.log_incrementality + z * plan.log_sd)) for name, z in (("low", -Z90), ("high", Z90))}
    row = {"passed": fit.fit.converged, "median": float(np.exp(plan.log_incrementality)), **bounds}
    return account, row | {"money": plan.money, "month": float(np.mean(month)) / 7.0}


def difference(alone: Advice, joined: Advice) -> dict[str, Any]:
    """How a day's decisions differ."""
    pairs = list(zip(alone.adsets, joined.adsets, strict=True))
    return {
        "ad_sets": len(pairs),
        "other_rule": sum(a.rule != b.rule for a, b in pairs),
        "other_budget": sum(a.budget != b.budget for a, b in pairs),
        "frozen": [sum(a.rule.startswith("freeze") for a in one.adsets) for one in (alone, joined)],
        "total": [sum(a.budget for a in one.adsets) / 100 for one in (alone, joined)],
    }


def brought(joint: Joint, account: Config, plans: dict[str, dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """True incremental profit and spend of policies over the days after, means over common futures."""
    history, engine = read_history(account.ads), Engine()
    elasticity, _ = learned_elasticities(account, history, Journal(quiet=True))
    vectors = np.tile(engine.space.vector({}), (settings["roll"]["futures"], 1))
    asked: dict[str, dict[str, Any]] = {"alone": {}}
    for arm, row in plans.items():
        log_sd = float(np.log(row["high"] / row["low"]) / (2.0 * Z90))
        asked[f"{arm}, same money"] = {"incrementality": LogNormal(median=row["median"], log_sd=log_sd)}
        asked[f"{arm}, plan's money"] = asked[f"{arm}, same money"] | {"daily_budget": row["month"]}
    world, found = joint.account, {}
    futures = {"day": joint.day, "days": settings["roll"]["days"], "seeds": range(1, settings["roll"]["futures"] + 1)}
    for name, told in {"keep": None, **asked}.items():
        policy: Any = history.budget[-1]
        if told is not None:
            given = account.rules.model_copy(update=told)
            policy = RulePolicy(engine, vectors, given, delay_curve=account.ads.delay_curve, elasticity=elasticity)
        out = roll(world, policy, **futures)
        profit = out.margin * joint.share * out.expected_revenue - out.spend
        found[name] = {"profit": float(profit.mean()), "spend": float(out.spend.mean())}
    return found


def evidence(settings: dict[str, Any], kind: str, seed: int, arm: str, folder: Path) -> dict[str, Any]:
    """What the rules of one world are told in an arm, and the truth."""
    joint = make_joint(seed, settings, swings=settings["kinds"][kind])
    first, last = settings["test"]["weeks"]
    ratio = joint.roas(first, last) / joint.roas(0, settings["weeks"])
    return {"truth": joint.true_incrementality, "test_weeks": ratio} | told(joint, settings, arm, folder)[1]


def decisions(settings: dict[str, Any], kind: str, seed: int, folder: Path) -> dict[str, Any]:
    """What the rules of one world make of it on the day, and what that brings."""
    joint = make_joint(seed, settings, swings=settings["kinds"][kind])
    day, advice, arms = joint.account.truth.calendar.dates[joint.day].item(), {}, {}
    for arm in settings["decided_arms"]:
        place = folder / arm.replace(" ", "_")
        account, arms[arm] = told(joint, settings, arm, place)
        advice[arm] = run_rules(account, date=day, source=place / "plan", out=place / "rules", quiet=True).advice
    alone = run_rules(account, date=day, out=folder / "alone", quiet=True).advice
    compared = {arm: {"money": arms[arm]["money"]} | difference(alone, joined) for arm, joined in advice.items()}
    return {"day": compared, "roll": brought(joint, account, arms, settings)}


def table_of(worlds: dict[tuple[str, str], list[dict[str, Any]]]) -> pd.DataFrame:
    """How well the incrementality that rules are told is known, by kind of account and arm."""
    rows = []
    for (kind, arm), found in worlds.items():
        truth, median, low, high = (np.array([one[key] for one in found]) for key in ("truth", "median", "low", "high"))
        holds = (low <= truth) & (truth <= high)
        interval = binomtest(int(holds.sum()), len(holds)).proportion_ci(0.9, "wilson")
        row = {"kind": kind, "arm": arm, "worlds": len(found), "holds": int(holds.sum())}
        row |= {"from": interval.low, "to": interval.high, "passed": sum(one["passed"] for one in found)}
        row |= {"bias": float(np.mean(median / truth - 1.0)), "error": float(np.mean(np.abs(median / truth - 1.0)))}
        rows.append(row | {"width": float(np.mean((high - low) / truth))})
    return pd.DataFrame(rows)


def decisions_of(worlds: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """What rules did with it, a row per world and arm; profit and spend of a roll-out over what keeping the budgets spends."""
    rows = []
    for name, one in worlds.items():
        keep = one["roll"]["keep"]
        for arm, day in one["day"].items():
            row: dict[str, Any] = {"world": name, "arm": arm, "money": day["money"]}
            row |= {key: day[key] for key in ("ad_sets", "other_rule", "other_budget")}
            row |= {f"{key} {who}": day[key][k] for key in ("total", "frozen") for k, who in enumerate(("alone", "from"))}
            for label in ("alone", f"{arm}, same money", f"{arm}, plan's money"):
                own, short = one["roll"][label], label.removeprefix(f"{arm}, ")
                row[f"profit {short}"] = (own["profit"] - keep["profit"]) / keep["spend"]
                row[f"spend {short}"] = own["spend"] / keep["spend"]
            rows.append(row)
    return pd.DataFrame(rows)


def stored(path: Path, make: Any, *given: Any) -> Any:
    """Content of a finished cell, made where it is missing."""
    if not path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            content = make(*given, Path(folder))
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"{path.stem}: done", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    """Run the missing worlds, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one small world: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished worlds")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    seeds = range(settings["seed"], settings["seed"] + settings["seeds"])
    found: dict[tuple[str, str], list[dict[str, Any]]] = {(k, a): [] for k in settings["kinds"] for a in settings["arms"]}
    for seed in seeds:
        for kind, arm in found:
            path = args.out / f"{kind}-{seed}-{arm.replace(' ', '_')}.json"
            found[kind, arm].append(stored(path, evidence, settings, kind, seed, arm))
    table = table_of(found)
    print(table.round(2).to_string(index=False), flush=True)
    decided = [(kind, seed) for seed in seeds[: settings["decided"]] for kind in settings["kinds"]]
    made = {f"{k} {s}": stored(args.out / f"{k}-{s}-rules.json", decisions, settings, k, s) for k, s in decided}
    print(decisions_of(made).round(3).to_string(index=False), flush=True)
    return table


if __name__ == "__main__":
    main()
