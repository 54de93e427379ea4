"""What is known of a customer before any search, as the covariates of the hierarchical model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import DataError, InputError, Problem
from mmx.rules.pooling.smoother import Floats

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory

Trait = float | str
RECENT = 28  # Days that traits are taken from.


@dataclass(frozen=True)
class Encoding:
    """How traits become numbers: logarithms of amounts, standardised; one column per further value of a text.

    Attributes
    ----------
    amounts : tuple of str
        Traits above 0, such as spend per day, order value, number of ad sets.
    centre, scale : tuple of float
        Mean and standard deviation of their logarithms over the customers.
    texts : tuple of (str, tuple of str)
        Traits such as the platform, with their values, of which the first is the reference.
    """

    amounts: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    texts: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the covariates, ``1`` first."""
        return ("1", *(f"log {name}" for name in self.amounts), *(f"{n}={v}" for n, values in self.texts for v in values[1:]))

    def encode(self, traits: Mapping[str, Trait]) -> Floats:
        """Covariates of one customer, (covariate,).

        Raises
        ------
        InputError
            For a trait that is missing, is not positive, or has a value that no customer of the pool has.
        """
        problems, row = [], [1.0]
        for name, centre, scale in zip(self.amounts, self.centre, self.scale, strict=True):
            value = traits.get(name)
            if not isinstance(value, int | float) or not value > 0 or not math.isfinite(value):
                problems.append(Problem(name, f"it is {value!r}", "a number above 0", "Give the customer's."))
                continue
            row.append((math.log(value) - centre) / scale)
        for name, values in self.texts:
            value = traits.get(name)
            if value not in values:
                known = ", ".join(values)
                problems.append(Problem(name, f"it is {value!r}", f"one of {known}", "Pool customers that have it as well."))
            row += [float(value == other) for other in values[1:]]
        if problems:
            raise InputError("the customer's traits cannot be used", problems)
        return np.array(row)


def make_encoding(customers: Sequence[Mapping[str, Trait]]) -> Encoding:
    """The encoding that the traits of several customers define; all need the same names."""
    names = tuple(customers[0])
    for traits in customers:
        if set(traits) != set(names):
            odd = ", ".join(sorted(set(traits) ^ set(names)))
            problem = Problem("traits", f"{odd} is not known of every customer", "the same traits of all", "Complete them.")
            raise InputError("the customers cannot be pooled", [problem])
    texts = tuple((n, tuple(sorted({str(t[n]) for t in customers}))) for n in names if isinstance(customers[0][n], str))
    amounts = tuple(n for n in names if not isinstance(customers[0][n], str))
    plain = Encoding(amounts, (0.0,) * len(amounts), (1.0,) * len(amounts), texts)
    logs = np.array([plain.encode(traits)[1 : 1 + len(amounts)] for traits in customers]).reshape(len(customers), -1)
    spread = logs.std(axis=0)
    return Encoding(amounts, tuple(logs.mean(axis=0).tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist()), texts)


def history_traits(history: AccountHistory) -> dict[str, Trait]:
    """Traits from an account's table: spend per day, order value, ad sets with spend, platform.

    They are those of the last 28 days whose attribution is finished.

    Raises
    ------
    DataError
        If nothing was spent or sold on these days.
    """
    end = len(history.dates) - history.immature_days
    days = slice(max(end - RECENT, 0), end)
    spend = history.metric("spend")[days]
    revenue, purchases = (float(history.metric(name)[days].sum()) for name in ("revenue", "purchases"))
    if not (spend.sum() > 0.0 and revenue > 0.0 and purchases > 0.0):
        raise DataError(
            f"account {history.account}: spend {spend.sum():g}, revenue {revenue:g} and purchases {purchases:g} of the last "
            f"{RECENT} finished days must be above 0 for its spend scale and order value; pool it when it sells"
        )
    return {
        "spend": float(spend.sum()) / len(spend),
        "order_value": revenue / purchases,
        "ad_sets": float((spend.sum(axis=0) > 0.0).sum()),
        "platform": history.platform,
    }
