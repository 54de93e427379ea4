"""The simulation of Jin et al. (2017), section 5: three media, one control, delayed adstock, Hill curves.

``sales = intercept + sum_m beta_m hill(adstock(x_m)) + coefficient * price + noise``; the curves are those of ``mmx.worlds``,
which share no code with the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.worlds.curves import Curve

Floats = npt.NDArray[np.float64]
WEEKS = 52
START = np.datetime64("1950-01-02")


def curve_of(medium: dict[str, float], window: int) -> Curve:
    """Return adstock and saturation of one medium."""
    return Curve(
        adstock="delayed",
        saturation="hill",
        alpha=medium["alpha"],
        delay=medium["theta"],
        window=window,
        half_saturation=medium["half_saturation"],
        slope=medium["slope"],
    )


def adstocked(x: Floats, curve: Curve) -> Floats:
    """Adstocked exposure, (time,); nothing happened before the first row."""
    carried: Floats = np.convolve(x, curve.weights(curve.window))[: len(x)]
    return carried


def effect_at_one(medium: dict[str, float]) -> float:
    """Sales that the full exposure of 1 brings: ``beta hill(1)``."""
    return medium["beta"] / (1 + medium["half_saturation"] ** medium["slope"])


def simulate(world: dict[str, Any], *, years: int, media_noise: float, history: bool, seed: list[int]) -> pd.DataFrame:
    """Simulate one data set.

    Parameters
    ----------
    world : dict
        ``world`` of the configuration.
    years : int
        Of 52 weeks with sales.
    media_noise : float
        Standard deviation of the white noise on media, whose yearly sine has amplitude 1.
    history : bool
        Whether there are media before the first week with sales.
    seed : list of int

    Returns
    -------
    DataFrame
        ``week, sales, price`` and one column per medium, between 0 and 1. The first ``window - 1`` rows are media history,
        zero without one, and have no sales.
    """
    rng = np.random.default_rng(seed)
    before = world["window"] - 1
    rows = before + WEEKS * years
    t = np.arange(rows) - before
    season = np.sin(2 * np.pi * t / WEEKS)
    columns: dict[str, Any] = {"week": START + np.arange(rows) * np.timedelta64(7, "D")}
    sales = np.full(rows, float(world["intercept"]))
    for name, medium in world["media"].items():
        raw = season + media_noise * rng.standard_normal(rows)
        seen = raw if history else raw[before:]
        columns[name] = np.where(history | (t >= 0), (raw - seen.min()) / (seen.max() - seen.min()), 0.0)
        curve = curve_of(medium, world["window"])
        sales += medium["beta"] * curve.saturate(adstocked(columns[name], curve))
    columns["price"] = _price(rows, world["price_ar"], world["price_sd"], rng)
    sales += world["price"] * columns["price"] + world["noise"] * rng.standard_normal(rows)
    columns["sales"] = np.where(t < 0, np.nan, sales)
    return pd.DataFrame(columns)


def _price(rows: int, ar: float, sd: float, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) around zero, (time,)."""
    price = sd * rng.standard_normal(rows)
    for t in range(1, rows):
        price[t] = ar * price[t - 1] + np.sqrt(1 - ar**2) * price[t]
    return price
