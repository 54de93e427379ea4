"""What the test that mmx recommends does to the regret of the budget decision, against a random one and other rules.

Run ``python experiments/test_choice/run.py`` (minutes; finished fits are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.decide.designs import Design, candidates
from mmx.decide.fit_response import response_of
from mmx.decide.menu import Menu, menu_of
from mmx.decide.next_test import valued
from mmx.decide.problem import Problem, total_row
from mmx.decide.recommendation import TestValue
from mmx.decide.replan import best_plans
from mmx.information_settings import InformationSettings

HERE = Path(__file__).parent
# How each arm picks one of the tests; "random" is the mean over all of them, "none" decides without a result.
ARMS = {
    "recommended": lambda tests, designs: [t.information for t in tests],
    "most powerful": lambda tests, designs: [t.power for t in tests],
    "least known": lambda tests, designs: [d.known_width for d in designs],
    "largest spend": lambda tests, designs: [abs(t.delta_spend) for t in tests],
}
Floats = np.ndarray


def fitted(settings: dict[str, Any], world: str, seed: int) -> mmx.Fit:
    """A fit of one simulated world."""
    simulated = worlds.simulate(world, seed=seed, periods=settings["periods"])
    config, panel = worlds.read(simulated, geos=settings["geos"] if "geo" in simulated.settings["data"] else None)
    spec = config.spec.model_copy(update={"sampler": config.sampler.model_copy(update=settings["sampling"])})
    return mmx.fit(panel, spec, seed=seed)


def regrets(menu: Menu, truth: Floats, belief: Floats, designs: tuple[Design, ...], noise: Floats) -> tuple[Floats, Floats]:
    """Regret without a test, (truth,), and after each test, (design, truth), mean over results; by the truth's own curves.

    Beliefs after a result are the draws reweighted by the likelihood of lift tests, without the regression that chose the test.

    Parameters
    ----------
    menu : Menu
        Of all draws.
    truth, belief : array of int
        Draws that play the truth, and those that the decision knows.
    designs : tuple of Design
    noise : array, (truth, repeat)
        Standard normal; the same for every design.
    """
    true, known = menu.gain[truth], menu.gain[belief]
    top = (best_plans(menu, true) * true).sum(axis=(1, 2))
    before = best_plans(menu, known.mean(axis=0)[None])[0]
    none = top - (before * true).sum(axis=(1, 2))
    after = np.empty((len(designs), len(truth)))
    for d, design in enumerate(designs):
        found = design.lift[truth, None] + design.se * noise
        log = -0.5 * ((found[..., None] - design.lift[belief]) / design.se) ** 2
        weights = np.exp(log - log.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        means = np.tensordot(weights, known, axes=1)
        plans = best_plans(menu, means.reshape(-1, *means.shape[2:])).reshape(means.shape)
        after[d] = top - np.einsum("srgp,sgp->sr", plans, true).mean(axis=1)
    return none, after


def one(settings: dict[str, Any], world: str, seed: int) -> dict[str, Any]:
    """Regrets of all arms over the truths of one fit, with what each chosen test was said to be worth."""
    fit = fitted(settings, world, seed)
    posterior, chosen = fit.posterior, InformationSettings(**settings["information"])
    reference = posterior.reference(settings["horizon"])
    response = response_of(posterior, reference)
    current, (low, high) = response.current, settings["bounds"]
    problem = Problem(response.names, current, low * current, high * current, (total_row(len(current), float(current.sum())),))
    rng = np.random.default_rng([seed, 51])
    truth = rng.choice(posterior.samples, settings["truths"], replace=False)
    belief = np.setdiff1d(np.arange(posterior.samples), truth)
    channels = np.arange(len(current))
    menu = menu_of(problem, response, current, channels)
    plan = best_plans(menu, menu.gain[belief].mean(axis=0)[None])[0]
    money = current.copy()
    money[menu.groups >= 0] = (plan * menu.spend).sum(axis=1)[menu.groups[menu.groups >= 0]]
    menu = menu_of(problem, response, money, channels)
    designs = candidates(posterior, reference, chosen)
    some = belief[np.linspace(0, len(belief) - 1, min(chosen.draws, len(belief))).astype(int)]
    known = tuple(replace(d, lift=d.lift[some], effect=d.effect[some]) for d in designs)
    ranked = valued(known, problem, response.thinned(some), money, settings=chosen, seed=seed, channels=channels)
    tests = _in_order(ranked, designs)
    none, after = regrets(menu, truth, belief, designs, rng.standard_normal((len(truth), settings["repeats"])))
    picks = {name: int(np.argmax(score(tests, known))) for name, score in ARMS.items()}
    arms = {name: {"test": f"{tests[k].channel} {tests[k].design}", "regret": after[k].tolist()} for name, k in picks.items()}
    arms["random"] = {"test": f"mean of {len(tests)}", "regret": after.mean(axis=0).tolist()}
    said = [{"information": t.information, "cut": float((none - r).mean())} for t, r in zip(tests, after, strict=True)]
    return {"passed": fit.converged, "tests": said, "none": none.tolist(), "arms": arms}


def _in_order(ranked: tuple[TestValue, ...], designs: tuple[Design, ...]) -> list[TestValue]:
    """The values in the order of the designs."""
    by_name = {(test.channel, test.design): test for test in ranked}
    return [by_name[design.channel, design.words] for design in designs]


def table_of(cells: list[dict[str, Any]], draws: int) -> pd.DataFrame:
    """Regret per arm over that without a test, each fit counted alike, and against a random test; 90 % bootstrap intervals.

    Fits are resampled, and truths within each of them.
    """
    names = ["none", "random", *ARMS]
    scaled = [np.array([c["none"], *(c["arms"][name]["regret"] for name in names[1:])]) / np.mean(c["none"]) for c in cells]
    rng = np.random.default_rng(0)
    means = np.empty((draws, len(names)))
    for b in range(draws):
        picked = [scaled[i] for i in rng.integers(0, len(scaled), len(scaled))]
        means[b] = np.mean([s[:, rng.integers(0, s.shape[1], s.shape[1])].mean(axis=1) for s in picked], axis=0)
    mean = np.mean([s.mean(axis=1) for s in scaled], axis=0)
    table = pd.DataFrame({"arm": names, "regret": mean})
    table["low"], table["high"] = np.quantile(means, [0.05, 0.95], axis=0)
    gap = means - means[:, [1]]
    table["less_random"] = mean - mean[1]
    table["less_low"], table["less_high"] = np.quantile(gap, [0.05, 0.95], axis=0)
    return table


def promised(cells: list[dict[str, Any]]) -> pd.DataFrame:
    """What tests were said to be worth against the regret that they cut, both over the regret without a test, by thirds."""
    rows = [
        {"said": t["information"] / np.mean(c["none"]), "cut": t["cut"] / np.mean(c["none"])} for c in cells for t in c["tests"]
    ]
    found = pd.DataFrame(rows)
    found["third"] = pd.qcut(found["said"], 3, labels=["low", "middle", "high"])
    return found.groupby("third", observed=True).mean().reset_index()


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
    cells: dict[str, list[dict[str, Any]]] = {world: [] for world in settings["worlds"]}
    for world in settings["worlds"]:
        for seed in range(1, settings["seeds"] + 1):
            path = args.out / f"{world}-{seed}.json"
            if not path.is_file():
                path.write_text(json.dumps(one(settings, world, seed), indent=1) + "\n", encoding="utf-8")
                print(f"{world}: seed {seed} done", flush=True)
            cells[world].append(json.loads(path.read_text(encoding="utf-8")))
    every = [cell for found in cells.values() for cell in found]
    for name, found in [*cells.items(), ("all", every)]:
        passed = sum(cell["passed"] for cell in found)
        print(f"\n{name}: {passed} of {len(found)} fits through the gate, {sum(len(c['none']) for c in found)} truths")
        print(table_of(found, settings["bootstrap"]).round(3).to_string(index=False))
    print(f"\nWhat was said and what was cut\n{promised(every).round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
