"""One day of an account under the response model, as a pure function for roll-outs: no random numbers are made inside.

Everything broadcasts over trailing axes: with draws last, ``(ad set, draw)``, one call answers for all of them, and lanes
(parameter sets times draws) are one more way to fill the same axis. Luck is made beforehand by ``make_noise`` and shared by all
policies. Between days an ad set's drift and the account's day effects go on as autoregressive processes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from mmx.jax_setup import jax, jnp
from mmx.rules.response.bases import bend
from mmx.rules.response.counts import mixed

LINKS = ("impressions", "clicks", "purchases")  # First axis of arrays by link.
NOISE = (
    *("delivery", "impressions", "click_rate", "click_count", "click_uniform", "purchase_rate", "purchase_count"),
    *("purchase_uniform", "amount", "drift_0", "drift_1", "drift_2", "day_0", "day_1", "day_2"),
)
LOG_TWO = 0.6931471805599453


class Draw(NamedTuple):
    """Parameters; shapes without the trailing draw axis, (ad set,) where nothing else is said.

    Attributes
    ----------
    log_budget : array
        Reference of the budget, log currency per day.
    delivery, delivery_slope, delivery_sd : array
        Mean log of spend over budget at the reference, its slope in the log budget, and its daily standard deviation.
    log_cap : array, ()
        Log of the largest spend over budget.
    log_delivered : array
        Reference of the log of spend over budget.
    level, slope : array, (link, ad set)
        At the reference budget, and elasticities in the budget, of log impressions, logit click rate, log conversion rate.
    curvature : array, ()
        Of log conversion rates in the log budget: what ``bases.bend`` of it is times.
    delivered : array, (link,)
        Slopes in the log of spend over budget.
    fatigue : array
        Slope of the logit click rate in log(1 + exposure) - log 2.
    exposure_unit : array
        Impressions not yet forgotten in a steady state.
    exposure_keep : array, ()
        Share of them that is left a day later.
    reach : array
        People reached per impression.
    log_amount : array
        Log of the expected order value.
    amount_sd, impressions_sd, click_dispersion, purchase_dispersion : array, ()
        Of log order values, log impressions, and relative ones of the daily rates.
    weekday : array, (link, 7)
        Monday first.
    day_sd, day_keep : array, (link,)
        Of the account's day effects: standard deviation, correlation from day to day.
    drift_sd, drift_keep : array, (link,), ()
        The same of an ad set's drift.
    """

    log_budget: Any
    delivery: Any
    delivery_slope: Any
    delivery_sd: Any
    log_cap: Any
    log_delivered: Any
    level: Any
    slope: Any
    curvature: Any
    delivered: Any
    fatigue: Any
    exposure_unit: Any
    exposure_keep: Any
    reach: Any
    log_amount: Any
    amount_sd: Any
    impressions_sd: Any
    click_dispersion: Any
    purchase_dispersion: Any
    weekday: Any
    day_sd: Any
    day_keep: Any
    drift_sd: Any
    drift_keep: Any


class Carry(NamedTuple):
    """What a day hands on: ``exposure (ad set,)`` impressions, ``day (link,)``, ``drift (link, ad set)``."""

    exposure: Any
    day: Any
    drift: Any


class Answer(NamedTuple):
    """A day: ``metrics (6, ad set)`` in the order of ``history.METRICS``, as finally attributed, and ``expected_revenue``.

    The latter, (ad set,), is the mean of revenue given the day's spend, drift and day effects, without the luck of counts
    and amounts.
    """

    metrics: Any
    expected_revenue: Any


class HasWeekday(Protocol):
    """A day of which the weekday is known, Monday 0."""

    @property
    def weekday(self) -> Any:
        """Weekday."""


def step(draw: Draw, carry: Carry, budget: Any, day: HasWeekday, noise: Any) -> tuple[Carry, Answer]:
    """One day of the account.

    Parameters
    ----------
    draw : Draw
    carry : Carry
        Of the day before.
    budget : array, (ad set, ...)
        Currency per day; 0 where nothing is served.
    day : object with ``weekday``
    noise : array, (15, ad set, ...)
        In the order of ``NOISE``; of the account's day effects the first ad set's column counts.

    Returns
    -------
    Carry, Answer
    """
    served = budget > 0.0
    x = jnp.log(jnp.where(served, budget, 1.0)) - draw.log_budget
    rest = jnp.sqrt(1.0 - draw.drift_keep**2)
    drift = draw.drift_keep * carry.drift + _by_link(rest * draw.drift_sd) * noise[9:12]
    of_day = draw.day_keep * carry.day + jnp.sqrt(1.0 - draw.day_keep**2) * draw.day_sd * noise[12:15, 0]
    log_delivered = jnp.minimum(draw.delivery + draw.delivery_slope * x + draw.delivery_sd * noise[0], draw.log_cap)
    spend = jnp.where(served, budget * jnp.exp(log_delivered), 0.0)
    common = of_day + jnp.take(draw.weekday, jnp.asarray(day.weekday, jnp.int32), axis=1)
    off = log_delivered - draw.log_delivered
    eta = draw.level + drift + draw.slope * x + _by_link(draw.delivered) * off + _by_link(common)
    tired = jnp.log(1.0 + carry.exposure / draw.exposure_unit) - LOG_TWO
    rate = jax.nn.sigmoid(eta[1] + draw.fatigue * tired)
    shown, conversion = _once((jnp.where(served, jnp.exp(eta[0]), 0.0), jnp.exp(eta[2] + draw.curvature * bend(x))))
    rate, impressions = _once((rate, jnp.round(shown * jnp.exp(draw.impressions_sd * noise[1]))))
    clicks = mixed(impressions * rate, draw.click_dispersion, noise[2], noise[4], noise[3])
    clicks = _once(jnp.minimum(clicks, impressions))
    purchases = _once(mixed(clicks * conversion, draw.purchase_dispersion, noise[5], noise[7], noise[6]))
    variance = jnp.log(1.0 + _once(jnp.expm1(draw.amount_sd**2)) / jnp.maximum(purchases, 1.0))
    revenue = purchases * jnp.exp(draw.log_amount - 0.5 * variance + jnp.sqrt(variance) * noise[8])
    expected = shown * jnp.exp(0.5 * draw.impressions_sd**2 + draw.log_amount) * rate * conversion
    exposure = draw.exposure_keep * carry.exposure + impressions
    metrics = jnp.stack([spend, impressions, clicks, purchases, revenue, draw.reach * impressions])
    return Carry(exposure, of_day, drift), Answer(metrics, expected)


def _once(values: Any) -> Any:
    """The same values, computed once for all that read them: XLA would sum the series of a count anew for each."""
    return jax.lax.optimization_barrier(values)


def _by_link(value: Any) -> Any:
    """An axis for ad sets behind the links."""
    return value[:, None]


def make_noise(key: Any, days: int, draws: int, adsets: int, dtype: Any = None) -> Any:
    """Luck of all days: standard normals, and the uniform numbers of counts, each the normal distribution of its normal.

    Parameters
    ----------
    key : jax.Array
        Of ``jax.random.key``.
    days, draws, adsets : int
    dtype : dtype, optional
        float32 by default.

    Returns
    -------
    array, (day, 15, ad set, draw)
    """
    noise = jax.random.normal(key, (days, len(NOISE), adsets, draws), dtype or jnp.float32)
    for count, uniform in ((3, 4), (6, 7)):
        noise = noise.at[:, uniform].set(jax.scipy.special.ndtr(noise[:, count]))
    return noise
