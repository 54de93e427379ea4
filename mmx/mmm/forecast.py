"""Forecast the KPI after the training rows, from planned media, controls and events, in the user's units."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.posterior import Posterior


def forecast_draws(posterior: Posterior, *, seed: int) -> Floats:
    """Draws of the KPI of every period after the last training row that the panel holds, noise included.

    Media, controls, treatments and events are those of the panel's rows: planned ones, or those of held-out weeks. The drift
    goes on as its prior lets it, and an autoregressive noise starts from the last residual.

    Parameters
    ----------
    posterior : Posterior
    seed : int
        Fixes the noise.

    Returns
    -------
    array, (sample, period, geo), KPI units
    """
    rows = np.arange(posterior.stop, posterior.panel.data.sizes["time"])
    rng = np.random.default_rng([seed, 17])
    x = predict.whole_exposure(posterior)
    out = np.empty((posterior.samples, len(rows), posterior.structure.geos))
    for g in range(posterior.structure.geos):
        level = predict.level(posterior, g, x, np.append(posterior.stop - 1, rows))
        if posterior.structure.autocorrelated:
            level[:, 1:] += _carried_noise(posterior, g, level[:, 0], len(rows), rng)
            out[:, :, g] = _units(posterior, level[:, 1:], g)
        else:
            out[:, :, g] = predict.draws(posterior, level[:, 1:].T, g, rng).T
    return out


def forecast(posterior: Posterior, *, seed: int) -> pd.DataFrame:
    """Forecast of every period after the training rows that the panel holds, by geo.

    Parameters
    ----------
    posterior : Posterior
    seed : int

    Returns
    -------
    DataFrame
        ``date, geo, kpi, mean, median, q05, q95`` in KPI units, with noise in the interval; ``kpi`` is NaN where it is not
        known yet.

    Raises
    ------
    ValueError
        If the panel ends with the training rows.
    """
    stop, panel = posterior.stop, posterior.panel
    if stop == panel.data.sizes["time"]:
        raise ValueError(
            "nothing to forecast: the table ends with the training rows. Add rows with the planned media, controls and events "
            "after data.window.end"
        )
    draws = forecast_draws(posterior, seed=seed)
    dates, kpi = pd.to_datetime(panel.dates[stop:]), panel.array("kpi")[:, stop:]
    q05, median, q95 = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
    frames = [
        pd.DataFrame(
            {
                "date": dates,
                "geo": geo,
                "kpi": kpi[g],
                "mean": draws[:, :, g].mean(axis=0),
                "median": median[:, g],
                "q05": q05[:, g],
                "q95": q95[:, g],
            }
        )
        for g, geo in enumerate(panel.names("geo"))
    ]
    return pd.concat(frames, ignore_index=True)


def _carried_noise(posterior: Posterior, geo: int, last: Floats, periods: int, rng: np.random.Generator) -> Floats:
    """Autoregressive noise from the residual of the last training row on, (sample, period)."""
    kpi = posterior.panel.array("kpi")[geo, posterior.stop - 1] / posterior.size[geo]
    state = (np.log(kpi) if posterior.structure.multiplicative else kpi) - last
    rho, sd = posterior.params["autocorrelation"][:, 0], predict.noise(posterior, geo)
    out = np.empty((posterior.samples, periods))
    for t in range(periods):
        state = rho * state + np.sqrt(1.0 - rho**2) * sd * rng.standard_normal(posterior.samples)
        out[:, t] = state
    return out


def _units(posterior: Posterior, level: Floats, geo: int) -> Floats:
    """Scaled KPI, or its logarithm, in KPI units."""
    found: Floats = posterior.size[geo] * (np.exp(level) if posterior.structure.multiplicative else level)
    return found
