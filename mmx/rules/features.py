"""Features of ad sets in JAX, from a window of running totals: the same numbers as the tables of ``mmx features``.

Windows of spend, impressions, clicks and reach end on the last complete day t; what attribution gives (purchases, revenue, and
the spend and clicks that they are divided by) ends on the last mature day, ``t - immature_days``. Ratios are ratios of sums,
NaN where the denominator is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmx.jax_setup import jax, jnp
from mmx.rules.window import TOTALS, Window

WINDOWS = (1, 3, 7, 14, 28)
RAW = ("spend", "impressions", "clicks", "reach")
VOLATILITY_DAYS = 14
LEARNING_DAYS = 7
PARENTS = ("roas", "cpa", "cvr", "ctr", "cpc", "cpm")


def ratio(top: Any, bottom: Any) -> Any:
    """``top / bottom``, NaN where ``bottom`` is zero."""
    return jnp.where(bottom > 0.0, top / jnp.where(bottom > 0.0, bottom, 1.0), jnp.nan)


def settled(arrays: dict[str, Any]) -> dict[str, Any]:
    """The same arrays, computed once: XLA would compute what is cheap anew in every kernel that reads it."""
    return {name: jax.lax.optimization_barrier(value) for name, value in arrays.items()}


def log_ratio(top: Any, bottom: Any) -> Any:
    """Logarithm of a ratio, NaN where either is not positive."""
    fine = (top > 0.0) & (bottom > 0.0)
    return jnp.where(fine, jnp.log(jnp.where(fine, top, 1.0) / jnp.where(fine, bottom, 1.0)), jnp.nan)


def window_sums(window: Window, immature_days: int) -> dict[str, Any]:
    """Sums over every window, (ad set,) each, by name; ``mature_*`` and purchases and revenue end on the last mature day."""
    rows = window.totals.shape[0]

    def row(days_back: int) -> Any:
        return window.totals[(window.day - 1 - days_back) % rows]

    last, mature = row(0), row(immature_days)
    at = {name: i for i, name in enumerate(TOTALS)}
    sums: dict[str, Any] = {}
    for w in WINDOWS:
        raw, late = last - row(w), mature - row(immature_days + w)
        sums.update({f"{name}_{w}d": raw[at[name]] for name in (*RAW, "budget", "active")})
        sums.update({f"{name}_{w}d": late[at[name]] for name in ("purchases", "revenue")})
        sums.update({f"mature_{name}_{w}d": late[at[name]] for name in ("spend", "clicks")})
        if w == VOLATILITY_DAYS:
            sums["spend_squares"], sums["revenue_squares"] = raw[at["spend_squared"]], late[at["revenue_squared"]]
    sums["impressions_before"] = row(7)[at["impressions"]] - row(28)[at["impressions"]]
    sums["clicks_before"] = row(7)[at["clicks"]] - row(28)[at["clicks"]]
    for day in range(LEARNING_DAYS):
        sums[f"raw_purchases_{day}"] = row(day)[at["purchases"]] - row(day + 1)[at["purchases"]]
    return settled(sums)


def _ratios(sums: dict[str, Any], w: int) -> dict[str, Any]:
    """CTR, CPC, CPM, CVR, AOV, CPA and ROAS of one window."""
    return {
        f"ctr_{w}d": ratio(sums[f"clicks_{w}d"], sums[f"impressions_{w}d"]),
        f"cpc_{w}d": ratio(sums[f"spend_{w}d"], sums[f"clicks_{w}d"]),
        f"cpm_{w}d": 1000.0 * ratio(sums[f"spend_{w}d"], sums[f"impressions_{w}d"]),
        f"cvr_{w}d": ratio(sums[f"purchases_{w}d"], sums[f"mature_clicks_{w}d"]),
        f"aov_{w}d": ratio(sums[f"revenue_{w}d"], sums[f"purchases_{w}d"]),
        f"cpa_{w}d": ratio(sums[f"mature_spend_{w}d"], sums[f"purchases_{w}d"]),
        f"roas_{w}d": ratio(sums[f"revenue_{w}d"], sums[f"mature_spend_{w}d"]),
    }


def _volatility(total: Any, squares: Any) -> Any:
    """Standard deviation over mean of a daily number over 14 days."""
    mean = total / VOLATILITY_DAYS
    variance = jnp.maximum(squares / VOLATILITY_DAYS - mean * mean, 0.0)
    return ratio(jnp.sqrt(variance), mean)


def level_features(sums: dict[str, Any]) -> dict[str, Any]:
    """Ratios, trends and volatility from sums; of ad sets or, from sums over their members, of campaigns and accounts."""
    out = {name: value for name, value in sums.items() if name.endswith("d") and not name.startswith(("budget_", "active_"))}
    for w in WINDOWS:
        out |= _ratios(sums, w)
    for name in ("roas", "cvr", "cpa", "ctr", "cpc", "cpm"):
        out[f"{name}_trend"] = log_ratio(out[f"{name}_7d"], out[f"{name}_28d"])
    out["spend_trend"] = log_ratio(sums["spend_7d"] / 7.0, sums["spend_28d"] / 28.0)
    out["purchases_trend"] = log_ratio(sums["purchases_7d"] / 7.0, sums["purchases_28d"] / 28.0)
    before = ratio(sums["clicks_before"], sums["impressions_before"])
    fatigue = 1.0 - out["ctr_7d"] / before
    out["fatigue"] = jnp.where(jnp.isfinite(fatigue), fatigue, 0.0)
    out["frequency"] = ratio(sums["impressions_7d"], sums["reach_7d"])
    out["utilisation"] = ratio(sums["spend_7d"], sums["budget_7d"])
    out["active_days"] = sums["active_28d"]
    return out


def of_campaigns(sums: dict[str, Any], member: Any) -> dict[str, Any]:
    """Sums over the ad sets of each campaign, (campaign,), from ``member``, (campaign, ad set), of ones and zeros."""
    return {name: member @ value for name, value in sums.items()}


def relative_features(own: dict[str, Any], parent: dict[str, Any], spread: Callable[[Any], Any]) -> dict[str, Any]:
    """Ratios of own metrics to the parent's and shares of it; ``spread`` takes a parent's array to its children (NaN as 0)."""
    out: dict[str, Any] = {}
    for name in PARENTS:
        w = 14 if name in ("roas", "cpa", "cvr") else 7
        out[f"{name}_relative"] = ratio(own[f"{name}_{w}d"], spread(parent[f"{name}_{w}d"]))
    for name, w in (("spend", 7), ("purchases", 14), ("revenue", 14)):
        out[f"{name}_share"] = ratio(own[f"{name}_{w}d"], spread(parent[f"{name}_{w}d"]))
    return out


def adset_features(
    window: Window, budget: Any, days_since_change: Any, reported: Any, immature_days: int, member: Any, month_day: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All features of ad sets, and those of their account.

    Parameters
    ----------
    window : Window
        Days through t.
    budget : array, (ad set,)
        Budget of day t, currency.
    days_since_change : array, (ad set,)
        Days since the budget last changed by more than 1 %.
    reported : array, (7,)
        Share of the purchases of 0, 1, ... days ago that the platform shows by now; ones where the window holds what it shows.
    immature_days : int
        Days that attribution needs.
    member : array, (campaign, ad set)
        One where an ad set is in a campaign.
    month_day : int
        Day of the month of the day that is decided about.

    Returns
    -------
    features, account : dict of str to array
        (ad set,) each, with the names of ``mmx features``; and scalars, of the account.
    """
    sums = window_sums(window, immature_days)
    shown = [reported[day] * sums[f"raw_purchases_{day}"] for day in range(LEARNING_DAYS)]
    sums["raw_purchases_3d"] = shown[0] + shown[1] + shown[2]
    own = level_features(sums)
    sums_of_campaigns = of_campaigns(sums, member)
    campaigns = level_features(sums_of_campaigns)
    account = level_features({name: value.sum(axis=0) for name, value in sums_of_campaigns.items()})
    relative = relative_features(own, campaigns, lambda value: member.T @ jnp.nan_to_num(value))
    learning = sum(jnp.where(day <= days_since_change, shown[day], 0.0) for day in range(LEARNING_DAYS))
    rows = window.totals.shape[0]
    week_ago = window.totals[(window.day - 8) % rows] - window.totals[(window.day - 9) % rows]
    features = (
        own
        | relative
        | {
            "budget": budget,
            **{f"budget_{w}d": sums[f"budget_{w}d"] for w in WINDOWS},
            "budget_change": log_ratio(budget, week_ago[TOTALS.index("budget")]),
            "spend_volatility": _volatility(sums["spend_14d"], sums["spend_squares"]),
            "revenue_volatility": _volatility(sums["revenue_14d"], sums["revenue_squares"]),
            "active_14d": sums["active_14d"],
            "days_since_change": days_since_change,
            "age_days": window.age_days,
            "learning_events": learning,
            "spend_since_purchase": jnp.minimum(window.spend_since_purchase, sums["mature_spend_28d"]),
            "month_spend": jnp.where(month_day == 1, 0.0, window.month_spend),
        }
    )
    return features, account
