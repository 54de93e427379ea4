"""Performance: ROAS, cost, volume and clicks against the target, the campaign and the ad set's own budget.

The thresholds of raises are increments: ``high`` lies above the target, ``excellent`` above ``high``.
"""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jnp
from mmx.rules.learned import Between, Enough, Noise, Quantile
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, Verdict, View


def _surely(v: View, threshold: Any, z: Any) -> Any:
    """Whether the ROAS of 14 days is above a log threshold with the posterior probability of a normal quantile."""
    return v.log_roas_14d - threshold > z * v.sd_roas_14d


def _excellent(v: View, p: View) -> Verdict:
    above = _surely(v, v.log_target + p.above_high + v.high__above_target, p.z)
    return Verdict(above & (v.utilisation >= p.utilisation), 1.0 + v.high__rise + p.rise_above_high)


def _high(v: View, p: View) -> Verdict:
    above = _surely(v, v.log_target + p.above_target, p.z)
    return Verdict(above & (v.log_roas_7d > v.log_roas_28d - p.decline), 1.0 + p.rise)


def _underfunded(v: View, p: View) -> Verdict:
    small = v.spend_share * jnp.maximum(v.campaign_size, 1.0) < p.size
    return Verdict(small & (v.utilisation >= p.utilisation) & (v.roas_relative > 1.0 + p.better), 1.0 + p.rise)


def _efficient(v: View, p: View) -> Verdict:
    cheap = (v.cpa_relative < 1.0 - p.cheaper) & (v.purchases_14d >= p.purchases)
    return Verdict(cheap & (v.log_roas_14d > v.log_target), 1.0 + p.rise)


def _high_order_value(v: View, p: View) -> Verdict:
    dear = (v.aov_28d > (1.0 + p.larger) * v.account_aov_28d) & (v.purchases_28d >= p.purchases)
    return Verdict(dear & (v.log_roas_28d > v.log_target), 1.0 + p.rise)


def _volume(v: View, p: View) -> Verdict:
    carries = (v.purchases_share > (1.0 + p.more) * v.spend_share) & (v.purchases_14d >= p.purchases)
    return Verdict(carries & (v.log_roas_14d > v.log_target + p.log_of_target), 1.0 + p.rise)


def _overfunded(v: View, p: View) -> Verdict:
    idle = (v.utilisation < p.utilisation) & (v.age_days > 7.0)
    return Verdict(idle, jnp.clip(v.utilisation * (1.0 + p.headroom), 0.3, 1.0))


def _low(v: View, p: View) -> Verdict:
    below = v.log_target - p.below_target - v.log_roas_14d > p.z * v.sd_roas_14d
    return Verdict(below, 1.0 - p.cut)


def _weak_in_campaign(v: View, p: View) -> Verdict:
    weaker = v.log_campaign - p.below - v.log_roas_28d > p.z * v.sd_roas_28d
    return Verdict(weaker, 1.0 - p.cut)


def _expensive_clicks(v: View, p: View) -> Verdict:
    dear = (v.cpc_relative > 1.0 + p.dearer) & (v.cvr_relative < 1.0 + p.conversion)
    return Verdict(dear & (v.clicks_7d >= p.clicks), 1.0 - p.cut)


def _promising(v: View, p: View) -> Verdict:
    growing = (v.purchases_trend > p.growth) & (v.purchases_28d >= p.purchases)
    return Verdict(growing & _surely(v, v.log_target, p.z), 1.0 + p.rise)


def _stable(v: View, p: View) -> Verdict:
    calm = (v.revenue_volatility < p.volatility) & (jnp.abs(v.log_roas_14d - v.log_target) < p.band)
    return Verdict(calm, jnp.exp(p.lean * (v.log_roas_14d - v.log_target)))


_G = "performance"
_RISE, _CUT = "share that is added to the budget", "share of the budget that is taken away"
_P = "least posterior probability"
_PURCHASES = "purchases below which nothing is said"
_EARNED = "revenue {revenue_14d:.2f} for {mature_spend_14d:.2f} in 14 days, ROAS {log_roas_14d:exp} ± {sd_roas_14d:.0%}"

RULES = (
    Rule(
        "overfunded",
        _G,
        "decider",
        "Takes back what an ad set of over 7 days does not spend, but for some headroom; at most 70 % of its budget.",
        _overfunded,
        (
            Parameter(
                "utilisation", "spend over budget of 7 days", "share", 0.3, 0.98, 0.88, learned=Quantile("utilisation", 0.15)
            ),
            Parameter("headroom", "budget above what is spent", "share", 0.0, 0.5, 0.11),
        ),
        "{utilisation:.0%} of the budgets of 7 days spent",
    ),
    Rule(
        "excellent",
        _G,
        "decider",
        "Raises an ad set that is surely far above the target and spends all it gets.",
        _excellent,
        (
            Parameter(
                "above_high",
                "log ROAS above the threshold of `high`",
                "log ratio",
                0.02,
                1.5,
                0.26,
                "log",
                learned=Between("log_roas_14d - log_target", 0.7, 0.9),
            ),
            Parameter("probability", _P, "probability", 0.5, 0.99, 0.76),
            Parameter(
                "utilisation", "spend over budget of 7 days", "share", 0.5, 1.1, 0.9, learned=Quantile("utilisation", 0.4)
            ),
            Parameter("rise_above_high", "share that is added to the rise of `high`", "share", 0.0, 0.7, 0.11),
        ),
        f"{_EARNED}; {{utilisation:.0%}} spent",
    ),
    Rule(
        "high",
        _G,
        "decider",
        "Raises an ad set that is probably above the target and not in decline.",
        _high,
        (
            Parameter(
                "above_target",
                "log ROAS above the target",
                "log ratio",
                0.01,
                1.0,
                0.13,
                "log",
                learned=Quantile("log_roas_14d - log_target", 0.7),
            ),
            Parameter("probability", _P, "probability", 0.5, 0.99, 0.68),
            Parameter(
                "decline",
                "fall of log ROAS, 7 against 28 days, that is still no decline",
                "log ratio",
                0.0,
                0.6,
                0.11,
                learned=Noise("log_roas_28d - log_roas_7d", 0.7),
            ),
            Parameter("rise", _RISE, "share", 0.02, 0.6, 0.048),
        ),
        f"{_EARNED}, the target's {{log_target:exp}}",
    ),
    Rule(
        "underfunded",
        _G,
        "decider",
        "Raises a small ad set that spends all it gets and earns more than its campaign.",
        _underfunded,
        (
            Parameter("size", "its spend over the mean of its campaign's ad sets", "ratio", 0.1, 1.5, 0.87),
            Parameter(
                "utilisation", "spend over budget of 7 days", "share", 0.6, 1.1, 0.92, learned=Quantile("utilisation", 0.5)
            ),
            Parameter(
                "better",
                "ROAS above its campaign's",
                "share",
                0.02,
                1.5,
                0.22,
                learned=Quantile("roas_relative", 0.7, plus=-1.0),
            ),
            Parameter("rise", _RISE, "share", 0.02, 0.6, 0.16),
        ),
        "{spend_share:.0%} of its campaign's spend at {roas_relative:.2f} times its ROAS, {utilisation:.0%} spent",
    ),
    Rule(
        "efficient",
        _G,
        "decider",
        "Raises an ad set above the target whose purchases of 14 days cost less than its campaign's.",
        _efficient,
        (
            Parameter(
                "cheaper",
                "CPA below its campaign's",
                "share",
                0.02,
                0.7,
                0.17,
                learned=Quantile("cpa_relative", 0.25, times=-1.0, plus=1.0),
            ),
            Parameter("purchases", _PURCHASES, "purchases", 2.0, 80.0, 6.5, "log", learned=Enough("purchases", 0.45)),
            Parameter("rise", _RISE, "share", 0.02, 0.6, 0.094),
        ),
        "CPA {cpa_14d:.2f}, {cpa_relative:.2f} times its campaign's, with {purchases_14d:.0f} purchases in 14 days",
    ),
    Rule(
        "high_order_value",
        _G,
        "decider",
        "Raises an ad set whose orders of 28 days are larger than the account's, at a ROAS above the target.",
        _high_order_value,
        (
            Parameter(
                "larger",
                "order value above the account's",
                "share",
                0.02,
                1.0,
                0.13,
                learned=Quantile("aov_28d / account_aov_28d", 0.8, plus=-1.0),
            ),
            Parameter("purchases", _PURCHASES, "purchases", 2.0, 80.0, 8.7, "log", learned=Enough("revenue", 0.45)),
            Parameter("rise", _RISE, "share", 0.02, 0.6, 0.11),
        ),
        "order value {aov_28d:.2f}, the account's being {account_aov_28d:.2f}",
    ),
    Rule(
        "volume",
        _G,
        "decider",
        "Raises an ad set that brings more of its campaign's purchases of 14 days than it takes of its spend of 7.",
        _volume,
        (
            Parameter(
                "more",
                "share of purchases above the share of spend",
                "share",
                0.01,
                1.0,
                0.17,
                learned=Quantile("purchases_share / spend_share", 0.6, plus=-1.0),
            ),
            Parameter("purchases", _PURCHASES, "purchases", 3.0, 150.0, 10.0, "log", learned=Enough("purchases", 0.33)),
            Parameter("of_target", "ROAS of 14 days to reach, over the target", "ratio", 0.6, 1.3, 0.94),
            Parameter("rise", _RISE, "share", 0.01, 0.6, 0.061),
        ),
        "{purchases_share:.0%} of its campaign's purchases for {spend_share:.0%} of its spend",
    ),
    Rule(
        "low",
        _G,
        "decider",
        "Cuts an ad set that is probably below the target.",
        _low,
        (
            Parameter(
                "below_target",
                "log ROAS below the target",
                "log ratio",
                0.0,
                1.0,
                0.085,
                learned=Quantile("log_target - log_roas_14d", 0.7),
            ),
            Parameter("probability", _P, "probability", 0.5, 0.99, 0.76),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.21),
        ),
        f"{_EARNED}, the target's {{log_target:exp}}",
    ),
    Rule(
        "weak_in_campaign",
        _G,
        "decider",
        "Cuts an ad set that is surely weaker than its campaign over four weeks.",
        _weak_in_campaign,
        (
            Parameter(
                "below",
                "log ROAS below the campaign's",
                "log ratio",
                0.0,
                1.0,
                0.074,
                learned=Quantile("log_campaign - log_roas_28d", 0.75),
            ),
            Parameter("probability", _P, "probability", 0.5, 0.99, 0.83),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.094),
        ),
        "ROAS {log_roas_28d:exp} ± {sd_roas_28d:.0%} over 28 days, its campaign's {log_campaign:exp}",
    ),
    Rule(
        "expensive_clicks",
        _G,
        "decider",
        "Cuts an ad set whose clicks cost more than its campaign's without buying more often.",
        _expensive_clicks,
        (
            Parameter(
                "dearer", "CPC above its campaign's", "share", 0.02, 1.5, 0.1, learned=Quantile("cpc_relative", 0.8, plus=-1.0)
            ),
            Parameter("conversion", "CVR above its campaign's that would justify it", "share", 0.0, 0.5, 0.086),
            Parameter(
                "clicks",
                "clicks of 7 days, below which nothing is said",
                "clicks",
                10.0,
                2000.0,
                40.0,
                "log",
                learned=Enough("clicks", 0.11),
            ),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.11),
        ),
        "CPC {cpc_relative:.2f} and CVR {cvr_relative:.2f} times its campaign's",
    ),
    Rule(
        "promising",
        _G,
        "decider",
        "Raises a little an ad set that sells more from week to week and is rather above the target.",
        _promising,
        (
            Parameter(
                "growth",
                "rise of log purchases a day, 7 against 28 days",
                "log ratio",
                0.0,
                0.8,
                0.13,
                learned=Quantile("purchases_trend", 0.65),
            ),
            Parameter(
                "purchases",
                "purchases of 28 days, below which nothing is said",
                "purchases",
                2.0,
                100.0,
                6.6,
                "log",
                learned=Enough("purchases", 0.4),
            ),
            Parameter("probability", _P, "probability", 0.3, 0.95, 0.62),
            Parameter("rise", _RISE, "share", 0.01, 0.5, 0.048),
        ),
        "purchases a day changed by {purchases_trend:change}, ROAS {log_roas_14d:exp} ± {sd_roas_14d:.0%}",
    ),
    Rule(
        "stable",
        _G,
        "decider",
        "Leans a calm ad set near the target towards what it earned in 14 days.",
        _stable,
        (
            Parameter(
                "volatility",
                "standard deviation over mean of daily revenue",
                "ratio",
                0.1,
                2.0,
                0.6,
                learned=Quantile("revenue_volatility", 0.3),
            ),
            Parameter(
                "band",
                "distance of log ROAS from the target",
                "log ratio",
                0.02,
                0.6,
                0.21,
                learned=Noise("log_roas_14d - log_target", 0.5),
            ),
            Parameter("lean", "log budget per log ROAS", "ratio", 0.0, 1.0, 0.17),
        ),
        "revenue varies by {revenue_volatility:.0%} a day at a ROAS of {log_roas_14d:exp}, the target's {log_target:exp}",
    ),
)
