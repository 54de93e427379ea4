"""Pacing: the month's budget is spent over the month, neither early nor not at all."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jnp
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, View


def _even(v: View) -> Any:
    """Money of a day that spends the rest of the month evenly, at least zero."""
    left = v.month_days - v.month_day + 1.0
    return jnp.maximum(v.month_budget - v.account_month_spend, 0.0) / left


def _catch_up(v: View, p: View, money: Any) -> Any:
    even = _even(v)
    behind = jnp.isfinite(v.month_budget) & (even > money * (1.0 + p.tolerance))
    raised = jnp.minimum(money + p.speed * (jnp.where(behind, even, money) - money), money * (1.0 + p.most))
    return jnp.where(behind, raised, money)


def _slow_down(v: View, p: View, money: Any) -> Any:
    even = _even(v)
    ahead = jnp.isfinite(v.month_budget) & (even < money * (1.0 - p.tolerance))
    return jnp.where(ahead, money - p.speed * (money - jnp.where(ahead, even, money)), money)


def _month_end(v: View, p: View, money: Any) -> Any:
    rest = jnp.maximum(v.month_budget - v.account_month_spend, 0.0)
    reserve = p.reserve * jnp.where(v.month_day < v.month_days, 1.0, 0.0)
    return jnp.minimum(money, jnp.where(jnp.isfinite(rest), rest * (1.0 - reserve), jnp.inf))


_G = "pacing"
_SPEED = "part of the way to an even pace that is gone in a day"

RULES = (
    Rule(
        "catch_up",
        _G,
        "account",
        "Raises the day's money when the month's would be left over.",
        _catch_up,
        (
            Parameter("tolerance", "distance from an even pace that is left alone", "share", 0.0, 0.3, 0.037),
            Parameter("speed", _SPEED, "share", 0.05, 1.0, 0.38),
            Parameter("most", "largest rise", "share", 0.02, 1.0, 0.31),
        ),
        "{account_month_spend:.2f} of the month's {month_budget:.2f} spent before day {month_day:.0f} of {month_days:.0f}",
    ),
    Rule(
        "slow_down",
        _G,
        "account",
        "Lowers the day's money when the month's would be gone early.",
        _slow_down,
        (
            Parameter("tolerance", "distance from an even pace that is left alone", "share", 0.0, 0.3, 0.066),
            Parameter("speed", _SPEED, "share", 0.05, 1.0, 0.34),
        ),
        "{account_month_spend:.2f} of the month's {month_budget:.2f} spent before day {month_day:.0f} of {month_days:.0f}",
    ),
    Rule(
        "month_end",
        _G,
        "account",
        "Never spends more than what is left of the month's money, with some of it kept until the last day.",
        _month_end,
        (Parameter("reserve", "share of the rest that is kept before the last day", "share", 0.0, 0.5, 0.11),),
        "{account_month_spend:.2f} of the month's {month_budget:.2f} spent before day {month_day:.0f} of {month_days:.0f}",
    ),
)
