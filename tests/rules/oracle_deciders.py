"""Deciders in plain Python, written from what the rules say of themselves: ``(a, account, p, others) -> Says``, or None.

``a`` is an ad set, ``p`` the rule's own parameters and ``others`` those of all rules by name; ``q(p)`` is the normal quantile
of a rule's probability: a gate ``P(x > threshold) > probability`` is ``mean - threshold > q * sd``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

LEARNING = 50.0


@dataclass(frozen=True)
class Says:
    """Factor on the budget that the decision starts from, whether the budget is held, and the phase that begins."""

    factor: float
    held: bool = False
    phase: str | None = None


HOLD = Says(1.0, held=True)
FREEZE = Says(0.0, phase="frozen")


def q(p: Any) -> float:
    return NormalDist().inv_cdf(p.probability)


def up(p: Any) -> Says:
    return Says(1.0 + p.rise)


def down(p: Any) -> Says:
    return Says(1.0 - p.cut)


def missing_tracking(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    doubted = account.expected_3d > p.expected and account.purchases_3d < p.share * account.expected_3d
    return HOLD if doubted and a.phase == "active" else None


def hold_frozen(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return Says(0.0) if a.phase == "frozen" and a.days_in_phase < p.days * (1.0 + p.longer * a.failures) else None


def probe(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    if a.phase != "frozen":
        return None
    return Says(max(p.share * a.before, account.minimum) / max(a.start, 1e-9), phase="probing")


def hold_probe(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return HOLD if a.phase == "probing" and a.days_in_phase < p.days else None


def release_probe(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    good = a.log_roas_7d - account.log_target - math.log(p.of_target) > q(p) * a.sd_roas_7d
    return Says(p.share * a.before / max(a.start, 1e-9), phase="active") if a.phase == "probing" and good else None


def end_probe(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    bad = account.log_target - a.log_roas_7d > q(p) * a.sd_roas_7d
    return FREEZE if a.phase == "probing" and (bad or a.days_in_phase >= p.days) else None


def freeze_without_purchase(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    silent = a.purchases_3d == 0.0 and a.spend_since_purchase > p.costs * a.cpa_expected
    return FREEZE if silent else None


def freeze_low_roas(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    below = account.log_target + math.log(p.of_target) - a.log_roas_28d > q(p) * a.sd_roas_28d
    return FREEZE if below and a.mature_spend_28d > p.costs * a.cpa_expected else None


def cut_cost_jump(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    if a.purchases_28d < p.purchases:
        return None
    cost = a.mature_spend_3d if a.purchases_3d == 0.0 else a.cpa_3d
    return down(p) if cost > p.ratio * a.cpa_28d else None


def cut_overdelivery(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return down(p) if a.spend_7d > p.ratio * a.budget_7d and a.log_roas_14d < account.log_target else None


def not_delivering(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return down(p) if a.spend_3d < p.share * a.budget_3d and a.age_days > p.days else None


def cold_start_promising(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    known = a.age_days <= p.days and a.clicks_7d >= p.clicks
    return up(p) if known and a.ctr_relative > 1.0 + p.better and a.cpc_relative < 1.0 else None


def cold_start_failed(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    known = a.age_days <= p.days and a.impressions_7d >= p.impressions
    return down(p) if known and a.ctr_relative < 1.0 - p.worse else None


def cold_start(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return HOLD if a.age_days <= p.days and a.mature_spend_28d < p.costs * a.cpa_expected else None


def graduated(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    left = a.learning_events >= LEARNING and a.days_since_change >= 2.0 and a.age_days <= p.days
    return up(p) if left and a.log_roas_14d > account.log_target + math.log(p.of_target) else None


def learning(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    learns = a.days_since_change < p.days and a.learning_events < p.events
    return HOLD if learns and a.purchases_28d >= p.hopeful * p.events else None


def too_small_to_learn(a: Any, p: Any) -> bool:
    return bool(a.purchases_7d < p.share * LEARNING and a.days_since_change >= 7.0)


def learning_limited(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    good = a.log_roas_28d - account.log_target > q(p) * a.sd_roas_28d
    if not (too_small_to_learn(a, p) and good and a.purchases_28d >= p.purchases and a.start > 0.0):
        return None
    return Says(min(max(a.cpa_28d * LEARNING / 7.0 / a.start, 1.0), 1.0 + p.rise))


def learning_weak(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    bad = account.log_target - a.log_roas_28d > q(p) * a.sd_roas_28d
    return down(p) if too_small_to_learn(a, p) and bad else None


def creative_fatigue(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return down(p) if a.clicks_7d >= p.clicks and a.frequency >= p.frequency and a.fatigue > p.drop else None


def audience_exhausted(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    dearer = a.cpm_trend - account.cpm_trend > p.rise and a.ctr_trend < 0.0
    return down(p) if dearer and a.age_days > 14.0 and a.log_roas_14d < account.log_target else None


def declining_roas(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    sure = a.log_roas_28d - a.log_roas_7d - p.drop > q(p) * a.sd_roas_7d
    return down(p) if sure and a.log_roas_7d < account.log_target + math.log(p.of_target) else None


def declining_conversion(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    fewer = a.cvr_trend < -p.drop and a.ctr_trend >= 0.0 and a.purchases_28d >= p.purchases
    return down(p) if fewer and a.log_roas_7d < account.log_target else None


def declining_volume(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    fewer = a.purchases_trend < -p.drop and a.spend_trend > -0.5 * p.drop
    return down(p) if fewer and a.purchases_28d >= p.purchases else None


def recovering(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    back = a.budget_change < -p.cut_before and a.log_roas_7d - a.log_roas_28d > p.rise_of_roas
    return up(p) if back and a.log_roas_7d > account.log_target else None


def surely_above(a: Any, threshold: float, p: Any) -> bool:
    return bool(a.log_roas_14d - threshold > q(p) * a.sd_roas_14d)


def excellent(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    high = others["high"]
    above = surely_above(a, account.log_target + high.above_target + p.above_high, p)
    return Says(1.0 + high.rise + p.rise_above_high) if above and a.utilisation >= p.utilisation else None


def high(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    above = surely_above(a, account.log_target + p.above_target, p)
    return up(p) if above and a.log_roas_7d > a.log_roas_28d - p.decline else None


def underfunded(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    small = a.spend_share * account.live_in[a.campaign] < p.size
    return up(p) if small and a.utilisation >= p.utilisation and a.roas_relative > 1.0 + p.better else None


def efficient(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    cheap = a.cpa_relative < 1.0 - p.cheaper and a.purchases_14d >= p.purchases
    return up(p) if cheap and a.log_roas_14d > account.log_target else None


def high_order_value(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    large = a.aov_28d > (1.0 + p.larger) * account.aov_28d and a.purchases_28d >= p.purchases
    return up(p) if large and a.log_roas_28d > account.log_target else None


def volume(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    carries = a.purchases_share > (1.0 + p.more) * a.spend_share and a.purchases_14d >= p.purchases
    return up(p) if carries and a.log_roas_14d > account.log_target + math.log(p.of_target) else None


def low(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return down(p) if account.log_target - p.below_target - a.log_roas_14d > q(p) * a.sd_roas_14d else None


def weak_in_campaign(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return down(p) if a.log_campaign - p.below - a.log_roas_28d > q(p) * a.sd_roas_28d else None


def overfunded(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    if not (a.utilisation < p.utilisation and a.age_days > 7.0):
        return None
    return Says(min(max(a.utilisation * (1.0 + p.headroom), 0.3), 1.0))


def expensive_clicks(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    dear = a.cpc_relative > 1.0 + p.dearer and a.cvr_relative < 1.0 + p.conversion
    return down(p) if dear and a.clicks_7d >= p.clicks else None


def promising(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    growing = a.purchases_trend > p.growth and a.purchases_28d >= p.purchases
    return up(p) if growing and surely_above(a, account.log_target, p) else None


def stable(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    distance = a.log_roas_14d - account.log_target
    calm = a.revenue_volatility < p.volatility and abs(distance) < p.band
    return Says(math.exp(p.lean * distance)) if calm else None


def marginal_raise(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    pays = a.log_marginal - account.log_floor > q(p) * a.sd_marginal
    return up(p) if pays and a.utilisation >= p.utilisation else None


def marginal_cut(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    loses = account.log_floor - a.log_marginal > q(p) * a.sd_marginal
    return down(p) if loses and a.mature_spend_14d >= p.costs * a.cpa_expected else None


def towards_equal_margins(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    if a.mature_spend_28d < p.costs * a.cpa_expected:
        return None
    return Says(math.exp(min(max(p.lean * (a.log_marginal - account.log_marginal), -p.most), p.most)))


def no_evidence(a: Any, account: Any, p: Any, others: Any) -> Says | None:
    return Says(1.0) if a.live else None


DECIDERS = (
    *(missing_tracking, hold_frozen, probe, hold_probe, release_probe, end_probe, freeze_without_purchase, freeze_low_roas),
    *(cut_cost_jump, cut_overdelivery, not_delivering),
    *(cold_start_promising, cold_start_failed, cold_start, graduated, learning, learning_limited, learning_weak),
    *(creative_fatigue, audience_exhausted, declining_roas, declining_conversion, declining_volume, recovering),
    *(excellent, high, underfunded, efficient, high_order_value, volume, low, weak_in_campaign, overfunded),
    *(expensive_clicks, promising, stable, marginal_raise, marginal_cut, towards_equal_margins, no_evidence),
)
