"""Checked rows to a panel: arrays on (geo, time, channel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from mmx.config import Config
from mmx.data.cells import Cells, Floats, kind_of
from mmx.data.dates import Grid
from mmx.data.events import event_columns
from mmx.data.layout import Kind
from mmx.data.panel import NATIONAL, Panel
from mmx.data.rows import Rows
from mmx.data.source import Table


def build_panel(rows: Rows, raw: Table, grid: Grid, config: Config, notes: Sequence[str], dropped: Sequence[str] = ()) -> Panel:
    """Lay checked rows out as a panel.

    Parameters
    ----------
    raw : Table
        The table as it stood in the file.
    dropped : sequence of str
        Channels and organic media that a policy leaves out.
    """
    data = config.data
    geos = list(dict.fromkeys(rows.geos.tolist())) if data.geo is not None else [NATIONAL]
    own = {r.name for r in rows.of("exposure")}
    media = ("spend", "exposure", "frequency", "organic")
    kept = replace(rows, roles=tuple(r for r in rows.roles if r.kind not in media or r.name not in dropped))
    events = event_columns(rows, grid, config)
    coords = {
        "geo": _labels(geos),
        "time": grid.starts[:-1].astype("datetime64[ns]"),
        "channel": _labels([r.name for r in kept.of("spend")]),
        "organic_name": _labels([r.name for r in kept.of("organic")]),
        "frequency_name": _labels([r.name for r in kept.of("frequency")]),
        "treatment_name": _labels([r.name for r in kept.of("treatment")]),
        "control_name": _labels([r.name for r in kept.of("control")]),
        "event_name": _labels(list(events)),
    }
    return Panel(
        data=xr.Dataset(_variables(kept, grid, config, geos, events), coords),
        target_kind=data.target_kind,
        frequency=grid.frequency,
        currency=data.currency or "",
        source=str(Path(raw.path).resolve()),
        sha256=raw.sha256,
        notes=tuple(notes),
        has_exposure=tuple(r.name in own for r in kept.of("spend")),
        columns=tuple((name, kind_of(values)) for name, values in raw.columns.items()),
        groups=_groups(rows, geos),
    )


def _groups(rows: Rows, geos: Sequence[str]) -> tuple[str, ...]:
    """Group of each geo."""
    if rows.groups is None:
        return ()
    of = dict(zip(rows.geos.tolist(), rows.groups.tolist(), strict=True))
    return tuple(of[geo] for geo in geos)


def _labels(names: Sequence[str]) -> Cells:
    return np.array(names, dtype=object)


def _variables(
    rows: Rows, grid: Grid, config: Config, geos: list[str], events: dict[str, Floats]
) -> dict[str, tuple[tuple[str, ...], npt.NDArray[np.generic]]]:
    """Variables of the panel with their dimensions."""
    data = config.data
    shape = (len(geos), grid.labels.size)
    at = (np.array([geos.index(g) for g in rows.geos]), np.searchsorted(grid.labels, rows.dates))

    def laid(values: Floats) -> Floats:
        out = np.full(shape, np.nan)
        out[at] = values
        return out

    def stacked(columns: Sequence[Floats]) -> Floats:
        return np.stack([laid(c) for c in columns], axis=-1) if columns else np.zeros((*shape, 0))

    def of(kind: Kind) -> Floats:
        return stacked([rows.numbers[r.column] for r in rows.of(kind)])

    exposure = {r.name: r.column for r in rows.of("exposure")}
    exposures = [rows.numbers[exposure.get(r.name, r.column)] for r in rows.of("spend")]
    unit = (
        rows.numbers[data.unit_value] if isinstance(data.unit_value, str) else np.full(rows.lines.size, data.unit_value or 1.0)
    )
    population = laid(rows.numbers[data.population])[:, 0] if data.population is not None else np.full(len(geos), np.nan)
    inside = np.zeros(grid.labels.size, dtype=bool)
    inside[at[1]] = rows.inside
    cells = ("geo", "time")
    return {
        "kpi": (cells, laid(rows.numbers[data.target])),
        "spend": ((*cells, "channel"), of("spend")),
        "exposure": ((*cells, "channel"), stacked(exposures)),
        "media_frequency": ((*cells, "frequency_name"), of("frequency")),
        "organic": ((*cells, "organic_name"), of("organic")),
        "treatment": ((*cells, "treatment_name"), of("treatment")),
        "control": ((*cells, "control_name"), of("control")),
        "event": ((*cells, "event_name"), stacked(list(events.values()))),
        "unit_value": (cells, laid(unit)),
        "population": (("geo",), population),
        "window": (("time",), inside),
    }
