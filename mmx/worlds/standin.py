"""A generated stand-in for a table that cannot be shipped: the columns that a configuration names, with a known truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mmx.config import Config, default_text
from mmx.schema import DataSettings, DatedEvent, EventColumn
from mmx.spec import MediaSpec
from mmx.worlds import draws
from mmx.worlds.generate import START, Simulated, truth_of
from mmx.worlds.registry import Geos, Lever, Medium, Pattern, World
from mmx.worlds.scene import Dates, Frame, Scene, build

PERIODS = 156
HISTORY = 13
GEOS = 8
WEEK = np.timedelta64(7, "D")
PATTERNS: tuple[tuple[Pattern, float], ...] = (
    ("always_on", 60_000),
    ("flights", 50_000),
    ("seasonal", 30_000),
    ("bursts", 90_000),
)
LEVELS = ("event_1", "event_2")
GROUPS = ("group_1", "group_2")


def like(config: Config, *, seed: int) -> Simulated:
    """Simulate a table with exactly the columns that a configuration names.

    Weekly, 156 periods or as many as the KPI window and dated events need (13 of media history before a window that has
    a start), 8 geos where a geo column is named, in 2 groups where they are grouped. The response curves are geometric or
    delayed and logistic or Hill, whichever is nearer to the configuration's; reach times frequency is the exposure.

    Parameters
    ----------
    config : Config
    seed : int

    Returns
    -------
    Simulated
        With truth as in the named worlds; an index has no money, so its ``roas`` and ``mroas`` are empty and the rest is
        in KPI units.
    """
    data = config.data
    dates = _calendar(data)
    unit_value = 1.0 if data.target_kind != "count" else data.unit_value
    worth = None if isinstance(unit_value, str) else unit_value
    frame = Frame(dates, _window(data, dates), data.target_kind, worth, config.budget)
    world = _world(config, dates, seed, worth)
    scene = build(world, frame, seed=seed)
    settings = difference(yaml.safe_load(default_text()), config.as_mapping())
    settings.get("data", {}).pop("path", None)
    settings.get("model", {}).pop("lift_tests", None)  # Of other dates, geos and truth.
    return Simulated(_table(scene, data, seed), truth_of(scene, name=f"like {config.name}", seed=seed), settings, scene)


def difference(default: Mapping[str, Any], full: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a resolved configuration says beyond the defaults, so that merging it over them gives it again."""
    out: dict[str, Any] = {}
    for key, value in full.items():
        under = default.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and "family" not in value:
            if inner := difference(under, value):
                out[key] = inner
        elif _stated(value) != under:
            out[key] = _stated(value)
    return out


def _stated(value: Any) -> Any:
    """Drop the keys of a mapping that are null, at any depth."""
    if isinstance(value, Mapping):
        return {k: _stated(v) for k, v in value.items() if v is not None}
    return value


def _calendar(data: DataSettings) -> Dates:
    """First days of the weeks, in step with the KPI window and around everything that is dated."""
    start, end = data.window.start, data.window.end
    events = data.events if isinstance(data.events, tuple) else ()
    first = [np.datetime64(start) - HISTORY * WEEK] if start else []
    last = [np.datetime64(end)] if end else []
    if events:
        margin = 4 * WEEK if not end else 0 * WEEK
        first.append(min(np.datetime64(e.start) for e in events) - 26 * WEEK)
        last.append(max(np.datetime64(e.end) for e in events) + margin)
    length = (PERIODS - 1) * WEEK
    if end:
        final = max(last)
        begin = min([*first, final - length])
    else:
        begin = min(first) if first else START
        final = max([*last, begin + length + (HISTORY * WEEK if start else 0 * WEEK)])
    anchor = np.datetime64(start or end) if start or end else START
    begin = anchor - -((begin - anchor) // WEEK) * WEEK
    return np.arange(begin, final + np.timedelta64(1, "D"), WEEK)


def _window(data: DataSettings, dates: Dates) -> np.ndarray[Any, np.dtype[np.bool_]]:
    inside = np.ones(len(dates), dtype=bool)
    if data.window.start:
        inside &= dates >= np.datetime64(data.window.start)
    if data.window.end:
        inside &= dates <= np.datetime64(data.window.end)
    return inside


def _world(config: Config, dates: Dates, seed: int, worth: float | None) -> World:
    spec, data = config.spec_without_tests, config.data
    geos = Geos(GEOS) if data.geo is not None else None
    # a unit that is worth much would leave a KPI of a few units a week, so that rounding is all there is
    factor = max(1.0, (worth or 1.0) * (GEOS if geos else 1) / 1000) if data.target_kind == "count" else 1.0
    media = [
        _medium(i, name, media_spec, factor, priced=bool(data.channels[name].exposure or data.channels[name].reach))
        for i, (name, media_spec) in enumerate(spec.channels.items())
    ]
    media += [_medium(0, name, media_spec, factor, paid=False) for name, media_spec in spec.organic.items()]
    levers = [Lever(c, "treatment", (0.03, 0.1)) for c in data.treatments]
    levers += [Lever(c, "control", (-0.03, 0.03)) for c in data.controls]
    return World(
        f"A generated stand-in with the columns of the configuration {config.name}.",
        tuple(media),
        levers=tuple(levers + _events(data, dates, seed)),
        geos=geos,
    )


def _medium(i: int, name: str, spec: MediaSpec, factor: float, *, paid: bool = True, priced: bool = False) -> Medium:
    pattern, level = PATTERNS[i % len(PATTERNS)]
    return Medium(
        name,
        pattern,
        factor * level,
        alpha=(0.5, 0.8) if spec.adstock == "delayed" else (0.15, 0.6),
        delay=(0.5, min(3.0, spec.adstock_window / 3)),
        paid=paid,
        unit_cost=0.01 if priced else None,
        adstock="delayed" if spec.adstock == "delayed" else "geometric",
        saturation="logistic" if spec.saturation in ("logistic", "tanh") else "hill",
        window=spec.adstock_window,
    )


def _events(data: DataSettings, dates: Dates, seed: int) -> list[Lever]:
    """Events of a column, two levels once a year each, or the dated ones; named apart from columns."""
    if isinstance(data.events, EventColumn):
        first = draws.stream(seed, "events").permutation(min(52, len(dates)))
        levels = [v for v in (*LEVELS, *(f"{v}_" for v in LEVELS)) if v not in data.events.none][: len(LEVELS)]
        return [
            Lever(_key(data.events.column, level), "event", (0.05, 0.15), tuple(range(int(first[k]), len(dates), 52)))
            for k, level in enumerate(levels)
        ]
    return [Lever(_key("event", e.name), "event", (0.05, 0.15), _overlap(e, dates)) for e in data.events or ()]


def _overlap(event: DatedEvent, dates: Dates) -> tuple[int, ...]:
    during = (dates + WEEK > np.datetime64(event.start)) & (dates <= np.datetime64(event.end))
    return tuple(int(i) for i in np.flatnonzero(during))


def _key(column: str, level: str) -> str:
    return f"{column}={level}"


def _table(scene: Scene, data: DataSettings, seed: int) -> pd.DataFrame:
    """Return the table as the configuration names it, long where it asks for that."""
    geos, periods = scene.kpi.shape
    columns: dict[str, Any] = {data.date: np.tile(scene.frame.dates.astype("datetime64[s]"), geos)}
    if data.geo is not None:
        columns[data.geo] = np.repeat(np.array(scene.geos), periods)
    if data.group is not None:
        columns[data.group] = np.repeat(np.resize(GROUPS, geos), periods)
    if data.population is not None:
        columns[data.population] = np.repeat(scene.mechanism.population.astype(np.int64), periods)
    columns[data.target] = scene.kpi.ravel()
    if isinstance(data.unit_value, str):
        columns[data.unit_value] = scene.mechanism.worth.ravel()
    for c, channel in enumerate(data.channels.values()):
        columns[channel.spend] = scene.mechanism.spend[..., c].ravel()
        if channel.exposure is not None:
            columns[channel.exposure] = scene.mechanism.exposure[..., c].ravel()
        if channel.reach is not None and channel.frequency is not None:
            exposure = scene.mechanism.exposure[..., c].ravel()
            often = 1.0 + draws.stream(seed, f"frequency {c}").gamma(2.0, 0.5, exposure.size)
            columns[channel.reach] = np.floor(exposure / often)
            columns[channel.frequency] = np.where(columns[channel.reach] > 0, often, 0.0)
    for o, organic in enumerate(data.organic.values(), start=len(data.channels)):
        columns[organic.exposure] = scene.mechanism.exposure[..., o].ravel()
    for name in (*data.treatments, *data.controls):
        columns[name] = scene.levers[name].ravel()
    if isinstance(data.events, EventColumn):
        columns[data.events.column] = _text(scene, data.events)
    table = pd.DataFrame(columns)
    if data.long is None:
        return table
    keys = [data.date, *([data.geo] if data.geo is not None else [])]
    values = table.astype({c: str for c in table.columns if c not in keys})
    return values.melt(id_vars=keys, var_name=data.long.variable, value_name=data.long.value)


def _text(scene: Scene, events: EventColumn) -> list[str]:
    """Return the event column: the level of each row, or the first level that means none."""
    text = np.full(scene.kpi.shape, events.none[0] if events.none else "", dtype=object)
    for lever in scene.world.levers:
        if lever.kind == "event":
            text[:, list(lever.rows)] = lever.name.removeprefix(_key(events.column, ""))
    return [str(v) for v in text.ravel()]
