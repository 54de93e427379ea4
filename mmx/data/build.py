"""Checked rows to a panel: arrays on (geo, time, channel)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from mmx.config import Config
from mmx.data.cells import Cells, Floats, kind_of
from mmx.data.dates import Grid
from mmx.data.events import event_columns
from mmx.data.layout import Role
from mmx.data.panel import NATIONAL, Panel
from mmx.data.rows import Rows
from mmx.data.source import Table


def build_panel(
    rows: Rows, table: Table, raw: Table, grid: Grid, config: Config, notes: Sequence[str], dropped: Sequence[str] = ()
) -> Panel:
    """Lay checked rows out as a panel.

    Parameters
    ----------
    table, raw : Table
        The wide table, and the table as it stood in the file.
    dropped : sequence of str
        Channels and organic media that a policy leaves out.
    """
    data = config.data
    geos = list(dict.fromkeys(rows.geos.tolist())) if data.geo is not None else [NATIONAL]
    shape = (len(geos), grid.labels.size)
    at = (np.array([geos.index(g) for g in rows.geos]), np.searchsorted(grid.labels, rows.dates))

    def laid(values: Floats) -> Floats:
        out = np.full(shape, np.nan)
        out[at] = values
        return out

    def stacked(columns: Sequence[Floats]) -> Floats:
        return np.stack([laid(c) for c in columns], axis=-1) if columns else np.zeros((*shape, 0))

    def chosen(kind: str) -> list[Role]:
        return [r for r in rows.roles if r.kind == kind and r.name not in dropped]

    exposure = {r.name: rows.numbers[r.column] for r in chosen("exposure")}
    paid, organic = chosen("spend"), chosen("organic")
    events = event_columns(rows, grid, config)
    unit = (
        rows.numbers[data.unit_value] if isinstance(data.unit_value, str) else np.full(rows.lines.size, data.unit_value or 1.0)
    )
    population = laid(rows.numbers[data.population])[:, 0] if data.population is not None else np.full(len(geos), np.nan)
    inside = np.zeros(grid.labels.size, dtype=bool)
    inside[at[1]] = rows.inside
    cells = ("geo", "time")

    def labels(names: Sequence[str]) -> Cells:
        return np.array(names, dtype=object)

    variables = {
        "kpi": (cells, laid(rows.numbers[data.target])),
        "spend": ((*cells, "channel"), stacked([rows.numbers[r.column] for r in paid])),
        "exposure": ((*cells, "channel"), stacked([exposure.get(r.name, rows.numbers[r.column]) for r in paid])),
        "organic": ((*cells, "organic_name"), stacked([rows.numbers[r.column] for r in organic])),
        "treatment": ((*cells, "treatment_name"), stacked([rows.numbers[r.column] for r in chosen("treatment")])),
        "control": ((*cells, "control_name"), stacked([rows.numbers[r.column] for r in chosen("control")])),
        "event": ((*cells, "event_name"), stacked(list(events.values()))),
        "unit_value": (cells, laid(unit)),
        "population": (("geo",), population),
        "window": (("time",), inside),
    }
    coords = {
        "geo": labels(geos),
        "time": grid.starts[:-1].astype("datetime64[ns]"),
        "channel": labels([r.name for r in paid]),
        "organic_name": labels([r.name for r in organic]),
        "treatment_name": labels([r.name for r in chosen("treatment")]),
        "control_name": labels([r.name for r in chosen("control")]),
        "event_name": labels(list(events)),
    }
    return Panel(
        data=xr.Dataset(variables, coords),
        target_kind=data.target_kind,
        frequency=grid.frequency,
        currency=data.currency or "",
        source=str(Path(raw.path).resolve()),
        sha256=raw.sha256,
        notes=tuple(notes),
        has_exposure=tuple(r.name in exposure for r in paid),
        columns=tuple((name, kind_of(values)) for name, values in raw.columns.items()),
    )
