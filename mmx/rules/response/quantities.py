"""What decisions read of a response model: elasticities and marginal ROAS, as draws and on the log scale.

At a budget b the expected revenue of an average day, drift and fatigue as they are now, is

    R(b) = shown(b) rate(b) conversion(b) amount E[exp(sum_l delivered_l (log delivered - reference))]

with the mean over the day's delivery, which is normal on the log scale up to its cap, by Gauss-Hermite quadrature.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmx.rules.response.bases import bend
from mmx.rules.response.fit import ResponseFit
from mmx.rules.response.simulate import LOG_TWO, Carry, Draw

Floats = npt.NDArray[np.float64]

STEP = 0.01  # Of log budgets in differences.
NODES = 15


def expected(draw: Draw, carry: Carry, budget: Floats) -> tuple[Floats, Floats]:
    """Expected spend and revenue of an average day, (ad set, draw) each, at budgets (ad set,) above zero.

    Day effects are averaged over the week, and the account's shocks are at their mean.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    x = np.log(np.asarray(budget, dtype=float))[:, None] - draw.log_budget
    tired = np.log1p(carry.exposure / draw.exposure_unit) - LOG_TWO
    eta, bent = draw.level + carry.drift + draw.slope * x, draw.curvature * bend(x)
    spend, revenue = np.zeros_like(x), np.zeros_like(x)
    for node, weight in zip(nodes, weights, strict=True):
        log_delivered = np.minimum(draw.delivery + draw.delivery_slope * x + draw.delivery_sd * node, draw.log_cap)
        at = eta + draw.delivered[:, None] * (log_delivered - draw.log_delivered)
        rate = 1.0 / (1.0 + np.exp(-(at[1] + draw.fatigue * tired)))
        spend += weight * np.asarray(budget)[:, None] * np.exp(log_delivered)
        revenue += weight * np.exp(at[0] + 0.5 * draw.impressions_sd**2 + at[2] + bent + draw.log_amount) * rate
    shocks = 0.5 * (draw.day_sd**2).sum(axis=0) + np.log(np.exp(draw.weekday.sum(axis=0)).mean(axis=0))
    return spend, revenue * np.exp(shocks)


def marginal_roas(fit: ResponseFit, budget: Floats | None = None) -> Floats:
    """Revenue of the next unit of spend, (draw, ad set).

    Parameters
    ----------
    fit : ResponseFit
    budget : array, (ad set,), optional
        Currency per day, above zero; the last budgets by default.
    """
    spend, revenue = _slopes(fit, budget)[:2]
    return np.asarray((revenue / spend).T)


def elasticity(fit: ResponseFit, budget: Floats | None = None) -> Floats:
    """Elasticity of revenue in spend, (draw, ad set): marginal ROAS over ROAS.

    Parameters
    ----------
    fit, budget
        See ``marginal_roas``.
    """
    by_spend, by_revenue, spend, revenue = _slopes(fit, budget)
    return np.asarray((by_revenue / revenue / (by_spend / spend)).T)


def _slopes(fit: ResponseFit, budget: Floats | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Slopes of spend and revenue in the log budget, and both, (ad set, draw)."""
    budget = fit.budget if budget is None else np.asarray(budget, dtype=float)
    if not (budget > 0).all():
        raise ValueError("a marginal ROAS needs budgets above zero")
    up, down = (expected(fit.draw, fit.carry, budget * np.exp(sign * STEP)) for sign in (1.0, -1.0))
    here = expected(fit.draw, fit.carry, budget)
    return (up[0] - down[0]) / (2 * STEP), (up[1] - down[1]) / (2 * STEP), *here


def log_moments(draws: Floats) -> tuple[Floats, Floats]:
    """Median of the logarithm over draws and half the width of its central 68 %, (ad set,) each: what probability gates take.

    Draws below zero count as very small ones, of which there may be some without moving either number.
    """
    low, middle, high = np.log(np.maximum(np.quantile(draws, [0.16, 0.5, 0.84], axis=0), 1e-12))
    return middle, (high - low) / 2.0


def elasticity_moments(fit: ResponseFit, budget: Floats | None = None) -> tuple[Floats, Floats]:
    """Mean and standard deviation of elasticities over draws, (ad set,) each."""
    draws = elasticity(fit, budget)
    return draws.mean(axis=0), draws.std(axis=0, ddof=1)
