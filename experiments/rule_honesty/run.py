"""Claimed against true uplift of tuned rules on simulated accounts, and what tuned rules are worth there; see README.md.

Run: python experiments/rule_honesty/run.py [--smoke] [--out FOLDER] [--worlds N]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from honesty_table import summary, tables
from honesty_world import Study, one_world

from mmx.config import read_config
from mmx.rules.engine import Engine

HERE = Path(__file__).parent


def plain(value: Any) -> Any:
    """Numbers of six digits, lists and mappings, as JSON has them."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float | np.floating) else value


def finished(path: Path) -> list[dict[str, Any]]:
    """Finished worlds; a last line that was cut off is taken away."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the missing worlds, print the tables, store the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one small world: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished worlds")
    parser.add_argument("--worlds", type=int, help="how many, instead of those of config.yaml; 0 prints the tables only")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    smoke = settings.pop("smoke")
    settings |= smoke if args.smoke else {}
    worlds = settings["worlds"] if args.worlds is None else args.worlds
    study = Study(settings, read_config(HERE / "rules.yaml").rules, Engine())
    args.out.mkdir(parents=True, exist_ok=True)
    store = args.out / "worlds.jsonl"
    done = finished(store)
    for seed in range(settings["seed"], settings["seed"] + worlds):
        if seed in {cell["seed"] for cell in done}:
            continue
        begun, clock = time.perf_counter(), time.process_time()
        cell = plain(one_world(study, seed))
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps(cell) + "\n")
        done.append(cell)
        print(
            f"{seed} {cell['kind']}: {time.perf_counter() - begun:.1f} s, {time.process_time() - clock:.1f} s CPU", flush=True
        )
    found = plain(summary(done))
    (args.out / "summary.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(tables(found), flush=True)
    return found


if __name__ == "__main__":
    main()
