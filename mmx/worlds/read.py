"""A simulated world as a user's file would be read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmx.config import Config, merge, read_config
from mmx.data.load import load
from mmx.data.panel import Panel
from mmx.worlds.generate import Simulated


def read(
    simulated: Simulated, *, settings: Mapping[str, Any] | None = None, overrides: tuple[str, ...] = (), geos: int | None = None
) -> tuple[Config, Panel]:
    """Write a world's table to a file and read it through the data contract.

    Parameters
    ----------
    simulated : Simulated
    settings : mapping, optional
        A layer over the world's own settings.
    overrides : tuple of str, optional
        ``key.path=value``, as on the command line.
    geos : int, optional
        Keep so many of the first geos.

    Returns
    -------
    Config, Panel
    """
    config, table = read_config(merge(simulated.settings, settings or {}), overrides=overrides), simulated.table
    if geos is not None:
        column = simulated.settings["data"]["geo"]
        table = table[table[column].isin(sorted(table[column].unique())[:geos])]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.csv"
        table.to_csv(path, index=False)
        return config, load(config, path)
