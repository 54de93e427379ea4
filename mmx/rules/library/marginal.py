"""Marginal return: what the next unit of money brings, where the response model can tell, and a smooth lean otherwise."""

from __future__ import annotations

from mmx.jax_setup import jnp
from mmx.rules.learned import Quantile
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, Verdict, View


def _marginal_raise(v: View, p: View) -> Verdict:
    pays = v.log_marginal - v.log_floor > p.z * v.sd_marginal
    return Verdict(pays & (v.utilisation >= p.utilisation), 1.0 + p.rise)


def _marginal_cut(v: View, p: View) -> Verdict:
    loses = v.log_floor - v.log_marginal > p.z * v.sd_marginal
    return Verdict(loses & (v.mature_spend_14d >= p.costs * v.cpa_expected), 1.0 - p.cut)


def _towards_equal_margins(v: View, p: View) -> Verdict:
    lean = p.lean * (v.log_marginal - v.log_marginal_account)
    return Verdict(v.mature_spend_28d >= p.costs * v.cpa_expected, jnp.exp(jnp.clip(lean, -p.most, p.most)))


def _no_evidence(v: View, p: View) -> Verdict:
    return Verdict(v.live, 1.0)


_G = "marginal return"

RULES = (
    Rule(
        "marginal_raise",
        _G,
        "decider",
        "Raises where the next unit of money is likely enough to bring more than it must.",
        _marginal_raise,
        (
            # Below one half: what is log-normal has a mean above its median.
            Parameter("probability", "least P(marginal ROAS > floor)", "probability", 0.25, 0.99, 0.35),
            Parameter(
                "utilisation", "spend over budget of 7 days", "share", 0.3, 1.1, 0.7, learned=Quantile("utilisation", 0.4)
            ),
            Parameter("rise", "share that is added to the budget", "share", 0.01, 0.6, 0.1),
        ),
        "marginal ROAS {log_marginal:exp} ± {sd_marginal:.0%}, the floor's {log_floor:exp}",
    ),
    Rule(
        "marginal_cut",
        _G,
        "decider",
        "Cuts where the next unit of money probably brings less than it must.",
        _marginal_cut,
        (
            Parameter("probability", "least P(marginal ROAS < floor)", "probability", 0.5, 0.99, 0.76),
            Parameter(
                "costs",
                "mature spend of 14 days over the cost of a purchase",
                "ratio",
                0.5,
                40.0,
                4.2,
                "log",
                learned=Quantile("mature_spend_14d / cpa_expected", 0.25),
            ),
            Parameter("cut", "share of the budget that is taken away", "share", 0.01, 0.6, 0.089),
        ),
        "marginal ROAS {log_marginal:exp} ± {sd_marginal:.0%}, the floor's {log_floor:exp}",
    ),
    Rule(
        "towards_equal_margins",
        _G,
        "decider",
        "Leans budgets towards ad sets whose marginal ROAS is above the account's.",
        _towards_equal_margins,
        (
            Parameter("lean", "log budget per log marginal ROAS", "ratio", 0.0, 1.5, 0.18),
            Parameter(
                "costs",
                "mature spend of 28 days over the cost of a purchase",
                "ratio",
                0.2,
                30.0,
                6.0,
                "log",
                learned=Quantile("mature_spend_28d / cpa_expected", 0.15),
            ),
            Parameter("most", "largest move of the log budget", "log ratio", 0.02, 0.6, 0.15),
        ),
        "marginal ROAS {log_marginal:exp}, the account's {log_marginal_account:exp}",
    ),
    Rule(
        "no_evidence",
        _G,
        "decider",
        "Leaves an ad set as it is where nothing else speaks.",
        _no_evidence,
        (),
        "{mature_spend_28d:.2f} of mature spend in 28 days says too little",
    ),
)
