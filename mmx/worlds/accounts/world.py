"""An account world: an advertising account with known truth, a past, and futures that policies can be rolled through."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import pandas as pd

from mmx.data.ads.history import AccountHistory
from mmx.errors import ConfigError
from mmx.worlds.accounts.behaviour import KINDS
from mmx.worlds.accounts.customer import Customer, draw_customer
from mmx.worlds.accounts.luck import Floats
from mmx.worlds.accounts.past import Past, history_of, live_through
from mmx.worlds.accounts.truth import Truth, draw_truth
from mmx.worlds.draws import stream

LEAST_DAYS = 30


@dataclass(frozen=True)
class AccountWorld:
    """A simulated account.

    Attributes
    ----------
    seed : int
    kind : {"calm", "randomised", "demand"}
        How past budgets came about; see ``mmx.worlds.accounts.behaviour``.
    customer : Customer
    truth : Truth
    past : Past
    days : int
        Days of the past.
    horizon : int
        Days after it that policies can be rolled through.
    """

    seed: int
    kind: str
    customer: Customer
    truth: Truth = field(repr=False)
    past: Past = field(repr=False)
    days: int
    horizon: int

    @property
    def name(self) -> str:
        """Name of the account."""
        return f"account_{self.seed}"

    @property
    def covariates(self) -> Floats:
        """What is known of the customer beforehand, (4,); see ``Customer.covariates``."""
        return self.customer.covariates

    def history(self, day: int | None = None) -> AccountHistory:
        """The days before ``day``, by default the whole past, as they stood reported on the morning of ``day``."""
        return history_of(self.truth, self.past, self.kind, self.checked(day), self.name)

    def ad_table(self, day: int | None = None) -> pd.DataFrame:
        """The same history as a table of ads with the columns of a Meta export; see ``mmx.worlds.accounts.table``."""
        from mmx.worlds.accounts.table import ad_table

        return ad_table(self, self.checked(day))

    def checked(self, day: int | None) -> int:
        """A day on which a history of at least a day can be taken; raises ``ConfigError``."""
        if day is None:
            return self.days
        if not 1 <= day <= self.days:
            raise ConfigError(f"{self.name}: a history ends before one of the days 1 to {self.days}; {day} was asked for")
        return day


def make_world(
    seed: int, *, kind: str | None = None, customer: Customer | None = None, days: int = 180, horizon: int = 56
) -> AccountWorld:
    """Simulate an account.

    Parameters
    ----------
    seed : int
        Decides everything that the customer leaves open, and the past's luck; >= 0.
    kind : {"calm", "randomised", "demand"}, optional
        By default in turn with the seed: a third of the worlds each.
    customer : Customer, optional
        By default drawn from the real population, with the seed as its number.
    days, horizon : int
        Days of the past, at least 30, and of the future.

    Raises
    ------
    ConfigError
        If there is no such kind, the seed is negative, or there are too few days.
    """
    chosen = KINDS[seed % len(KINDS)] if kind is None else kind
    if chosen not in KINDS:
        near = difflib.get_close_matches(chosen, KINDS, 1, 0.0)[0]
        raise ConfigError(f"account worlds are of the kinds {', '.join(KINDS)}; {chosen!r} came. Did you mean {near!r}?")
    if seed < 0:
        raise ConfigError(f"the seed of an account world is a whole number >= 0; {seed} came")
    if days < LEAST_DAYS or horizon < 0:
        raise ConfigError(
            f"an account world needs a past of at least {LEAST_DAYS} days and a horizon >= 0; {days} and {horizon} came"
        )
    advertiser = draw_customer(seed) if customer is None else customer
    truth = draw_truth(stream(seed, "account"), advertiser, days + horizon, days)
    return AccountWorld(seed, chosen, advertiser, truth, live_through(truth, chosen, seed, days), days, horizon)
