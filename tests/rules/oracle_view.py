"""Features, evidence and account numbers once more, in plain Python: sums over rows, ``if`` and ``math``; no arrays.

Written from the definitions: windows of spend, impressions, clicks and reach end on the last complete day t, those of purchases
and revenue, and of what these are divided by, on ``t - immature_days``. A ratio with a zero denominator is NaN, which is less
than, equal to and greater than nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from .histories import Case

NAN = math.nan
WINDOWS = (1, 3, 7, 14, 28)
SPEND, IMPRESSIONS, CLICKS, PURCHASES, REVENUE, REACH = range(6)
RAW = {"spend": SPEND, "impressions": IMPRESSIONS, "clicks": CLICKS, "reach": REACH}
MATURE = {"purchases": PURCHASES, "revenue": REVENUE, "mature_spend": SPEND, "mature_clicks": CLICKS}
PHASES = ("active", "frozen", "probing")


@dataclass(frozen=True)
class Seen:
    """What rules see: a namespace for every ad set, and one for the account."""

    ad_sets: list[Any]
    account: Any


def over(top: float, bottom: float) -> float:
    """A ratio, NaN where the denominator is not positive."""
    return top / bottom if bottom > 0.0 else NAN


def log_over(top: float, bottom: float) -> float:
    """Logarithm of a ratio, NaN where either is not positive."""
    return math.log(top / bottom) if top > 0.0 and bottom > 0.0 else NAN


def day_value(columns: list[list[float]], day: int, metric: int) -> float:
    """A metric of an ad set on a day; days without a row are zero."""
    return columns[metric][day] if 0 <= day < len(columns[metric]) else 0.0


def window_sum(columns: list[list[float]], last: int, days: int, metric: int) -> float:
    """Sum over the ``days`` days that end on ``last``."""
    return sum(columns[metric][max(last - days + 1, 0) : max(last + 1, 0)])


def sums_of(columns: list[list[float]], budgets: list[float], immature: int) -> dict[str, float]:
    """All sums of one ad set from its daily numbers."""
    t = len(columns[SPEND]) - 1
    out = {}
    for w in WINDOWS:
        for name, metric in RAW.items():
            out[f"{name}_{w}d"] = window_sum(columns, t, w, metric)
        for name, metric in MATURE.items():
            out[f"{name}_{w}d"] = window_sum(columns, t - immature, w, metric)
        out[f"budget_{w}d"] = sum(budgets[max(t - w + 1, 0) : t + 1])
    out["clicks_before"] = window_sum(columns, t - 7, 21, CLICKS)
    out["impressions_before"] = window_sum(columns, t - 7, 21, IMPRESSIONS)
    out["active_days"] = sum(day_value(columns, day, SPEND) > 0.0 for day in range(t - 27, t + 1))
    out["active_14d"] = sum(day_value(columns, day, SPEND) > 0.0 for day in range(t - 13, t + 1))
    return out


def added(parts: list[dict[str, float]]) -> dict[str, float]:
    """Sums of a parent from those of its children."""
    return {name: math.fsum(part[name] for part in parts) for name in parts[0]} if parts else {}


def ratios_of(sums: dict[str, float]) -> dict[str, float]:
    """Ratios and trends from sums, at any level."""
    out = dict(sums)
    for w in WINDOWS:
        out[f"ctr_{w}d"] = over(sums[f"clicks_{w}d"], sums[f"impressions_{w}d"])
        out[f"cpc_{w}d"] = over(sums[f"spend_{w}d"], sums[f"clicks_{w}d"])
        out[f"cpm_{w}d"] = 1000.0 * over(sums[f"spend_{w}d"], sums[f"impressions_{w}d"])
        out[f"cvr_{w}d"] = over(sums[f"purchases_{w}d"], sums[f"mature_clicks_{w}d"])
        out[f"aov_{w}d"] = over(sums[f"revenue_{w}d"], sums[f"purchases_{w}d"])
        out[f"cpa_{w}d"] = over(sums[f"mature_spend_{w}d"], sums[f"purchases_{w}d"])
        out[f"roas_{w}d"] = over(sums[f"revenue_{w}d"], sums[f"mature_spend_{w}d"])
    for name in ("roas", "cvr", "cpa", "ctr", "cpc", "cpm"):
        out[f"{name}_trend"] = log_over(out[f"{name}_7d"], out[f"{name}_28d"])
    for name in ("spend", "purchases"):
        out[f"{name}_trend"] = log_over(sums[f"{name}_7d"] / 7.0, sums[f"{name}_28d"] / 28.0)
    earlier = over(sums["clicks_before"], sums["impressions_before"])
    known = earlier > 0.0 and not math.isnan(out["ctr_7d"])
    out["fatigue"] = 1.0 - out["ctr_7d"] / earlier if known else 0.0
    out["frequency"] = over(sums["impressions_7d"], sums["reach_7d"])
    out["utilisation"] = over(sums["spend_7d"], sums["budget_7d"])
    return out


def volatility(columns: list[list[float]], last: int, metric: int) -> float:
    """Standard deviation over mean of a daily metric over the 14 days that end on ``last``."""
    values = [day_value(columns, day, metric) for day in range(last - 13, last + 1)]
    mean = sum(values) / 14.0
    return over(math.sqrt(sum((value - mean) ** 2 for value in values) / 14.0), mean)


def spend_since_purchase(columns: list[list[float]], last: int) -> float:
    """Spend after the last day with a purchase, through ``last``, looking back 28 days."""
    spent = 0.0
    for day in range(last, last - 28, -1):
        if day_value(columns, day, PURCHASES) > 0.0:
            break
        spent += day_value(columns, day, SPEND)
    return spent


def reported_purchases(columns: list[list[float]], days: int, shown: list[float]) -> float:
    """Purchases of the last ``days`` days, of which the platform shows a share."""
    t = len(columns[SPEND]) - 1
    return sum(shown[back] * day_value(columns, t - back, PURCHASES) for back in range(days))


def relative(own: dict[str, float], parent: dict[str, float]) -> dict[str, float]:
    """Ratios to the campaign, and shares of it."""
    out = {}
    for name, w in (("roas", 14), ("cpa", 14), ("cvr", 14), ("ctr", 7), ("cpc", 7), ("cpm", 7)):
        out[f"{name}_relative"] = over(own[f"{name}_{w}d"], parent[f"{name}_{w}d"])
    for name, w in (("spend", 7), ("purchases", 14), ("revenue", 14)):
        out[f"{name}_share"] = over(own[f"{name}_{w}d"], parent[f"{name}_{w}d"])
    return out


def ad_set_features(case: Case, i: int, sums: dict[str, float], parent: dict[str, float]) -> dict[str, float]:
    """All features of one ad set."""
    history = case.history
    columns, budgets = history.metrics[:, i].T.tolist(), history.budget[:, i].tolist()
    t, m, shown = len(columns[SPEND]) - 1, history.immature_days, [float(share) for share in case.account.reported]
    own = ratios_of(sums)
    budget, since = float(case.state.budget[i]), float(case.state.days_since_change[i])
    dates = history.dates.tolist()
    tomorrow = dates[-1] + timedelta(days=1)
    in_month = [day for day in range(t + 1) if (dates[day].year, dates[day].month) == (tomorrow.year, tomorrow.month)]
    return (
        own
        | relative(own, parent)
        | {
            "budget": budget,
            "budget_change": log_over(budget, budgets[t - 7] if t >= 7 else 0.0),
            "spend_volatility": volatility(columns, t, SPEND),
            "revenue_volatility": volatility(columns, t - m, REVENUE),
            "days_since_change": since,
            "age_days": float(t - int(history.first_day[i]) + 1),
            "learning_events": reported_purchases(columns, min(7, int(since) + 1), shown),
            "spend_since_purchase": spend_since_purchase(columns, t - m),
            "month_spend": sum(columns[SPEND][day] for day in in_month),
            "shown_3d": reported_purchases(columns, 3, shown),
        }
    )


def pooled(sums: dict[str, float], k: float, parent: tuple[float, float]) -> tuple[float, float]:
    """Order value and cost per purchase of 28 days, pulled to a parent's as ``k`` purchases would."""
    purchases = sums["purchases_28d"] + k
    return (sums["revenue_28d"] + k * parent[0]) / purchases, (sums["mature_spend_28d"] + k * parent[1]) / purchases


def evidence(own: dict[str, float], campaign: tuple[float, float], case: Case, i: int, p: Any) -> dict[str, float]:
    """Posterior of the log ROAS over 7, 14 and 28 days, and of the log marginal ROAS."""
    account, out = case.account, {}
    believed, doubt = float(account.incrementality_mean[i]), float(account.incrementality_sd[i])
    aov, cpa = campaign
    for w in (7, 14, 28):
        purchases, revenue, spend = own[f"purchases_{w}d"], own[f"revenue_{w}d"], own[f"mature_spend_{w}d"]
        out[f"log_roas_{w}d"] = math.log((revenue + p.own_purchases * aov) / (spend + p.own_purchases * cpa)) + believed
        counts = (1.0 + float(account.order_value_spread) ** 2) * p.overdispersion / (purchases + p.own_purchases)
        out[f"sd_roas_{w}d"] = math.sqrt(counts + doubt**2)
    elasticity = float(account.elasticity_mean[i])
    out["log_marginal"] = out["log_roas_14d"] + math.log(elasticity)
    shared = out["sd_roas_14d"] ** 2 - doubt**2
    out["sd_marginal"] = math.sqrt(
        shared + float(account.floor_sd[i]) ** 2 + (float(account.elasticity_sd[i]) / elasticity) ** 2
    )
    out["cpa_expected"] = cpa
    out["log_campaign"] = math.log(aov / cpa) + believed
    return out


def starting_budget(case: Case, i: int) -> float:
    """Today's budget; that before a freeze; or, of an active ad set below what the platform takes, that of before."""
    state, phase = case.state, PHASES[int(case.state.phase[i])]
    budget, before = float(state.budget[i]), float(state.before[i])
    if phase == "frozen" or budget <= 0.0:
        return before
    if phase == "active" and budget < float(case.account.minimum_budget) and budget < before:
        return before
    return budget


def look(case: Case, p: Any) -> Seen:
    """Everything that the rules see of a case, given the parameters of ``evidence``."""
    history, account, state = case.history, case.account, case.state
    n, m = len(history.adsets), history.immature_days
    sums = [sums_of(history.metrics[:, i].T.tolist(), history.budget[:, i].tolist(), m) for i in range(n)]
    home = [int(c) for c in history.campaign_of]
    campaigns = {c: added([sums[i] for i in range(n) if home[i] == c]) for c in set(home)}
    whole = added(sums)
    parents = {c: ratios_of(own) for c, own in campaigns.items()}
    target, cost = float(account.target_roas), float(account.expected_cpa)
    believed = math.exp(sum(float(x) for x in account.incrementality_mean) / n)
    top = pooled(whole, p.campaign_purchases, (cost * target / believed, cost))
    ad_sets = []
    for i in range(n):
        own = ad_set_features(case, i, sums[i], parents[home[i]])
        own |= evidence(own, pooled(campaigns[home[i]], p.campaign_purchases, top), case, i, p)
        ad_sets.append(
            SimpleNamespace(
                **own
                | {"start": starting_budget(case, i), "phase": PHASES[int(state.phase[i])], "live": own["age_days"] >= 1.0}
                | {"campaign": home[i], "campaign_budget": bool(account.campaign_budget[i])}
                | {name: float(getattr(state, name)[i]) for name in ("days_in_phase", "before", "failures")}
                | {name: float(getattr(case.day, name)[i]) for name in ("weekday_mix", "stock_days")}
            )
        )
    return Seen(ad_sets, _account(case, ad_sets, ratios_of(whole)))


def _account(case: Case, ad_sets: list[Any], whole: dict[str, float]) -> Any:
    """What rules see of the account and the day."""
    account, day = case.account, case.day
    shown = sum(float(share) for share in account.maturity[:3]) / 3.0
    expected = whole["cvr_28d"] * whole["clicks_3d"] * shown
    spend = sum(a.mature_spend_14d for a in ad_sets)
    return SimpleNamespace(
        log_target=math.log(float(account.target_roas)),
        log_floor=math.log(float(account.marginal_floor)),
        log_marginal=sum(a.mature_spend_14d * a.log_marginal for a in ad_sets) / spend if spend > 0.0 else 0.0,
        minimum=float(account.minimum_budget),
        budget=sum(a.start for a in ad_sets if a.live and a.phase != "frozen"),
        live=sum(a.live for a in ad_sets),
        receivers=sum(a.live and a.phase == "active" and a.start > 0.0 for a in ad_sets),
        live_in={c: sum(a.live for a in ad_sets if a.campaign == c) for c in {a.campaign for a in ad_sets}},
        month_budget=float(account.month_budget),
        month_spend=sum(a.month_spend for a in ad_sets),
        expected_3d=0.0 if math.isnan(expected) else expected,
        purchases_3d=sum(a.shown_3d for a in ad_sets),
        aov_28d=whole["aov_28d"],
        cpm_trend=whole["cpm_trend"],
        **{name: float(getattr(day, name)) for name in day._fields if name not in ("weekday_mix", "stock_days")},
    )
