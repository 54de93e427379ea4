"""What a discovered rule may speak of, and its conditions: measures of an ad set with words and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmx.rules.learned import measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Term:
    """A measure that conditions may be stated in.

    Attributes
    ----------
    name : str
        As a parameter's name.
    measure : str
        One or two names of the view, see ``mmx.rules.learned``.
    words, unit : str
        What a person reads.
    form : str
        How a value is written.
    """

    name: str
    measure: str
    words: str
    unit: str
    form: str = ".2f"


def _trend(name: str, words: str) -> Term:
    return Term(f"{name}_trend", f"{name}_trend", f"log {words} of 7 over 28 days", "log ratio", "+.0%")


def _relative(name: str, words: str, days: int) -> Term:
    return Term(f"{name}_relative", f"{name}_relative", f"{words} of {days} days over the campaign's", "ratio")


MENU = (
    Term("frequency", "frequency", "impressions per person and day in 7 days", "ratio"),
    Term("fatigue", "fatigue", "fall of the CTR of 7 days against the three weeks before", "share", ".0%"),
    _trend("ctr", "CTR"),
    _trend("cpc", "CPC"),
    _trend("cpm", "CPM"),
    _trend("cvr", "CVR"),
    _trend("roas", "ROAS"),
    _trend("spend", "spend"),
    _trend("purchases", "purchases"),
    _relative("ctr", "CTR", 7),
    _relative("cpc", "CPC", 7),
    _relative("cpm", "CPM", 7),
    _relative("cvr", "CVR", 14),
    Term("order_value", "aov_28d / account_aov_28d", "order value of 28 days over the account's", "ratio"),
    Term("order_value_change", "aov_7d / aov_28d", "order value of 7 over that of 28 days", "ratio"),
    Term("spend_volatility", "spend_volatility", "standard deviation over mean of daily spend in 14 days", "ratio"),
    Term("revenue_volatility", "revenue_volatility", "standard deviation over mean of daily revenue in 14 days", "ratio"),
    Term("spend_share", "spend_share", "share of the campaign's spend of 7 days", "share", ".0%"),
    Term("budget_share", "budget / account_budget", "share of the account's budget", "share", ".1%"),
    Term("utilisation", "utilisation", "spend over budget of 7 days", "share", ".0%"),
    Term("budget_change", "budget_change", "log budget over that of a week before", "log ratio", "+.0%"),
    Term("days_since_change", "days_since_change", "days since the budget changed", "days", ".0f"),
    Term("age_days", "age_days", "age", "days", ".0f"),
    Term("active_days", "active_days", "days with spend among 28", "days", ".0f"),
    Term("clicks_7d", "clicks_7d", "clicks of 7 days", "clicks", ".0f"),
    Term("purchases_28d", "purchases_28d", "purchases of 28 days", "purchases", ".0f"),
    Term("costs_28d", "mature_spend_28d / cpa_expected", "spend of 28 days over the cost of a purchase", "ratio", ".1f"),
    Term("costs_since", "spend_since_purchase / cpa_expected", "spend since a purchase over its cost", "ratio", ".1f"),
)


@dataclass(frozen=True)
class Condition:
    """A term above or below a threshold; it does not hold where the term is not defined."""

    term: Term
    above: bool
    threshold: float

    @property
    def parameter(self) -> str:
        """Name of its threshold."""
        return f"{self.term.name}_{'above' if self.above else 'below'}"

    @property
    def words(self) -> str:
        """The condition as a person reads it."""
        return f"{self.term.words} {'>' if self.above else '<='} {self.threshold:{self.term.form}}"

    def holds(self, features: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Where it holds, (day, ad set)."""
        value = measured(features, self.term.measure)
        return np.asarray(value > self.threshold if self.above else value <= self.threshold)


def conjunction(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The same conditions without those that another one implies, in the order of the menu."""
    tightest: dict[str, Condition] = {}
    for condition in conditions:
        other = tightest.get(condition.parameter)
        if other is None or (condition.threshold > other.threshold) == condition.above:
            tightest[condition.parameter] = condition
    order = {term.name: i for i, term in enumerate(MENU)}
    return tuple(sorted(tightest.values(), key=lambda c: (order[c.term.name], c.above)))


def hold(conditions: Sequence[Condition], features: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Where all conditions hold for ad sets that run, (day, ad set)."""
    runs = np.asarray(features["live"] & (features["spend_7d"] > 0.0), dtype=bool)
    for condition in conditions:
        runs = runs & condition.holds(features)
    return runs


def readable(threshold: float, form: str) -> float:
    """A threshold as it is written, so that what is judged is what a person reads."""
    if form.endswith("%"):
        return round(threshold, 2 + int(form[-2]))
    return round(threshold, int(form[-2]))
