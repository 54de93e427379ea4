"""Decline and fatigue: what was good and wears out, and what comes back."""

from __future__ import annotations

from mmx.rules.learned import Enough, Noise, Quantile
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, Verdict, View


def _creative_fatigue(v: View, p: View) -> Verdict:
    seen = (v.clicks_7d >= p.clicks) & (v.frequency >= p.frequency)
    return Verdict(seen & (v.fatigue > p.drop), 1.0 - p.cut)


def _audience_exhausted(v: View, p: View) -> Verdict:
    dearer = v.cpm_trend - v.account_cpm_trend > p.rise
    return Verdict(dearer & (v.ctr_trend < 0.0) & (v.age_days > 14.0) & (v.log_roas_14d < v.log_target), 1.0 - p.cut)


def _declining_roas(v: View, p: View) -> Verdict:
    drop = v.log_roas_28d - v.log_roas_7d
    sure = drop - p.drop > p.z * v.sd_roas_7d
    return Verdict(sure & (v.log_roas_7d < v.log_target + p.log_of_target), 1.0 - p.cut)


def _declining_conversion(v: View, p: View) -> Verdict:
    fewer = (v.cvr_trend < -p.drop) & (v.ctr_trend >= 0.0)
    return Verdict(fewer & (v.purchases_28d >= p.purchases) & (v.log_roas_7d < v.log_target), 1.0 - p.cut)


def _declining_volume(v: View, p: View) -> Verdict:
    fewer = (v.purchases_trend < -p.drop) & (v.spend_trend > -0.5 * p.drop)
    return Verdict(fewer & (v.purchases_28d >= p.purchases), 1.0 - p.cut)


def _recovering(v: View, p: View) -> Verdict:
    was_cut = v.budget_change < -p.cut_before
    better = v.log_roas_7d - v.log_roas_28d > p.rise_of_roas
    return Verdict(was_cut & better & (v.log_roas_7d > v.log_target), 1.0 + p.rise)


_G = "decline"
_CUT = "share of the budget that is taken away"
_PURCHASES = "purchases of 28 days, below which nothing is said"

RULES = (
    Rule(
        "creative_fatigue",
        _G,
        "decider",
        "Cuts an ad set whose people have seen its ads often and click less and less.",
        _creative_fatigue,
        (
            Parameter(
                "drop",
                "fall of the CTR of 7 days against the three weeks before",
                "share",
                0.05,
                0.6,
                0.1,
                learned=Quantile("fatigue", 0.9),
            ),
            Parameter(
                "frequency",
                "impressions per person and day in 7 days, below which nothing is said",
                "ratio",
                1.0,
                4.0,
                1.1,
                learned=Quantile("frequency", 0.6),
            ),
            Parameter(
                "clicks",
                "clicks of 7 days, below which nothing is said",
                "clicks",
                20.0,
                2000.0,
                60.0,
                "log",
                learned=Enough("clicks", 0.1),
            ),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.15),
        ),
        "CTR fell by {fatigue:.0%} against the three weeks before, at a frequency of {frequency:.2f}",
    ),
    Rule(
        "audience_exhausted",
        _G,
        "decider",
        "Cuts one below the target, over 14 days old, whose impressions grow dearer than the account's and are clicked less.",
        _audience_exhausted,
        (
            Parameter(
                "rise",
                "log CPM of 7 over 28 days, above the account's",
                "log ratio",
                0.02,
                0.5,
                0.068,
                learned=Quantile("cpm_trend - account_cpm_trend", 0.85),
            ),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.11),
        ),
        "CPM rose by {cpm_trend:+.0%} (log, 7 over 28 days), the account's by {account_cpm_trend:+.0%}; CTR {ctr_trend:+.0%}",
    ),
    Rule(
        "declining_roas",
        _G,
        "decider",
        "Cuts an ad set whose ROAS of a week lies surely below that of four.",
        _declining_roas,
        (
            Parameter(
                "drop",
                "fall of log ROAS, 7 against 28 days",
                "log ratio",
                0.0,
                1.0,
                0.15,
                learned=Noise("log_roas_28d - log_roas_7d", 0.7),
            ),
            Parameter("probability", "least posterior probability of that fall", "probability", 0.5, 0.99, 0.76),
            Parameter("of_target", "ROAS of 7 days, over the target, above which it may fall", "ratio", 0.7, 3.0, 1.2, "log"),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.19),
        ),
        "ROAS fell from {log_roas_28d:exp} over 28 days to {log_roas_7d:exp} ± {sd_roas_7d:.0%} over 7",
    ),
    Rule(
        "declining_conversion",
        _G,
        "decider",
        "Cuts an ad set below the target that is clicked as often as before while fewer of the clicks buy.",
        _declining_conversion,
        (
            Parameter(
                "drop",
                "fall of log CVR, 7 against 28 days",
                "log ratio",
                0.05,
                1.0,
                0.16,
                learned=Quantile("cvr_trend", 0.15, times=-1.0),
            ),
            Parameter("purchases", _PURCHASES, "purchases", 4.0, 150.0, 15.0, "log", learned=Enough("purchases", 0.28)),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.17),
        ),
        "CVR changed by {cvr_trend:+.0%} (log, 7 over 28 days) while CTR changed by {ctr_trend:+.0%}",
    ),
    Rule(
        "declining_volume",
        _G,
        "decider",
        "Cuts an ad set that sells less and less while its spend falls by less than half as much.",
        _declining_volume,
        (
            Parameter(
                "drop",
                "fall of log purchases a day, 7 against 28 days",
                "log ratio",
                0.05,
                1.2,
                0.38,
                learned=Quantile("purchases_trend", 0.1, times=-1.0),
            ),
            Parameter("purchases", _PURCHASES, "purchases", 4.0, 150.0, 24.0, "log", learned=Enough("purchases", 0.28)),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.099),
        ),
        "purchases a day changed by {purchases_trend:+.0%} (log, 7 over 28 days), spend by {spend_trend:+.0%}",
    ),
    Rule(
        "recovering",
        _G,
        "decider",
        "Gives back to an ad set that was cut within a week and whose ROAS of 7 days is above the target again.",
        _recovering,
        (
            Parameter("cut_before", "fall of the log budget within 7 days", "log ratio", 0.02, 0.7, 0.1),
            Parameter(
                "rise_of_roas",
                "rise of log ROAS, 7 against 28 days",
                "log ratio",
                0.0,
                0.8,
                0.088,
                learned=Noise("log_roas_7d - log_roas_28d", 0.4),
            ),
            Parameter("rise", "share that is added to the budget", "share", 0.02, 0.6, 0.17),
        ),
        "budget changed by {budget_change:change} in 7 days, ROAS {log_roas_7d:exp} against {log_roas_28d:exp} over 28",
    ),
)
