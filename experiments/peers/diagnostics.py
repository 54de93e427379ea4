"""One judge for all tools: rank-normalised split R-hat, bulk and tail effective sample size, from NumPy and SciPy alone.

Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization: an improved
R-hat for assessing convergence of MCMC. It runs in the environment of every tool; the tests hold it against ArviZ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri
from scipy.stats import rankdata

PROBABILITIES = {"q025": 0.025, "q05": 0.05, "q50": 0.5, "q95": 0.95, "q975": 0.975}


def rhat(draws: np.ndarray) -> float:
    """Larger of the rank-normalised split R-hat of the draws and of their distance from the median.

    Parameters
    ----------
    draws : array, (chain, draw)
    """
    if not np.isfinite(draws).all():
        return float("nan")
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves))
    return max(_plain_rhat(_normal_scores(halves)), _plain_rhat(_normal_scores(folded)))


def ess_bulk(draws: np.ndarray) -> float:
    """Effective sample size of the rank-normalised split chains; ``draws`` is (chain, draw)."""
    return _ess(_normal_scores(_split(draws))) if np.isfinite(draws).all() else float("nan")


def ess_tail(draws: np.ndarray) -> float:
    """Smaller effective sample size of the 5 % and 95 % quantiles; ``draws`` is (chain, draw)."""
    if not np.isfinite(draws).all():
        return float("nan")
    low, high = np.quantile(draws, [0.05, 0.95])
    return min(_ess(_split((draws <= q).astype(float))) for q in (low, high))


def judge(quantities: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Diagnose every quantity and name the worst.

    Parameters
    ----------
    quantities : mapping of str to array, (chain, draw)
    """
    table = {}
    for name, value in quantities.items():
        draws = np.asarray(value, dtype=float)
        with np.errstate(invalid="ignore"):  # A value that is not finite: the diagnostics say so.
            moments = {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1))}
        table[name] = {"rhat": rhat(draws), "ess_bulk": ess_bulk(draws), "ess_tail": ess_tail(draws), **moments}
    worst_rhat = max(table, key=lambda name: _worst(table[name]["rhat"]))
    worst_ess = min(table, key=lambda name: -_worst(-table[name]["ess_bulk"]))
    return {
        "max_rhat": table[worst_rhat]["rhat"],
        "min_ess_bulk": table[worst_ess]["ess_bulk"],
        "min_ess_tail": float(np.min([row["ess_tail"] for row in table.values()])),
        "worst_rhat": worst_rhat,
        "worst_ess_bulk": worst_ess,
        "quantities": len(table),
        "table": table,
    }


def summarise(draws: np.ndarray) -> dict[str, float]:
    """Mean, median, standard deviation and quantiles of draws of one number."""
    values = np.quantile(draws, list(PROBABILITIES.values()))
    named = {name: float(v) for name, v in zip(PROBABILITIES, values, strict=True)}
    return {"mean": float(draws.mean()), "median": named["q50"], "sd": float(draws.std(ddof=1)), **named}


def _worst(value: float) -> float:
    return value if np.isfinite(value) else float("inf")


def _split(draws: np.ndarray) -> np.ndarray:
    """Both halves of every chain, (2 chain, draw // 2); the middle draw of an odd chain is left out."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]])


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    ranks = rankdata(draws, method="average").reshape(draws.shape)
    return ndtri((ranks - 0.375) / (draws.size + 0.25))


def _plain_rhat(draws: np.ndarray) -> float:
    length = draws.shape[1]
    between = length * draws.mean(axis=1).var(ddof=1)
    within = draws.var(axis=1, ddof=1).mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt((between / within + length - 1) / length))


def _ess(draws: np.ndarray) -> float:
    """Effective sample size by Geyer's initial monotone sequence over all chains, (chain, draw)."""
    chains, length = draws.shape
    if np.ptp(draws) < np.finfo(float).resolution:
        return float(draws.size)
    covariance = _autocovariance(draws)
    mean_variance = covariance[:, 0].mean() * length / (length - 1)
    variance = mean_variance * (length - 1) / length
    if chains > 1:
        variance += draws.mean(axis=1).var(ddof=1)
    correlation = np.zeros(length)
    correlation[0] = 1
    correlation[1] = 1 - (mean_variance - covariance[:, 1].mean()) / variance
    lag, even, odd = 1, 1.0, correlation[1]
    while lag < length - 3 and even + odd > 0:
        even, odd = (1 - (mean_variance - covariance[:, lag + k].mean()) / variance for k in (1, 2))
        if even + odd >= 0:
            correlation[lag + 1], correlation[lag + 2] = even, odd
        lag += 2
    last = lag - 2
    if even > 0:
        correlation[last + 1] = even
    for t in range(1, last - 1, 2):  # Sums of pairs must not rise.
        if correlation[t + 1] + correlation[t + 2] > correlation[t - 1] + correlation[t]:
            correlation[t + 1] = correlation[t + 2] = (correlation[t - 1] + correlation[t]) / 2
    time = -1 + 2 * correlation[: last + 1].sum() + correlation[last + 1 : last + 2].sum()
    return float(draws.size / max(time, 1 / np.log10(draws.size)))


def _autocovariance(draws: np.ndarray) -> np.ndarray:
    length = draws.shape[1]
    size = next_fast_len(2 * length)
    spectrum = rfft(draws - draws.mean(axis=1, keepdims=True), n=size, axis=1)
    return irfft(np.abs(spectrum) ** 2, n=size, axis=1)[:, :length] / length
