"""Small generated tables and their configurations for the tests of the data room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmx.config import Config, merge, read_config

WEEKS = 120
SETTINGS: dict[str, Any] = {
    "name": "shop",
    "data": {
        "path": "shop.csv",
        "date": "week",
        "target": "sales",
        "channels": {"tv": {"spend": "tv_cost"}, "radio": {"spend": "radio_cost", "exposure": "radio_spots"}},
        "organic": {"mail": {"exposure": "mails"}},
        "treatments": ["price"],
        "controls": ["temperature"],
        "events": {"column": "event", "none": ["na"]},
    },
}
GEO_SETTINGS = merge(SETTINGS, {"data": {"geo": "city", "population": "people"}})


def national(seed: int = 0, weeks: int = WEEKS) -> pd.DataFrame:
    """A clean weekly table; row i of the frame is line i + 2 of the file."""
    rng = np.random.default_rng(seed)
    spots = rng.integers(0, 40, weeks) * (rng.random(weeks) < 0.7)
    frame = pd.DataFrame(
        {
            "week": pd.date_range("2021-01-04", periods=weeks, freq="7D").strftime("%Y-%m-%d"),
            "sales": np.round(rng.normal(9000, 900, weeks), 2),
            "tv_cost": np.round(rng.gamma(2, 200, weeks) * (rng.random(weeks) < 0.6), 2),
            "radio_cost": np.round(spots * rng.uniform(18, 22, weeks), 2),
            "radio_spots": spots,
            "mails": rng.integers(100, 900, weeks),
            "price": np.round(rng.normal(10, 0.4, weeks), 2),
            "temperature": np.round(12 + 9 * np.sin(np.arange(weeks) / 8.3) + rng.normal(0, 1, weeks), 1),
            "event": "na",
        }
    )
    for level, rows in (("fair", (5, 57, 109)), ("sale", (30, 82))):
        frame.loc[frame.index.isin(rows), "event"] = level
    return frame


def geographic(cities: tuple[str, ...] = ("Aa", "Bb", "Cc"), weeks: int = WEEKS) -> pd.DataFrame:
    """A clean table with one block of rows per city."""
    blocks = []
    for i, city in enumerate(cities):
        frame = national(seed=i, weeks=weeks)
        frame.insert(0, "city", city)
        blocks.append(frame.assign(people=100_000 * (i + 1)))
    return pd.concat(blocks, ignore_index=True)


def long(frame: pd.DataFrame, keys: tuple[str, ...] = ("week",)) -> pd.DataFrame:
    """The same table with one row per key and variable."""
    return frame.astype(object).melt(id_vars=list(keys), var_name="what", value_name="amount")


def write(folder: Path, content: pd.DataFrame | str | bytes, name: str = "shop.csv") -> Path:
    """Write a table or the raw content of a file."""
    path = folder / name
    if isinstance(content, pd.DataFrame):
        content = content.to_csv(index=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def configured(path: Path, *layers: Mapping[str, Any], base: Mapping[str, Any] = SETTINGS) -> Config:
    """The base settings with layers, reading from ``path``."""
    settings: dict[str, Any] = merge(base, {"data": {"path": str(path)}})
    for layer in layers:
        settings = merge(settings, layer)
    return read_config(settings)
