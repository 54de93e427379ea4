"""The cases as folders: a table, ``case.json`` for the peers, ``mmx.yaml`` for mmx, the same rows and columns for all."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mmx import worlds
from mmx.worlds.registry import WORLDS, World

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "peers"))

import run_peer  # noqa: E402


def world_of(media: int, geos: int | None) -> World:
    """Return the clean world, or the geo world, with another number of media and geos."""
    stated = WORLDS["clean" if geos is None else "geo"]
    six = len(stated.media)
    chosen = [
        medium if m < six else replace(medium, name=f"{medium.name}_{m // six + 1}")
        for m, medium in ((m, stated.media[m % six]) for m in range(media))
    ]
    regions = None if geos is None or stated.geos is None else replace(stated.geos, count=geos)
    return replace(stated, media=tuple(chosen), geos=regions)


def simulate(size: dict[str, Any], seed: int) -> worlds.Simulated:
    """Simulate a world of ``media``, ``geos`` (null: national) and ``weeks``."""
    name = "speed"
    WORLDS[name] = world_of(size["media"], size["geos"])
    try:
        return worlds.simulate(name, seed=seed, periods=size["weeks"])
    finally:
        del WORLDS[name]


def folder_of(name: str, case: dict[str, Any], seed: int, base: Path) -> Path | None:
    """Make the folder of a case under ``base``; None where its table is not at hand."""
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    if "world" in case:
        simulated = simulate(case["world"], seed)
        table, settings = simulated.table, simulated.settings
    else:
        shared = os.environ.get("MMX_DATA_DIR")
        if shared is None or not (Path(shared) / case["data"]).is_file():
            return None
        settings = yaml.safe_load((ROOT / "configs" / case["configuration"]).read_text(encoding="utf-8"))
        table = pd.read_csv(Path(shared) / case["data"])
    settings = {**settings, "data": {**settings["data"], "path": "table.csv"}}
    run_peer.write_case(folder, name, table, settings["data"])
    (folder / "mmx.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return folder
