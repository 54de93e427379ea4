"""Parameters from a customer's own distributions: quantiles, noise and volumes, shrunken towards the defaults.

Every parameter that has a link (``Parameter.learned``) gets the value x that the link finds in n ad-set-days, and then
``default + n / (n + prior_days) (x - default)``, on the scale of its search (logarithms for ``log``), clipped into its range.
Days of an ad set are not independent of each other: ``prior_days`` counts them as they come, 560 being 20 ad sets over 28 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmx.rules.daily import daily_features, own_account
from mmx.rules.learned import Between, Enough, Noise, Overdispersion, Pooling, Quantile, Waiting, measured
from mmx.rules.moments import Estimate, between_variance, dispersion, order_value_spread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory
    from mmx.rules.context import Account
    from mmx.rules.learned import Learned
    from mmx.rules.parameters import Parameter, Space

# Profit on simulated accounts fell against the searched defaults with 560 and 5600 days; with 30000 by half a point of spend.
PRIOR_DAYS, LEAST_DAYS = 30000.0, 140
DIGITS = 4
ROBUST = 1.4826


@dataclass(frozen=True)
class LearnedValue:
    """One parameter and where its value comes from.

    Attributes
    ----------
    name, unit : str
        ``rule.parameter`` and its unit.
    default, value : float
        Value by default, and after learning; equal where nothing was learned.
    raw : float
        What the data alone say; NaN where nothing was learned.
    days : int
        Ad-set-days used.
    sentence : str
        Where the value comes from, or why the default stays.
    """

    name: str
    unit: str
    default: float
    value: float
    raw: float
    days: int
    sentence: str


@dataclass(frozen=True)
class Automatic:
    """What was learned: a row per parameter that can be learned, in the order of the space, and the whole vector.

    Attributes
    ----------
    rows : tuple of LearnedValue
    vector : array, (parameter,)
        Learned values, and defaults of all other parameters.
    """

    rows: tuple[LearnedValue, ...]
    vector: NDArray[np.float64]

    @property
    def changed(self) -> tuple[LearnedValue, ...]:
        """Rows whose value differs from the default."""
        return tuple(row for row in self.rows if row.value != row.default)

    def yaml(self) -> str:
        """The changed values as a piece of configuration, with the defaults as comments."""
        if not self.changed:
            return "rules:\n  parameters: {}\n"
        lines, last = ["rules:", "  parameters:"], ""
        for row in self.changed:
            rule, parameter = row.name.split(".")
            if rule != last:
                lines.append(f"    {rule}:")
            lines.append(f"      {parameter}: {row.value:.{DIGITS}g}  # {row.default:g} by default")
            last = rule
        return "\n".join(lines) + "\n"

    def table(self) -> list[dict[str, Any]]:
        """One dictionary per row, for tables and JSON; ``raw`` is None where nothing was learned."""
        return [vars(row) | {"raw": row.raw if np.isfinite(row.raw) else None} for row in self.rows]


class Found(NamedTuple):
    """What a link finds in the data: a value, the ad-set-days that it rests on, and where it comes from, in words."""

    value: float
    days: int
    words: str


class _Past(NamedTuple):
    """What links read: daily features of ad sets that run, and moments of the account."""

    history: AccountHistory
    features: Mapping[str, NDArray[Any]]
    runs: NDArray[np.bool_]
    clicks: Estimate
    purchases: Estimate
    order_values: Estimate


def automatic(
    history: AccountHistory,
    space: Space,
    *,
    account: Account | None = None,
    prior_days: float = PRIOR_DAYS,
    least_days: int = LEAST_DAYS,
) -> Automatic:
    """Learn the parameters that have a link from a history.

    Parameters
    ----------
    history : AccountHistory
    space : Space
        Of an engine.
    account : Account, optional
        Target and limits; what the account itself brings where it is left out.
    prior_days : float
        Ad-set-days at which a value is half-way between the default and what the data say.
    least_days : int
        Ad-set-days below which the default stays.

    Returns
    -------
    Automatic
        Every value lies within its range and has four digits.
    """
    past = _past(history, account)
    rows, vector = [], space.default
    for i, (name, parameter) in enumerate(zip(space.names, space.parameters, strict=True)):
        if parameter.learned is not None:
            rows.append(_row(name, parameter, parameter.learned, past, prior_days, least_days))
            vector[i] = rows[-1].value
    return Automatic(tuple(rows), vector)


def _past(history: AccountHistory, account: Account | None) -> _Past:
    mature = max(len(history.dates) - history.immature_days, 0)
    spend, purchases, clicks = (history.metric(name) for name in ("spend", "purchases", "clicks"))
    features = daily_features(history, account=own_account(history) if account is None else account)
    runs = features["live"] & (features["spend_28d"] > 0.0) if features else np.zeros((0, len(history.adsets)), dtype=bool)
    return _Past(
        history,
        features,
        runs,
        dispersion(clicks, history.metric("impressions")),
        dispersion(purchases[:mature], spend[:mature]),
        order_value_spread(history),
    )


def _row(name: str, parameter: Parameter, link: Learned, past: _Past, prior_days: float, least_days: int) -> LearnedValue:
    """Learn one parameter, or say why not."""
    default = parameter.default
    found = find(link, past)
    if found.days < least_days or not np.isfinite(found.value):
        few = f"too few data: {found.days} ad-set-days, {least_days} are needed; the default stays"
        return LearnedValue(name, parameter.unit, default, default, float("nan"), found.days, few)
    weight = found.days / (found.days + prior_days)
    value = _between(parameter, found.value, weight)
    sentence = f"{found.words}, {weight:.0%} of the way from {default:g} by {found.days} ad-set-days"
    if not parameter.low <= found.value <= parameter.high:
        sentence += f"; moved into [{parameter.low:g}, {parameter.high:g}]"
    return LearnedValue(name, parameter.unit, default, value, found.value, found.days, sentence)


def _between(parameter: Parameter, found: float, weight: float) -> float:
    """``default + weight (found - default)`` on the parameter's scale, within its range, with four digits."""
    found = min(max(found, parameter.low), parameter.high)
    if parameter.scale == "log":
        value = float(np.exp((1.0 - weight) * np.log(parameter.default) + weight * np.log(found)))
    else:
        value = (1.0 - weight) * parameter.default + weight * found
    return min(max(float(f"{value:.{DIGITS}g}"), parameter.low), parameter.high)


def find(link: Learned, past: _Past) -> Found:
    """What a link finds in an account's past."""
    match link:
        case Quantile(measure, share, times, plus, exp):
            seen = _seen(past, measure)
            q = _quantile(np.exp(seen) if exp else seen, share)
            words = f"the {share:.0%} quantile of {measure} is {np.log(q) if exp and q > 0.0 else q:.3g}"
            return Found(plus + times * q, len(seen), words)
        case Between(measure, lower, upper):
            seen = _seen(past, measure)
            low, high = _quantile(seen, lower), _quantile(seen, upper)
            words = f"the {lower:.0%} and {upper:.0%} quantiles of {measure} are {low:.3g} and {high:.3g}"
            return Found(high - low, len(seen), words)
        case Noise(measure, times):
            seen = _seen(past, measure)
            middle = _quantile(seen, 0.5)
            spread = ROBUST * _quantile(np.abs(seen - middle), 0.5)
            return Found(times * spread, len(seen), f"{times:g} times the robust standard deviation of {measure}, {spread:.3g}")
        case Enough():
            return _enough(link, past)
        case Overdispersion():
            value, days = past.purchases
            return Found(value, days, f"daily purchases vary {value:.2f} times as much as a Poisson's within 14 days")
        case Pooling(children):
            return _pooling(children, past)
        case Waiting(purchases, budget):
            return _waiting(purchases, budget, past)


def _seen(past: _Past, measure: str) -> NDArray[np.float64]:
    """Values of a measure on the days on which an ad set ran, where it is defined."""
    if not past.features:
        return np.zeros(0)
    values = np.broadcast_to(measured(past.features, measure), past.runs.shape)[past.runs]
    return np.asarray(values[np.isfinite(values)])


def _quantile(values: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _worth(past: _Past) -> float:
    """Variance of one purchase's worth over the squared order value, ``d (1 + v^2)``, with d at least a Poisson's."""
    return max(past.purchases.value, 1.0) * (1.0 + past.order_values.value**2)


def _enough(link: Enough, past: _Past) -> Found:
    base = past.clicks if link.rate == "clicks" else past.purchases
    noise = _worth(past) if link.rate == "revenue" else max(base.value, 1.0)
    events = noise / link.error**2
    known = f"{link.rate} of variance {noise:.2f} times a Poisson's are known to {link.error:.0%} after {events:.3g}"
    if link.counted == "events":
        return Found(events, base.days, known)
    clicks, impressions = (float(past.history.metric(name).sum()) for name in ("clicks", "impressions"))
    rate = clicks / impressions if clicks > 0.0 else float("nan")
    return Found(events / rate, base.days, f"{known}, at a CTR of {rate:.2%}")


def _pooling(children: str, past: _Past) -> Found:
    worth = _worth(past)
    between = between_variance(past.history, worth, campaigns=children == "campaigns")
    words = (
        f"ROAS of {children} differs by {np.sqrt(between.value):.0%} beyond noise, one purchase's worth by {np.sqrt(worth):.0%}"
    )
    return Found(worth / max(between.value, 1e-6), between.days if np.isfinite(between.value) else 0, words)


def _waiting(purchases: float, budget: float, past: _Past) -> Found:
    sold = _seen(past, "purchases_28d")
    sold = sold[sold > 0.0]
    pace = budget * _quantile(sold, 0.5) / 28.0
    immature = past.history.immature_days
    words = f"{immature} immature days and those of {purchases:g} purchases at {pace:.2g} a day"
    return Found(immature + purchases / pace, len(sold), words)
