"""What changed between two panels of one model: columns, levels, ranges, averages, and history that was restated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mmx.data.cells import Dates, Floats, listed, plural
from mmx.data.checks import CheckResult
from mmx.data.panel import Panel

_LEVELS = ("geo", "channel", "organic", "treatment", "control", "event")
_SERIES = (
    ("kpi", ""),
    ("unit_value", ""),
    ("spend", "channel"),
    ("exposure", "channel"),
    ("organic", "organic"),
    ("treatment", "treatment"),
    ("control", "control"),
    ("event", "event"),
)
# What binary fractions lose in a round trip through decimal text is no restatement.
_ROUND_OFF = 1e-12


def drift(old: Panel, new: Panel) -> list[CheckResult]:
    """Compare the data of an earlier fit with the data at hand.

    Parameters
    ----------
    old, new : Panel
        The panel that was fitted, and the one that would be fitted now.

    Returns
    -------
    list of CheckResult
        Columns, levels, ranges, level shift, restated history. ``passed`` is False where something changed that a reader
        should look at; the level shift only informs.
    """
    return [_columns(old, new), _levels(old, new), _ranges(old, new), _shifts(old, new), _restated(old, new)]


def _columns(old: Panel, new: Panel) -> CheckResult:
    before, now = dict(old.columns), dict(new.columns)
    rows = [(name, "vanished", before[name], "") for name in before if name not in now]
    rows += [(name, "appeared", "", now[name]) for name in now if name not in before]
    rows += [(name, "changed type", before[name], now[name]) for name in before if name in now and before[name] != now[name]]
    rows += [
        (what, "changed", a, b)
        for what, a, b in (
            ("(target kind)", old.target_kind, new.target_kind),
            ("(frequency)", old.frequency, new.frequency),
            ("(currency)", old.currency, new.currency),
        )
        if a != b
    ]
    if not rows:
        return CheckResult("columns", True, None, f"The same {plural(len(now), 'column')} with the same types.")
    table = pd.DataFrame(rows, columns=["column", "change", "before", "now"])
    return CheckResult(
        "columns", False, table, f"{listed([f'{r[0]} {r[1]}' for r in rows])}. Make sure that the meaning is the same."
    )


def _levels(old: Panel, new: Panel) -> CheckResult:
    rows = []
    for dim in _LEVELS:
        before, now = old.names(dim), new.names(dim)
        rows += [(dim, name, "lost") for name in before if name not in now]
        rows += [(dim, name, "new") for name in now if name not in before]
    if not rows:
        return CheckResult("levels", True, None, "The same geos, channels, controls and events.")
    table = pd.DataFrame(rows, columns=["kind", "level", "change"])
    text = (
        f"{listed([f'{change} {dim} {name!r}' for dim, name, change in rows])}. The earlier fit says nothing about new levels."
    )
    return CheckResult("levels", False, table, text)


def _series(panel: Panel) -> Iterator[tuple[str, str, Floats]]:
    """Every named series of a panel with its unit of comparison, (geo, time)."""
    for variable, dim in _SERIES:
        values = panel.array(variable)
        if not dim:
            yield variable, "", values
            continue
        for i, name in enumerate(panel.names(dim)):
            if variable != "exposure" or (panel.has_exposure and panel.has_exposure[i]):
                yield f"{variable} {name}", name, values[:, :, i]


def _pairs(old: Panel, new: Panel) -> Iterator[tuple[str, Floats, Floats]]:
    """Series that both panels have, each on its own geos and dates, (geo, time)."""
    before = {label: values for label, _, values in _series(old)}
    for label, _, values in _series(new):
        if label in before:
            yield label, before[label], values


def _ranges(old: Panel, new: Panel) -> CheckResult:
    """Find cells of new dates that lie outside what the earlier fit has seen."""
    fresh = ~np.isin(new.dates, old.dates)
    rows = []
    for label, before, now in _pairs(old, new):
        seen, values = before[np.isfinite(before)], now[:, fresh]
        if not seen.size:
            continue
        low, high = float(seen.min()), float(seen.max())
        known = values[np.isfinite(values)]
        outside = known[(known < low) | (known > high)]
        if not outside.size:
            continue
        beyond = np.maximum(low - outside, outside - high)
        extreme = float(outside[np.argmax(beyond)])
        width = high - low
        rows.append((label, low, high, outside.size, extreme, float(beyond.max() / width) if width > 0 else np.inf))
    if not fresh.any():
        return CheckResult("ranges", True, None, "There are no new dates.")
    if not rows:
        return CheckResult(
            "ranges", True, None, f"All values of {plural(int(fresh.sum()), 'new date')} lie inside the earlier ranges."
        )
    table = pd.DataFrame(rows, columns=["series", "old_min", "old_max", "cells", "extreme", "beyond"])
    table = table.sort_values("beyond", ascending=False, kind="stable", ignore_index=True)
    words = [
        f"{r['series']} reaches {r['extreme']:.4g} ({r['old_min']:.4g} to {r['old_max']:.4g} before)"
        for r in table.to_dict("records")
    ]
    text = f"Values on new dates outside the earlier range: {listed(words, 3)}. ``beyond`` is in widths of the earlier range."
    return CheckResult("ranges", False, table, text.replace("``", ""))


def _shifts(old: Panel, new: Panel) -> CheckResult:
    """Compare means and spreads over all dates of each panel; the shift is in earlier standard deviations."""
    rows = []
    for label, before, now in _pairs(old, new):
        a, b = before[np.isfinite(before)], now[np.isfinite(now)]
        if a.size and b.size:
            sd = float(a.std())
            shift = float(b.mean() - a.mean())
            rows.append((label, a.mean(), b.mean(), shift / sd if sd > 0 else (0.0 if shift == 0 else np.inf), sd, b.std()))
    table = pd.DataFrame(rows, columns=["series", "old_mean", "new_mean", "shift_in_sd", "old_sd", "new_sd"])
    if table.empty:
        return CheckResult("level shift", None, None, "The panels have no series in common.")
    table = table.iloc[np.argsort(-table["shift_in_sd"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
    first = table.to_dict("records")[0]
    text = (
        f"Largest shift of a mean: {first['series']}, {first['shift_in_sd']:+.2f} standard deviations "
        f"({first['old_mean']:.4g} to {first['new_mean']:.4g})."
    )
    return CheckResult("level shift", None, table, text)


def _restated(old: Panel, new: Panel) -> CheckResult:
    """Find cells on common geos and dates whose value is another one now."""
    geos = [g for g in new.names("geo") if g in old.names("geo")]
    dates = np.intersect1d(old.dates, new.dates)
    if not geos or not dates.size:
        return CheckResult("restated history", None, None, "The panels have no geo and date in common.")
    at_old = np.ix_([old.names("geo").index(g) for g in geos], np.searchsorted(old.dates, dates))
    at_new = np.ix_([new.names("geo").index(g) for g in geos], np.searchsorted(new.dates, dates))
    rows = []
    for label, before, now in _pairs(old, new):
        rows += _changes(label, before[at_old], now[at_new], dates)
    lost = np.setdiff1d(old.dates, new.dates)
    gone = f" {plural(int(lost.size), 'earlier date')} ({listed(lost, 2)}) are gone." if lost.size else ""
    if not rows:
        return CheckResult(
            "restated history", not gone, None, f"No value on {plural(int(dates.size), 'common date')} changed.{gone}"
        )
    table = pd.DataFrame(rows, columns=["series", "cells", "largest_change", "first", "last"])
    table = table.sort_values("cells", ascending=False, kind="stable", ignore_index=True)
    words = [
        f"{r['series']} in {plural(r['cells'], 'cell')} (up to {100 * r['largest_change']:.3g} %, {r['first']} to {r['last']})"
        for r in table.to_dict("records")
    ]
    return CheckResult(
        "restated history", False, table, f"History was restated: {listed(words, 3)}.{gone} Ask the source why, then fit again."
    )


def _changes(label: str, before: Floats, now: Floats, dates: Dates) -> list[tuple[str, int, float, str, str]]:
    both = np.isfinite(before) & np.isfinite(now)
    difference = np.where(both, np.abs(np.where(both, now - before, 0.0)), 0.0)
    size = np.where(both, np.abs(before), 0.0)
    changed = (difference > _ROUND_OFF * size) | (np.isfinite(before) & ~np.isfinite(now))
    if not changed.any():
        return []
    # a value that appeared where there was 0, or that vanished, changed by more than any share
    whole = np.isfinite(before) & ~np.isfinite(now)
    relative = np.where(size > 0, difference / np.where(size > 0, size, 1.0), np.where(difference > 0, np.inf, 0.0))
    relative = np.where(whole, 1.0, relative)
    when = dates[changed.any(axis=0)]
    return [(label, int(changed.sum()), float(relative[changed].max()), str(when[0]), str(when[-1]))]
