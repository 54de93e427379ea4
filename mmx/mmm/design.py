"""The baseline's design matrix: everything that is linear with a Gaussian prior.

Columns in order: those that differ between geos (treatments, controls, demand, events of single geos), then those that do not
(intercept, trend, Fourier season, events, drift). Demand is the exposure of media that follow it: spend that rises when sales
rise by themselves has a part in common with the KPI that is not its effect. The drift is a Hilbert-space Gaussian process with
a Matern 5/2 kernel: fixed sine columns whose prior variances come from the spectral density.
Source: Riutort-Mayol et al. (2023), Practical Hilbert space approximate Bayesian Gaussian processes, eq. 8-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmx.data.panel import Floats, Panel
from mmx.spec import ControlSettings, Spec

BOUNDARY = 1.5  # Range of the drift's basis over the range of the data; Riutort-Mayol et al. (2023), section 4.


@dataclass(frozen=True)
class Design:
    """Baseline design of one panel.

    Attributes
    ----------
    z : array, (time, geo, column)
    prior_sd : array, (column,)
        Prior standard deviations on the scaled KPI; 1 for the drift, whose scale is sampled.
    groups : dict of str to slice
        Columns of ``treatments, controls, demand, intercept, trend, season, events, drift``; empty groups are left out.
    cell_columns : int
        How many of the first columns differ between geos.
    frequency : array, (drift column,)
        Angular frequencies of the drift's basis, per year.
    local : array, (local column, time)
        What every geo has a coefficient of its own for, as its deviation from the others: 1, and the trend where there is one.
    local_sd : array, (local column,)
        Prior standard deviations of these deviations.
    signed : array, (time, geo, signed control)
        Controls whose coefficients have a sign, turned so that it is positive; they are not among the columns.
    sparse : tuple of int
        Columns of controls with a sparse prior.
    """

    z: Floats
    prior_sd: Floats
    groups: dict[str, slice]
    cell_columns: int
    frequency: Floats
    local: Floats
    local_sd: Floats
    signed: Floats
    sparse: tuple[int, ...]


def build(spec: Spec, panel: Panel) -> Design:
    """Build the design of a resolved specification over all periods of a panel."""
    constants, priors = spec.constants, spec.model.baseline
    assert constants is not None
    geos, times = panel.data.sizes["geo"], panel.data.sizes["time"]
    index = np.arange(times, dtype=float)
    multiplicative = spec.model.likelihood == "lognormal" or spec.model.link == "log"
    rms = 1.0 if multiplicative else math.hypot(constants.kpi_mean, constants.kpi_sd)
    demand = _demand(spec, panel)
    columns = np.concatenate([panel.array("treatment"), panel.array("control")], axis=2)
    columns = ((columns - np.array(constants.column_mean)) / np.array(constants.column_sd)).swapaxes(0, 1)
    split = len(panel.names("treatment"))
    known = [spec.model.controls.get(name, ControlSettings()) for name in panel.names("control")]
    signs = np.array([{"positive": 1.0, "negative": -1.0, None: 0.0}[control.sign] for control in known])
    signed = (columns[..., split:] * signs)[..., signs != 0]
    free = columns[..., split:][..., signs == 0]
    sparse = tuple(split + i for i, c in enumerate(c for c in known if c.sign is None) if c.sparse)
    events = panel.array("event").swapaxes(0, 1)
    own_events = bool((events != events[:, :1]).any())  # A column of the table may name an event in some geos only.
    event_sd = priors.event * constants.kpi_sd
    parts: list[tuple[str, Floats, float | Floats]] = [
        ("treatments", columns[..., :split], priors.treatment * constants.kpi_sd),
        ("controls", free, priors.control * constants.kpi_sd),
        ("demand", demand, priors.control * constants.kpi_sd),
        *([("events", events, event_sd)] if own_events else []),
        ("intercept", np.ones((times, 1)), priors.intercept * rms),
    ]
    local, local_sd = np.ones((1, times)), np.array([priors.geo_intercept * rms])
    if spec.model.trend != "none":
        trend = (index - constants.time_center) / constants.time_range
        parts.append(("trend", *_trend(spec, trend)))
        if geos > 1:
            local, local_sd = np.stack([local[0], trend]), np.append(local_sd, priors.geo_trend * constants.kpi_sd)
    parts.append(("season", *_season(panel, spec)))
    if not own_events:
        parts.append(("events", events[:, 0], event_sd))
    frequency = np.zeros(0)
    if constants.drift_terms:
        years = (index - constants.drift_center) / constants.periods_per_year
        half_range = constants.drift_half_range / constants.periods_per_year
        if spec.model.drift == "knots":
            basis, frequency = _knots(years, constants.drift_terms, half_range / BOUNDARY), np.zeros(constants.drift_terms)
        else:
            basis, frequency = hilbert_basis(years, constants.drift_terms, half_range)
        parts.append(("drift", basis, 1.0))
    groups, blocks, sds, start = {}, [], [], 0
    for name, block, sd in parts:
        width = block.shape[-1]
        if width:
            groups[name] = slice(start, start + width)
            blocks.append(np.broadcast_to(block if block.ndim == 3 else block[:, None, :], (times, geos, width)))
            sds.append(np.broadcast_to(sd, width))
            start += width
    cells = split + free.shape[2] + demand.shape[2] + own_events * events.shape[2] if geos > 1 else 0
    return Design(
        np.concatenate(blocks, axis=2), np.concatenate(sds), groups, cells, frequency, local, local_sd, signed, sparse
    )


def _demand(spec: Spec, panel: Panel) -> Floats:
    """Standardised exposure per head of the media that follow demand, (time, geo, medium)."""
    constants = spec.constants
    assert constants is not None
    exposure = panel.media_exposure / np.array(constants.geo_scale)[:, None, None] / np.array(constants.media_scale)
    columns = (exposure[..., list(spec.follows_demand)] - np.array(constants.demand_mean)) / np.array(constants.demand_sd)
    demand: Floats = columns.swapaxes(0, 1)
    return demand


def _trend(spec: Spec, trend: Floats) -> tuple[Floats, Floats]:
    """Columns (time, column) of the trend with their prior standard deviations: a line, and a change of slope at each knot."""
    constants, priors = spec.constants, spec.model.baseline
    assert constants is not None
    knots = spec.model.trend_knots if spec.model.trend == "piecewise" else 0
    places = np.linspace(-0.5, 0.5, knots + 2)[1:-1]
    columns = np.column_stack([trend, np.maximum(trend[:, None] - places, 0.0)])
    return columns, np.array([priors.trend] + [priors.trend_change] * knots) * constants.kpi_sd


def _season(panel: Panel, spec: Spec) -> tuple[Floats, Floats]:
    """Fourier columns (time, column) of the year, the month and the week, with their prior standard deviations."""
    season, constants = spec.model.seasonality, spec.constants
    assert constants is not None
    days = panel.dates.astype(float)
    columns, sds = [np.zeros((len(days), 0))], [np.zeros(0)]
    for period, pairs in ((365.25, season.yearly), (365.25 / 12, season.monthly), (7.0, season.weekly)):
        order = np.arange(1.0, pairs + 1.0)
        angle = 2 * np.pi * (days / period)[:, None] * order
        columns += [np.sin(angle), np.cos(angle)]
        sds.append(np.tile(spec.model.baseline.season * constants.kpi_sd / order**season.decay, 2))
    return np.concatenate(columns, axis=1), np.concatenate(sds)


def _knots(years: Floats, terms: int, half_range: float) -> Floats:
    """Columns (time, terms) of a drift whose cubic spline coefficients walk at random: by their steps, of unit variance a year.

    The first coefficient is zero; the columns are centred over all periods, where the intercept takes their mean.
    Source: Lang and Brezger (2004), Bayesian P-splines, with a first-order random walk.
    """
    spacing = 2 * half_range / (terms - 2)
    centres = -half_range + spacing * np.arange(-1, terms)
    distance = np.abs(np.clip(years, -half_range, half_range)[:, None] - centres) / spacing
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance) ** 3 / 6
    basis = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    steps = np.cumsum(basis[:, ::-1], axis=1)[:, ::-1][:, 1:] * math.sqrt(spacing)
    centred: Floats = steps - steps.mean(axis=0)
    return centred


def hilbert_basis(years: Floats, terms: int, half_range: float) -> tuple[Floats, Floats]:
    """Sine columns (time, term) of a Gaussian process, and their angular frequencies per year, (term,)."""
    frequency = np.arange(1, terms + 1, dtype=np.float64) * (math.pi / (2 * half_range))
    basis: Floats = np.sin(frequency * (years[:, None] + half_range)) / math.sqrt(half_range)
    return basis, frequency
