"""What logged experiments say of a policy: doubly robust estimates where past budgets were drawn at random.

Day t's budget of an ad set was ``b exp(a)``, b being that of the day before and a drawn with a known density p. A policy that
would have chosen ``a*`` is valued, one day at a time, by

    m(x, a*) + K_h(a - a*) / p(a) (y - m(x, a))

with revenue y, a model m of it and a kernel K (Epanechnikov) of bandwidth h (Kallus and Zhou 2018, for continuous actions;
Dudik et al. 2011). It is right where either m or p is. The model is the mean revenue of the 14 days before times ``exp(e a)``,
with one elasticity e from the other half of the days (cross-fitting). With fewer than 30 effective observations,
``(sum w)^2 / sum w^2`` of the weights, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmx.data.ads.history import AccountHistory

FEWEST = 30.0
BEFORE = 14
LARGEST_SHARE = 0.05  # of all weight that one observation may have


@dataclass(frozen=True)
class LoggedValue:
    """Revenue of a policy by what was logged at random.

    Attributes
    ----------
    uplift, low, high : float
        Revenue of the policy's budgets over that of the logged ones, less one, and a 90 % interval (days are independent).
    effective : float
        Effective number of observations.
    used : int
        Ad-set-days with a known density.
    bandwidth : float
        Of the log change.
    """

    uplift: float
    low: float
    high: float
    effective: float
    used: int
    bandwidth: float


def logged_value(history: AccountHistory, budget: NDArray[np.float64], first: int = BEFORE + 1) -> LoggedValue:
    """Value a policy's budgets by logged, random changes.

    Parameters
    ----------
    history : AccountHistory
        With ``propensity``.
    budget : array, (day, ad set)
        What the policy would have set on each day, seeing the days before as they were; currency per day.
    first : int
        First row that counts.

    Raises
    ------
    DataError
        If no budget was drawn at random, or the effective number of observations is below 30.
    """
    if history.propensity is None or not np.isfinite(history.propensity).any():
        raise DataError(
            f"{history.account}: no budget is known to have been drawn at random (no propensity), so the past says nothing of "
            "other budgets without a model"
        )
    rows = slice(max(first, BEFORE + 1), len(history.dates) - history.immature_days)
    seen = _observations(history, budget, rows)
    width = 1.06 * float(seen["logged"].std()) * len(seen["logged"]) ** -0.2
    near = (seen["logged"] - seen["policy"]) / width
    kernel = np.maximum(0.75 * (1.0 - near**2), 0.0) / width
    weight = kernel / seen["density"]
    total = float(weight.sum())
    effective = total**2 / max(float((weight**2).sum()), 1e-300)
    if effective < FEWEST:
        raise DataError(
            f"{history.account}: the policy's budgets are near the logged ones in too few cases: {effective:.1f} effective "
            f"observations of {len(weight)}; {FEWEST:.0f} are needed. Log more random changes, or value a policy nearer to them"
        )
    weight = np.minimum(weight, LARGEST_SHARE * total)
    modelled, at_logged = _model(seen, "policy"), _model(seen, "logged")
    value = modelled + weight / weight.mean() * (seen["revenue"] - at_logged)
    return _interval(value, seen, effective, width)


def _observations(history: AccountHistory, budget: NDArray[np.float64], rows: slice) -> dict[str, NDArray[np.float64]]:
    """Ad-set-days with a known density: changes, revenue, what it was before, density and day; (observation,) each."""
    assert history.propensity is not None
    before = history.budget[rows.start - 1 : rows.stop - 1]
    logged, chosen = history.budget[rows], budget[rows]
    density = history.propensity[rows]
    revenue = history.metric("revenue")
    mean = np.stack([revenue[t - BEFORE : t].mean(axis=0) for t in range(rows.start, rows.stop)])
    use = np.isfinite(density) & (density > 0.0) & (before > 0.0) & (logged > 0.0) & (chosen > 0.0) & (mean > 0.0)
    if use.sum() < FEWEST:
        raise DataError(f"{history.account}: {int(use.sum())} ad-set-days were drawn at random; {FEWEST:.0f} are needed")
    day = np.broadcast_to(np.arange(rows.start, rows.stop)[:, None], use.shape)
    base = np.where(before > 0.0, before, 1.0)
    return {
        "logged": np.log(np.where(use, logged, 1.0) / np.where(use, base, 1.0))[use],
        "policy": np.log(np.where(use, chosen, 1.0) / np.where(use, base, 1.0))[use],
        "revenue": revenue[rows][use],
        "before": mean[use],
        "density": density[use],
        "day": day[use].astype(float),
    }


def _model(seen: dict[str, NDArray[np.float64]], action: str) -> NDArray[np.float64]:
    """Expected revenue at an action, (observation,): even days by the elasticity of odd ones, and the other way round."""
    out = np.empty(len(seen["revenue"]))
    for half in (0, 1):
        own = seen["day"] % 2 == half
        other = ~own if (~own).sum() > FEWEST else np.ones_like(own)
        relative = seen["revenue"][other] / seen["before"][other]
        logged = seen["logged"][other]
        centred = logged - np.average(logged, weights=seen["before"][other])
        slope = np.average(centred * relative, weights=seen["before"][other])
        spread = np.average(centred**2, weights=seen["before"][other])
        level = np.average(relative, weights=seen["before"][other])
        elasticity = float(np.clip(slope / max(spread, 1e-12) / max(level, 1e-12), 0.0, 1.0))
        out[own] = level * seen["before"][own] * np.exp(elasticity * seen[action][own])
    return out


def _interval(value: NDArray[np.float64], seen: dict[str, NDArray[np.float64]], effective: float, width: float) -> LoggedValue:
    """Ratio of sums over days with the delta method's standard error."""
    days, place = np.unique(seen["day"], return_inverse=True)
    top = np.bincount(place, weights=value, minlength=len(days))
    bottom = np.bincount(place, weights=seen["revenue"], minlength=len(days))
    ratio = float(top.sum() / bottom.sum())
    error = float(np.sqrt(np.sum((top - ratio * bottom) ** 2)) / bottom.sum())
    return LoggedValue(ratio - 1.0, ratio - 1.0 - 1.645 * error, ratio - 1.0 + 1.645 * error, effective, len(value), width)
