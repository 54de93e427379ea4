"""How well an experiment could be read: the variance of its measured lift, before the settings inflate it.

Everywhere at once it is compared with what the model expected: the noise of the periods, and the uncertainty of the forecast.
In some geos it is compared with the others, scaled to their size: with v[g] the variance of a period, n periods in the test and
p before it, S the size of the treated over that of the others,

    n (1 + n / p) (sum over treated of v[g] + S^2 sum over others of v[g])

which for equal geos is ``n (1 + n / p) v treated^2 (1 / treated + 1 / others)``. Shocks that all geos share cancel.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from mmx.data.panel import Floats, Panel
from mmx.mmm import predict
from mmx.mmm.posterior import Posterior
from mmx.mmm.reference_window import Reference, future_dates


def read_out_variance(posterior: Posterior, reference: Reference, periods: int, treated: np.ndarray) -> float:
    """Variance of the measured lift of a test in the first periods of a horizon, KPI money squared.

    Parameters
    ----------
    posterior : Posterior
    reference : Reference
    periods : int
    treated : array of bool, (geo,)
    """
    worth = (reference.money[:periods] / posterior.size) ** 2
    single = noise_variance(posterior, reference.horizon) * worth.mean(axis=0)
    own = single * _summed(posterior, periods)
    if treated.all():
        return float(own.sum()) + float(forecast(posterior, reference, periods).var())
    before = int(posterior.window.sum())
    size = reference.money[:periods].mean(axis=0)  # KPI money per unit of the scaled KPI, which is per head
    scale = float(size[treated].sum() / size[~treated].sum())
    return (1 + periods / before) * float(own[treated].sum() + scale**2 * own[~treated].sum())


def noise_variance(posterior: Posterior, rows: int) -> Floats:
    """Variance of the KPI of one period around its expectation, (geo,), KPI units squared; mean over draws.

    Where it depends on the KPI, that is the mean of the last ``rows`` training rows. Of Student's t the factor
    ``degrees / (degrees - 2)`` is taken at its median.
    """
    structure, kpi = posterior.structure, mean_kpi(posterior, rows)
    out = np.empty(structure.geos)
    for g in range(structure.geos):
        squared = predict.noise(posterior, g).astype(float) ** 2
        if structure.likelihood == "lognormal":
            out[g] = kpi[g] ** 2 * np.expm1(squared).mean()
        elif structure.likelihood == "negative_binomial":
            out[g] = kpi[g] + kpi[g] ** 2 * squared.mean()
        else:
            out[g] = posterior.size[g] ** 2 * squared.mean()
    if structure.likelihood == "student_t":
        degrees = posterior.params["degrees"][:, 0].astype(float)
        out *= np.median(degrees / (degrees - 2.0))
    return out


def mean_kpi(posterior: Posterior, rows: int) -> Floats:
    """Mean KPI of the last training rows, (geo,), KPI units."""
    inside = np.flatnonzero(posterior.window)[-rows:]
    mean: Floats = posterior.panel.array("kpi")[:, inside].mean(axis=1)
    return mean


def _summed(posterior: Posterior, periods: int) -> float:
    """Variance of the sum of some periods' noise over that of one: their number, more where it is autocorrelated."""
    if not posterior.structure.autocorrelated:
        return float(periods)
    lag = np.arange(1, periods)
    rho = posterior.params["autocorrelation"][:, :1].astype(float)
    return float(periods + 2 * ((periods - lag) * rho**lag).sum(axis=1).mean())


def forecast(posterior: Posterior, reference: Reference, periods: int) -> Floats:
    """Expected KPI money of the first periods of the reference plan, all geos, (sample,).

    Rows that the table lacks have the controls, treatments and events of the reference window.
    """
    stop, geos = posterior.stop, posterior.structure.geos
    longer = _continued(posterior, reference, periods)
    past, rows = posterior.exposure, np.arange(stop, stop + periods)
    x = predict.whole_exposure(longer)[: stop + periods]
    x[:stop] = past
    channels, media = posterior.structure.channels, posterior.structure.media
    x[stop:, :, :channels] = (reference.spend * reference.exposure_per_money)[:periods]
    x[stop:, :, media:] = reference.frequency[:periods]
    total = np.zeros(posterior.samples)
    for g in range(geos):
        level = predict.level(longer, g, x, rows)
        # Columns that are centred over all rows move when rows are added; what the same row says is how far.
        level -= (posterior.gamma @ (longer.design.z[stop - 1, g] - posterior.design.z[stop - 1, g]))[:, None]
        kpi = predict.expected(posterior, level.T, g)
        total += (reference.money[:periods, g] / posterior.size[g]) @ kpi
    return total


def _continued(posterior: Posterior, reference: Reference, periods: int) -> Posterior:
    """The posterior with a panel that has enough rows after the training rows."""
    panel, stop = posterior.panel, posterior.stop
    if panel.data.sizes["time"] >= stop + periods:
        return posterior
    import pandas as pd

    dates = future_dates(pd.Timestamp(panel.dates[stop - 1]), periods, panel.frequency)
    again = panel.data.isel(time=slice(reference.first, reference.first + periods)).assign_coords(
        time=pd.DatetimeIndex(list(dates))
    )
    data = xr.concat([panel.data.isel(time=slice(0, stop)), again], dim="time", data_vars="minimal")
    longer: Panel = replace(panel, data=data)
    weights = np.append(posterior.weights[:stop], np.zeros(periods))
    return replace(posterior, panel=longer, weights=weights)
