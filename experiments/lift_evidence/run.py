"""What a lift test does to a model whose channel is confounded: whether it pulls the ROAS to the truth, and a biased one away.

Run ``python experiments/lift_evidence/run.py`` (minutes; finished seeds are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import mmx
from mmx import worlds
from mmx.mmm.quantities import window_spend
from mmx.worlds.truth import Mechanism

HERE = Path(__file__).parent
Floats = np.ndarray


def true_roas(mechanism: Mechanism, medium: int, rows: slice) -> float:
    """KPI money that all spend of some rows brings within these rows, over that spend."""
    exposure = mechanism.exposure[..., medium]
    dark = exposure.copy()
    dark[:, rows] = 0.0
    units = [mechanism.respond(medium, mechanism.carried(medium, x)) for x in (exposure, dark)]
    money = (mechanism.worth * (units[0] - units[1]))[:, rows].sum()
    return float(money / mechanism.spend[:, rows, medium].sum())


def tests_of(simulated: worlds.Simulated, settings: dict[str, Any], arm: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """Lift tests of one arm, as rows of a configuration."""
    frame, mechanism = simulated.scene.frame, simulated.scene.mechanism
    first, rng = int(np.flatnonzero(frame.window)[0]), np.random.default_rng([seed, 23])
    medium, found = list(mechanism.channels).index(settings["channel"]), []
    for k, (start, end) in enumerate(settings["windows"]):
        truth = true_roas(mechanism, medium, slice(first + start, first + end))
        se, noise = settings["error"] * truth, rng.standard_normal()
        value = truth * (settings["bias"] if arm.get("biased") else 1.0) + se * noise
        days = frame.dates[first + start], frame.dates[first + end] - np.timedelta64(1, "D")
        row = {
            "test": f"test {k + 1}",
            "channel": settings["channel"],
            "metric": "roas",
            "value": float(value),
            "se": float(se),
        }
        found.append(row | {"start": str(days[0]), "end": str(days[1]), "inflation": arm.get("inflation", 1)})
    return found[: arm["tests"]]


def one(settings: dict[str, Any], world: str, name: str, seed: int) -> dict[str, Any]:
    """Fit one arm on one seed: truth, mean and 90 % interval of the ROAS of every channel."""
    case = settings["worlds"][world]
    arm, simulated = case["arms"][name], worlds.simulate(world, seed=seed, periods=settings["periods"])
    controls = [c for c in simulated.settings["data"].get("controls", ()) if c != case.get("hidden")]
    model: dict[str, Any] = {"lift_tests": tests_of(simulated, settings, arm, seed)} if arm["tests"] else {}
    if "lift_tests_as" in arm:
        model["lift_tests_as"] = arm["lift_tests_as"]
    channels = {name: {"follows_demand": True} for name in arm.get("follows_demand", ())}
    config, panel = worlds.read(simulated, settings={"data": {"controls": controls, "channels": channels}, "model": model})
    spec = mmx.with_lift_tests(config, panel).spec.model_copy(
        update={"sampler": config.sampler.model_copy(update=settings["sampling"])}
    )
    fit = mmx.fit(panel, spec, seed=seed)
    table = fit.tables.channels.set_index("channel")
    truth, told = simulated.scene.mechanism.roas, {}
    for channel, spend in zip(panel.names("channel"), window_spend(fit.posterior), strict=True):
        if spend > 0:
            row = {stat: float(table.loc[channel, f"roas_{stat}"]) for stat in ("mean", "q05", "q95")}
            told[channel] = {"truth": truth[channel], **row}
    return {"passed": fit.converged, "tests": model.get("lift_tests", []), "channels": told}


def table_of(found: dict[str, list[dict[str, Any]]], channel: str) -> pd.DataFrame:
    """One row per arm: the tested channel, then all others."""
    rows = []
    for arm, fits in found.items():
        row: dict[str, Any] = {"arm": arm, "fits": len(fits), "passed": sum(f["passed"] for f in fits)}
        for label, chosen in (("tested", lambda name: name == channel), ("others", lambda name: name != channel)):
            all_of = [c for f in fits for name, c in f["channels"].items() if chosen(name)]
            truth, mean, low, high = (np.array([c[k] for c in all_of]) for k in ("truth", "mean", "q05", "q95"))
            active = truth > 0
            row[f"{label}_bias"] = float((mean / np.where(active, truth, 1.0) - 1)[active].mean())
            row[f"{label}_error"] = float(np.abs(mean / np.where(active, truth, 1.0) - 1)[active].mean())
            row[f"{label}_coverage"] = float(((truth >= low) & (truth <= high)).mean())
            row[f"{label}_width"] = float(((high - low) / np.where(active, truth, 1.0))[active].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the missing seeds, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished seeds")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    for world, case in settings["worlds"].items():
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in case["arms"]}
        for seed in range(1, settings["seeds"] + 1):
            path = args.out / f"{world}-{seed}.json"
            fits = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if missing := [name for name in case["arms"] if name not in fits]:
                fits |= {name: one(settings, world, name, seed) for name in missing}
                path.write_text(json.dumps(fits, indent=1) + "\n", encoding="utf-8")
                print(f"{world}: seed {seed} done", flush=True)
            for name in case["arms"]:
                found[name].append(fits[name])
        print(f"\n{world}\n{table_of(found, settings['channel']).round(2).to_string(index=False)}")


if __name__ == "__main__":
    main()
