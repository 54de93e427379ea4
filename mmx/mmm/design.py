"""The baseline's design matrix: everything that is linear with a Gaussian prior.

Columns in order: those that differ between geos (treatments, controls, events of single geos), then those that do not
(intercept, trend, Fourier season, events, drift). The drift is a Hilbert-space Gaussian process with a Matern 5/2 kernel:
fixed sine columns whose prior variances come from the spectral density.
Source: Riutort-Mayol et al. (2023), Practical Hilbert space approximate Bayesian Gaussian processes, eq. 8-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats, Panel
from mmx.spec import Spec


@dataclass(frozen=True)
class Design:
    """Baseline design of one panel.

    Attributes
    ----------
    z : array, (time, geo, column)
    prior_sd : array, (column,)
        Prior standard deviations on the scaled KPI; 1 for the drift, whose scale is sampled.
    groups : dict of str to slice
        Columns of ``treatments, controls, intercept, trend, season, events, drift``; empty groups are left out.
    cell_columns : int
        How many of the first columns differ between geos.
    frequency : array, (drift column,)
        Angular frequencies of the drift's basis, per year.
    local : array, (local column, time)
        What every geo has a coefficient of its own for, as its deviation from the others: 1, and the trend where there is one.
    local_sd : array, (local column,)
        Prior standard deviations of these deviations.
    """

    z: Floats
    prior_sd: Floats
    groups: dict[str, slice]
    cell_columns: int
    frequency: Floats
    local: Floats
    local_sd: Floats


def build(spec: Spec, panel: Panel) -> Design:
    """Build the design of a resolved specification over all periods of a panel."""
    constants, priors = spec.constants, spec.model.baseline
    assert constants is not None
    geos, times = panel.data.sizes["geo"], panel.data.sizes["time"]
    index = np.arange(times, dtype=float)
    rms = math.hypot(constants.kpi_mean, constants.kpi_sd)
    columns = np.concatenate([panel.array("treatment"), panel.array("control")], axis=2)
    columns = ((columns - np.array(constants.column_mean)) / np.array(constants.column_sd)).swapaxes(0, 1)
    split = len(panel.names("treatment"))
    events = panel.array("event").swapaxes(0, 1)
    own_events = bool((events != events[:, :1]).any())  # A column of the table may name an event in some geos only.
    event_sd = priors.event * constants.kpi_sd
    parts: list[tuple[str, Floats, float | Floats]] = [
        ("treatments", columns[..., :split], priors.treatment * constants.kpi_sd),
        ("controls", columns[..., split:], priors.control * constants.kpi_sd),
        *([("events", events, event_sd)] if own_events else []),
        ("intercept", np.ones((times, 1)), priors.intercept * rms),
    ]
    local, local_sd = np.ones((1, times)), np.array([priors.geo_intercept * rms])
    if spec.model.trend == "linear":
        trend = (index - constants.time_center) / constants.time_range
        parts.append(("trend", trend[:, None], priors.trend * constants.kpi_sd))
        if geos > 1:
            local, local_sd = np.stack([local[0], trend]), np.append(local_sd, priors.geo_trend * constants.kpi_sd)
    parts.append(("season", _season(panel, spec.model.seasonality.yearly), _season_sd(spec) * constants.kpi_sd))
    if not own_events:
        parts.append(("events", events[:, 0], event_sd))
    frequency = np.zeros(0)
    if constants.drift_terms:
        years = (index - constants.drift_center) / constants.periods_per_year
        basis, frequency = _drift(years, constants.drift_terms, constants.drift_half_range / constants.periods_per_year)
        parts.append(("drift", basis, 1.0))
    groups, blocks, sds, start = {}, [], [], 0
    for name, block, sd in parts:
        width = block.shape[-1]
        if width:
            groups[name] = slice(start, start + width)
            blocks.append(np.broadcast_to(block if block.ndim == 3 else block[:, None, :], (times, geos, width)))
            sds.append(np.broadcast_to(sd, width))
            start += width
    cells = columns.shape[2] + own_events * events.shape[2] if geos > 1 else 0
    return Design(np.concatenate(blocks, axis=2), np.concatenate(sds), groups, cells, frequency, local, local_sd)


def _season_sd(spec: Spec) -> Floats:
    """Prior standard deviations of the season's columns: those of higher harmonics are smaller."""
    season = spec.model.seasonality
    pairs = np.tile(np.arange(1.0, season.yearly + 1.0), 2)
    scale: Floats = spec.model.baseline.season / pairs**season.decay
    return scale


def _season(panel: Panel, pairs: int) -> Floats:
    years = panel.dates.astype(float) / 365.25
    angle = 2 * np.pi * years[:, None] * np.arange(1, pairs + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def _drift(years: Floats, terms: int, half_range: float) -> tuple[Floats, Floats]:
    frequency = np.arange(1, terms + 1, dtype=np.float64) * (math.pi / (2 * half_range))
    basis: Floats = np.sin(frequency * (years[:, None] + half_range)) / math.sqrt(half_range)
    return basis, frequency
