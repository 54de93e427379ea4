"""Events: levels of a text column as 0 or 1, dated events as the share of a period's days that they cover."""

from __future__ import annotations

import numpy as np

from mmx.config import Config
from mmx.data.cells import Dates, Floats
from mmx.data.dates import Grid
from mmx.data.rows import Rows
from mmx.schema import DatedEvent, EventColumn


def event_shares(start: np.datetime64, end: np.datetime64, starts: Dates) -> Floats:
    """Share of each period's days that an event covers.

    Parameters
    ----------
    start, end : datetime64[D]
        First and last day of the event, inclusive.
    starts : array of datetime64[D], (time + 1,)
        First day of each period, and the day after the last.

    Returns
    -------
    array, (time,)
        Between 0 and 1.
    """
    first, after = starts[:-1].astype(int), starts[1:].astype(int)
    covered = np.minimum(after, end.astype(int) + 1) - np.maximum(first, start.astype(int))
    return np.asarray(np.clip(covered, 0, None) / (after - first), dtype=np.float64)


def event_levels(rows: Rows, settings: EventColumn) -> tuple[str, ...]:
    """Levels of the event column that are events, in the order of the file."""
    if rows.events is None:
        return ()
    nothing = {"", *(level.strip() for level in settings.none)}
    return tuple(level for level in dict.fromkeys(rows.events.tolist()) if level not in nothing)


def event_columns(rows: Rows, grid: Grid | None, config: Config) -> dict[str, Floats]:
    """Events as one column each, (row,)."""
    events = config.data.events
    if isinstance(events, EventColumn):
        return {level: np.asarray(rows.events == level, dtype=np.float64) for level in event_levels(rows, events)}
    if not events or grid is None:
        return {}
    place = np.clip(np.searchsorted(grid.labels, rows.dates), 0, grid.labels.size - 1)
    return {e.name: event_shares(*_span(e), grid.starts)[place] for e in events}


def _span(event: DatedEvent) -> tuple[np.datetime64, np.datetime64]:
    return np.datetime64(event.start, "D"), np.datetime64(event.end, "D")
