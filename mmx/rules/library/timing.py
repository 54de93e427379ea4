"""Time and calendars: what weekdays and seasons were learned to bring, promotions, and stock."""

from __future__ import annotations

from typing import Any

from mmx.jax_setup import jnp
from mmx.rules.parameters import Parameter
from mmx.rules.rule import Rule, View


def _weekday(v: View, p: View, money: Any) -> Any:
    return money * jnp.exp(p.strength * v.weekday_effect)


def _season(v: View, p: View, money: Any) -> Any:
    return money * jnp.exp(p.strength * v.season_effect)


def _promotion(v: View, p: View, money: Any) -> Any:
    return money * (1.0 + p.rise * v.promotion)


def _after_promotion(v: View, p: View, money: Any) -> Any:
    return money * (1.0 - p.cut * v.promotion_ended)


def _low_stock(v: View, p: View, factor: Any) -> Any:
    short = jnp.clip(v.stock_days / p.days, 0.0, 1.0)
    return jnp.where(factor > 0.0, factor * (p.least + (1.0 - p.least) * short), factor)


_G = "time"

RULES = (
    Rule(
        "weekday",
        _G,
        "account",
        "Moves the day's money with what this weekday was learned to bring.",
        _weekday,
        (Parameter("strength", "log money per log effect", "ratio", 0.0, 1.5, 0.3),),
        "this weekday brings {weekday_effect:change} against the average",
    ),
    Rule(
        "season",
        _G,
        "account",
        "Moves the day's money with what this time of the year was learned to bring.",
        _season,
        (Parameter("strength", "log money per log effect", "ratio", 0.0, 1.5, 0.25),),
        "this season brings {season_effect:change} against the average",
    ),
    Rule(
        "promotion",
        _G,
        "account",
        "Raises the day's money on days of the promotion calendar.",
        _promotion,
        (Parameter("rise", "share that is added", "share", 0.0, 1.0, 0.16),),
        "a promotion of the calendar",
    ),
    Rule(
        "after_promotion",
        _G,
        "account",
        "Lowers the day's money on the three days after a promotion, when buyers have bought.",
        _after_promotion,
        (Parameter("cut", "share that is taken away", "share", 0.0, 0.5, 0.077),),
        "a promotion ended within three days",
    ),
    Rule(
        "low_stock",
        _G,
        "modifier",
        "Cuts an ad set that sells what will soon be sold out.",
        _low_stock,
        (
            Parameter("days", "days of stock below which it is cut", "days", 2.0, 30.0, 9.2),
            Parameter("least", "factor at no stock", "share", 0.0, 0.9, 0.28),
        ),
    ),
)
