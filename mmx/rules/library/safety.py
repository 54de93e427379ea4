"""Safety: money that buys nothing is stopped, and what was stopped gets a way back."""

from __future__ import annotations

from mmx.jax_setup import jnp
from mmx.rules.context import LEAST
from mmx.rules.learned import Enough, Quantile, Waiting
from mmx.rules.parameters import Parameter
from mmx.rules.rule import ACTIVE, FROZEN, PROBING, Rule, Verdict, View


def _missing_tracking(v: View, p: View) -> Verdict:
    enough = v.account_expected_3d > p.expected
    missing = v.account_purchases_3d < p.share * v.account_expected_3d
    return Verdict(enough & missing & (v.phase == ACTIVE), 1.0, fixed=True)


def _hold_frozen(v: View, p: View) -> Verdict:
    wait = p.days * (1.0 + p.longer * v.failures)
    return Verdict((v.phase == FROZEN) & (v.days_in_phase < wait), 0.0)


def _probe(v: View, p: View) -> Verdict:
    money = jnp.maximum(p.share * v.before, v.minimum)
    return Verdict(v.phase == FROZEN, money / jnp.maximum(v.budget, LEAST), phase=PROBING)


def _hold_probe(v: View, p: View) -> Verdict:
    return Verdict((v.phase == PROBING) & (v.days_in_phase < p.days), 1.0, fixed=True)


def _release_probe(v: View, p: View) -> Verdict:
    good = v.log_roas_7d - v.log_target - p.log_of_target > p.z * v.sd_roas_7d
    money = p.share * v.before
    return Verdict((v.phase == PROBING) & good, money / jnp.maximum(v.budget, LEAST), phase=ACTIVE)


def _end_probe(v: View, p: View) -> Verdict:
    over = v.days_in_phase >= p.days
    bad = v.log_target - v.log_roas_7d > p.z * v.sd_roas_7d
    return Verdict((v.phase == PROBING) & (over | bad), 0.0, phase=FROZEN)


def _freeze_without_purchase(v: View, p: View) -> Verdict:
    silent = (v.purchases_3d == 0.0) & (v.spend_since_purchase > p.costs * v.cpa_expected)
    return Verdict(silent, 0.0, phase=FROZEN)


def _freeze_low_roas(v: View, p: View) -> Verdict:
    below = v.log_target + p.log_of_target - v.log_roas_28d > p.z * v.sd_roas_28d
    return Verdict(below & (v.mature_spend_28d > p.costs * v.cpa_expected), 0.0, phase=FROZEN)


def _cut_cost_jump(v: View, p: View) -> Verdict:
    jump = v.cpa_3d > p.ratio * v.cpa_28d
    silent = (v.purchases_3d == 0.0) & (v.mature_spend_3d > p.ratio * v.cpa_28d)
    enough = v.purchases_28d >= p.purchases
    return Verdict((jump | silent) & enough, 1.0 - p.cut)


def _cut_overdelivery(v: View, p: View) -> Verdict:
    over = v.spend_7d > p.ratio * v.budget_7d
    return Verdict(over & (v.log_roas_14d < v.log_target), 1.0 - p.cut)


def _not_delivering(v: View, p: View) -> Verdict:
    idle = v.spend_3d < p.share * v.budget_3d
    return Verdict(idle & (v.age_days > p.days), 1.0 - p.cut)


_G = "safety"
_CUT = "share of the budget that is taken away"
_PROBABILITY = "least posterior probability"

RULES = (
    Rule(
        "missing_tracking",
        _G,
        "decider",
        "Leaves all budgets alone when the account's purchases stop while clicks go on: a fault of tracking, not of ads.",
        _missing_tracking,
        (
            Parameter(
                "share",
                "purchases over those that clicks let expect, below which tracking is doubted",
                "share",
                0.02,
                0.6,
                0.23,
            ),
            Parameter(
                "expected",
                "expected purchases of three days, below which nothing is said",
                "purchases",
                3.0,
                80.0,
                12.0,
                "log",
                learned=Enough("purchases", 0.35),
            ),
        ),
        "the account shows {account_purchases_3d:.0f} purchases in 3 days where its clicks promise {account_expected_3d:.0f}",
    ),
    Rule(
        "hold_frozen",
        _G,
        "decider",
        "Keeps a frozen ad set at nothing until it may be probed; each failed probe makes the wait longer.",
        _hold_frozen,
        (
            Parameter("days", "days before the first probe", "days", 2.0, 30.0, 4.1, "log"),
            Parameter("longer", "how much longer every failed probe makes the wait", "ratio", 0.0, 3.0, 1.2),
        ),
        "frozen for {days_in_phase:.0f} days after {failures:.0f} failed probes",
    ),
    Rule(
        "probe",
        _G,
        "decider",
        "Gives a frozen ad set that has waited a small budget, at least what the platform takes: a way back.",
        _probe,
        (Parameter("share", "budget of the probe over the budget before the freeze", "share", 0.05, 0.8, 0.17),),
        "frozen for {days_in_phase:.0f} days, long enough to try {probe__share:.0%} of its earlier budget of {before:.2f}",
    ),
    Rule(
        "hold_probe",
        _G,
        "decider",
        "Leaves a probe alone until its purchases can be seen.",
        _hold_probe,
        (Parameter("days", "days before a probe is judged", "days", 3.0, 14.0, 8.8, learned=Waiting(1.0, budget=0.3)),),
        "probing for {days_in_phase:.0f} days, not yet judged",
    ),
    Rule(
        "release_probe",
        _G,
        "decider",
        "Ends a probe well: the ad set gets a good part of its earlier budget back.",
        _release_probe,
        (
            Parameter("of_target", "ROAS of 7 days to reach, over the target", "ratio", 0.3, 1.3, 0.73),
            Parameter("probability", _PROBABILITY, "probability", 0.3, 0.95, 0.59),
            Parameter("share", "budget after it over the budget before the freeze", "share", 0.3, 1.0, 0.43),
        ),
        "the probe brought a ROAS of {log_roas_7d:exp} ± {sd_roas_7d:.0%}, the target's being {log_target:exp}",
    ),
    Rule(
        "end_probe",
        _G,
        "decider",
        "Ends a probe badly: its ROAS of 7 days is probably below the target, or many days gave no good answer.",
        _end_probe,
        (
            Parameter(
                "days",
                "days after which a probe without an answer ends",
                "days",
                8.0,
                30.0,
                14.0,
                learned=Waiting(2.0, budget=0.3),
            ),
            Parameter("probability", _PROBABILITY, "probability", 0.5, 0.99, 0.79),
        ),
        "after {days_in_phase:.0f} days of probing the ROAS is {log_roas_7d:exp} ± {sd_roas_7d:.0%}",
    ),
    Rule(
        "freeze_without_purchase",
        _G,
        "decider",
        "Freezes an ad set that sold nothing in 3 days and has spent several times a purchase's cost since it did.",
        _freeze_without_purchase,
        (
            Parameter(
                "costs",
                "spend since the last purchase over the expected cost of one",
                "ratio",
                1.5,
                12.0,
                8.2,
                "log",
                learned=Quantile("spend_since_purchase / cpa_expected", 0.98),
            ),
        ),
        "spent {spend_since_purchase:.2f} since its last purchase, where one costs {cpa_expected:.2f}",
    ),
    Rule(
        "freeze_low_roas",
        _G,
        "decider",
        "Freezes an ad set whose ROAS of 28 days is almost surely far below the target.",
        _freeze_low_roas,
        (
            Parameter(
                "of_target",
                "ROAS, over the target, below which it is frozen",
                "ratio",
                0.2,
                0.9,
                0.54,
                learned=Quantile("log_roas_28d - log_target", 0.03, exp=True),
            ),
            Parameter("probability", _PROBABILITY, "probability", 0.6, 0.995, 0.81),
            Parameter(
                "costs",
                "spend of 28 days over the cost of a purchase, below which nothing is said",
                "ratio",
                1.0,
                40.0,
                6.3,
                "log",
                learned=Quantile("mature_spend_28d / cpa_expected", 0.25),
            ),
        ),
        "ROAS {roas_28d:.2f} over 28 days with {purchases_28d:.0f} purchases, estimated {log_roas_28d:exp} ± {sd_roas_28d:.0%}",
    ),
    Rule(
        "cut_cost_jump",
        _G,
        "decider",
        "Cuts when a purchase costs far more within days, or as much is spent without one, before averages show it.",
        _cut_cost_jump,
        (
            Parameter(
                "ratio",
                "CPA of 3 days over that of 28",
                "ratio",
                1.3,
                8.0,
                2.7,
                "log",
                learned=Quantile("cpa_3d / cpa_28d", 0.95),
            ),
            Parameter(
                "purchases",
                "purchases of 28 days, below which nothing is said",
                "purchases",
                3.0,
                100.0,
                14.0,
                "log",
                learned=Enough("purchases", 0.33),
            ),
            Parameter("cut", _CUT, "share", 0.05, 0.7, 0.31),
        ),
        "{purchases_3d:.0f} purchases for {mature_spend_3d:.2f} in 3 days, where one cost {cpa_28d:.2f} over 28 days",
    ),
    Rule(
        "cut_overdelivery",
        _G,
        "decider",
        "Cuts an ad set that the platform overspends while its ROAS of 14 days is below the target.",
        _cut_overdelivery,
        (
            Parameter("ratio", "spend over budget of 7 days", "ratio", 1.0, 1.7, 1.1, learned=Quantile("utilisation", 0.95)),
            Parameter("cut", _CUT, "share", 0.02, 0.6, 0.15),
        ),
        "spent {spend_7d:.2f} in 7 days of budgets of {budget_7d:.2f}, at a ROAS of {log_roas_14d:exp}",
    ),
    Rule(
        "not_delivering",
        _G,
        "decider",
        "Takes back the budget of an ad set that hardly spends any of it.",
        _not_delivering,
        (
            Parameter(
                "share", "spend over budget of 3 days", "share", 0.05, 0.7, 0.6, learned=Quantile("spend_3d / budget_3d", 0.03)
            ),
            Parameter("days", "age below which nothing is said", "days", 1.0, 14.0, 3.5),
            Parameter("cut", _CUT, "share", 0.05, 0.8, 0.44),
        ),
        "spent {spend_3d:.2f} of {budget_3d:.2f} in 3 days",
    ),
)
