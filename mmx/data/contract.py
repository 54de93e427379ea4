"""The data contract on values: what every column must hold, what a policy may repair, what refuses the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmx.config import Config
from mmx.data.cells import Bools, Findings, Floats, listed, plural
from mmx.data.dates import Grid
from mmx.data.identify import check_identified
from mmx.data.layout import Role
from mmx.data.rows import Rows
from mmx.data.suited import check_suited


def check_values(rows: Rows, grid: Grid | None, config: Config, findings: Findings) -> tuple[Rows, tuple[str, ...]]:
    """Hold the values against the contract and apply the policies.

    Returns
    -------
    rows : Rows
        With repairs that a policy allows.
    dropped : tuple of str
        Channels and organic media that ``silent_channel: drop`` leaves out.
    """
    for role in rows.roles:
        rows = _check_missing(rows, role, config, findings)
    for role in rows.of("spend", "exposure", "frequency", "organic"):
        rows = _check_sign(rows, role, config, findings)
    dropped = _check_silent(rows, config, findings)
    for role in rows.of("exposure"):
        if role.name not in dropped:
            _check_unmatched(rows, role, config, findings)
    for role in rows.of("frequency"):
        rows = _check_frequency(rows, role, config, findings)
    _check_population(rows, findings)
    _check_groups(rows, findings)
    _check_positive(rows, rows.of("unit_value"), "money per unit of the KPI, above 0", findings)
    _check_kpi(rows, findings)
    for role in rows.of("treatment", "control"):
        values = finite(rows, role.column)
        if values.size > 1 and np.ptp(values) == 0:
            came = f"the {role.kind} is constant ({values[0]:g} in every row of the window)"
            findings.refuse(f"column {role.column!r}", came, "values that vary", f"Take it out of {role.key}: it says nothing.")
    check_suited(rows, grid, config, findings)
    check_identified(rows, grid, config, dropped, findings)
    return rows, dropped


def finite(rows: Rows, column: str) -> Floats:
    """Values of a column inside the window that are numbers."""
    values = rows.numbers[column][rows.inside]
    return values[np.isfinite(values)]


def _check_missing(rows: Rows, role: Role, config: Config, findings: Findings) -> Rows:
    if role.column not in rows.numbers:
        return rows
    values = rows.numbers[role.column]
    infinite = np.isinf(values)
    where = f"column {role.column!r}"
    if infinite.any():
        came = f"{plural(int(infinite.sum()), 'infinite value')}"
        findings.refuse(
            f"{where}, {rows.where(infinite, role.column)}", came, "finite numbers", "Correct them (often a division by 0)."
        )
    missing = np.isnan(values) & ~rows.unread[role.column]
    if role.kind == "kpi":
        missing &= rows.inside
    if not missing.any():
        return rows
    name, repair, filled = _repair(rows, role, config, missing)
    if filled is not None:
        done = missing & np.isfinite(filled)
        if done.any():
            how = "0" if repair == "zero" else "the value of the period before"
            findings.notes.append(
                f"Policy {name}: {repair} filled {plural(int(done.sum()), 'empty cell')} of column {role.column!r} with {how} "
                f"({rows.where(done, role.column)})."
            )
        rows, missing = rows.with_numbers(role.column, filled), missing & ~done
    if missing.any():
        came = f"{plural(int(missing.sum()), 'empty cell')} in {role.key}"
        findings.refuse(
            f"{where}, {rows.where(missing, role.column)}",
            came,
            "a number in every row",
            _missing_remedy(rows, role, name, missing),
        )
    return rows


def _repair(rows: Rows, role: Role, config: Config, missing: Bools) -> tuple[str, str, Floats | None]:
    """Policy that speaks about a role, what it says, and the repaired values where it allows a repair."""
    policies, values = config.data.policies, rows.numbers[role.column]
    if role.kind == "spend":
        return (
            "missing_spend",
            policies.missing_spend,
            np.where(missing, 0.0, values) if policies.missing_spend == "zero" else None,
        )
    if role.kind in ("exposure", "frequency", "organic"):
        allowed = policies.missing_exposure == "zero"
        return "missing_exposure", policies.missing_exposure, np.where(missing, 0.0, values) if allowed else None
    if role.kind in ("treatment", "control"):
        if policies.missing_controls != "previous":
            return "missing_controls", "error", None
        # text that was refused must not be bridged as if it were empty
        order = np.lexsort((rows.dates, rows.geos.astype(str)))
        before = pd.Series(np.where(np.isfinite(values), values, np.nan)[order]).groupby(rows.geos[order]).ffill().to_numpy()
        previous = np.empty_like(values)
        previous[order] = before
        return "missing_controls", "previous", np.where(missing, previous, values)
    return "", "error", None


def _missing_remedy(rows: Rows, role: Role, policy: str, missing: Bools) -> str:
    if role.kind == "kpi":
        known = rows.inside & np.isfinite(rows.numbers[role.column])
        if known.any() and not np.isnat(rows.dates[known]).any():
            last = rows.dates[known].max()
            if (rows.dates[missing] > last).all():
                return f"Fill them in; if these rows are planned media, set data.window.end: {last}."
        return "Fill them in; the KPI is never guessed."
    meaning = {
        "missing_spend": "zero if empty means that nothing was spent",
        "missing_exposure": "zero if empty means no exposure",
        "missing_controls": "previous if the last known value still held",
    }
    if policy in meaning and not (policy == "missing_controls" and missing.any() and _leading(rows, role, missing)):
        return f"Fill them in, or set data.policies.{policy}: {meaning[policy]}."
    return "Fill them in."


def _leading(rows: Rows, role: Role, missing: Bools) -> bool:
    """Whether a gap stands before the first value of its geo, where no earlier value exists."""
    values = rows.numbers[role.column]
    for geo in set(rows.geos[missing].tolist()):
        known = rows.dates[(rows.geos == geo) & np.isfinite(values)]
        if not known.size or (rows.dates[missing & (rows.geos == geo)] < known.min()).any():
            return True
    return False


def _check_sign(rows: Rows, role: Role, config: Config, findings: Findings) -> Rows:
    values = rows.numbers[role.column]
    negative = np.isfinite(values) & (values < 0)
    if not negative.any():
        return rows
    place = rows.where(negative, role.column)
    worst = f"the lowest {values[negative].min():g}"
    if role.kind == "spend" and config.data.policies.negative_spend == "zero":
        findings.notes.append(
            f"Policy negative_spend: zero set {plural(int(negative.sum()), 'negative cell')} "
            f"of column {role.column!r} to 0 ({place}; {worst})."
        )
        return rows.with_numbers(role.column, np.where(negative, 0.0, values))
    what = "spend" if role.kind == "spend" else "exposure"
    remedy = "Correct them; for refunds, book them to the period they belong to"
    remedy += ", or set data.policies.negative_spend: zero." if role.kind == "spend" else "."
    findings.refuse(
        f"column {role.column!r}, {place}",
        f"{plural(int(negative.sum()), f'negative {what} value')}, {worst}",
        "0 or more",
        remedy,
    )
    return rows


def _check_silent(rows: Rows, config: Config, findings: Findings) -> tuple[str, ...]:
    dropped = []
    for role in rows.of("spend", "organic"):
        values = rows.numbers[role.column]
        if not np.isfinite(values).any() or (values[rows.inside] > 0).any() or (values[rows.inside] < 0).any():
            continue
        what = (
            f"channel {role.name!r} never spends" if role.kind == "spend" else f"organic medium {role.name!r} has no exposure"
        )
        span = " inside the window" if (values > 0).any() else ""
        if config.data.policies.silent_channel == "drop":
            dropped.append(role.name)
            findings.notes.append(
                f"Policy silent_channel: drop left {role.name!r} out: column {role.column!r} is 0 throughout{span}."
            )
            continue
        came = f"{what}{span}: 0 in all {plural(int(rows.inside.sum()), 'row')}"
        remedy = f"Take it out of {role.key.rsplit('.', 2)[0]}, or set data.policies.silent_channel: drop."
        findings.refuse(f"column {role.column!r}", came, "some activity, or no effect can be told", remedy)
    if dropped and not {r.name for r in rows.of("spend")} - set(dropped):
        findings.refuse(
            "data.channels", "no channel spends", "at least one channel with spend", "Is this the right file and window?"
        )
    return tuple(dropped)


def _check_unmatched(rows: Rows, role: Role, config: Config, findings: Findings) -> None:
    """Exposure without spend, and spend without exposure."""
    spend_role = next((r for r in rows.of("spend") if r.name == role.name), None)
    if spend_role is None:
        return
    limit = config.checks.unmatched_share
    spend, exposure = rows.numbers[spend_role.column], rows.numbers[role.column]
    sides = (
        ("exposure without spend", exposure, spend, role.column),
        ("spend without exposure", spend, exposure, spend_role.column),
    )
    for what, has, lacks, column in sides:
        loose = (has > 0) & (lacks == 0) & np.isfinite(has)
        if not loose.any():
            continue
        total = has[np.isfinite(has) & (has > 0)].sum()
        share = float(has[loose].sum() / total)
        place = rows.where(loose, column)
        said = f"{what} in {plural(int(loose.sum()), 'row')}, {_percent(share)} of the channel's {what.split()[0]}"
        if share > limit:
            remedy = f"Correct {spend_role.column!r} and {role.column!r}, take exposure out, or raise checks.unmatched_share."
            findings.refuse(f"channel {role.name!r}, column {column!r}, {place}", said, f"at most {_percent(limit)}", remedy)
        else:
            findings.notes.append(f"Channel {role.name!r} has {said} (column {column!r}, {place}).")


def _check_frequency(rows: Rows, role: Role, config: Config, findings: Findings) -> Rows:
    """Where somebody was reached, he was reached at least once."""
    reach = next((r for r in rows.of("exposure") if r.name == role.name), None)
    if reach is None:
        return rows
    values = rows.numbers[role.column]
    low = (rows.numbers[reach.column] > 0) & (values < 1)
    if not low.any():
        return rows
    place, came = rows.where(low, role.column), f"{plural(int(low.sum()), 'value')} below 1 where {reach.column!r} is above 0"
    if config.data.policies.low_frequency == "one":
        findings.notes.append(
            f"Policy low_frequency: one set {came} to 1 (column {role.column!r}, {place}; the lowest {values[low].min():g})."
        )
        return rows.with_numbers(role.column, np.where(low, 1.0, values))
    expected = "times that each person reached saw the medium, on average: at least 1"
    remedy = "Correct it: frequency is impressions over reach. Or set data.policies.low_frequency: one."
    findings.refuse(f"column {role.column!r}, {place}", came, expected, remedy)
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _check_positive(rows: Rows, roles: Sequence[Role], expected: str, findings: Findings) -> None:
    for role in roles:
        low = rows.numbers[role.column] <= 0
        if low.any():
            where = f"column {role.column!r}, {rows.where(low, role.column)}"
            findings.refuse(where, f"{plural(int(low.sum()), 'value')} of 0 or less in {role.key}", expected, "Correct them.")


def _check_population(rows: Rows, findings: Findings) -> None:
    roles = rows.of("population")
    _check_positive(rows, roles, "people, above 0", findings)
    for role in roles:
        values = rows.numbers[role.column]
        frame = pd.DataFrame({"geo": rows.geos, "v": values})[np.isfinite(values)]
        span = frame.groupby("geo", sort=False)["v"].agg(["min", "max"])
        varied = span[span["min"] < span["max"]]
        if len(varied):
            shown = listed(
                [f"{geo!r} from {low:g} to {high:g}" for geo, (low, high) in zip(varied.index, varied.to_numpy(), strict=True)]
            )
            came = f"the population varies within {plural(len(varied), 'geo')}: {shown}"
            findings.refuse(
                f"column {role.column!r}", came, "one population per geo", "Give each geo one number in all its rows."
            )


def _check_groups(rows: Rows, findings: Findings) -> None:
    """A geo belongs to one group, and groups are fewer than geos."""
    if rows.groups is None:
        return
    where = f"column {rows.of('group')[0].column!r}"
    several = pd.DataFrame({"geo": rows.geos, "group": rows.groups}).groupby("geo", sort=False)["group"].unique()
    mixed = several[several.map(len) > 1]
    if len(mixed):
        shown = listed([f"{geo!r} in {' and '.join(map(repr, found))}" for geo, found in mixed.items()])
        findings.refuse(where, f"{plural(len(mixed), 'geo')} in several groups: {shown}", "one group per geo", "Correct them.")
        return
    groups, geos = len(set(rows.groups.tolist())), len(several)
    if not 1 < groups < geos:
        came = f"{plural(groups, 'group')} of {plural(geos, 'geo')}"
        remedy = "Set data.group: null: geos are pooled over all geos anyway."
        findings.refuse(where, came, "at least two groups, and fewer than geos: else it is no level between them", remedy)


def _check_kpi(rows: Rows, findings: Findings) -> None:
    for role in rows.of("kpi"):
        values = finite(rows, role.column)
        where = f"column {role.column!r}"
        if values.size < 2:
            continue
        if np.ptp(values) == 0:
            came = f"the KPI is constant ({values[0]:g} in every row of the window)"
            findings.refuse(where, came, "a KPI that varies", "Is data.target the right column?")
            continue
        if values.sum() <= 0:
            findings.refuse(
                where, f"the KPI sums to {values.sum():g}", "a positive sum over the window", "Is data.target the right column?"
            )
        flat = []
        for geo in dict.fromkeys(rows.geos.tolist()):
            own = rows.numbers[role.column][rows.inside & (rows.geos == geo)]
            if own.size > 1 and np.isfinite(own).all() and np.ptp(own) == 0:
                flat.append(f"{geo!r} ({own[0]:g})")
        if flat:
            came = f"the KPI is constant in {plural(len(flat), 'geo')}: {listed(flat)}"
            findings.refuse(
                where, came, "a KPI that varies in every geo", "Leave these geos out of the table, or correct them."
            )
        negative = (rows.numbers[role.column] < 0) & rows.inside
        if negative.any():
            findings.notes.append(
                f"The KPI is negative in {plural(int(negative.sum()), 'row')} (column {role.column!r}, {rows.where(negative)})."
            )
