"""A shop with lift tests: its panel, rows of tests, and the errors that bad ones give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shop_tables import GEO_SETTINGS, SETTINGS, configured, geographic, national, write

import mmx
from mmx.config import Config, merge
from mmx.data.panel import Panel
from mmx.errors import InputError

GOOD: dict[str, Any] = {
    "test": "more tv",
    "channel": "tv",
    "start": "2021-05-03",
    "end": "2021-05-30",
    "metric": "kpi",
    "value": 900.0,
    "se": 200.0,
}
HEADER = "test,channel,start,end,geos,metric,value,se,low,high,mass,delta_spend,inflation"


def csv_of(*rows: Mapping[str, Any], header: str = HEADER) -> str:
    """A table of lift tests."""
    return "\n".join([header, *(",".join(str(row.get(name, "")) for name in header.split(",")) for row in rows)]) + "\n"


def shop(
    folder: Path,
    tests: Any,
    *layers: Mapping[str, Any],
    geo: bool = False,
    cells: Mapping[str, Mapping[int, float]] | None = None,
) -> tuple[Config, Panel]:
    """The shop's configuration with lift tests and its panel; ``cells`` replaces values of columns by row."""
    frame = (geographic() if geo else national()).astype({"tv_cost": float})
    for column, changes in (cells or {}).items():
        for row, value in changes.items():
            frame.loc[row, column] = value
    path = write(folder, frame)
    layer: dict[str, Any] = {"model": {"lift_tests": tests}}
    for other in layers:
        layer = merge(layer, other)
    config = configured(path, layer, base=GEO_SETTINGS if geo else SETTINGS)
    return config, mmx.load(config)


def refusal(folder: Path, rows: list[dict[str, Any]], *layers: Mapping[str, Any], inline: bool = False, **options: Any) -> str:
    """Error of bad lift tests, from a file or from the configuration itself; empty where they were accepted."""
    (folder / "tests.csv").write_text(csv_of(*rows), encoding="utf-8")
    try:
        config, panel = shop(folder, rows if inline else str(folder / "tests.csv"), *layers, **options)
        mmx.with_lift_tests(config, panel)
    except InputError as error:
        assert error.exit_code == 2
        return str(error)
    return ""
