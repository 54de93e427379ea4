"""Simulation-based calibration: is the rank of the truth among the draws of its posterior uniform.

Run ``python experiments/calibration/run.py`` (finished simulations are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sbc_bands
import sbc_figure
import sbc_model
import yaml

import mmx
from mmx import worlds
from mmx.config import merge
from mmx.mmm.resolve import resolve
from mmx.spec import LiftTest

HERE = Path(__file__).parent


def models(settings: dict[str, Any], cell: Mapping[str, Any]) -> tuple[sbc_model.Model, sbc_model.Model]:
    """The model that data are drawn from, and that of the fit: with another prior, but the same constants and media."""
    world = settings["world"]
    simulated = worlds.simulate(world["name"], seed=world["seed"], periods=world["periods"])
    _, panel = worlds.read(simulated)
    panel = sbc_model.in_units(panel, cell.get("unit", 1.0))
    base = merge(simulated.settings, {"sampler": settings["sampler"], **cell.get("settings", {})})
    config = mmx.read_config(base)
    tests = tuple(LiftTest.model_validate(test) for test in cell.get("lift_tests", ()))
    resolved = resolve(config.spec.model_copy(update={"lift_tests": tests}), panel)
    factor, prior = cell.get("roas_factor", 1.0), config.model.priors
    moved = prior.model_copy(update={k: factor * getattr(prior, k) for k in ("median", "q90")}) if factor != 1.0 else prior
    spec = mmx.read_config(merge(base, {"model": {"priors": moved.model_dump(exclude_none=True)}})).spec
    fitted = spec.model_copy(update={"constants": resolved.constants, "lift_tests": tests})
    return sbc_model.model_of(resolved, panel), sbc_model.model_of(fitted, panel)


def digest(settings: dict[str, Any], cell: Mapping[str, Any], truth: sbc_model.Model, fitted: sbc_model.Model) -> str:
    """What results depend on: a store of another specification, world, seed or size is not continued."""
    parts = [settings["seed"], settings["world"], settings["draws"], cell["draw"]]
    # Without defaults: a setting that came later, and is off, changes nothing.
    parts += [m.spec.model_dump(mode="json", exclude_defaults=True) for m in (truth, fitted)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def one(
    simulation: int, settings: dict[str, Any], draw: str, model: sbc_model.Model, fitted: sbc_model.Model
) -> dict[str, Any]:
    """Ranks of one truth among the thinned draws of its posterior; the data are the same in all cells."""
    began = time.perf_counter()
    rng = np.random.default_rng([settings["seed"], simulation])
    truth = sbc_model.simulate(model, rng)
    kept = settings["draws"]
    if draw == "prior":
        drawn, _ = sbc_model.from_prior(sbc_model.model_of(fitted.spec, truth.panel), kept, rng)
        values = sbc_model.quantities(drawn)
        verdict: dict[str, Any] = {"converged": True, "reasons": [], "retried": False, "min_ess": float(kept)}
    else:
        measured = fitted.spec.model_copy(update={"lift_tests": truth.spec.lift_tests})
        fit = mmx.fit(truth.panel, measured, seed=simulation + 1)
        values = sbc_model.quantities(sbc_model.thinned(fit.posterior, kept))
        verdict = {
            "converged": fit.converged,
            "reasons": list(fit.gate.reasons),
            "retried": any("sampled once more" in d for d in fit.decisions),
            "min_ess": round(fit.gate.min_ess, 1),
        }
    true = sbc_model.quantities(truth)
    ranks = [int((values[name] < true[name][0]).sum()) for name in true]
    return {"simulation": simulation, "ranks": ranks, **verdict, "seconds": round(time.perf_counter() - began, 2)}


class Store:
    """Finished simulations of one cell: a file of JSON lines, the first of which says what they belong to."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path, self.lines = path, []
        if not path.is_file():
            path.write_text(json.dumps(header) + "\n", encoding="utf-8")
            return
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        if json.loads(first) != header:
            raise SystemExit(f"{path} belongs to other settings or another version of the defaults: move it away to start anew")
        self.lines = [json.loads(line) for line in lines]

    def add(self, line: dict[str, Any]) -> None:
        """Append a finished simulation."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)


def verdicts(store: Store, names: list[str], draws: int, level: float) -> pd.DataFrame:
    """Per quantity: whether the counts of ranks lie inside the bands, and the chance of ranks as far out as these."""
    ranks = np.array([line["ranks"] for line in store.lines])
    lower, upper = sbc_bands.bands(len(ranks), draws, level)
    rows = []
    for name, column in zip(names, ranks.T, strict=True):
        found = sbc_bands.counts(column, draws)
        inside = bool(((found >= lower) & (found <= upper)).all())
        rows.append(
            {"quantity": name, "inside": inside, "p": sbc_bands.p_value(column, draws), "mean_rank": column.mean() / draws}
        )
    return pd.DataFrame(rows)


def summarise(store: Store, table: pd.DataFrame, cell: Mapping[str, Any]) -> dict[str, Any]:
    """One cell's verdict as plain numbers; fits that failed the gate are counted and stay in."""
    listed = table[~table["quantity"].str.startswith("parameter ")]
    others = table.drop(listed.index)
    passed = bool(listed["inside"].all())
    return {
        "simulations": len(store.lines),
        "calibrated": passed,
        "as_expected": passed == cell["calibrated"],
        "through_the_gate": sum(line["converged"] for line in store.lines),
        "sampled_twice": sum(line["retried"] for line in store.lines),
        "smallest_ess": min(line["min_ess"] for line in store.lines),
        "seconds_median": float(np.median([line["seconds"] for line in store.lines])),
        "quantities": {r["quantity"]: {k: r[k] for k in ("inside", "p", "mean_rank")} for r in listed.to_dict("records")},
        "parameters": {r["quantity"].removeprefix("parameter "): r["p"] for r in others.to_dict("records")},
        "parameters_inside": f"{int(others['inside'].sum())} of {len(others)}",
    }


def markdown(summaries: Mapping[str, dict[str, Any]]) -> str:
    """The verdicts as tables for the README: cells, then quantities."""
    lines = ["| cell | simulations | through the gate | sampled twice | all inside | as expected | other parameters inside |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, s in summaries.items():
        verdict = [("no", "yes")[s[k]] for k in ("calibrated", "as_expected")]
        counts = [s[k] for k in ("simulations", "through_the_gate", "sampled_twice")]
        lines.append(f"| {' | '.join(map(str, [name, *counts, *verdict, s['parameters_inside']]))} |")
    lines += ["", f"| quantity | {' | '.join(summaries)} |", f"|---|{'---|' * len(summaries)}"]
    for quantity in dict.fromkeys(name for s in summaries.values() for name in s["quantities"]):
        found = [s["quantities"].get(quantity) for s in summaries.values()]
        lines.append(f"| {quantity} | {' | '.join(map(_cell, found))} |")
    return "\n".join(lines)


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "-"
    return f"{'inside' if found['inside'] else '**outside**'}, p {found['p']:.2g}, mean rank {found['mean_rank']:.2f}"


def main(arguments: list[str] | None = None) -> None:
    """Run the missing simulations, judge, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a handful of simulations: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished simulations")
    parser.add_argument("--cells", nargs="+", help="only these cells")
    parser.add_argument("--simulations", type=int, help="only the first so many")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    summaries, stores, named = {}, {}, {}
    for name in args.cells or settings.get("only") or settings["cells"]:
        cell = settings["cells"][name]
        truth, fitted = models(settings, cell)
        drawn, _ = sbc_model.from_prior(truth, 1, np.random.default_rng(0))
        names = named[name] = list(sbc_model.quantities(drawn))
        store = Store(args.out / f"{name}.jsonl", {"digest": digest(settings, cell, truth, fitted), "names": names})
        done = {line["simulation"] for line in store.lines}
        most = min(settings["simulations"], cell.get("simulations", settings["simulations"]))
        for simulation in range(args.simulations or most):
            if simulation not in done:
                line = one(simulation, settings, cell["draw"], truth, fitted)
                store.add(line)
                print(f"{name} {simulation}: {line['seconds']} s, converged {line['converged']}", flush=True)
        stores[name] = store
        summaries[name] = summarise(store, verdicts(store, names, settings["draws"], settings["level"]), cell)
    told = args.out / "summary.json"  # Cells that were not asked for keep what was said of them.
    before = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    told.write_text(json.dumps(before | summaries, indent=1) + "\n", encoding="utf-8")
    print(markdown(summaries))
    labels = {name: settings["cells"][name]["label"] for name in stores}
    for figure in dict.fromkeys(settings["cells"][name]["figure"] for name in stores):
        shown = {name: store for name, store in stores.items() if settings["cells"][name]["figure"] == figure}
        ranks = {name: np.array([line["ranks"] for line in store.lines]) for name, store in shown.items()}
        sbc_figure.draw(ranks, named, settings["draws"], settings["level"], labels, args.out / f"{figure}.png")


if __name__ == "__main__":
    main()
