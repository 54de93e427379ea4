"""The data contract on what the model's likelihood and seasons need of the table."""

from __future__ import annotations

import numpy as np

from mmx.config import Config
from mmx.data.cells import Bools, Findings, plural
from mmx.data.dates import Grid
from mmx.data.rows import Rows

STEPS = {"daily": 1.0, "weekly": 7.0, "monthly": 365.25 / 12}  # Days per period.
SEASONS = {"yearly": 365.25, "monthly": 365.25 / 12, "weekly": 7.0}  # Days.


def check_suited(rows: Rows, grid: Grid | None, config: Config, findings: Findings) -> None:
    """Refuse a likelihood that the KPI cannot follow, and seasons that the periods cannot show."""
    for role in rows.of("kpi"):
        _check_likelihood(rows, role.column, config, findings)
    if grid is not None:
        _check_seasons(grid, config, findings)


def _check_likelihood(rows: Rows, column: str, config: Config, findings: Findings) -> None:
    values, likelihood = rows.numbers[column], config.model.likelihood
    known = rows.inside & np.isfinite(values)

    def refuse(wrong: Bools, what: str, expected: str, remedy: str) -> None:
        if wrong.any():
            came = f"{plural(int(wrong.sum()), 'value')} {what}, with model.likelihood: {likelihood}"
            findings.refuse(f"column {column!r}, {rows.where(wrong, column)}", came, expected, remedy)

    if likelihood == "lognormal":
        remedy = "Take likelihood: normal or student_t, or negative_binomial for counts with zeros."
        refuse(known & (values <= 0), "of 0 or less", "a KPI above 0, which has a logarithm", remedy)
    if likelihood == "negative_binomial":
        remedy = "Take likelihood: normal or student_t, or lognormal where the KPI is positive."
        refuse(known & ((values < 0) | (values != np.round(values))), "that are no counts", "whole numbers from 0 on", remedy)


def _check_seasons(grid: Grid, config: Config, findings: Findings) -> None:
    step, season = STEPS[grid.frequency], config.model.seasonality
    for name, days in SEASONS.items():
        pairs: int = getattr(season, name)
        most = int(np.ceil(days / (2.0 * step))) - 1  # A pair needs more than two periods per cycle.
        if pairs > most:
            least = f"at most {plural(most, 'pair')}" if most > 0 else "none"
            findings.refuse(
                f"model.seasonality.{name}",
                f"{plural(pairs, 'Fourier pair')} with {grid.frequency} periods",
                f"{least}: a pair needs more than two periods in each of its cycles",
                f"Set model.seasonality.{name}: {max(most, 0)}.",
            )
