"""Accounts drawn from the response model itself: parameters from the priors, then a history; for tests and studies.

Only the account's mean levels are given (``CENTRES``), because the model takes them from the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.data.ads.history import AccountHistory, weekdays
from mmx.rules.response.bases import bend, drift_basis, weekday_contrasts
from mmx.rules.response.settings import ResponseSettings, Slope

Floats = npt.NDArray[np.float64]

CENTRES = {"delivery": -0.05, "impressions": math.log(100.0), "clicks": -4.2, "purchases": -3.3, "amounts": math.log(60.0)}
LAST = np.datetime64("2026-08-31")
REACHED = 0.6


@dataclass(frozen=True)
class Truth:
    """What a drawn account was drawn with; ``slopes`` and ``levels`` by part, (ad set,) each.

    Attributes
    ----------
    elasticity : array, (ad set,)
        Sum of the elasticities of impressions, click rate and conversion rate in the budget.
    slopes, levels : dict of str to array
    scales : dict of str to dict
        Standard deviations and correlations by part.
    """

    elasticity: Floats
    slopes: dict[str, Floats]
    levels: dict[str, Floats]
    scales: dict[str, dict[str, float]]


def simulate(
    seed: int,
    settings: ResponseSettings,
    *,
    days: int = 120,
    adsets: int = 20,
    campaigns: int = 4,
    variation: float = 0.3,
    budget: float = 60.0,
) -> tuple[AccountHistory, Truth]:
    """Draw an account.

    Parameters
    ----------
    seed : int
    settings : ResponseSettings
        Whose priors the parameters are drawn from.
    days, adsets, campaigns : int
    variation : float
        Standard deviation of the log steps that budgets make, each day with probability .1; budgets drift back to their level.
    budget : float
        Median budget, currency per day.

    Returns
    -------
    history : AccountHistory
        With all purchases reported.
    truth : Truth
    """
    rng, prior = np.random.default_rng([seed, 31]), settings.priors
    campaign_of = np.arange(adsets) % campaigns
    dates = LAST - np.arange(days)[::-1]
    drawn = _Drawn(rng, settings, dates, campaign_of)
    log_budget = np.log(budget) + 0.5 * rng.standard_normal(adsets) + _steps(rng, days, adsets, variation)
    x = log_budget - log_budget.mean(axis=0)
    level, common = drawn.level("delivery"), drawn.scale("delivery", "dispersion", prior.noise)
    own = drawn.scale("delivery", "dispersion_sd", prior.noise)
    spread = common * np.exp(own * rng.standard_normal(adsets))
    delivered = level + drawn.slope("delivery", prior.delivery) * x + spread * rng.standard_normal(x.shape)
    delivered = np.minimum(delivered, math.log(settings.cap))
    off = delivered - delivered.mean(axis=0)
    eta = {name: drawn.level(name) + drawn.slope(name, getattr(prior, name)) * x + drawn.daily(name) for name in _CHAIN}
    eta["impressions"] += log_budget.mean(axis=0) + drawn.shared("impressions", "delivered", prior.delivered_impressions) * off
    for name in ("clicks", "purchases"):
        eta[name] += drawn.shared(name, "delivered", prior.delivered_rates) * off
    eta["purchases"] += drawn.shared("purchases", "curvature", prior.curvature) * bend(x)
    noise = drawn.scale("impressions", "dispersion", prior.noise)
    impressions = np.round(np.exp(eta["impressions"] + noise * rng.standard_normal(x.shape))) + 1.0
    keep = 0.5 ** (1.0 / settings.exposure_half_life)
    steady = impressions.mean(axis=0) / (1.0 - keep)
    tired, now = np.empty_like(x), steady
    for day in range(days):
        tired[day] = np.log1p(now / steady) - math.log(2.0)
        now = keep * now + impressions[day]
    eta["clicks"] += drawn.slope("fatigue", prior.fatigue) * tired
    first = drawn.scale("clicks", "dispersion", prior.noise) ** -2.0
    clicks = rng.binomial(impressions.astype(int), rng.beta(first, first * np.exp(-eta["clicks"]))).astype(float)
    size = drawn.scale("purchases", "dispersion", prior.noise) ** -2.0
    purchases = rng.poisson(clicks * np.exp(eta["purchases"]) * rng.gamma(size, 1.0 / size, x.shape)).astype(float)
    revenue = _revenue(rng, purchases, drawn.level("amounts"), drawn.scale("amounts", "dispersion", prior.amount))
    metrics = np.stack(
        [np.exp(log_budget + delivered), impressions, clicks, purchases, revenue, REACHED * impressions], axis=-1
    )
    history = AccountHistory(
        account=f"drawn-{seed}",
        platform="meta",
        currency="EUR",
        dates=dates,
        adsets=tuple(f"adset-{i}" for i in range(adsets)),
        campaigns=tuple(f"campaign-{i}" for i in range(campaigns)),
        campaign_of=campaign_of.astype(np.intp),
        metrics=metrics,
        budget=np.exp(log_budget),
        first_day=np.full(adsets, -1, dtype=np.intp),
        campaign_budget=np.zeros(adsets, dtype=bool),
        immature_days=0,
    )
    return history, Truth(np.asarray(sum(drawn.slopes[name] for name in _CHAIN)), drawn.slopes, drawn.levels, drawn.scales)


_CHAIN = ("impressions", "clicks", "purchases")


def _steps(rng: np.random.Generator, days: int, adsets: int, variation: float) -> Floats:
    path, now = np.zeros((days, adsets)), np.zeros(adsets)
    for day in range(days):
        moves = rng.uniform(size=adsets) < 0.1
        now = np.where(moves, 0.7 * now + variation * rng.standard_normal(adsets), now)
        path[day] = now
    return path


def _revenue(rng: np.random.Generator, purchases: Floats, log_mean: Floats, sd: float) -> Floats:
    """Sums of log-normal order values with mean ``exp(log_mean)``."""
    counts = purchases.astype(int)
    owner = np.repeat(np.arange(counts.size), counts.ravel())
    means = np.broadcast_to(log_mean, counts.shape).ravel()[owner]
    orders = np.exp(means - 0.5 * sd**2 + sd * rng.standard_normal(len(owner)))
    return np.bincount(owner, weights=orders, minlength=counts.size).reshape(counts.shape)


class _Drawn:
    """Draws parameters by name from the priors and remembers them."""

    def __init__(
        self, rng: np.random.Generator, settings: ResponseSettings, dates: npt.NDArray[np.datetime64], campaign_of: np.ndarray
    ) -> None:
        self.rng, self.settings, self.dates, self.campaign_of = rng, settings, dates, campaign_of
        self.slopes: dict[str, Floats] = {}
        self.levels: dict[str, Floats] = {}
        self.scales: dict[str, dict[str, float]] = {}

    def scale(self, part: str, name: str, scale: float) -> float:
        return self.scales.setdefault(part, {}).setdefault(name, float(abs(self.rng.normal(0.0, scale))))

    def level(self, part: str) -> Floats:
        prior, rng, adsets = self.settings.priors, self.rng, len(self.campaign_of)
        between = self.scale(part, "campaign_sd", prior.campaign) * rng.standard_normal(self.campaign_of.max() + 1)
        within = self.scale(part, "adset_sd", prior.adset) * rng.standard_normal(adsets)
        self.levels[part] = CENTRES[part] + between[self.campaign_of] + within
        return self.levels[part]

    def slope(self, name: str, prior: Slope) -> Floats:
        spread = self.scale(name, "slope_sd", prior.spread)
        mean = self.rng.normal(prior.mean, prior.sd)
        self.slopes[name] = mean + spread * self.rng.standard_normal(len(self.campaign_of))
        return self.slopes[name]

    def shared(self, part: str, name: str, prior: Slope) -> float:
        self.scales[part][name] = float(self.rng.normal(prior.mean, prior.sd))
        return self.scales[part][name]

    def daily(self, part: str) -> Floats:
        prior, rng, days = self.settings.priors, self.rng, len(self.dates)
        weekday = prior.weekday * weekday_contrasts() @ rng.standard_normal(6)
        correlation = float(rng.beta(*prior.day_correlation))
        self.scales[part]["day_correlation"] = correlation
        sd, day = self.scale(part, "day_sd", prior.day), np.empty(days)
        day[0] = rng.standard_normal()
        for t in range(1, days):
            day[t] = correlation * day[t - 1] + math.sqrt(1.0 - correlation**2) * rng.standard_normal()
        basis = drift_basis(days, self.settings.knot_days, self.settings.knot_correlation)
        drift = basis @ rng.standard_normal((basis.shape[1], len(self.campaign_of)))
        shared = weekday[weekdays(self.dates)] + sd * day
        return np.asarray(shared[:, None] + self.scale(part, "drift_sd", prior.drift) * drift)
