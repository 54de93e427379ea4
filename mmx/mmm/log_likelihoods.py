"""Log likelihood of a fit in its two forms, computed from stored draws when asked, as densities of the KPI in its own units.

*Pointwise*: ``p(y_tg | theta, baseline coefficients)``, cell by cell given the drawn-back coefficients, for leave-one-out and
power-scaling. *One step*: ``p(y_t | y_<t, theta)``, period by period with the baseline integrated out given the periods before,
for leave-future-out; these add up to the collapsed log likelihood. Sources: Vehtari, Gelman and Gabry (2017), Practical
Bayesian model evaluation using leave-one-out cross-validation and WAIC; Bürkner, Gabry and Vehtari (2020), Approximate
leave-future-out cross-validation; Durbin and Koopman (2012), Time Series Analysis by State Space Methods, section 4.3, for the
filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.inputs import prepare
from mmx.mmm.parameters import scales
from mmx.mmm.posterior import Posterior

LOG_2PI = float(np.log(2 * np.pi))
BLOCK_NUMBERS = 8_000_000  # Numbers in the filter's covariances at a time: 64 MB.


def pointwise(posterior: Posterior) -> Floats:
    """Log density of every training cell given parameters and baseline coefficients, (sample, window, geo).

    With an autoregressive noise, given the cell of the period before as well.
    """
    rows = np.flatnonzero(posterior.window)
    kpi = posterior.panel.array("kpi")[:, rows]
    root = np.sqrt(posterior.weights[rows])
    out = np.empty((posterior.samples, len(rows), posterior.structure.geos))
    for g, level in enumerate(predict.predictive_cells(posterior)):
        out[:, :, g] = _cells(posterior, level, kpi[g], root, g)
    return out


def _cells(posterior: Posterior, level: Floats, kpi: Floats, root: Floats, geo: int) -> Floats:
    structure, sd = posterior.structure, predict.noise(posterior, geo)[:, None]
    if structure.likelihood == "negative_binomial":
        mean, count = predict.expected(posterior, level.T, geo).T, sd**-2.0
        cells = gammaln(kpi + count) - gammaln(count) - gammaln(kpi + 1.0)
        cells = cells - count * np.log1p(mean / count) + kpi * (np.log(mean) - np.log(mean + count))
        found: Floats = root**2 * cells
        return found
    size = posterior.size[geo]
    if structure.multiplicative:
        y, jacobian = np.log(kpi / size), np.log(kpi)
    else:
        y, jacobian = kpi / size, np.log(size)
    error, sd = y - level, sd / root
    if structure.likelihood == "student_t":
        free = posterior.params["degrees"]
        norm = gammaln(0.5 * (free + 1)) - gammaln(0.5 * free) - 0.5 * np.log(np.pi * free) - np.log(sd)
        found = np.asarray(norm - 0.5 * (free + 1) * np.log1p((error / sd) ** 2 / free) - jacobian)
        return found
    if structure.autocorrelated:
        rho = posterior.params["autocorrelation"]
        error[:, 1:] -= rho * error[:, :-1]
        sd = np.concatenate([sd[:, :1], sd[:, 1:] * np.sqrt(1.0 - rho**2)], axis=1)
    found = -0.5 * ((error / sd) ** 2 + LOG_2PI) - np.log(sd) - jacobian
    return found


def one_step(posterior: Posterior, draws: npt.NDArray[np.intp] | None = None) -> Floats:
    """Log density of every training period given the periods before it, the baseline integrated out.

    Parameters
    ----------
    posterior : Posterior
    draws : array of int, optional
        Samples to use; all by default. Many geos take a tenth of a second each.

    Returns
    -------
    array, (sample, window)
        Of all geos together; sums over the window are the collapsed log likelihood.

    Raises
    ------
    ValueError
        If the likelihood does not integrate the baseline out.
    """
    structure = posterior.structure
    if not structure.collapsed:
        raise ValueError(
            f"likelihood {structure.likelihood} samples the baseline, so that there is no density with the baseline integrated "
            "out: use the pointwise log likelihood, or a normal or lognormal likelihood"
        )
    chosen = np.arange(posterior.samples) if draws is None else np.asarray(draws)
    _, inputs, _ = prepare(posterior.spec, posterior.panel, posterior.weights)
    params = {name: value[chosen] for name, value in posterior.params.items()}
    prior_sd = scales(structure, inputs, params)["prior_sd"]
    rows = np.flatnonzero(posterior.window)
    residual = _residuals(posterior, inputs, chosen, rows)
    states = _states(inputs, rows)
    size = max(1, BLOCK_NUMBERS // states.shape[2] ** 2)
    jacobian = np.log(posterior.panel.array("kpi")[:, rows]) if structure.multiplicative else np.log(posterior.size)[:, None]
    parts = [
        _filter(structure.geos, inputs, states, {k: v[at] for k, v in params.items()}, prior_sd[at], residual[at], rows)
        for at in (slice(start, start + size) for start in range(0, len(chosen), size))
    ]
    found: Floats = np.concatenate(parts) - np.broadcast_to(jacobian, (structure.geos, len(rows))).sum(axis=0)
    return found


def _residuals(posterior: Posterior, inputs: Mapping[str, Any], chosen: npt.NDArray[np.intp], rows: np.ndarray) -> Floats:
    """Scaled KPI less everything sampled, (sample, window, geo)."""
    out = np.empty((len(chosen), len(rows), posterior.structure.geos))
    for g in range(posterior.structure.geos):
        out[:, :, g] = inputs["y"][rows, g] - predict.sampled_level(posterior, g, rows, chosen)
    return out


def _states(inputs: Mapping[str, Any], rows: np.ndarray) -> Floats:
    """Columns of each cell over shared coefficients and all geos' own, (window, geo, state)."""
    z_cell, z_time, local = inputs["z_cell"][rows], inputs["z_time"][rows], inputs["local"][:, rows]
    geos = z_cell.shape[1]
    shared = np.concatenate([z_cell, np.repeat(z_time[:, None], geos, axis=1)], axis=2)
    if geos == 1:
        return shared
    own = np.einsum("ktg,gh->tgkh", local, np.eye(geos)).reshape(len(rows), geos, -1)
    return np.concatenate([shared, own], axis=2)


def _filter(
    geos: int,
    inputs: Mapping[str, Any],
    states: Floats,
    params: Mapping[str, Floats],
    prior_sd: Floats,
    residual: Floats,
    rows: np.ndarray,
) -> Floats:
    """Kalman filter over coefficients that stay as they are, and over autoregressive noise that does not, (sample, window)."""
    samples, periods = residual.shape[:2]
    noise = np.broadcast_to(params["noise"], (samples, geos))
    rho = params.get("autocorrelation")
    own = np.zeros((samples, 0)) if geos == 1 else np.tile(np.repeat(inputs["local_sd"], geos), (samples, 1))
    sd = np.concatenate([prior_sd, own] + ([noise] if rho is not None else []), axis=1)
    steady, diagonal = prior_sd.shape[1] + own.shape[1], np.arange(sd.shape[1])
    spread, mean = np.zeros((samples, sd.shape[1], sd.shape[1])), np.zeros(sd.shape)
    spread[:, diagonal, diagonal] = sd**2
    out = np.empty((samples, periods))
    for t in range(periods):
        at = states[t]
        if rho is not None:
            at = np.concatenate([at, np.eye(geos)], axis=1)
            if t > 0:
                _pass_on(spread, mean, steady, rho, noise)
        seen = spread @ at.T
        error = residual[:, t] - mean @ at.T
        within = at @ seen
        if rho is None:
            within[:, np.arange(geos), np.arange(geos)] += noise**2 / inputs["w"][rows[t]]
        factor = np.linalg.cholesky(within)
        half = np.linalg.solve(factor, np.concatenate([error[:, :, None], np.swapaxes(seen, 1, 2)], axis=2))
        score, gain = half[:, :, 0], half[:, :, 1:]
        depth = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        out[:, t] = -0.5 * (score**2).sum(axis=1) - depth - 0.5 * geos * LOG_2PI
        spread -= np.swapaxes(gain, 1, 2) @ gain
        mean += np.einsum("bgn,bg->bn", gain, score)
    return out


def _pass_on(spread: Floats, mean: Floats, steady: int, rho: Floats, noise: Floats) -> None:
    """Carry autoregressive noise to the next period, in place."""
    spread[:, steady:] *= rho[:, :, None]
    spread[:, :, steady:] *= rho[:, :, None]
    places = np.arange(steady, spread.shape[1])
    spread[:, places, places] += noise**2 * (1.0 - rho**2)
    mean[:, steady:] *= rho
