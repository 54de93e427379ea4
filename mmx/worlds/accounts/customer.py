"""Customers: what differs between advertisers, drawn around a population, and what an outsider sees of it.

    log hyperparameter = log median + h * (sd * normal + slope * covariates)

with h = 0 (``none``), 1 (``real``) or 2 (``large``): without heterogeneity all customers are the median one. The best rules
depend on what is not seen (saturation, noise, delay, fatigue, learning), of which covariates tell a part.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from mmx.errors import ConfigError
from mmx.worlds.accounts.luck import Floats, keys_of, uniforms

Platform = Literal["meta", "google"]
HETEROGENEITY = {"none": 0.0, "real": 1.0, "large": 2.0}
COVARIATES = ("log_spend", "log_order_value", "log_ad_sets", "google")
GOOGLE_SHARE = 0.3


@dataclass(frozen=True)
class Customer:
    """Hyperparameters of one advertiser.

    Attributes
    ----------
    number : int
    platform : {"meta", "google"}
    spend : float
        Typical spend of the account, currency per day.
    order_value : float
        Mean value of an order, currency.
    ad_sets : int
        Ad sets that run at a time, about.
    margin : float
        Profit per revenue before advertising, in (0, 1).
    roas : float
        Typical platform ROAS at past budgets.
    roas_spread : float
        Standard deviation of log ROAS between ad sets.
    saturation : float
        Typical spend over the spend at which half of what an ad set can bring is reached.
    saturation_spread : float
        Standard deviation of its logarithm between ad sets.
    noise : float
        Standard deviation of the log of an ad set's day.
    order_spread : float
        Standard deviation of the log value of an order.
    drift : float
        Standard deviation of the AR(1) of an ad set's log efficiency; half of it is that of the account's.
    fatigue : float
        Impressions per person in the audience after which an ad's CTR has fallen by 1 - 1/e of what fatigue takes.
    delay : float
        Mean days from click to reported purchase.
    learning : float
        Share of efficiency that an ad set at the start of its learning phase lacks.
    covariates : array, (4,)
        In the order of ``COVARIATES``, in units of the real population's standard deviation from its median; platform 0 or 1.
    """

    number: int
    platform: Platform
    spend: float
    order_value: float
    ad_sets: int
    margin: float
    roas: float
    roas_spread: float
    saturation: float
    saturation_spread: float
    noise: float
    order_spread: float
    drift: float
    fatigue: float
    delay: float
    learning: float
    covariates: Floats


def draw_customer(number: int, heterogeneity: str = "real", *, seed: int = 1) -> Customer:
    """Draw a customer of a population.

    Parameters
    ----------
    number : int
        The same number is the same customer, also under another heterogeneity: only its distance from the median differs.
    heterogeneity : {"none", "real", "large"}
    seed : int
        Of the population.

    Raises
    ------
    ConfigError
        If there is no such heterogeneity; the nearest is named.
    """
    if heterogeneity not in HETEROGENEITY:
        near = difflib.get_close_matches(heterogeneity, HETEROGENEITY, 1, 0.0)[0]
        raise ConfigError(
            f"heterogeneity between customers is one of {', '.join(HETEROGENEITY)}; {heterogeneity!r} came ({near}?)"
        )
    h = HETEROGENEITY[heterogeneity]
    raw = uniforms(keys_of(seed, [number + 1]), np.arange(18))[0]
    z = ndtri(raw)
    google = h > 0.0 and raw[17] < GOOGLE_SHARE
    spend, value, sets = h * z[0], h * z[1], h * (0.5 * z[0] + np.sqrt(0.75) * z[2])

    def around(median: float, sd: float, index: int, tilt: float = 0.0, low: float = 0.0, high: float = np.inf) -> float:
        return float(np.clip(median * np.exp(h * sd * z[index] + tilt), low, high))

    margin = float(1.0 / (1.0 + np.exp(-np.clip(h * 0.4 * z[3], -1.2, 1.2))))
    return Customer(
        number=number,
        platform="google" if google else "meta",
        spend=float(np.clip(2500.0 * np.exp(0.8 * spend), 300.0, 60_000.0)),
        order_value=float(np.clip(55.0 * np.exp(0.5 * value), 12.0, 600.0)),
        ad_sets=int(np.clip(round(16 * np.exp(0.4 * sets)), 6, 60)),
        margin=margin,
        roas=around(1.15 / margin, 0.2, 4),
        roas_spread=around(0.4, 0.25, 5, high=0.9),
        saturation=around(0.65, 0.4, 6, 0.15 * spend, 0.15, 3.0),
        saturation_spread=around(0.45, 0.2, 7, high=0.9),
        noise=around(0.35, 0.3, 8, -0.1 * spend, 0.1, 0.8),
        order_spread=around(0.8, 0.15, 9, high=1.2),
        drift=around(0.25, 0.3, 10, high=0.6),
        fatigue=around(2.5, 0.4, 11, low=0.8, high=12.0),
        delay=around(1.0, 0.3, 12, 0.25 * value, 0.2, 3.0),
        learning=around(0.25, 0.3, 13, high=0.6),
        covariates=np.array([spend, value, sets, float(google)]),
    )
