"""The view that rules decide by: features, evidence, state, account and day under one set of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmx.jax_setup import jnp
from mmx.rules.context import starting_budget
from mmx.rules.evidence import pooled_parent, posterior_roas
from mmx.rules.features import adset_features, settled
from mmx.rules.rule import ACTIVE, FROZEN, View

if TYPE_CHECKING:
    from mmx.rules.context import Account, Day, State
    from mmx.rules.window import Window

EVIDENCE_DAYS = (7, 14, 28)
MEANINGS = {
    "log_roas_7d": "posterior mean of log ROAS over 7 mature days, incrementality included",
    "sd_roas_7d": "its standard deviation",
    "log_target": "logarithm of the target ROAS",
    "log_floor": "logarithm of the least marginal ROAS that pays",
    "log_marginal": "posterior mean of the log marginal ROAS: log ROAS of 14 days + log elasticity",
    "sd_marginal": "its standard deviation",
    "log_marginal_account": "mean of log_marginal over ad sets, weighted by mature spend of 14 days",
    "log_campaign": "log ROAS of the campaign over 28 days, pooled to the account's",
    "cpa_expected": "pooled cost per purchase of the campaign, currency",
    "campaign_size": "ad sets that exist in the campaign",
    "account_expected_3d": "purchases of three days that clicks, CVR of 28 days and delays of attribution let expect",
    "budget": "budget that a decision starts from: today's, or that before a freeze or before money ran out, currency",
    "receivers": "ad sets that a day's money can be shared out among: live, neither frozen nor probing, with a budget",
    "account_budget": "sum of these over ad sets that are not frozen, currency",
    "money": "money of the day after account rules, currency; read by guardrails",
}


def make_view(p: Any, window: Window, state: State, account: Account, day: Day, immature_days: int) -> View:
    """Everything that rules may read, for one account and day.

    Parameters
    ----------
    p : Values
        The parameters of ``evidence``: ``campaign_purchases``, ``own_purchases`` and ``overdispersion``.
    window : Window
        Days through the day before.
    state, account, day
        See ``mmx.rules.context``.
    immature_days : int
        Days that attribution needs.

    Returns
    -------
    View
        Arrays, (ad set,), and scalars, by name.
    """
    features, of_account = adset_features(
        window, state.budget, state.days_since_change, account.reported, immature_days, account.member, day.month_day
    )
    view = View(features)
    view["budget"] = starting_budget(state, account.minimum_budget)
    names = ("purchases", "revenue", "mature_spend")
    whole = {name: of_account[f"{name}_28d"] for name in names}
    sums = {name: account.member @ features[f"{name}_28d"] for name in names}
    believed = jnp.exp(jnp.mean(account.incrementality_mean, axis=0))  # the target is true revenue, orders are the platform's
    expected = (account.expected_cpa * account.target_roas / believed, account.expected_cpa)
    parent = pooled_parent(sums, whole, expected, p.campaign_purchases)
    campaign = {name: account.member.T @ value for name, value in parent.items()}
    spread = (1.0 + account.order_value_spread**2) * p.overdispersion
    counted = {}
    for days in EVIDENCE_DAYS:
        mean, counted[days] = posterior_roas(features, campaign, days, p.own_purchases, spread)
        view[f"log_roas_{days}d"] = mean + account.incrementality_mean
        view[f"sd_roas_{days}d"] = jnp.sqrt(counted[days] ** 2 + account.incrementality_sd**2)
    elasticity = jnp.maximum(account.elasticity_mean, 1e-3)
    view["log_marginal"] = view.log_roas_14d + jnp.log(elasticity)
    view["sd_marginal"] = jnp.sqrt(counted[14] ** 2 + account.floor_sd**2 + (account.elasticity_sd / elasticity) ** 2)
    view["cpa_expected"] = campaign["cpa"]
    view["log_campaign"] = jnp.log(campaign["aov"] / campaign["cpa"]) + account.incrementality_mean
    view["log_target"], view["log_floor"] = jnp.log(account.target_roas), jnp.log(account.marginal_floor)
    view.update(account_features(of_account, account))
    view.update({name: value for name, value in state._asdict().items() if name not in features})
    view.update({name: value for name, value in day._asdict().items() if name not in ("money",)})
    view["live"] = features["age_days"] >= 1.0
    view = View(settled(view))
    view["minimum"] = account.minimum_budget
    view["campaign_budget"], view["member"] = account.campaign_budget, account.member
    view["month_budget"] = account.month_budget
    view["campaign_size"] = account.member.T @ (account.member @ view.live.astype(state.budget.dtype))
    spend = features["mature_spend_14d"]
    view["log_marginal_account"] = jnp.sum(spend * view.log_marginal, axis=0) / jnp.maximum(jnp.sum(spend, axis=0), 1e-9)
    view["account_budget"] = jnp.sum(jnp.where(view.live & (view.phase != FROZEN), view.budget, 0.0), axis=0)
    view["receivers"] = jnp.sum(view.live & (view.phase == ACTIVE) & (view.budget > 0.0), axis=0).astype(state.budget.dtype)
    view["account_month_spend"] = jnp.sum(features["month_spend"], axis=0)
    return view


def account_features(account: dict[str, Any], context: Account) -> dict[str, Any]:
    """What rules read of the account as a whole: scalars."""
    share = jnp.mean(context.maturity[:3])
    expected = account["cvr_28d"] * account["clicks_3d"] * share
    return {
        "account_cvr_28d": account["cvr_28d"],
        "account_cpm_trend": account["cpm_trend"],
        "account_ctr_7d": account["ctr_7d"],
        "account_expected_3d": jnp.nan_to_num(expected),
        "account_purchases_3d": account["raw_purchases_3d"],
        "account_aov_28d": account["aov_28d"],
    }
