"""Modifiers, rules of the account's money, guardrails and edits in plain Python, written from what they say of themselves.

A modifier is ``(i, factors, seen, p) -> factor`` of ad set i; a money rule ``(account, p, money) -> money``; a guardrail
``(a, account, p) -> (least, most)``; an edit rule ``(i, moves, seen, p) -> made or not``.
"""

from __future__ import annotations

import math
from typing import Any

from .oracle_view import Seen

INF = math.inf
TIE = 1e-4


def limited(value: float, least: float, most: float) -> float:
    """A value within limits."""
    return min(max(value, least), most)


def trend(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a = seen.ad_sets[i]
    return factors[i] * math.exp(p.strength * limited(a.log_roas_7d - a.log_roas_28d, -p.most, p.most))


def health(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a = seen.ad_sets[i]
    ctr = 1.0 if math.isnan(a.ctr_relative) else max(a.ctr_relative, 0.05)
    cvr = 1.0 if math.isnan(a.cvr_relative) else max(a.cvr_relative, 0.05)
    return factors[i] * math.exp(p.strength * math.tanh(p.clicks * math.log(ctr) + (1.0 - p.clicks) * math.log(cvr)))


def relative_to_parent(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a = seen.ad_sets[i]
    return factors[i] * math.exp(p.strength * limited(a.log_roas_28d - a.log_campaign, -1.0, 1.0))


def weekday_mix(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    return factors[i] * math.exp(p.strength * seen.ad_sets[i].weekday_mix)


def budget_size(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a, factor = seen.ad_sets[i], factors[i]
    beyond = (a.start / seen.account.budget if seen.account.budget > 0.0 else 0.0) - p.share
    return 1.0 + (factor - 1.0) * math.exp(-p.strength * beyond) if factor > 1.0 and beyond > 0.0 else factor


def beyond_observed(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a, factor = seen.ad_sets[i], factors[i]
    if factor <= 1.0 or a.active_days == 0:
        return factor
    beyond = math.log(a.start / (a.spend_28d / a.active_days)) if a.start > 0.0 else 0.0
    return 1.0 + (factor - 1.0) * math.exp(-p.strength * max(beyond, 0.0))


def sample_size(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    purchases = seen.ad_sets[i].purchases_14d
    return math.exp((purchases + p.floor * p.purchases) / (purchases + p.purchases) * math.log(factors[i]))


def campaign_budget(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    a = seen.ad_sets[i]
    if not a.campaign_budget:
        return factors[i]
    weights = [b.start if b.campaign == a.campaign and factors[j] > 0.0 else 0.0 for j, b in enumerate(seen.ad_sets)]
    total = sum(weights)
    pooled = sum(w * f for w, f in zip(weights, factors, strict=True)) / total if total > 0.0 else 0.0
    pooled = max(pooled, 1e-3)
    return limited(factors[i], pooled * (1.0 - p.limit), pooled * (1.0 + p.limit))


def low_stock(i: int, factors: list[float], seen: Seen, p: Any) -> float:
    days = seen.ad_sets[i].stock_days
    return factors[i] * (p.least + (1.0 - p.least) * days / p.days) if days < p.days else factors[i]


def weekday(account: Any, p: Any, money: float) -> float:
    return money * math.exp(p.strength * account.weekday_effect)


def season(account: Any, p: Any, money: float) -> float:
    return money * math.exp(p.strength * account.season_effect)


def promotion(account: Any, p: Any, money: float) -> float:
    return money * (1.0 + p.rise) if account.promotion else money


def after_promotion(account: Any, p: Any, money: float) -> float:
    return money * (1.0 - p.cut) if account.promotion_ended else money


def even_pace(account: Any) -> float:
    """What a day may cost if the rest of the month is spent evenly."""
    days_left = account.month_days - account.month_day + 1.0
    return max(account.month_budget - account.month_spend, 0.0) / days_left


def catch_up(account: Any, p: Any, money: float) -> float:
    even = even_pace(account)
    if math.isinf(account.month_budget) or even <= money * (1.0 + p.tolerance):
        return money
    return min(money + p.speed * (even - money), money * (1.0 + p.most))


def slow_down(account: Any, p: Any, money: float) -> float:
    even = even_pace(account)
    if math.isinf(account.month_budget) or even >= money * (1.0 - p.tolerance):
        return money
    return money + p.speed * (even - money)


def month_end(account: Any, p: Any, money: float) -> float:
    if math.isinf(account.month_budget):
        return money
    rest = max(account.month_budget - account.month_spend, 0.0)
    return min(money, rest if account.month_day == account.month_days else rest * (1.0 - p.reserve))


def minimum(a: Any, account: Any, p: Any) -> tuple[float, float]:
    mean = account.budget / account.live if account.live else 0.0
    return max(account.minimum, p.share * mean), INF


def maximum_share(a: Any, account: Any, p: Any) -> tuple[float, float]:
    even = 2.0 * account.money / max(account.receivers - 1, 1)
    return 0.0, max(p.share * account.money, even, a.start)


def spend_anchor(a: Any, account: Any, p: Any) -> tuple[float, float]:
    return 0.0, p.times * a.spend_14d / a.active_14d if a.active_14d > 0 and a.age_days >= 14.0 else INF


def cost_anchor(a: Any, account: Any, p: Any) -> tuple[float, float]:
    return 0.0, max(p.costs * a.cpa_expected, account.minimum) if a.purchases_28d < p.purchases else INF


def not_in_decline(a: Any, account: Any, p: Any) -> tuple[float, float]:
    worse = a.log_roas_7d < account.log_target + math.log(p.of_target) and a.purchases_28d >= p.purchases
    return 0.0, a.start if worse else INF


def step_up(a: Any, account: Any, p: Any) -> tuple[float, float]:
    return 0.0, a.start * (1.0 + p.share)


def step_down(a: Any, account: Any, p: Any) -> tuple[float, float]:
    return a.start * (1.0 - p.share), INF


def cooldown(a: Any, account: Any, p: Any) -> tuple[float, float]:
    return (a.start, a.start) if a.days_since_change < p.days else (0.0, INF)


def smallest_edit(i: int, moves: list[float], seen: Seen, p: Any) -> bool:
    return moves[i] >= p.size


def edits_per_day(i: int, moves: list[float], seen: Seen, p: Any) -> bool:
    whole = seen.account.budget
    sizes = [move + TIE * (a.start / whole if whole > 0.0 else 0.0) for move, a in zip(moves, seen.ad_sets, strict=True)]
    return sum(size > sizes[i] for size in sizes) < math.ceil(p.share * seen.account.live)


MODIFIERS = (
    trend,
    health,
    relative_to_parent,
    weekday_mix,
    budget_size,
    beyond_observed,
    sample_size,
    campaign_budget,
    low_stock,
)
MONEY = (weekday, season, promotion, after_promotion, catch_up, slow_down, month_end)
GUARDRAILS = (minimum, maximum_share, spend_anchor, cost_anchor, not_in_decline, step_up, step_down, cooldown)
EDITS = (smallest_edit, edits_per_day)
