"""The KPI without media over time: a regular baseline, as the default model has it, and an irregular one."""

from __future__ import annotations

import numpy as np

from mmx.worlds.curves import Floats
from mmx.worlds.draws import Rng, stream
from mmx.worlds.registry import Baseline, Irregular

FLOOR = 0.2
SCHOOL = ((13.5, 15.5, 0.5), (27.0, 33.0, 1.0), (41.5, 43.5, 0.5))  # first and last week of the year, share of the height


def baseline(seed: int, settings: Baseline, years: Floats, weeks: Floats, geos: int) -> Floats:
    """Trend, season and drift around 1, (geo, time).

    Parameters
    ----------
    seed : int
    settings : Baseline
    years : array, (time,)
        Time in years from the first period.
    weeks : array, (time,)
        Week of the year of each period, 0 to 52.
    geos : int
        Geos differ in an irregular baseline only.
    """
    rng = stream(seed, "baseline")
    irregular = settings.irregular
    share = years / years[-1] - 0.5
    out = 1 + rng.uniform(*settings.trend) * share
    phase = rng.uniform(0, 2 * np.pi, size=2)
    amplitude = settings.season if irregular is None else settings.season / 2
    for pair in (1, 2):
        out = out + amplitude / pair * np.cos(2 * np.pi * pair * years + phase[pair - 1])
    if irregular is None:
        national = out + settings.drift_sd * smooth(rng, years, settings.drift_years)
        return np.broadcast_to(np.maximum(national, FLOOR), (geos, len(years)))
    moved = out + _wander(stream(seed, "wander"), irregular, settings.drift_sd, years)
    rises = _bumps(stream(seed, "bumps"), irregular, weeks) + _spikes(stream(seed, "spikes"), irregular, years, weeks)
    local = stream(seed, "local baseline").standard_normal((2, geos, 1)) * (geos > 1)
    trends, seasons = irregular.local_trend * local[0] * share, np.exp(irregular.local_season * local[1])
    return np.asarray(np.maximum(moved + trends + seasons * rises, FLOOR))


def noise_correlation(seed: int, settings: Baseline) -> float:
    """Correlation of the noise of neighbouring periods; 0 for a regular baseline."""
    if settings.irregular is None:
        return 0.0
    return float(stream(seed, "noise correlation").uniform(*settings.irregular.rho))


def smooth(rng: Rng, years: Floats, length: float) -> Floats:
    """Draw from a Gaussian process with squared-exponential kernel: white noise under a Gaussian of width length / sqrt 2.

    An eigendecomposition of the kernel would do the same, but its null space depends on the number of threads.
    """
    step = years[1] - years[0]
    margin = int(np.ceil(3 * length / step))
    shocks = rng.standard_normal(len(years) + 2 * margin)
    kernel = np.exp(-((np.arange(-margin, margin + 1) * step / length) ** 2))
    kernelled = np.convolve(shocks, kernel / np.sqrt((kernel**2).sum()), mode="valid")
    return np.asarray(kernelled - kernelled.mean())


def _wander(rng: Rng, settings: Irregular, unit: float, years: Floats) -> Floats:
    """Draw a random walk, two to four changes of level, or a line broken at one to three points; mean 0, (time,)."""
    periods = len(years)
    kind = rng.choice(["walk", "levels", "broken"])
    if kind == "walk":
        path = np.cumsum(rng.standard_normal(periods))
    else:
        count = int(rng.integers(2, 5) if kind == "levels" else rng.integers(1, 4))
        at = rng.choice(np.arange(periods // 12, periods - periods // 12), size=count, replace=False)
        after = np.arange(periods)[None, :] - np.sort(at)[:, None]
        steps = rng.standard_normal(count)[:, None]
        path = (steps * (after >= 0 if kind == "levels" else np.maximum(after, 0))).sum(axis=0)
    path = path - path.mean()
    return np.asarray(unit * rng.uniform(*settings.wander) * path / path.std())


def _bumps(rng: Rng, settings: Irregular, weeks: Floats) -> Floats:
    """Draw a Christmas peak with a slump after it, school holidays, or spring and autumn, (time,)."""
    height = rng.uniform(*settings.bump)
    kind = rng.choice(["christmas", "school", "spring and autumn"])
    if kind == "christmas":
        rise = np.where((weeks > 44.5) & (weeks < 51.5), (weeks - 44.5) / 6, 0.0)
        return np.asarray(height * (np.minimum(rise, 1.0) - 0.3 * np.where(weeks < 4, 1 - weeks / 4, 0.0)))
    if kind == "school":
        sign = rng.choice([-0.6, 0.6])
        return np.asarray(sum(sign * height * share * ((weeks >= a) & (weeks < b)) for a, b, share in SCHOOL))
    share = rng.uniform(0.4, 1.0)
    return np.asarray(
        height * 0.7 * (np.exp(-0.5 * ((weeks - 15) / 2.5) ** 2) + share * np.exp(-0.5 * ((weeks - 38) / 2) ** 2))
    )


def _spikes(rng: Rng, settings: Irregular, years: Floats, weeks: Floats) -> Floats:
    """Draw single weeks that return every year, each time of another height, (time,)."""
    out = np.zeros(len(years))
    few, most = settings.spike_weeks
    for week in rng.uniform(2, 50, size=int(rng.integers(few, most + 1))):
        height = rng.uniform(*settings.spikes)
        returns = np.flatnonzero((weeks >= week) & (weeks < week + 1))
        out[returns] += height * rng.uniform(0.7, 1.3, size=len(returns))
    return out
