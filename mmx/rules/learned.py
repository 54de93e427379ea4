"""How a parameter is learned from a customer's own past, as data next to the parameter; ``mmx.rules.auto`` computes it.

A measure is a feature, or two of them: ``frequency``, ``spend_3d / budget_3d``, ``log_roas_28d - log_roas_7d``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Rate = Literal["clicks", "purchases", "revenue"]


@dataclass(frozen=True)
class Quantile:
    """``plus + times * q``, q being the quantile of a measure over ad-set-days; of its exponential where ``exp``.

    Attributes
    ----------
    measure : str
    share : float
        Share of ad-set-days below, between 0 and 1.
    times, plus : float
    exp : bool
    """

    measure: str
    share: float
    times: float = 1.0
    plus: float = 0.0
    exp: bool = False


@dataclass(frozen=True)
class Between:
    """The distance between two quantiles of a measure: how far a threshold lies above another one."""

    measure: str
    lower: float
    upper: float


@dataclass(frozen=True)
class Noise:
    """A number of robust standard deviations of a measure (1.4826 times the median distance from its median)."""

    measure: str
    times: float


@dataclass(frozen=True)
class Enough:
    """Events at which a rate is known to a relative standard error.

    The variance of a sum of N events over its square is ``d / N``, with d the variance of daily counts over a Poisson's (of
    revenue, ``d (1 + v^2)``, with v the coefficient of variation of order values), so that ``N = d / error^2`` are needed.

    Attributes
    ----------
    rate : {"clicks", "purchases", "revenue"}
        Clicks per impression, or purchases or revenue per unit of spend.
    error : float
        Relative standard error.
    counted : {"events", "impressions"}
        Whether the parameter counts the events themselves, or the impressions that they come from.
    """

    rate: Rate
    error: float
    counted: Literal["events", "impressions"] = "events"


@dataclass(frozen=True)
class Overdispersion:
    """Variance of daily purchases over a Poisson's, by moments."""


@dataclass(frozen=True)
class Pooling:
    """Purchases that the parent's ROAS counts for: variance of one purchase's worth over that between children, by moments."""

    children: Literal["ad sets", "campaigns"]


@dataclass(frozen=True)
class Waiting:
    """Immature days, and those in which the median ad set makes a number of purchases with a share of its budget."""

    purchases: float
    budget: float = 1.0


Learned = Quantile | Between | Noise | Enough | Overdispersion | Pooling | Waiting


def names_in(measure: str) -> tuple[str, ...]:
    """The features that a measure reads."""
    return tuple(measure.split()[::2])


def measured(features: Mapping[str, Any], measure: str) -> np.ndarray:
    """A measure of ad-set-days, (day, ad set); NaN where it is not defined.

    Parameters
    ----------
    features : mapping of str to array
        (day, ad set), or (day,) for what holds for the account.
    measure : str
    """
    arrays = [np.asarray(features[name], dtype=float) for name in names_in(measure)]
    one, *rest = [array if array.ndim == 2 else array[:, None] for array in arrays]
    if not rest:
        return one
    if measure.split()[1] == "-":
        return np.asarray(one - rest[0])
    return np.asarray(np.divide(one, rest[0], out=np.full(np.broadcast(one, rest[0]).shape, np.nan), where=rest[0] > 0.0))
