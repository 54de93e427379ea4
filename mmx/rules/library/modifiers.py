"""Modifiers: how far the factor that was decided goes."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jnp
from mmx.rules.learned import Enough, Noise, Quantile
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, View


def _stop(factor: Any, changed: Any) -> Any:
    """Modifiers leave the factors of freezes alone."""
    return jnp.where(factor > 0.0, changed, factor)


def _trend(v: View, p: View, factor: Any) -> Any:
    trend = jnp.clip(v.log_roas_7d - v.log_roas_28d, -p.most, p.most)
    return _stop(factor, factor * jnp.exp(p.strength * trend))


def _health(v: View, p: View, factor: Any) -> Any:
    clicks = jnp.log(jnp.maximum(jnp.nan_to_num(v.ctr_relative, nan=1.0), 0.05))
    conversion = jnp.log(jnp.maximum(jnp.nan_to_num(v.cvr_relative, nan=1.0), 0.05))
    score = p.clicks * clicks + (1.0 - p.clicks) * conversion
    return _stop(factor, factor * jnp.exp(p.strength * jnp.tanh(score)))


def _relative_to_parent(v: View, p: View, factor: Any) -> Any:
    return _stop(factor, factor * jnp.exp(p.strength * jnp.clip(v.log_roas_28d - v.log_campaign, -1.0, 1.0)))


def _sample_size(v: View, p: View, factor: Any) -> Any:
    trust = (v.purchases_14d + p.floor * p.purchases) / (v.purchases_14d + p.purchases)
    return _stop(factor, jnp.exp(trust * jnp.log(jnp.maximum(factor, 1e-6))))


def _budget_size(v: View, p: View, factor: Any) -> Any:
    large = jnp.maximum(v.budget / jnp.maximum(v.account_budget, 1e-9) - p.share, 0.0)
    return jnp.where(factor > 1.0, 1.0 + (factor - 1.0) * jnp.exp(-p.strength * large), factor)


def _beyond_observed(v: View, p: View, factor: Any) -> Any:
    usual = v.spend_28d / jnp.maximum(v.active_days, 1.0)
    beyond = jnp.maximum(jnp.log(jnp.maximum(v.budget, 1e-9) / jnp.maximum(usual, 1e-9)), 0.0)
    return jnp.where((factor > 1.0) & (usual > 0.0), 1.0 + (factor - 1.0) * jnp.exp(-p.strength * beyond), factor)


def _weekday_mix(v: View, p: View, factor: Any) -> Any:
    return _stop(factor, factor * jnp.exp(p.strength * v.weekday_mix))


def _campaign_budget(v: View, p: View, factor: Any) -> Any:
    weight = v.budget * v.campaign_budget * (factor > 0.0)
    total = jnp.maximum(v.member @ weight, 1e-9)
    pooled = jnp.maximum(v.member.T @ ((v.member @ (weight * factor)) / total), 1e-3)
    limited = jnp.clip(factor, pooled * (1.0 - p.limit), pooled * (1.0 + p.limit))
    return jnp.where((v.campaign_budget > 0.0) & (factor > 0.0), limited, factor)


_G = "modifiers"
_STRENGTH = "log factor per unit"

RULES = (
    Rule(
        "trend",
        _G,
        "modifier",
        "Goes further with a ROAS that rises and less far with one that falls.",
        _trend,
        (
            Parameter("strength", _STRENGTH, "ratio", 0.0, 0.6, 0.15),
            Parameter(
                "most",
                "largest trend that counts",
                "log ratio",
                0.05,
                1.0,
                0.46,
                learned=Noise("log_roas_7d - log_roas_28d", 2.0),
            ),
        ),
    ),
    Rule(
        "health",
        _G,
        "modifier",
        "Leans towards ad sets that are clicked and convert better than their campaign.",
        _health,
        (
            Parameter("strength", _STRENGTH, "ratio", 0.0, 0.4, 0.059),
            Parameter("clicks", "weight of the CTR, the rest being the CVR's", "share", 0.0, 1.0, 0.29),
        ),
    ),
    Rule(
        "relative_to_parent",
        _G,
        "modifier",
        "Leans towards ad sets whose ROAS is above their campaign's.",
        _relative_to_parent,
        (Parameter("strength", _STRENGTH, "ratio", 0.0, 0.6, 0.11),),
    ),
    Rule(
        "weekday_mix",
        _G,
        "modifier",
        "Leans towards ad sets that do better than the others on this weekday, as learned from the account's past.",
        _weekday_mix,
        (Parameter("strength", "log factor per log effect", "ratio", 0.0, 1.0, 0.14),),
    ),
    Rule(
        "budget_size",
        _G,
        "modifier",
        "Raises an ad set that already takes a large part of the account's money less far.",
        _budget_size,
        (
            Parameter(
                "share",
                "share of the account's budget above which this counts",
                "share",
                0.0,
                0.5,
                0.047,
                learned=Quantile("budget / account_budget", 0.8),
            ),
            Parameter("strength", "fall of the rise per unit of share", "ratio", 0.0, 20.0, 3.4),
        ),
    ),
    Rule(
        "beyond_observed",
        _G,
        "modifier",
        "Raises less far beyond what an ad set was seen to spend.",
        _beyond_observed,
        (Parameter("strength", "fall of the rise per log of budget over usual spend", "ratio", 0.0, 6.0, 1.1),),
    ),
    Rule(
        "sample_size",
        _G,
        "modifier",
        "Goes as far as the number of purchases lets one trust what was decided.",
        _sample_size,
        (
            Parameter(
                "purchases",
                "purchases at which half of the move is trusted",
                "purchases",
                0.2,
                60.0,
                2.7,
                "log",
                learned=Enough("revenue", 0.63),
            ),
            Parameter("floor", "part of the move that is made without any", "share", 0.0, 0.99, 0.36),
        ),
    ),
    Rule(
        "campaign_budget",
        _G,
        "modifier",
        "Moves the ad sets of a campaign with its own budget together, frozen ones apart: there they act through limits only.",
        _campaign_budget,
        (Parameter("limit", "largest distance from the campaign's factor, weighted by budgets", "share", 0.0, 0.5, 0.094),),
    ),
)
