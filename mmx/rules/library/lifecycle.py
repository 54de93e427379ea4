"""Lifecycle: new ad sets and those in the platform's learning phase are judged by what they can already show."""

from __future__ import annotations

from mmx.jax_setup import jnp
from mmx.rules.learned import Enough, Quantile, Waiting
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, Verdict, View

LEARNING_EVENTS = 50.0


def _cold_start_promising(v: View, p: View) -> Verdict:
    early = (v.age_days <= p.days) & (v.clicks_7d >= p.clicks)
    return Verdict(early & (v.ctr_relative > 1.0 + p.better) & (v.cpc_relative < 1.0), 1.0 + p.rise)


def _cold_start_failed(v: View, p: View) -> Verdict:
    early = (v.age_days <= p.days) & (v.impressions_7d >= p.impressions)
    return Verdict(early & (v.ctr_relative < 1.0 - p.worse), 1.0 - p.cut)


def _cold_start(v: View, p: View) -> Verdict:
    new = (v.age_days <= p.days) & (v.mature_spend_28d < p.costs * v.cpa_expected)
    return Verdict(new, 1.0, fixed=True)


def _graduated(v: View, p: View) -> Verdict:
    left = (v.learning_events >= LEARNING_EVENTS) & (v.age_days <= p.days) & (v.days_since_change >= 2.0)
    return Verdict(left & (v.log_roas_14d > v.log_target + p.log_of_target), 1.0 + p.rise)


def _learning(v: View, p: View) -> Verdict:
    learns = (v.days_since_change < p.days) & (v.learning_events < p.events) & (v.purchases_28d >= p.hopeful * p.events)
    return Verdict(learns, 1.0, fixed=True)


def _learning_limited(v: View, p: View) -> Verdict:
    short = (v.purchases_7d < p.share * LEARNING_EVENTS) & (v.days_since_change >= 7.0) & (v.purchases_28d >= p.purchases)
    good = v.log_roas_28d - v.log_target > p.z * v.sd_roas_28d
    needed = v.cpa_28d * LEARNING_EVENTS / 7.0 / jnp.maximum(v.budget, 1e-9)
    return Verdict(short & good, jnp.clip(needed, 1.0, 1.0 + p.rise))


def _learning_weak(v: View, p: View) -> Verdict:
    short = (v.purchases_7d < p.share * LEARNING_EVENTS) & (v.days_since_change >= 7.0)
    bad = v.log_target - v.log_roas_28d > p.z * v.sd_roas_28d
    return Verdict(short & bad, 1.0 - p.cut)


_G = "lifecycle"

RULES = (
    Rule(
        "cold_start_promising",
        _G,
        "decider",
        "Raises a new ad set whose clicks come more often and cheaper than its campaign's, before purchases can tell.",
        _cold_start_promising,
        (
            Parameter("days", "age up to which an ad set is new", "days", 3.0, 21.0, 11.0),
            Parameter(
                "clicks",
                "clicks of 7 days, below which nothing is said",
                "clicks",
                20.0,
                2000.0,
                223.0,
                "log",
                learned=Enough("clicks", 0.09),
            ),
            Parameter(
                "better", "CTR above the campaign's", "share", 0.02, 1.0, 0.22, learned=Quantile("ctr_relative", 0.8, plus=-1.0)
            ),
            Parameter("rise", "share that is added to the budget", "share", 0.02, 0.6, 0.15),
        ),
        "{age_days:.0f} days old; CTR {ctr_relative:.2f} and CPC {cpc_relative:.2f} times its campaign's",
    ),
    Rule(
        "cold_start_failed",
        _G,
        "decider",
        "Cuts a new ad set that is clicked far less often than its campaign's others.",
        _cold_start_failed,
        (
            Parameter("days", "age up to which an ad set is new", "days", 3.0, 21.0, 17.0),
            Parameter(
                "impressions",
                "impressions of 7 days, below which nothing is said",
                "impressions",
                500.0,
                100000.0,
                2000.0,
                "log",
                learned=Enough("clicks", 0.12, "impressions"),
            ),
            Parameter(
                "worse",
                "CTR below the campaign's",
                "share",
                0.05,
                0.9,
                0.12,
                learned=Quantile("ctr_relative", 0.1, times=-1.0, plus=1.0),
            ),
            Parameter("cut", "share of the budget that is taken away", "share", 0.05, 0.7, 0.18),
        ),
        "{age_days:.0f} days old; CTR {ctr_relative:.2f} times its campaign's after {impressions_7d:.0f} impressions",
    ),
    Rule(
        "cold_start",
        _G,
        "decider",
        "Leaves a new ad set alone until it has spent enough to say anything.",
        _cold_start,
        (
            Parameter("days", "age up to which an ad set is new", "days", 2.0, 21.0, 19.0, learned=Waiting(3.0)),
            Parameter(
                "costs",
                "mature spend over the cost of a purchase, above which it is judged",
                "ratio",
                0.5,
                20.0,
                10.0,
                "log",
                learned=Enough("purchases", 0.6),
            ),
        ),
        "{age_days:.0f} days old with {mature_spend_28d:.2f} of mature spend, where a purchase costs {cpa_expected:.2f}",
    ),
    Rule(
        "graduated",
        _G,
        "decider",
        "Raises a young ad set that has left the learning phase with a good ROAS: 50 purchases, two days after a change.",
        _graduated,
        (
            Parameter("days", "age up to which it is young", "days", 10.0, 60.0, 45.0),
            Parameter("of_target", "ROAS of 14 days to reach, over the target", "ratio", 0.7, 1.8, 1.0),
            Parameter("rise", "share that is added to the budget", "share", 0.02, 0.8, 0.18),
        ),
        "{learning_events:.0f} purchases since its last change, {age_days:.0f} days old, ROAS {log_roas_14d:exp}",
    ),
    Rule(
        "learning",
        _G,
        "decider",
        "Leaves an ad set in the learning phase alone, as each change starts it again, if it can reach its end at all.",
        _learning,
        (
            Parameter("days", "days since a change during which it learns", "days", 1.0, 10.0, 4.4),
            Parameter("events", "purchases that end it", "purchases", 10.0, 80.0, 41.0),
            Parameter(
                "hopeful",
                "purchases of 28 days over those, above which the end is in reach",
                "ratio",
                0.1,
                3.0,
                0.86,
                "log",
                learned=Quantile("purchases_28d", 0.6, times=1.0 / LEARNING_EVENTS),
            ),
        ),
        "{learning_events:.0f} purchases in the {days_since_change:.0f} days since its budget changed",
    ),
    Rule(
        "learning_limited",
        _G,
        "decider",
        "Raises a good ad set that a week after a change is too small to have learned, towards 50 purchases in 7 days.",
        _learning_limited,
        (
            Parameter(
                "share",
                "purchases of 7 days, over 50, below which it is too small",
                "share",
                0.05,
                1.0,
                0.57,
                learned=Quantile("purchases_7d", 0.5, times=1.0 / LEARNING_EVENTS),
            ),
            Parameter(
                "purchases",
                "purchases of 28 days, below which nothing is said",
                "purchases",
                1.0,
                40.0,
                4.3,
                "log",
                learned=Enough("purchases", 0.55),
            ),
            Parameter(
                "probability",
                "least posterior probability that its ROAS of 28 days is above the target",
                "probability",
                0.5,
                0.98,
                0.71,
            ),
            Parameter("rise", "largest share that is added to the budget", "share", 0.02, 0.8, 0.21),
        ),
        "{purchases_7d:.0f} purchases in 7 days, too few to learn from, ROAS {log_roas_28d:exp} ± {sd_roas_28d:.0%}",
    ),
    Rule(
        "learning_weak",
        _G,
        "decider",
        "Cuts an ad set that a week after a change is too small to have learned and probably below the target.",
        _learning_weak,
        (
            Parameter(
                "share",
                "purchases of 7 days, over 50, below which it is too small",
                "share",
                0.05,
                1.0,
                0.53,
                learned=Quantile("purchases_7d", 0.4, times=1.0 / LEARNING_EVENTS),
            ),
            Parameter(
                "probability",
                "least posterior probability that its ROAS of 28 days is below the target",
                "probability",
                0.5,
                0.98,
                0.78,
            ),
            Parameter("cut", "share of the budget that is taken away", "share", 0.02, 0.6, 0.2),
        ),
        "{purchases_7d:.0f} purchases in 7 days, too few to learn from, ROAS {log_roas_28d:exp} ± {sd_roas_28d:.0%}",
    ),
)
