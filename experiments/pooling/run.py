"""Regret of pooled rule parameters on customers left out of the pool; see README.md.

Run ``python experiments/pooling/run.py`` (customers that are done are stored and not run again) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pooling_accounts import Floats, account, design, own_profit, traits_of, true_profit
from pooling_arms import arms_of, optimum_of
from pooling_scores import score_arms, told
from pooling_table import regret_figure, regret_rows, table_text

from mmx.rules.engine import Engine
from mmx.rules.pooling.optimum import Optimum

HERE = Path(__file__).parent


def screen(engine: Engine, settings: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the largest true effect of a step to either side of the default, over customers of development."""
    space, own, effects = engine.space, settings["screening"], []
    free = np.tile(space.to_free(space.default), (2 * len(space), 1))
    moved = np.arange(2 * len(space)) // 2
    step = own["step"] * np.tile([-1.0, 1.0], len(space))
    free[np.arange(len(free)), moved] = np.clip(free[np.arange(len(free)), moved] + step, -settings["edge"], settings["edge"])
    vectors = np.tile(space.default, (len(free), 1))
    vectors[np.arange(len(free)), moved] = space.from_free(free)[np.arange(len(free)), moved]
    for number in range(own["first"], own["first"] + own["worlds"]):
        world = account(number, "real", settings)
        both = np.vstack([space.default, vectors])
        profit, spend = true_profit(engine, world, both, settings["days"], settings["truth"])
        gain = (profit - profit[0]).mean(axis=1) / spend[0].mean()
        effects.append(np.abs(gain[1:]).reshape(-1, 2).max(axis=1))
    size = np.mean(effects, axis=0)
    order = np.argsort(-size, kind="stable")
    shares = {space.names[i]: round(float(size[i]), 6) for i in order if size[i] > 0.0}
    return {"kept": list(shares)[: own["keep"]], "effects": shares}


def true_cell(engine: Engine, number: int, heterogeneity: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A customer's traits, the true gains of the design over the defaults, and the best vector of a search on the truth."""
    world, names = account(number, heterogeneity, settings), settings["parameters"]
    vectors = design(engine, names, settings["design"], settings["edge"], settings["seed"])
    profit, spend = true_profit(engine, world, vectors, settings["days"], settings["truth"])
    best = refine(engine, world, free_of(engine, names, vectors), profit / spend[0].mean(), settings)
    return {"customer": number, "kind": world.kind, "traits": traits_of(world), "best": best.tolist()}


def own_cell(engine: Engine, number: int, heterogeneity: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What a customer's own past says, by its length: scores of the design, the surrogate's optimum, the gate's refusals."""
    world, names = account(number, heterogeneity, settings), settings["parameters"]
    vectors = design(engine, names, settings["design"], settings["edge"], settings["seed"])
    free, own, model = free_of(engine, names, vectors), {}, None
    for weeks in sorted({*settings["weeks"], settings["others"]}, reverse=True):
        scores, model = own_profit(engine, world, weeks, vectors, settings, model)
        own[str(weeks)] = {
            "scores": told(scores),
            "optimum": plain(optimum_of(free, scores, settings)),
            "refused": {verdict.part: list(verdict.reasons) for verdict in model.verdicts if not verdict.passed},
        }
    return own


def refine(engine: Engine, world: Any, free: Floats, truth: Floats, settings: dict[str, Any]) -> Floats:
    """Best vector of a search on the truth: the design's best and the surrogate's optimum, moved about, under more luck."""
    own = settings["refine"]
    rng = np.random.default_rng([settings["seed"], world.seed])
    centre = optimum_of(free, truth, settings).point
    around = centre + own["spread"] * rng.standard_normal((own["vectors"] - own["candidates"] - 1, free.shape[1]))
    top = free[np.argsort(-truth.mean(axis=1))[: own["candidates"]]]
    tried = np.clip(np.vstack([top, centre, around]), -settings["edge"], settings["edge"])
    found = true_profit(engine, world, vectors_of(engine, settings["parameters"], tried), settings["days"], own["seeds"])[0]
    chosen: Floats = tried[int(found.mean(axis=1).argmax())]
    return chosen


def free_of(engine: Engine, names: list[str], vectors: Floats) -> Floats:
    """Unconstrained coordinates of the named parameters, (vector, coordinate)."""
    return engine.space.to_free(vectors)[:, [engine.space.index(name) for name in names]]


def vectors_of(engine: Engine, names: list[str], free: Floats) -> Floats:
    """Whole vectors of unconstrained coordinates, the others at the defaults."""
    space = engine.space
    places = [space.index(name) for name in names]
    whole = np.tile(space.to_free(space.default), (len(free), 1))
    whole[:, places] = free
    vectors = np.tile(space.default, (len(free), 1))
    vectors[:, places] = space.from_free(whole)[:, places]
    return vectors


def both_ways(engine: Engine, cells: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Arms by pooled optima and by pooled scores, in unconstrained coordinates."""
    names = settings["parameters"]
    free = free_of(engine, names, design(engine, names, settings["design"], settings["edge"], settings["seed"]))
    found = arms_of(engine.space, cells, settings)
    for customer, arms in score_arms(cells, settings).items():
        found["arms"][customer] |= {name: free[place].tolist() for name, place in arms.items()}
    return found


def plain(optimum: Optimum) -> dict[str, Any]:
    """An optimum as JSON holds it."""
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(optimum).items()}


def judged(
    engine: Engine, cell: dict[str, Any], arms: dict[str, list[float]], heterogeneity: str, settings: dict[str, Any]
) -> Any:
    """True profit of every arm, of the defaults and of the best, over the defaults' spend: means over luck of its own."""
    world, names = account(cell["customer"], heterogeneity, settings), list(arms)
    vectors = vectors_of(engine, settings["parameters"], np.array([cell["best"], *arms.values()]))
    vectors = np.vstack([engine.space.default, vectors])
    profit, spend = true_profit(engine, world, vectors, settings["days"], settings["judge"])
    gain = (profit / spend[0].mean()).mean(axis=1)
    return dict(zip(["default", "best", *names], gain.tolist(), strict=True))


def stored(path: Path, make: Any) -> Any:
    """Content of a file, made where it is missing."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        path.write_text(json.dumps(made) + "\n", encoding="utf-8")
        print(f"{path.parent.name}/{path.stem}: done {time.strftime('%H:%M:%S')}", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Run what is missing, and write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few small customers: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of what is done")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    engine = Engine()
    if settings["parameters"] is None:
        settings["parameters"] = stored(args.out / "screening.json", lambda: screen(engine, settings))["kept"]
    rows: list[dict[str, Any]] = []
    for heterogeneity in settings["heterogeneity"]:
        folder = args.out / heterogeneity
        numbers = range(settings["first"], settings["first"] + settings["customers"])
        cells = [
            stored(folder / f"{n}.json", lambda n=n, h=heterogeneity: true_cell(engine, n, h, settings))
            | {"own": stored(folder / f"{n}_own.json", lambda n=n, h=heterogeneity: own_cell(engine, n, h, settings))}
            for n in numbers
        ]
        found = stored(folder / "arms.json", lambda cells=cells: both_ways(engine, cells, settings))
        gains = [
            stored(
                folder / f"{cell['customer']}_gains.json",
                lambda cell=cell, h=heterogeneity, found=found: judged(
                    engine, cell, found["arms"][str(cell["customer"])], h, settings
                ),
            )
            for cell in cells
        ]
        rows += regret_rows(heterogeneity, cells, gains, settings)
        (args.out / "regret.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table_text(rows), flush=True)
    regret_figure(rows, args.out / "regret.png")
    return rows


if __name__ == "__main__":
    main()
