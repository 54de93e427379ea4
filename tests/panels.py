"""A small generated shop as a panel, and configurations of it, for the tests of the numerical rooms.

Four paid channels (radio has an exposure of its own), one organic medium, a treatment, a control and an event; some rows of
media history before the KPI window and some planned rows after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from mmx.config import merge, read_config
from mmx.data.panel import NATIONAL, Panel
from mmx.schema import Config

CHANNELS = ("tv", "radio", "search", "social")
WEEKS, HISTORY, PLANNED = 64, 6, 3
SETTINGS: dict[str, Any] = {
    "name": "shop",
    "data": {
        "date": "week",
        "target": "sales",
        "channels": {
            "tv": {"spend": "tv"},
            "radio": {"spend": "radio", "exposure": "radio_spots"},
            "search": {"spend": "search"},
            "social": {"spend": "social"},
        },
        "organic": {"mail": {"exposure": "mail"}},
        "treatments": ["price"],
        "controls": ["weather"],
        "events": [{"name": "fair", "start": "2022-06-06", "end": "2022-06-12"}],
    },
    "model": {"adstock_window": 5, "seasonality": {"yearly": 1}},
    "sampler": {"chains": 2, "tune": 50, "draws": 50, "max_depth": 6},
}
# Every adstock with every saturation.
MIXED = {
    "tv": {"adstock": "geometric", "saturation": "hill"},
    "radio": {"adstock": "delayed", "saturation": "hill"},
    "search": {"adstock": "geometric", "saturation": "logistic"},
    "social": {"adstock": "delayed", "saturation": "logistic"},
}
# A gate that short chains pass: for tests of what comes after it.
OPEN_GATE = {"max_rhat": 1e6, "min_ess": 1e-6, "min_ebfmi": 1e-6, "max_divergences": 10**6}


def shop_config(*layers: Mapping[str, Any], mixed: bool = True, channels: tuple[str, ...] = CHANNELS) -> Config:
    """Settings of the shop with layers on top; the families are mixed where the channels are the shop's own."""
    settings = merge(SETTINGS, {"data": {"channels": MIXED}} if mixed and channels is CHANNELS else {})
    for layer in layers:
        settings = merge(settings, layer)
    named = settings["data"]["channels"]
    return read_config({**settings, "data": {**settings["data"], "channels": {name: named[name] for name in channels}}})


def shop_panel(
    geos: int = 1,
    *,
    seed: int = 0,
    weeks: int = WEEKS,
    history: int = HISTORY,
    planned: int = PLANNED,
    channels: tuple[str, ...] = CHANNELS,
    population: bool = True,
    target_kind: str = "money",
    reach: tuple[str, ...] = (),
    controls: tuple[str, ...] = ("weather",),
) -> Panel:
    """The shop's panel: ``weeks`` rows, of which the first ``history`` and the last ``planned`` are outside the window.

    Channels in ``reach`` have a frequency, and further controls say nothing about the KPI.
    """
    rng = np.random.default_rng([seed, geos])
    cells = (geos, weeks)
    people = np.arange(1.0, geos + 1) * 1e5
    size = (people / people.mean())[:, None]
    paid = (*cells, len(channels))
    spend = rng.gamma(2.0, 60.0, paid) * size[..., None]
    spend *= rng.random(paid) < np.resize([0.5, 0.7, 1.0, 0.6], len(channels))
    exposure = spend.copy()
    exposure[..., 1] *= rng.uniform(0.8, 1.2, cells)
    event = np.zeros((*cells, 1))
    event[:, weeks // 3] = 1.0
    control, price = rng.normal(size=(*cells, 1)), rng.normal(10.0, 0.5, (*cells, 1))
    season = 150.0 * np.sin(2 * np.pi * np.arange(weeks) / 52.18)
    media = (np.sqrt(spend / size[..., None]) * np.resize([8.0, 5.0, 10.0, 4.0], len(channels))).sum(axis=2)
    base = 1500.0 + season + media + 50 * control[..., 0] - 60 * (price[..., 0] - 10) + 120 * event[..., 0]
    window = np.zeros(weeks, dtype=bool)
    window[history : weeks - planned] = True
    kpi = np.where(window, (base + rng.normal(0, 60, cells)) * size, np.nan)
    count = target_kind == "count"
    variables = {
        "kpi": (("geo", "time"), kpi / 25.0 if count else kpi),
        "spend": (("geo", "time", "channel"), spend),
        "exposure": (("geo", "time", "channel"), exposure),
        "organic": (("geo", "time", "organic_name"), rng.integers(0, 90, (*cells, 1)).astype(float)),
        "treatment": (("geo", "time", "treatment_name"), price),
        "control": (("geo", "time", "control_name"), control),
        "event": (("geo", "time", "event_name"), event),
        "unit_value": (("geo", "time"), rng.uniform(20.0, 30.0, cells) if count else np.ones(cells)),
        "population": (("geo",), people if population and geos > 1 else np.full(geos, np.nan)),
        "window": (("time",), window),
    }
    more = np.random.default_rng([seed, geos, 1])
    reached = spend[..., np.array([channels.index(name) for name in reach], dtype=int)] > 0
    often = np.where(reached, more.uniform(1.0, 5.0, reached.shape), 0.0)
    control = np.concatenate([control, more.normal(size=(*cells, len(controls) - 1))], axis=2)
    variables["control"] = (("geo", "time", "control_name"), control)
    variables["media_frequency"] = (("geo", "time", "frequency_name"), often)
    coords = {
        "frequency_name": np.array(reach, dtype=object),
        "geo": np.array([NATIONAL] if geos == 1 else [f"city{g}" for g in range(geos)], dtype=object),
        "time": (np.datetime64("2022-01-03") + 7 * np.arange(weeks)).astype("datetime64[ns]"),
        "channel": np.array(channels, dtype=object),
        "organic_name": np.array(["mail"], dtype=object),
        "treatment_name": np.array(["price"], dtype=object),
        "control_name": np.array(controls, dtype=object),
        "event_name": np.array(["fair"], dtype=object),
    }
    return Panel(
        data=xr.Dataset(variables, coords),
        target_kind=target_kind,
        frequency="weekly",
        currency="EUR",
        source="shop.csv",
        sha256="0" * 64,
        has_exposure=tuple(i == 1 for i in range(len(channels))),
    )


def changed(panel: Panel, **variables: Any) -> Panel:
    """The panel with some variables replaced by arrays of the same shape."""
    new = {name: (panel.data[name].dims, np.asarray(values)) for name, values in variables.items()}
    return replace(panel, data=panel.data.assign(new))
