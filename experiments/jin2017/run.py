"""The simulation study of Jin et al. (2017) with mmx: the bias of media effects with 2 and with 60 years of data.

Run ``python experiments/jin2017/run.py`` (hours; finished data sets are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import jin_figures
import jin_mix
import jin_model
import jin_world
import numpy as np
import numpy.typing as npt
import yaml

import mmx

HERE = Path(__file__).parent
KINDS = {"matched": "priors matched", "weighted": "the paper's priors"}


def data_set(settings: dict[str, Any], cell: dict[str, Any], number: int) -> Any:
    """One simulated table: cells of the same length differ in media only, from the same noise."""
    options = {name: cell[name] for name in ("years", "media_noise", "history")}
    return jin_world.simulate(settings["world"], seed=[settings["seed"], number], **options)


def configuration(settings: dict[str, Any], cell: dict[str, Any], table: Any) -> dict[str, Any]:
    """Configuration of mmx for one data set of a cell."""
    world, sampler = settings["world"], settings["sampler"] | cell.get("sampler", {})
    made = jin_model.settings_of(table, list(world["media"]), world["window"], sampler)
    return made | {"gate": settings["gate"]}


def fitted(settings: dict[str, Any], cell: dict[str, Any], number: int) -> mmx.Fit:
    """Fit one data set as a user would: the automatic second try included."""
    table = data_set(settings, cell, number)
    spec, panel = jin_model.read(table, configuration(settings, cell, table))
    return mmx.fit(panel, spec, seed=number + 1)


def one(settings: dict[str, Any], cell: dict[str, Any], number: int) -> dict[str, Any]:
    """Estimates of one data set, in the paper's units."""
    began = time.perf_counter()
    fit = fitted(settings, cell, number)
    result = jin_model.result_of(fit.posterior)
    even = np.full(len(result.weights), 1 / len(result.weights))
    return {
        "set": number,
        "converged": fit.converged,
        "reasons": list(fit.gate.reasons),
        "retried": any("sampled once more" in d for d in fit.decisions),
        "min_ess": round(fit.gate.min_ess, 1),
        "max_rhat": round(fit.gate.max_rhat, 4),
        "pareto_k": round(result.pareto_k, 3),
        "weights_ess": round(result.ess, 1),
        "matched": {"effect": jin_model.estimates(result.values["effect"], even)},
        "weighted": {name: jin_model.estimates(values, result.weights) for name, values in result.values.items()},
        "seconds": round(time.perf_counter() - began, 2),
    }


def digest(settings: dict[str, Any], cell: dict[str, Any]) -> str:
    """What results depend on, as far as the study says it: a store of another simulation or other priors is not continued."""
    first = data_set(settings, cell | {"years": 1}, 0)
    made = configuration(settings, cell, first)
    parts = [settings["seed"], settings["world"], cell["years"], cell["media_noise"], cell["history"], made]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stored(path: Path, header: dict[str, Any]) -> list[dict[str, Any]]:
    """Finished data sets of one cell: a file of JSON lines, the first of which says what they belong to."""
    if not path.is_file():
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if json.loads(first) != header:
        raise SystemExit(f"{path} belongs to other settings or other priors: move it away to start anew")
    return [json.loads(line) for line in lines]


def run_missing(settings: dict[str, Any], names: list[str], sets: int, out: Path) -> dict[str, list[dict[str, Any]]]:
    """Run the missing data sets, at most the first ``sets`` of each cell, all cells advancing together; all finished ones."""
    cells = {name: settings["cells"][name] for name in names}
    lines = {name: stored(out / f"{name}.jsonl", {"digest": digest(settings, cell)}) for name, cell in cells.items()}
    done = {name: {line["set"] for line in found} for name, found in lines.items()}
    for number in range(min(sets, max(cell["sets"] for cell in cells.values()))):
        for name, cell in cells.items():
            if number in done[name] or number >= cell["sets"]:
                continue
            line = one(settings, cell, number)
            with (out / f"{name}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            lines[name].append(line)
            said = f"{line['seconds']} s, converged {line['converged']}, Pareto k {line['pareto_k']}"
            print(f"{name} {number}: {said}", flush=True)
    return {name: found for name, found in lines.items() if found}


def bias_of(lines: list[dict[str, Any]], kind: str, name: str, truth: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Mean relative error over data sets with its standard error, and coverage of the 90 % interval, one number per medium."""
    found = {stat: np.array([line[kind][name][stat] for line in lines]) for stat in ("mean", "median", "q05", "q95")}
    out: dict[str, Any] = {"coverage": ((found["q05"] <= truth) & (truth <= found["q95"])).mean(axis=0)}
    for stat in ("mean", "median"):
        error = found[stat] / truth - 1
        out[f"bias_{stat}"] = error.mean(axis=0)
        if len(lines) > 1:
            out[f"bias_{stat}_se"] = error.std(axis=0, ddof=1) / np.sqrt(len(lines))
    single = {f"bias_{stat}_se": [None] * len(truth) for stat in ("mean", "median")}  # One data set has no standard error.
    return single | {key: [round(float(v), 4) for v in value] for key, value in out.items()}


def summarise(lines: list[dict[str, Any]], settings: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    """One cell's figures as plain numbers; fits that failed the gate are counted and stay in."""
    media = list(settings["world"]["media"].values())
    truth = np.array([jin_world.effect_at_one(m) for m in media])
    return {
        "sets": len(lines),
        "through_the_gate": sum(line["converged"] for line in lines),
        "sampled_twice": sum(line["retried"] for line in lines),
        "pareto_k_above_0.7": sum(line["pareto_k"] > 0.7 for line in lines),
        "weights_ess_median": float(np.median([line["weights_ess"] for line in lines])),
        "seconds_median": float(np.median([line["seconds"] for line in lines])),
        "paper": settings["paper"][cell["table"]],
        "prior_alone": [round(float(jin_model.prior_effect() / t - 1), 4) for t in truth],
        **{kind: bias_of(lines, kind, "effect", truth) for kind in KINDS},
        "parameters": {name: bias_of(lines, "weighted", name, np.array([m[name] for m in media])) for name in media[0]},
    }


def markdown(summaries: dict[str, dict[str, Any]], cells: dict[str, Any]) -> str:
    """The summary as tables for the README: effects at full exposure, then the fits, then the parameters."""

    def percent(values: list[float], errors: list[float | None] | None = None) -> str:
        pairs = zip(values, errors or [None] * len(values), strict=True)
        return " / ".join(f"{100 * v:.1f}" + (f" ± {100 * e:.1f}" if e is not None else "") for v, e in pairs)

    lines = ["| data | estimate | relative bias, %, media 1 / 2 / 3 | coverage of 90 % intervals |", "|---|---|---|---|"]
    for name, s in summaries.items():
        label = cells[name]["label"]
        lines.append(f"| {label} | paper | {percent(s['paper'])} | |")
        for kind, words in KINDS.items():
            covered = " / ".join(f"{c:.2f}" for c in s[kind]["coverage"])
            for stat in ("mean", "median"):
                bias = percent(s[kind][f"bias_{stat}"], s[kind][f"bias_{stat}_se"])
                lines.append(f"| {label} | mmx, {words}, posterior {stat} | {bias} | {covered if stat == 'mean' else ''} |")
    lines.append(f"| none | mean of the paper's priors | {percent(next(iter(summaries.values()))['prior_alone'])} | |")
    lines += ["", "| data | data sets | through the gate | sampled twice | Pareto k > 0.7 | effective weights | seconds |"]
    lines.append("|---|---|---|---|---|---|---|")
    keys = ("sets", "through_the_gate", "sampled_twice", "pareto_k_above_0.7", "weights_ess_median", "seconds_median")
    lines += [f"| {cells[name]['label']} | {' | '.join(f'{s[k]:.4g}' for k in keys)} |" for name, s in summaries.items()]
    lines += ["", f"| bias of the mean, %, and coverage | {' | '.join(cells[name]['label'] for name in summaries)} |"]
    lines.append(f"|---|{'---|' * len(summaries)}")
    for parameter in next(iter(summaries.values()))["parameters"]:
        found = [s["parameters"][parameter] for s in summaries.values()]
        texts = [f"{percent(f['bias_mean'])}; {' / '.join(f'{c:.2f}' for c in f['coverage'])}" for f in found]
        lines.append(f"| {parameter} | {' | '.join(texts)} |")
    return "\n".join(lines)


def draw_figures(settings: dict[str, Any], summaries: dict[str, Any], out: Path) -> None:
    """Draw bias, curves and mix; the mix is computed once, from a fit of its own, and stored."""
    labels = {name: cell["label"] for name, cell in settings["cells"].items()}
    jin_figures.draw_bias(summaries, labels, out / "bias.png")
    pairs = [(tuple(p["of"]), jin_mix.twin(tuple(p["of"]), p["half_saturation"])) for p in settings["pairs"]]
    jin_figures.draw_pairs(pairs, out / "curves.png")
    if not (out / "mix.json").is_file():
        mix, cell = settings["mix"], settings["cells"]["two_years"]
        posterior = fitted(settings, cell, 0).posterior
        weighted = jin_model.resampled(posterior, jin_model.result_of(posterior).weights, mix["draws"])
        shares = jin_mix.of_posterior(weighted, mix["budget"], mix["steps"])
        true = jin_mix.of_truth(posterior, settings["world"], mix["budget"], mix["steps"])
        found = {"little": jin_mix.patterns(shares, mix["little"]), "mean": shares.mean(axis=0).round(3).tolist()}
        jin_figures.draw_mix(shares, true, out / "mix.png")
        (out / "mix.json").write_text(json.dumps({**found, "true": true.tolist()}, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the missing data sets, summarise, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="two short data sets: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished data sets")
    parser.add_argument("--cells", nargs="+", metavar="NAME", help="only these cells")
    parser.add_argument("--sets", type=int, metavar="N", help="only the first so many data sets of each cell; 0 runs nothing")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    unknown = sorted(set(args.cells or []) - set(settings["cells"]))
    if unknown:
        raise SystemExit(f"there is no cell {', '.join(unknown)}; config.yaml has {', '.join(settings['cells'])}")
    args.out.mkdir(parents=True, exist_ok=True)
    sets = sys.maxsize if args.sets is None else args.sets
    finished = run_missing(settings, args.cells or list(settings["cells"]), sets, args.out)
    summaries = {name: summarise(lines, settings, settings["cells"][name]) for name, lines in finished.items()}
    if not summaries:
        raise SystemExit(f"there is no finished data set in {args.out}")
    print(markdown(summaries, settings["cells"]))
    if args.cells is None:
        (args.out / "summary.json").write_text(json.dumps(summaries, indent=1) + "\n", encoding="utf-8")
        draw_figures(settings, summaries, args.out)


if __name__ == "__main__":
    main()
