"""Rank-normalised split R-hat and effective sample sizes of many quantities at once, in numpy.

Source: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Rank-normalization, folding, and localization: an improved
R-hat.
ArviZ computes the same one quantity at a time; tests hold both equal to 1e-10.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FEWEST = 4  # Draws per chain below which nothing can be said.
LAGS = 24  # Computed for every quantity.
_CELLS = 250_000  # Numbers of one block of quantities: about 2 MB, which stays near the processor.


def rhat_and_ess(values: Floats) -> tuple[Floats, Floats, Floats]:
    """R-hat, bulk ESS and tail ESS.

    Parameters
    ----------
    values : array, (quantity, chain, draw)

    Returns
    -------
    array, (quantity,), three times
        R-hat is the larger of bulk and tail; tail ESS the smaller of the 5 % and 95 % quantiles. NaN where a value is not
        finite, where a chain has fewer than four draws, and for R-hat of a single chain.
    """
    count, chains, draws = values.shape
    usable = np.isfinite(values).all(axis=(1, 2))
    found = np.full((3, count), np.nan)
    if draws >= FEWEST:
        places = np.flatnonzero(usable)
        size = max(1, _CELLS // (chains * draws))
        for rows in (places[i : i + size] for i in range(0, len(places), size)):
            found[:, rows] = _block(values[rows])
    return found[0], found[1], found[2]


def _block(values: Floats) -> tuple[Floats, Floats, Floats]:
    halves = _split(values)
    centre = np.median(halves, axis=(1, 2), keepdims=True)
    ranked, folded = _z_scale(halves), _z_scale(np.abs(halves - centre))
    with np.errstate(invalid="ignore", divide="ignore"):  # Chains that are stuck: R-hat is infinite or not a number.
        rhat = np.maximum(_rhat(ranked), _rhat(folded)) if values.shape[1] > 1 else np.full(len(values), np.nan)
        limits = np.quantile(values, [0.05, 0.95], axis=(1, 2), keepdims=True)
        return rhat, _ess(ranked), np.minimum(*(_ess(_split(values <= limit)) for limit in limits))


def _split(values: npt.NDArray[np.generic]) -> Floats:
    """Halves of all chains, (quantity, 2 chain, draw / 2)."""
    half = values.shape[2] // 2
    return np.concatenate([values[..., :half], values[..., -half:]], axis=1).astype(np.float64)


def _z_scale(values: Floats) -> Floats:
    """Normal scores of the ranks over all chains; equal values share the mean of their ranks."""
    flat = values.reshape(len(values), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    scores = np.tile(_scores(size)[::2], (len(flat), 1))
    rows, equal = np.nonzero(ordered[:, 1:] == ordered[:, :-1])
    if len(rows):
        breaks = np.flatnonzero((np.diff(rows) != 0) | (np.diff(equal) != 1)) + 1
        starts, ends = np.r_[0, breaks], np.r_[breaks, len(rows)] - 1
        first, last = equal[starts], equal[ends] + 1
        shared = _scores(size)[first + last]
        scores[rows, equal] = np.repeat(shared, last - first)
        scores[rows[starts], last] = shared
    out = np.empty_like(flat)
    np.put_along_axis(out, order, scores, axis=1)
    return out.reshape(values.shape)


@cache
def _scores(size: int) -> Floats:
    """Normal quantile of ``(rank - 3/8) / (size + 1/4)`` for ranks 1, 1.5, 2, ... ``size``."""
    quantile = NormalDist().inv_cdf
    lower = [quantile((i / 2 + 0.625) / (size + 0.25)) for i in range(size - 1)]
    return np.array([*lower, 0.0, *(-value for value in reversed(lower))])


def _rhat(values: Floats) -> Floats:
    """Potential scale reduction, (quantity,)."""
    draws = values.shape[2]
    between = values.mean(axis=2).var(axis=1, ddof=1)
    within = values.var(axis=2, ddof=1).mean(axis=1)
    scale: Floats = np.sqrt((draws * between / within + draws - 1) / draws)
    return scale


def _ess(values: Floats) -> Floats:
    """Effective sample size of the mean by Geyer's initial monotone sequence, (quantity,).

    Few lags matter where chains mix well: the others are computed only for quantities whose sequence has not ended.
    """
    _, chains, draws = values.shape
    means = values.mean(axis=2, keepdims=True)
    centred, between = values - means, means[..., 0].var(axis=1, ddof=1)
    tau, ended = _tau(_autocovariance(centred, min(LAGS, draws)), between, draws)
    if not ended.all():
        tau[~ended], _ = _tau(_all_autocovariances(centred[~ended]), between[~ended], draws)
    size = float(chains * draws)
    found: Floats = size / np.maximum(tau, 1.0 / np.log10(size))
    stuck = values.max(axis=(1, 2)) - values.min(axis=(1, 2)) < np.finfo(float).resolution
    ess: Floats = np.where(stuck, size, found)
    return ess


def _tau(covariance: Floats, between: Floats, draws: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Integrated autocorrelation time from autocovariances (quantity, lag), and whether these lags were enough.

    Pairs of neighbouring lags are summed up to the first pair that is not positive, each cut to the pair before it; half of
    the even lag after the last pair still counts where it is positive.
    """
    within = covariance[:, 0] * draws / (draws - 1.0)
    scale = within * (draws - 1.0) / draws + between
    rho = 1.0 - (within[:, None] - covariance) / scale[:, None]
    rho[:, 0] = 1.0
    pairs = min(max(-(-(draws - 4) // 2), 0) + 1, rho.shape[1] // 2)
    even, odd = rho[:, 0 : 2 * pairs : 2], rho[:, 1 : 2 * pairs : 2]
    sums = even + odd
    negative = ~(sums > 0.0)
    ended = negative.any(axis=1) | (rho.shape[1] == draws)
    stop = np.where(negative.any(axis=1), negative.argmax(axis=1), pairs - 1)  # The pair that the walk ends at.
    lag = np.arange(pairs)
    monotone = np.minimum.accumulate(sums, axis=1)
    kept = np.where(lag < stop[:, None], monotone, 0.0).sum(axis=1)
    after, whole = (v[np.arange(len(rho)), stop] for v in (even, sums))
    tau: Floats = -1.0 + 2.0 * kept + np.where((after > 0) | (whole >= 0), after, 0.0)
    return tau, ended


def _autocovariance(centred: Floats, lags: int) -> Floats:
    """Mean autocovariance over chains at the first lags, divided by all draws as Geyer's sequence needs it, (quantity, lag)."""
    _, chains, draws = centred.shape
    sums = [np.einsum("qcd,qcd->q", centred[..., : draws - lag], centred[..., lag:]) for lag in range(lags)]
    covariance: Floats = np.stack(sums, axis=1) / (chains * draws)
    return covariance


def _all_autocovariances(centred: Floats) -> Floats:
    """The same at every lag by the Fourier transform, (quantity, draw)."""
    _, chains, draws = centred.shape
    length = _fast_length(2 * draws)
    spectrum = np.fft.rfft(centred, n=length, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
    covariance: Floats = np.fft.irfft(power, n=length, axis=1)[:, :draws] / (chains * draws)
    return covariance


def _fast_length(least: int) -> int:
    """Smallest number from ``least`` on without prime factors above five."""
    length = least
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


def smallest_ebfmi(energy: Floats) -> float:
    """Smallest energy Bayesian fraction of missing information over chains, of the energies (chain, draw) of all draws."""
    energy = np.asarray(energy, dtype=float)
    with np.errstate(invalid="ignore"):  # An energy that never moves gives 0 / 0, which fails.
        return float((np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)).min())
