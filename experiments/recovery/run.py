"""Do the tools find known ROAS, with intervals that hold what they promise? Cells are run once, stored, scored together.

Run ``python experiments/recovery/run.py`` (mmx, development seeds), with ``--set report --tools mmx meridian``, or ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from experiments.recovery import cells, score, show

HERE = Path(__file__).parent


def arguments_of(given: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=["development", "report"], default="development", help="which seeds")
    parser.add_argument("--tools", nargs="+", metavar="TOOL", default=["mmx"], help="tools to run; mmx")
    parser.add_argument("--worlds", nargs="+", metavar="WORLD", help="worlds to run")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="seeds to run, of the set")
    parser.add_argument("--override", action="append", default=[], metavar="KEY.PATH=VALUE", help="setting of mmx; with --arm")
    parser.add_argument("--arm", metavar="NAME", help="name of mmx with these overrides: its cells are stored under mmx+NAME")
    parser.add_argument("--score", action="store_true", help="run nothing: score what is stored")
    parser.add_argument("--compare", nargs="+", metavar="NAME", help="tools and arms to score; all that are stored")
    parser.add_argument("--smoke", action="store_true", help="tiny worlds and chains: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished cells")
    args = parser.parse_args(given)
    if bool(args.override) != bool(args.arm):
        parser.error("--override and --arm go together: another model is another arm")
    return args


def plan(settings: dict[str, Any], args: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Tool, world and seed of the cells to run, seed by seed so that all worlds and tools advance together."""
    tools, worlds, seeds = args.tools, args.worlds or list(settings["worlds"]), settings["seeds"][args.set]
    for kind, asked, known in (("tool", tools, settings["tools"]), ("world", worlds, settings["worlds"])):
        unknown = [a for a in asked if a not in known]
        if unknown:
            raise SystemExit(f"there is no {kind} {', '.join(unknown)}; config.yaml has {', '.join(known)}")
    other = sorted(set(args.seeds or []) - set(seeds))
    if other:
        raise SystemExit(
            f"the {args.set} seeds are {', '.join(map(str, seeds))}; {', '.join(map(str, other))} is not one of them"
        )
    wanted = [s for s in seeds if args.seeds is None or s in args.seeds]
    peers = set(seeds[: settings["peer_seeds"]])
    return [
        (tool, world, seed)
        for seed in wanted
        for world in worlds
        for tool in tools
        if "peer" not in settings["tools"][tool] or seed in peers
    ]


def run(settings: dict[str, Any], args: argparse.Namespace) -> None:
    """Run the missing cells."""
    overrides = (*settings.get("overrides", ()), *args.override)
    if args.arm:
        args.tools = ["mmx"]
    todo = plan(settings, args)
    for i, (tool, world, seed) in enumerate(todo, 1):
        name = f"mmx+{args.arm}" if args.arm else tool
        case = cells.make_case(settings, world, seed)
        path = args.out / args.set / name / f"{case.name}.json"
        if cells.stored(path, case) is None:
            cell = cells.run_cell(case, tool, settings, overrides) | {"tool": name}
            cells.store(path, cell)
            said = cell.get("failed") or f"through the gate {score.passed(cell, settings['gate'])}"
            print(f"{i}/{len(todo)} {name} {case.name}: {cell['seconds']['all_in']} s, {said}", flush=True)


def finished(folder: Path, settings: dict[str, Any], only: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the stored cells of a set, the tools in the order of the configuration, arms after them."""
    order = {t: i for i, t in enumerate(settings["tools"])}
    paths = sorted(folder.glob("*/*.json"), key=lambda p: (order.get(p.parent.name, len(order)), str(p)))
    return [json.loads(p.read_text(encoding="utf-8")) for p in paths if only is None or p.parent.name in only]


def main(given: list[str] | None = None) -> None:
    """Run the missing cells, score, print and draw."""
    args = arguments_of(given)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    if not args.score:
        run(settings, args)
    folder = args.out / args.set
    done = finished(folder, settings, args.compare)
    if not done:
        raise SystemExit(f"there is no finished cell in {folder}")
    summary = score.summarise_study(done, settings)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    (folder / "tables.md").write_text(show.as_markdown(summary), encoding="utf-8")
    if summary["paired"]["cells"]:
        show.figure(summary, folder / "recovery.png")
    print(show.as_text(summary), end="")


if __name__ == "__main__":
    main()
