"""What an ad set's ROAS is believed to be: a gamma posterior of purchases and amounts around the campaign, on the log scale.

Purchases per unit of spend are Gamma-Poisson with ``k`` purchases' worth of the campaign's rate as prior, and the order value
is pooled with the same weight. The posterior mean of ROAS is then a ratio of sums, ``(R + k A) / (S + k C)``, with revenue R,
spend S, the campaign's order value A and cost per purchase C. The logarithm's standard deviation is
``sqrt((1 + v^2) d / (N + k) + s^2)``: order values of coefficient of variation v, counts overdispersed by d, and s, that of the
incrementality by which the platform's ROAS is multiplied.
"""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jax, jnp


def posterior_roas(features: dict[str, Any], campaign: dict[str, Any], days: int, k: Any, spread: Any) -> tuple[Any, Any]:
    """Mean of the log ROAS and its standard deviation without incrementality, (ad set,), over a window of mature days.

    Parameters
    ----------
    features : dict
        Sums of ad sets.
    campaign : dict
        ``aov`` and ``cpa``, (ad set,): order value and cost per purchase of an ad set's campaign.
    days : int
        Length of the window.
    k : scalar
        Purchases that the prior is worth.
    spread : scalar
        ``(1 + v^2) d``: variance of amounts and overdispersion of counts.
    """
    purchases, revenue = features[f"purchases_{days}d"], features[f"revenue_{days}d"]
    spend = features[f"mature_spend_{days}d"]
    mean = jnp.log((revenue + k * campaign["aov"]) / (spend + k * campaign["cpa"]))
    return mean, jnp.sqrt(spread / (purchases + k))


def pooled_parent(sums: dict[str, Any], account: dict[str, Any], expected: Any, k: Any) -> dict[str, Any]:
    """Order value and cost per purchase of campaigns, (campaign,), pooled to the account's, and that to what is expected.

    Parameters
    ----------
    sums, account : dict
        ``purchases``, ``revenue`` and ``mature_spend`` of 28 days: of campaigns, (campaign,), and of the account, scalar.
    expected : tuple of scalar
        Order value and cost per purchase where the account has none.
    k : scalar
        Purchases that each prior is worth.
    """
    aov = (account["revenue"] + k * expected[0]) / (account["purchases"] + k)
    cpa = (account["mature_spend"] + k * expected[1]) / (account["purchases"] + k)
    return {
        "aov": (sums["revenue"] + k * aov) / (sums["purchases"] + k),
        "cpa": (sums["mature_spend"] + k * cpa) / (sums["purchases"] + k),
    }


def quantile(probability: Any) -> Any:
    """The standard normal quantile: a gate ``P(x > threshold) > q`` is ``mean - threshold > quantile(q) * sd``."""
    return jax.scipy.special.ndtri(probability)
