"""Events: levels of a text column as 0 or 1, dated events by their mean strength over a period's days, public holidays."""

from __future__ import annotations

import numpy as np

from mmx.config import Config
from mmx.data.cells import Dates, Floats
from mmx.data.dates import Grid
from mmx.data.rows import Rows
from mmx.errors import ConfigError, Problem
from mmx.schema import DatedEvent, EventColumn, Holidays


def event_shares(event: DatedEvent, starts: Dates) -> Floats:
    """Strength of an event in each period: the mean over the period's days, 1 on the days of the event itself.

    Parameters
    ----------
    event : DatedEvent
    starts : array of datetime64[D], (time + 1,)
        First day of each period, and the day after the last.

    Returns
    -------
    array, (time,)
        Between 0 and 1.
    """
    days = np.arange(starts[0], starts[-1])
    before = (np.datetime64(event.start, "D") - days).astype(np.float64)
    after = (days - np.datetime64(event.end, "D")).astype(np.float64)
    distance = np.maximum(np.maximum(before, after), 0.0)
    if event.width is None:
        strength = (distance == 0).astype(np.float64)
    else:
        away = {"bell": distance > 0, "build_up": before > 0, "fade": after > 0}[event.shape] | (distance == 0)
        strength = np.where(away, np.exp(-0.5 * (distance / event.width) ** 2), 0.0)
    return _by_period(strength, starts)


def _by_period(strength: Floats, starts: Dates) -> Floats:
    """Mean over the days of each period."""
    first = (starts - starts[0]).astype(int)
    mean: Floats = np.add.reduceat(strength, first[:-1]) / np.diff(first)
    return mean


def holiday_columns(settings: tuple[Holidays, ...], starts: Dates) -> dict[str, Floats]:
    """Public holidays by name: days of each period that are one, in multiples of the most in any period, (time,).

    Raises
    ------
    ConfigError
        If a country, a subdivision or a name is not known.
    """
    found: dict[str, Floats] = {}
    days = np.arange(starts[0], starts[-1])
    for wanted in settings:
        for name, dates in _dates_of(wanted, days).items():
            column = _by_period(np.isin(days, dates).astype(np.float64), starts) * np.diff(starts).astype(np.float64)
            label = name if name not in found else f"{name} ({wanted.subdivision or wanted.country})"
            found[label] = column / column.max()
    return found


def _dates_of(wanted: Holidays, days: Dates) -> dict[str, Dates]:
    """Days of every holiday that falls on some day of the table."""
    import holidays

    years = range(int(str(days[0])[:4]), int(str(days[-1])[:4]) + 1)
    code = wanted.country + (f", {wanted.subdivision}" if wanted.subdivision else "")
    try:
        calendar = holidays.country_holidays(wanted.country, subdiv=wanted.subdivision, years=years, language="en_US")
    except NotImplementedError as error:
        expected = "the ISO code of a country, such as US or DE, and the code of one of its subdivisions"
        raise _unknown(f"{code} is not known to the package holidays ({error})", expected) from error
    by_name: dict[str, list[np.datetime64]] = {}
    for date in sorted(calendar):
        for name in calendar.get_list(date):
            by_name.setdefault(name.removesuffix(" (observed)"), []).append(np.datetime64(date, "D"))
    names = wanted.names if wanted.names is not None else tuple(by_name)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise _unknown(f"{', '.join(unknown)} is no holiday of {code}", ", ".join(by_name))
    inside = {name: np.array(by_name[name], dtype="datetime64[D]") for name in names}
    return {name: dates for name, dates in inside.items() if np.isin(dates, days).any()}


def _unknown(came: str, expected: str) -> ConfigError:
    return ConfigError("the configuration cannot be used", [Problem("data.holidays", came, expected, "Correct it.")])


def event_levels(rows: Rows, settings: EventColumn) -> tuple[str, ...]:
    """Levels of the event column that are events, in the order of the file."""
    if rows.events is None:
        return ()
    nothing = {"", *(level.strip() for level in settings.none)}
    return tuple(level for level in dict.fromkeys(rows.events.tolist()) if level not in nothing)


def event_columns(rows: Rows, grid: Grid | None, config: Config) -> dict[str, Floats]:
    """Events and public holidays as one column each, (row,)."""
    events = config.data.events
    found: dict[str, Floats] = {}
    if isinstance(events, EventColumn):
        found |= {level: np.asarray(rows.events == level, dtype=np.float64) for level in event_levels(rows, events)}
    if grid is None:
        return found
    place = np.clip(np.searchsorted(grid.labels, rows.dates), 0, grid.labels.size - 1)
    if isinstance(events, tuple):
        found |= {e.name: event_shares(e, grid.starts)[place] for e in events}
    for name, column in holiday_columns(config.data.holidays, grid.starts).items():
        found[name if name not in found else f"{name} (holiday)"] = column[place]
    return found
