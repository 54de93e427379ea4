"""Generated experiments on geos with a known effect."""

from __future__ import annotations

import numpy as np

from mmx.data.outcomes import Outcomes


def experiment(
    seed: int, *, effect: float = 0.0, rho: float = 0.4, geos: int = 18, periods: int = 60, test: int = 8, size: float = 1.0
) -> Outcomes:
    """Geos driven by three common factors, a week and noise with memory; the first two treated in the last periods.

    ``effect`` is in KPI per treated geo and period, where the noise of a geo has standard deviation ``size``.
    """
    rng = np.random.default_rng([seed, geos, periods])
    factors = memory(rng.normal(size=(periods, 3)), 0.8)
    loads = rng.uniform(0.0, 2.0, (3, geos))
    week = np.sin(2 * np.pi * np.arange(periods) / 7)[:, None] * rng.uniform(0.5, 1.5, geos)
    level = rng.uniform(30.0, 90.0, geos)
    kpi = (level + factors @ loads + 2 * week + size * memory(rng.normal(size=(periods, geos)), rho)).T
    kpi[:2, periods - test :] += effect
    dates = np.datetime64("2024-01-01") + np.arange(periods + 1)
    return Outcomes(tuple(f"geo {g}" for g in range(geos)), dates, kpi, "daily", "test.csv", "0" * 64)


def memory(shocks: np.ndarray, rho: float) -> np.ndarray:
    """Stationary series of unit variance, (time, ...), of which each value keeps ``rho`` of the one before."""
    out = shocks.copy()
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + np.sqrt(1 - rho**2) * shocks[t]
    return out
