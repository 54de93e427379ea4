"""The data contract on what can be told apart: events, dependent columns, enough rows, and priors on the data's scale."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from mmx.config import Config
from mmx.data.cells import Findings, Floats, plural
from mmx.data.collinear import exact_dependences
from mmx.data.dates import Grid
from mmx.data.events import event_columns, event_levels
from mmx.data.prior_share import implied_shares
from mmx.data.rows import Rows, refuse_spellings
from mmx.response.registry import ADSTOCKS, SATURATIONS
from mmx.schema import EventColumn
from mmx.spec import MediaSpec, Seasonality


def check_identified(rows: Rows, grid: Grid | None, config: Config, dropped: Collection[str], findings: Findings) -> None:
    """Refuse what no model could tell apart from these rows."""
    events = event_columns(rows, grid, config)
    _check_events(rows, events, config, findings)
    _check_dependence(rows, events, config, dropped, findings)
    _check_capacity(rows, len(events), config, dropped, findings)
    _check_priors(rows, config, dropped, findings)


def _check_events(rows: Rows, events: dict[str, Floats], config: Config, findings: Findings) -> None:
    settings = config.data.events
    column = settings.column if isinstance(settings, EventColumn) else ""
    for name, share in events.items():
        inside = share[rows.inside]
        where = f"column {column!r}, level {name!r}" if column else f"data.events, event {name!r}"
        if not share.any():
            span = f"{rows.dates.min()} to {rows.dates.max()}"
            findings.refuse(
                where, "no period of the file covers it", f"an event within {span}", "Correct its dates or take it out."
            )
        elif not inside.any():
            came = f"it happens only outside the window ({rows.where(share > 0)})"
            remedy = "Widen data.window, or " + ("add the level to data.events.none." if column else "take the event out.")
            findings.refuse(where, came, "an event inside the window, or its effect cannot be learned", remedy)
        elif inside.size and np.ptp(inside) == 0:
            came = f"it covers every row of the window alike ({inside[0]:g})"
            remedy = (
                "Name the usual level under data.events.none." if column else "Take it out: it is the same as the intercept."
            )
            findings.refuse(where, came, "rows with and without it", remedy)
    if not isinstance(settings, EventColumn) or rows.events is None:
        return
    refuse_spellings(column, np.array([e for e in rows.events if e], dtype=object), findings)
    if not event_levels(rows, settings):
        none = f" (data.events.none: {', '.join(map(repr, settings.none))})" if settings.none else ""
        findings.refuse(f"column {column!r}", f"no cell names an event{none}", "at least one event", "Set data.events: null.")


def _check_dependence(
    rows: Rows, events: dict[str, Floats], config: Config, dropped: Collection[str], findings: Findings
) -> None:
    """Identical and exactly collinear columns, pooled over geos, inside the window."""
    columns: dict[str, Floats] = {}
    exposed = {r.name for r in rows.of("exposure")}
    for role in rows.of("spend", "exposure", "organic"):
        if role.name not in dropped and not (role.kind == "spend" and role.name in exposed):
            columns[f"{role.column!r} ({role.key.removeprefix('data.').rsplit('.', 1)[0]})"] = rows.numbers[role.column]
    for role in rows.of("treatment", "control"):
        columns[f"{role.column!r} ({role.kind})"] = rows.numbers[role.column]
    columns |= {f"{name!r} (event)": values for name, values in events.items()}
    target = {f"{r.column!r} (target)": rows.numbers[r.column] for r in rows.of("kpi")}
    columns = target | columns
    names = list(columns)
    matrix = np.stack(list(columns.values()), axis=1)[rows.inside] if columns else np.zeros((0, 0))
    usable = np.isfinite(matrix).any(axis=0)
    names = [n for n, u in zip(names, usable, strict=True) if u]
    matrix = matrix[:, usable]
    matrix = matrix[np.isfinite(matrix).all(axis=1)]
    if matrix.shape[0] <= matrix.shape[1] + 1:
        return
    split = len(target) if not target or usable[0] else 0
    for j, parts in exact_dependences(matrix[:, split:], config.checks.collinear_tolerance):
        _refuse_dependent(names[split:], matrix[:, split:], j, parts, findings)
    if split:
        _refuse_leaks(names, matrix, config.checks.collinear_tolerance, findings)


def _refuse_dependent(names: list[str], matrix: Floats, j: int, parts: tuple[int, ...], findings: Findings) -> None:
    made_of = [names[k] for k in parts]
    if len(parts) == 1:
        same = np.array_equal(matrix[:, j], matrix[:, parts[0]])
        how = "is identical to" if same else "is an exact multiple of (up to a constant)"
        came, remedy = f"it {how} {made_of[0]}", "Keep one of the two."
    else:
        came = f"it is exactly a linear combination of {', '.join(made_of)}"
        remedy = "Leave one of these columns out (a total beside its parts, or levels that cover every row)."
    findings.refuse(f"column {names[j]}", came, "columns whose effects can be told apart", remedy)


def _refuse_leaks(names: list[str], matrix: Floats, tolerance: float, findings: Findings) -> None:
    """Refuse columns that are the KPI itself."""
    for j in range(1, matrix.shape[1]):
        if exact_dependences(matrix[:, [0, j]], tolerance):
            came = f"it is a copy or an exact multiple of {names[0]}"
            findings.refuse(
                f"column {names[j]}", came, "a column that does not hold the KPI", "Take it out: it explains everything."
            )


def parameter_count(config: Config, events: int, dropped: Collection[str] = ()) -> tuple[int, int]:
    """Parameters of the national model, and how many of them only time tells apart (intercept, trend, season).

    Each medium has one effect and the parameters of its shape; then intercept, trend, Fourier pairs, treatments,
    controls, demand and events.
    """
    spec = config.spec_without_tests
    media: list[MediaSpec] = [m for k, m in [*spec.channels.items(), *spec.organic.items()] if k not in dropped]
    shapes = sum(1 + len(ADSTOCKS[m.adstock].parameters) + len(SATURATIONS[m.saturation].parameters) for m in media)
    bends = {"none": 0, "linear": 1, "piecewise": 1 + spec.model.trend_knots}[spec.model.trend]
    temporal = 1 + bends + _pairs(spec.model.seasonality)
    columns = len(config.data.treatments) + len(config.data.controls) + sum(m.follows_demand for m in media)
    return shapes + temporal + columns + events, temporal


def _pairs(season: Seasonality) -> int:
    """Parameters that the Fourier pairs are worth: a pair counts by its prior variance over that of the first."""
    pairs = (season.yearly, season.monthly, season.weekly)
    worth: float = sum(k ** (-2.0 * season.decay) for count in pairs for k in range(1, count + 1))
    count: int = math.ceil(2.0 * worth)
    return count


def _check_capacity(rows: Rows, events: int, config: Config, dropped: Collection[str], findings: Findings) -> None:
    parameters, temporal = parameter_count(config, events, dropped)
    ratio = config.checks.periods_per_parameter
    cells = int(rows.inside.sum())
    periods = int(np.unique(rows.dates[rows.inside]).size)
    geos = len(set(rows.geos.tolist()))
    undated = bool(np.isnat(rows.dates[rows.inside]).any())
    for have, count, unit, what in (
        (cells, parameters, "row", "parameters"),
        (periods, temporal, "period", "parameters of intercept, trend and season"),
    ):
        if have < ratio * count and not (unit == "period" and undated):
            size = plural(cells, "row") if undated else plural(periods, "period") + (f" of {geos} geos" if geos > 1 else "")
            came = f"{size} for {count} {what}"
            expected = f"at least {int(np.ceil(ratio * count))} {unit}s (checks.periods_per_parameter {ratio:g})"
            remedy = "Give a longer history, or take out channels, controls, events or Fourier pairs."
            findings.refuse("the rows of the window", came, expected, remedy)
            return


def _check_priors(rows: Rows, config: Config, dropped: Collection[str], findings: Findings) -> None:
    money = _kpi_money(rows, config)
    if money is None or money <= 0:
        return
    spend = {}
    for role in rows.of("spend"):
        values = rows.numbers[role.column][rows.inside]
        if role.name not in dropped and np.isfinite(values).any():
            spend[role.name] = float(values[np.isfinite(values)].clip(min=0).sum())
    implied = implied_shares(config, spend, tuple(r.name for r in rows.of("organic") if r.name not in dropped), money)
    if not any(i.paid for i in implied):
        return
    low, high = config.checks.prior_media_share
    paid, media = sum(i.median for i in implied if i.paid), sum(i.median for i in implied)
    # a coefficient implies no share, so that a small sum of the others proves nothing
    complete = all((c.priors or config.model.priors).kind != "coefficient" for c in config.data.channels.values())
    largest = max((i for i in implied if i.paid), key=lambda i: i.median)
    expected = f"between {100 * low:g} % and {100 * high:g} % (checks.prior_media_share)"
    for wrong, share, remedy in (
        (
            paid < low and complete,
            paid,
            "Is spend in thousands or in another currency than the KPI? Else raise the medians in model.priors.",
        ),
        (media > high, media, "Is the KPI in thousands, or a count taken for money? Else lower the medians in model.priors."),
    ):
        if wrong:
            came = (
                f"the prior medians imply that media bring {100 * share:.3g} % of the KPI, "
                f"most of it {largest.name} ({100 * largest.median:.3g} %)"
            )
            findings.refuse("model.priors", came, expected, remedy)


def _kpi_money(rows: Rows, config: Config) -> float | None:
    """KPI money in the window, or the KPI's sum for an index; None where it cannot be told."""
    unit_value = config.data.unit_value
    columns = [config.data.target, *([unit_value] if isinstance(unit_value, str) else [])]
    if any(c not in rows.numbers for c in columns):
        return None
    factor = unit_value if isinstance(unit_value, float) else 1.0
    worth = factor * np.prod([rows.numbers[c][rows.inside] for c in columns], axis=0)
    return float(worth[np.isfinite(worth)].sum())
