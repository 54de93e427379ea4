"""Guardrails: the least and the most budget of an ad set, whatever was decided."""

from __future__ import annotations

from mmx.jax_setup import jnp
from mmx.rules.learned import Enough, Quantile
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Bounds, Rule, View

# Even shares of the others that an ad set may always take: with two others that is all the money, so that none is left over.
TWICE = 2.0


def _minimum(v: View, p: View) -> Bounds:
    mean = v.account_budget / jnp.maximum(jnp.sum(v.live, axis=0), 1.0)
    return Bounds(jnp.maximum(v.minimum, p.share * mean), jnp.inf)


def _maximum_share(v: View, p: View) -> Bounds:
    share = jnp.maximum(p.share, TWICE / jnp.maximum(v.receivers - 1.0, 1.0))
    return Bounds(0.0, jnp.maximum(share * v.money, v.budget))


def _spend_anchor(v: View, p: View) -> Bounds:
    usual = v.spend_14d / jnp.maximum(v.active_14d, 1.0)
    known = (v.age_days >= 14.0) & (usual > 0.0)
    return Bounds(0.0, jnp.where(known, p.times * usual, jnp.inf))


def _cost_anchor(v: View, p: View) -> Bounds:
    young = v.purchases_28d < p.purchases
    return Bounds(0.0, jnp.where(young, jnp.maximum(p.costs * v.cpa_expected, v.minimum), jnp.inf))


def _step_up(v: View, p: View) -> Bounds:
    return Bounds(0.0, v.budget * (1.0 + p.share))


def _step_down(v: View, p: View) -> Bounds:
    return Bounds(v.budget * (1.0 - p.share), jnp.inf)


def _cooldown(v: View, p: View) -> Bounds:
    still = v.days_since_change < p.days
    return Bounds(jnp.where(still, v.budget, 0.0), jnp.where(still, v.budget, jnp.inf))


def _not_in_decline(v: View, p: View) -> Bounds:
    worse = (v.log_roas_7d < v.log_target + p.log_of_target) & (v.purchases_28d >= p.purchases)
    return Bounds(0.0, jnp.where(worse, v.budget, jnp.inf))


_G = "guardrails"

RULES = (
    Rule(
        "minimum",
        _G,
        "guardrail",
        "No running ad set gets less than the platform takes, or than a share of the mean.",
        _minimum,
        (Parameter("share", "least budget over the account's mean", "share", 0.0, 0.8, 0.55),),
        "at least {minimum:.2f} and {minimum__share:.0%} of the mean budget",
    ),
    Rule(
        "maximum_share",
        _G,
        "guardrail",
        "No ad set is raised beyond a share of the day's money, or twice an even share of the others where that is more.",
        _maximum_share,
        (Parameter("share", "most budget over the day's money", "share", 0.05, 0.9, 0.15),),
        "no raise beyond {maximum_share__share:.0%} of {money:.2f}, or two even shares of the others ({receivers:.0f} in all)",
    ),
    Rule(
        "spend_anchor",
        _G,
        "guardrail",
        "No budget beyond what an ad set was seen to spend on a day of the last 14, times a factor.",
        _spend_anchor,
        (
            Parameter(
                "times",
                "most budget over the mean spend of the days of 14 that had any",
                "ratio",
                1.0,
                4.0,
                1.02,
                "log",
                learned=Quantile("budget / spend_14d", 0.9, times=14.0),
            ),
        ),
        "at most {spend_anchor__times:.2f} times the mean spend of {active_14d:.0f} days, which sums to {spend_14d:.2f}",
    ),
    Rule(
        "cost_anchor",
        _G,
        "guardrail",
        "No large budget before an ad set has sold a few times.",
        _cost_anchor,
        (
            Parameter(
                "purchases",
                "purchases of 28 days below which it is young",
                "purchases",
                1.0,
                40.0,
                12.0,
                "log",
                learned=Enough("purchases", 0.55),
            ),
            Parameter(
                "costs",
                "most budget a day over the cost of a purchase",
                "ratio",
                0.3,
                20.0,
                0.65,
                "log",
                learned=Quantile("budget / cpa_expected", 0.5),
            ),
        ),
        "at most {cost_anchor__costs:.1f} times what a purchase costs ({cpa_expected:.2f}) with {purchases_28d:.0f} purchases",
    ),
    Rule(
        "not_in_decline",
        _G,
        "guardrail",
        "No raise while the ROAS of a week lies below the target, whatever money is left over.",
        _not_in_decline,
        (
            Parameter("of_target", "ROAS of 7 days, over the target", "ratio", 0.3, 1.2, 0.86),
            Parameter(
                "purchases",
                "purchases of 28 days, below which nothing is said",
                "purchases",
                1.0,
                60.0,
                8.7,
                "log",
                learned=Enough("revenue", 0.45),
            ),
        ),
        "ROAS {log_roas_7d:exp} over 7 days, the target's {log_target:exp}: no raise",
    ),
    Rule(
        "step_up",
        _G,
        "guardrail",
        "No budget rises by more than a share in a day.",
        _step_up,
        (Parameter("share", "largest rise", "share", 0.05, 1.0, 0.13),),
        "at most {step_up__share:.0%} more than {budget:.2f}",
    ),
    Rule(
        "step_down",
        _G,
        "guardrail",
        "No budget falls by more than a share in a day, but for freezes.",
        _step_down,
        (Parameter("share", "largest fall", "share", 0.05, 0.9, 0.1),),
        "at most {step_down__share:.0%} less than {budget:.2f}",
    ),
    Rule(
        "cooldown",
        _G,
        "guardrail",
        "A budget that has just changed stays for some days.",
        _cooldown,
        (Parameter("days", "days after a change", "days", 0.0, 7.0, 2.9),),
        "changed {days_since_change:.0f} days ago",
    ),
)
