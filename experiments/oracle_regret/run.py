"""What plans lose against the best one where the truth is known: ours, today's, rules of thumb, the optimum at posterior means.

Run ``python experiments/oracle_regret/run.py`` (an hour; finished cells are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import regret_cells
import regret_score
import yaml

HERE = Path(__file__).parent


def missing(path: Path, seeds: int, run: Callable[[int], dict[str, Any]], *, first: int = 1) -> list[dict[str, Any]]:
    """The finished cells of a file, one per seed from ``first`` on; those of ``seeds`` that it lacks are run and stored."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    for seed in range(first + len(found), first + seeds):
        found.append(run(seed))
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{path.stem}: seed {seed} done", flush=True)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run the missing cells, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished cells")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, bounds in settings["bounds"].items():
        found = judged(settings, name, bounds, args.out)
        report(settings, f"{name} bounds {bounds['multiples']}", found, bounds.get("first", 1))
    bounds = next(iter(settings["bounds"].values()))["multiples"]
    fresh = {}
    for world in settings["refresh"]["worlds"]:
        again = partial(regret_cells.refreshed, settings, world, bounds=bounds)
        fresh[world] = missing(args.out / f"refresh-{world}.json", settings["refresh"]["seeds"], again)
    print(f"\nRefresh after {settings['refresh']['earlier']} weeks, money in percent of what the current plan brings")
    print(regret_score.turnovers(fresh).round(3).to_string(index=False))


def judged(settings: dict[str, Any], name: str, bounds: dict[str, Any], out: Path) -> dict[str, list[dict[str, Any]]]:
    """All cells of one pair of bounds, seed by seed, so that a run that is cut off has some of each world."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seeds in range(1, bounds["seeds"] + 1):
        for world in settings["worlds"]:
            one = partial(regret_cells.one, settings, world, bounds=bounds["multiples"])
            found[world] = missing(out / f"{name}-{world}.json", seeds, one, first=bounds.get("first", 1))
    return found


def report(settings: dict[str, Any], title: str, found: dict[str, list[dict[str, Any]]], first: int = 1) -> None:
    """Print the tables of one pair of bounds, of all cells and by variant of the worlds."""
    fits = [cell["fit"] for world in found.values() for cell in world]
    passed, again = (sum(fit[key] for fit in fits) for key in ("passed", "again"))
    print(f"\n{title}: {len(fits)} worlds, {passed} fits through the gate, {again} sampled once more for it")
    for variant in (None, *sorted({settings["variants"]["odd"], settings["variants"]["even"]})):
        some = found if variant is None else of_variant(settings, found, variant, first)
        if some:
            print(f"\n{title}, {variant or 'all'}: {sum(map(len, some.values()))} worlds")
            tables(settings, some)


def of_variant(
    settings: dict[str, Any], found: dict[str, list[dict[str, Any]]], variant: str, first: int
) -> dict[str, list[dict[str, Any]]]:
    """The cells of one variant."""
    some = {
        world: [cell for k, cell in enumerate(every) if regret_cells.variant_of(settings, world, first + k) == variant]
        for world, every in found.items()
    }
    return {world: kept for world, kept in some.items() if kept}


def tables(settings: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    """Print regret, differences by both bootstraps, regret by world, and promises."""
    first, worst, draws = next(iter(settings["plans"])), settings["worst"], settings["bootstrap"]
    whole, alone = (regret_score.table_of(found, first, worst, draws, together=together) for together in (True, False))
    plain = ["plan", "regret", "left", "worst_regret", "worst_gain", "worse", "beats_first"]
    print(whole[plain].round(3).to_string(index=False))
    for how, table in (("kinds of worlds", whole), ("single worlds", alone)):
        print(f"Against {first}; intervals by resampling {how}")
        print(table[["plan", *(c for c in table if c.endswith(("_less", "_low", "_high")))]].round(2).to_string(index=False))
    print(regret_score.by_world(found).round(2).to_string(index=False))
    plans = [name for name in found[next(iter(found))][0]["plans"] if name != "current"]
    print(regret_score.promised(found, plans).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
