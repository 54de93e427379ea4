"""Dates of a table: read without guessing, and laid on a daily, weekly or monthly grid."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.data.cells import Bools, Cells, Dates, Findings, Ints, is_missing, listed, plural, rows_of

_TIME = r"(?:[T ](?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_MONTHS = {m: i for i, m in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}
# A format is what a reader sees; first and second stand for day and month in an order that the file must prove.
_FORMATS = tuple(
    (name, re.compile(rf"^{pattern}{_TIME}$"))
    for name, pattern in (
        ("YYYY-MM-DD", r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"),
        ("YYYY/MM/DD", r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})"),
        ("YYYYMMDD", r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})"),
        ("YYYY-MM", r"(?P<y>\d{4})-(?P<m>\d{1,2})"),
        ("DD.MM.YYYY", r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
        ("DD/MM/YYYY or MM/DD/YYYY", r"(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<y>\d{4})"),
        ("DD-MM-YYYY or MM-DD-YYYY", r"(?P<first>\d{1,2})-(?P<second>\d{1,2})-(?P<y>\d{4})"),
        ("DD Mon YYYY", r"(?P<d>\d{1,2})[ -](?P<name>[A-Za-z]{3,9})[ ,-]+(?P<y>\d{4})"),
        ("Mon DD, YYYY", r"(?P<name>[A-Za-z]{3,9}) (?P<d>\d{1,2}),? (?P<y>\d{4})"),
    )
)
ISO = "Write every date as YYYY-MM-DD."


@dataclass(frozen=True)
class Grid:
    """A regular sequence of periods.

    Attributes
    ----------
    frequency : str
        ``daily``, ``weekly`` or ``monthly``.
    labels : array of datetime64[D], (time,)
        The dates as the file has them.
    starts : array of datetime64[D], (time + 1,)
        First day of each period, and the day after the last period.
    """

    frequency: str
    labels: Dates
    starts: Dates


def read_dates(column: str, values: Cells, lines: Ints, findings: Findings) -> Dates | None:
    """Read a column of dates; None where it cannot be told what the dates are.

    Every cell must be a date of one format. Day and month are told apart only where a number above 12 proves it.
    """
    dates, matches, unread = _match(values)
    where = f"column {column!r}"
    missing = is_missing(values)
    if missing.any():
        came = f"{plural(int(missing.sum()), 'row')} without a date"
        findings.refuse(f"{where}, {rows_of(lines[missing])}", came, "a date in every row", "Fill them in or delete the rows.")
    if unread.any():
        rows = np.flatnonzero(unread)
        unread_rows = [f"{lines[i]} ({values[i]!r})" for i in rows]
        came = f"{plural(rows.size, 'value')} cannot be read as a date"
        hint = (
            " Numbers such as 43831 are a spreadsheet's day count: format the column as a date first."
            if _serial(values, rows)
            else ""
        )
        findings.refuse(f"{where}, {rows_of(unread_rows)}", came, "a date such as 2024-01-31", f"{ISO}{hint}")
    if len(matches) > 1:
        shown = "; ".join(
            f"{name} in {plural(r.size, 'row')}, e.g. row {lines[r[0]]} ({values[r[0]]!r})" for name, r in matches.items()
        )
        findings.refuse(where, f"the dates have mixed formats: {shown}", "one format", ISO)
        return None
    if matches and " or " in next(iter(matches)) and not _ordered(column, next(iter(matches)), values, lines, dates, findings):
        return None
    clock = _clock(values, missing | unread)
    if clock.any():
        timed = [f"{lines[i]} ({values[i]})" for i in np.flatnonzero(clock)]
        findings.refuse(
            f"{where}, {rows_of(timed)}", "dates with a time of day", "whole days", "Sum the rows to days, weeks or months."
        )
    return dates if (~np.isnat(dates)).any() else None


def _match(values: Cells) -> tuple[Dates, dict[str, Ints], Bools]:
    """Parse each cell; give the rows of each format found and the cells that no format reads."""
    if values.dtype.kind == "M":
        rows = np.flatnonzero(~np.isnat(values))
        return values.astype("datetime64[D]"), {"YYYY-MM-DD": rows} if rows.size else {}, np.zeros(values.shape, dtype=bool)
    text = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip() for v in values]
    missing = is_missing(values)
    known: dict[str, tuple[str, np.datetime64]] = {t: _one(t) for t in set(text)}
    dates = np.array([known[t][1] for t in text], dtype="datetime64[D]")
    names = np.array([known[t][0] for t in text], dtype=object)
    dates[missing] = np.datetime64("NaT", "D")
    formats = {str(n): np.flatnonzero((names == n) & ~missing) for n in dict.fromkeys(names[~missing]) if n}
    return dates, formats, (names == "") & ~missing


def _one(text: str) -> tuple[str, np.datetime64]:
    """Format and date of one cell; month before day where the order is not known yet."""
    nothing = ("", np.datetime64("NaT", "D"))
    for name, pattern in _FORMATS:
        found = pattern.match(text)
        if found is None:
            continue
        part = found.groupdict()
        month = _MONTHS.get(part["name"][:3].lower(), 0) if "name" in part else int(part.get("m") or part["first"])
        day = int(part.get("d") or part.get("second") or 1)
        if "first" in part and month > 12:
            month, day = day, month
        try:
            return name, np.datetime64(dt.date(int(part["y"]), month, day), "D")
        except ValueError:
            return nothing
    return nothing


def _ordered(column: str, name: str, values: Cells, lines: Ints, dates: Dates, findings: Findings) -> bool:
    """Settle day/month order in place from numbers above 12; refuse where they prove nothing or both."""
    mark = "/" if "/" in name else "-"
    parts = [str(v).strip().split(" ")[0].split("T")[0].split(mark) for v in values]
    pairs = np.array([(int(p[0]), int(p[1])) if len(p) == 3 and p[0].isdigit() and p[1].isdigit() else (0, 0) for p in parts])
    day_first, month_first = np.flatnonzero(pairs[:, 0] > 12), np.flatnonzero(pairs[:, 1] > 12)
    where = f"column {column!r}"
    if day_first.size and month_first.size:
        a, b = day_first[0], month_first[0]
        came = (
            f"the dates have mixed formats: row {lines[a]} ({values[a]!r}) puts the day first, "
            f"row {lines[b]} ({values[b]!r}) the month"
        )
        findings.refuse(where, came, "one format", ISO)
        return False
    if not day_first.size and not month_first.size:
        known = int(np.flatnonzero(~np.isnat(dates))[0])
        came = f"it cannot be told whether the day or the month comes first, e.g. row {lines[known]} ({values[known]!r})"
        findings.refuse(where, came, "dates that can be read in one way only", ISO)
        return False
    if day_first.size:
        for i in np.flatnonzero(~np.isnat(dates)):
            dates[i] = np.datetime64(dt.date(int(parts[i][2][:4]), int(pairs[i, 1]), int(pairs[i, 0])), "D")
    order, row = ("day/month/year", day_first[0]) if day_first.size else ("month/day/year", month_first[0])
    findings.notes.append(f"Dates in column {column!r} were read as {order}, as row {lines[row]} ({values[row]}) proves.")
    return True


def _clock(values: Cells, skip: Bools) -> Bools:
    if values.dtype.kind == "M":
        return np.array((values != values.astype("datetime64[D]")) & ~np.isnat(values), dtype=bool)
    timed = re.compile(r"\d[T ](\d{1,2}):(\d{2})(?::(\d{2}))?")
    out = np.zeros(values.shape, dtype=bool)
    for i in np.flatnonzero(~skip):
        found = timed.search(str(values[i]))
        out[i] = found is not None and any(int(g or 0) for g in found.groups())
    return out


def _serial(values: Cells, rows: Ints) -> bool:
    return all(re.match(r"^\d{5}(\.0)?$", str(values[i]).strip()) for i in rows)


def lay_grid(column: str, dates: Dates, findings: Findings) -> Grid | None:
    """Lay the dates on a regular grid and refuse gaps and dates that stand off it.

    Parameters
    ----------
    dates : array of datetime64[D], (row,)
        Dates of all rows, in any order and with repetition; NaT where a date was refused already.
    """
    unique = np.unique(dates[~np.isnat(dates)])
    where = f"column {column!r}"
    if unique.size < 2:
        findings.refuse(
            where, f"there is {plural(int(unique.size), 'date')}", "a series of dates", "Give one row per day, week or month."
        )
        return None
    steps = np.diff(unique).astype(int)
    votes = {
        "daily": int((steps == 1).sum()),
        "weekly": int((steps == 7).sum()),
        "monthly": int(((steps >= 28) & (steps <= 31)).sum()),
    }
    frequency = max(votes, key=lambda k: votes[k])
    if votes[frequency] * 2 <= steps.size and votes[frequency] < steps.size:
        common, count = Counter(steps.tolist()).most_common(1)[0]
        odd = listed([f"{unique[i]} to {unique[i + 1]}: {steps[i]} days" for i in range(min(3, steps.size))])
        came = f"the dates are irregular; the commonest step is {plural(common, 'day')} ({count} of {steps.size} steps; {odd})"
        findings.refuse(
            where, came, "a daily, weekly or monthly series", "Bring the table to one of these, with a row for every period."
        )
        return None
    grid = _monthly(unique) if frequency == "monthly" else _stepped(unique, 1 if frequency == "daily" else 7, frequency)
    missing = np.setdiff1d(grid.labels, unique)
    off = np.setdiff1d(unique, grid.labels)
    if off.size:
        came = f"{plural(int(off.size), 'date')} off the {frequency} grid: {listed(off)} (the others are like {grid.labels[0]})"
        findings.refuse(where, came, f"a {frequency} series", "Correct these dates.")
    # dates that were refused already may be the ones that are missing here
    if missing.size > int(np.isnat(dates).sum()):
        came = f"a gap: {plural(int(missing.size), 'date')} missing from the {frequency} series: {listed(missing)}"
        findings.refuse(where, came, "a row for every period", "Add the rows; a period without spend has spend 0.")
    return None if missing.size or off.size else grid


def _stepped(unique: Dates, step: int, frequency: str) -> Grid:
    phase = Counter((unique.astype(int) % step).tolist()).most_common(1)[0][0]
    on_grid = unique[unique.astype(int) % step == phase]
    starts = np.arange(on_grid[0].astype(int), on_grid[-1].astype(int) + 2 * step, step).astype("datetime64[D]")
    return Grid(frequency, starts[:-1], starts)


def _monthly(unique: Dates) -> Grid:
    """Months with one day of the month throughout; labels on the last day of the month mean the whole month."""
    months = unique.astype("datetime64[M]")
    days = (unique - months.astype("datetime64[D]")).astype(int) + 1
    # one month after the last period, and one more to know its length
    span = np.arange(months[0].astype(int), months[-1].astype(int) + 3).astype("datetime64[M]").astype("datetime64[D]")
    first, length = span[:-1], np.diff(span).astype(int)
    ends = np.isin(unique, first + _days(length - 1))
    day = 31 if ends.all() else Counter(days.tolist()).most_common(1)[0][0]
    labels = first + _days(np.minimum(day, length) - 1)
    return Grid("monthly", labels[:-1], first if day == 31 else labels)


def _days(count: Ints) -> npt.NDArray[np.timedelta64]:
    return count.astype("timedelta64[D]")
