"""What the seed decides: spend over time, response curves, controls. Every function takes its generator."""

from __future__ import annotations

import zlib

import numpy as np

from mmx.worlds.curves import Curve, Floats
from mmx.worlds.registry import Lever, Medium, Pattern, Range, World

Rng = np.random.Generator
WEEKS_PER_YEAR = 365.25 / 7


def stream(seed: int, name: str) -> Rng:
    """Return a generator of its own for one ingredient, so that a change of one leaves the others' draws alone."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def lognormal(rng: Rng, parameters: Range, low: float = 0.0, high: float = np.inf) -> float:
    """Return one draw with the given median and standard deviation of the logarithm, clipped."""
    median, sd = parameters
    return float(np.clip(median * np.exp(sd * rng.standard_normal()), low, high))


def autoregressive(rng: Rng, periods: int, rho: float) -> Floats:
    """Stationary AR(1) with unit variance, (time,)."""
    shocks = rng.standard_normal(periods)
    out = np.empty(periods)
    out[0] = shocks[0]
    for t in range(1, periods):
        out[t] = rho * out[t - 1] + np.sqrt(1 - rho**2) * shocks[t]
    return out


def curve(rng: Rng, medium: Medium, world: World) -> Curve:
    """Draw the response curve of a medium."""
    return Curve(
        adstock=medium.adstock,
        saturation=medium.saturation,
        alpha=float(rng.uniform(*medium.alpha)),
        delay=float(rng.uniform(*medium.delay)) if medium.adstock == "delayed" else 0.0,
        window=medium.window,
        half_saturation=lognormal(rng, world.half_saturation, 0.4, 4.0),
        slope=lognormal(rng, world.slope, 0.7, 2.5),
        lam=lognormal(rng, world.lam, 0.4, 4.0),
    )


def bought(rng: Rng, pattern: Pattern, periods: int, weeks: Floats) -> Floats:
    """Relative buying of one medium, around 1 in active periods, (time,).

    ``weeks`` is the week of the year of each period, 0 to 52.
    """
    if pattern in ("bursts", "flights"):
        on, off = ((3, 6), (3, 8)) if pattern == "bursts" else ((2, 5), (1, 4))
        return _flighted(rng, periods, on, off)
    peak = np.exp(-0.5 * ((weeks - 48 + 26) % WEEKS_PER_YEAR - 26) ** 2 / 4**2)
    season = 0.7 + 1.3 * peak if pattern == "seasonal" else 1 + 0.3 * peak
    return np.asarray(season * _steps(rng, periods))


def _flighted(rng: Rng, periods: int, on: tuple[int, int], off: tuple[int, int]) -> Floats:
    out = np.zeros(periods)
    t = int(rng.integers(0, off[1]))
    while t < periods:
        length = int(rng.integers(on[0], on[1] + 1))
        out[t : t + length] = np.exp(0.4 * rng.standard_normal())
        t += length + int(rng.integers(off[0], off[1] + 1))
    return out


def _steps(rng: Rng, periods: int) -> Floats:
    """Budgets that are set anew every four to twelve periods."""
    out = np.empty(periods)
    t = 0
    while t < periods:
        length = int(rng.integers(4, 13))
        out[t : t + length] = np.exp(0.4 * rng.standard_normal())
        t += length
    return out


def buying(world: World, seed: int, weeks: Floats, demand: Floats) -> Floats:
    """Spend (paid) or exposure (organic) of every medium, nationally, (time, media).

    Independent of the order and number of the other media.
    """
    periods = len(weeks)
    common = autoregressive(stream(seed, "spend"), periods, 0.6)
    columns = []
    for medium in world.media:
        rng = stream(seed, f"spend/{medium.name}")
        level = medium.level * lognormal(rng, (1.0, 0.2))
        own = autoregressive(rng, periods, 0.5)
        shape = bought(rng, medium.pattern, periods, weeks)
        rho = world.spend_correlation
        # what is common to all media replaces the medium's own steps, not only its own noise
        log = np.where(shape > 0, np.log(np.where(shape > 0, shape, 1.0)), 0.0) * np.sqrt(1 - rho)
        log = log + 0.35 * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
        if world.demand is not None and medium.name in world.demand.channels:
            log = log + world.demand.spend * demand
        columns.append(np.where(shape > 0, level * np.exp(log), 0.0))
    return np.stack(columns, axis=-1)


def lever(rng: Rng, settings: Lever, geos: int, periods: int) -> Floats:
    """Values of a control, treatment or event, (geo, time)."""
    if settings.kind == "event":
        return np.broadcast_to(np.isin(np.arange(periods), settings.rows).astype(np.float64), (geos, periods)).copy()
    shared = autoregressive(rng, periods, 0.6)
    own = np.stack([autoregressive(rng, periods, 0.6) for _ in range(geos)])
    values = shared + 0.5 * own if geos > 1 else shared[None, :]
    if settings.kind == "treatment":
        values = np.maximum(values, 0.0)
    return np.round(values, 4)
