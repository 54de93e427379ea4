"""An account's history: daily metrics of ad sets as arrays, the form in which rules, response models and worlds see an account.

An ad set is a column. Days on which it does not exist yet are rows of zeros before its ``first_day``; days on which it exists
and is not served are zeros after it. Purchases and revenue are those reported when the history was taken: the last days may
still grow (``immature_days``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEK = 7
METRICS = ("spend", "impressions", "clicks", "purchases", "revenue", "reach")


@dataclass(frozen=True)
class AccountHistory:
    """Daily metrics and budgets of the ad sets of one account.

    Attributes
    ----------
    account, platform, currency : str
        Names, and the currency of all money.
    dates : array of datetime64[D], (day,)
        Consecutive days, the last one the day before the next decision.
    adsets : tuple of str, (ad set,)
        Names that are unique in the account.
    campaigns : tuple of str, (campaign,)
        Names of the campaigns.
    campaign_of : array of int, (ad set,)
        Index of an ad set's campaign.
    metrics : array, (day, ad set, 6)
        In the order of ``METRICS``: currency per day, counts, currency per day, people reached (0 where it is not known).
    budget : array, (day, ad set)
        Daily budget in currency that held on the day; 0 where there was none.
    first_day : array of int, (ad set,)
        Row of ``dates`` on which an ad set began; negative when it is older than the table.
    campaign_budget : array of bool, (ad set,)
        Whether the platform splits a budget of the campaign (CBO); ``budget`` is then the share that the ad set got.
    immature_days : int
        Number of last days whose purchases and revenue attribution has not finished.
    propensity : array, (day, ad set), optional
        Density of the logged change of budget (log of budget over the day before) where it was drawn at random, else NaN.
    """

    account: str
    platform: str
    currency: str
    dates: NDArray[np.datetime64]
    adsets: tuple[str, ...]
    campaigns: tuple[str, ...]
    campaign_of: NDArray[np.intp]
    metrics: NDArray[np.float64]
    budget: NDArray[np.float64]
    first_day: NDArray[np.intp]
    campaign_budget: NDArray[np.bool_]
    immature_days: int
    propensity: NDArray[np.float64] | None = field(default=None)

    def metric(self, name: str) -> NDArray[np.float64]:
        """One metric, (day, ad set); see ``METRICS``."""
        return self.metrics[:, :, METRICS.index(name)]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Whether an ad set exists on a day, (day, ad set)."""
        return np.arange(len(self.dates))[:, None] >= self.first_day[None, :]

    def until(self, day: int) -> Self:
        """The first ``day`` days, with the values that this history holds: nothing is taken back to what was reported then."""
        propensity = None if self.propensity is None else self.propensity[:day]
        return replace(
            self, dates=self.dates[:day], metrics=self.metrics[:day], budget=self.budget[:day], propensity=propensity
        )

    def last(self, days: int) -> Self:
        """The last ``days`` days, all of them where there are fewer."""
        begin = max(len(self.dates) - days, 0)
        return replace(
            self,
            dates=self.dates[begin:],
            metrics=self.metrics[begin:],
            budget=self.budget[begin:],
            first_day=self.first_day - begin,
            propensity=None if self.propensity is None else self.propensity[begin:],
        )


def weekdays(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Day of the week of dates, Monday 0."""
    return np.asarray((dates.astype("datetime64[D]").astype(np.int64) + 3) % WEEK)
