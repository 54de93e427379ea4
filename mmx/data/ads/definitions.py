"""Every feature of an ad, ad set, campaign or account on a date, as data: what it means, its unit, and its formula.

A feature of date D is computed from days up to t = D - 1. With m immature days, attributed metrics (purchases, revenue, and
what is divided by or into them) are summed over windows that end at t - m, all others at t. Days without a row count
zero. A ratio without a denominator is NaN, and so is the logarithm of a ratio of which one side is zero.

Formulas are SQL over the sums of ``windows.py``: ``s`` is the entity's own, ``p`` its parent's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WINDOWS = (1, 3, 7, 14, 28)
ALL = ("account", "campaign", "adset", "ad")
WITH_BUDGET = ("account", "campaign", "adset")
WITH_PARENT = ("campaign", "adset", "ad")
WITH_ORDERS = ("account", "campaign")


@dataclass(frozen=True)
class Feature:
    """One column of the feature tables.

    Attributes
    ----------
    name, meaning, unit : str
    formula : str
        SQL.
    levels : tuple of str
        Which entities have it.
    orders : bool
        Whether it needs the shop's orders.
    """

    name: str
    meaning: str
    unit: str
    formula: str
    levels: tuple[str, ...] = field(default=ALL)
    orders: bool = False


def _sums() -> list[Feature]:
    raw = {"spend": "currency", "impressions": "count", "clicks": "count", "reach": "people"}
    mature = {"purchases": "count", "revenue": "currency", "mature_spend": "currency", "mature_clicks": "count"}
    words = {"mature_spend": "spend over the days of purchases_{w}d", "mature_clicks": "clicks over the days of purchases_{w}d"}
    out = []
    for w in WINDOWS:
        for name, unit in raw.items():
            added = ", reach of each day added up" if name == "reach" else ""
            out.append(Feature(f"{name}_{w}d", f"{name} of the last {w} days{added}", unit, f"s.{name}_{w}d"))
        for name, unit in mature.items():
            meaning = words.get(name, f"{name} of the last {w} mature days").format(w=w)
            out.append(Feature(f"{name}_{w}d", meaning, unit, f"s.{name}_{w}d"))
    return out


def _ratios() -> list[Feature]:
    kinds = (
        ("ctr", "clicks", "impressions", "share", "clicks over impressions"),
        ("cpc", "spend", "clicks", "currency", "spend over clicks"),
        ("cpm", "spend", "impressions", "currency", "spend over thousand impressions"),
        ("cvr", "purchases", "mature_clicks", "share", "purchases over clicks, mature days"),
        ("aov", "revenue", "purchases", "currency", "revenue over purchases, mature days"),
        ("cpa", "mature_spend", "purchases", "currency", "spend over purchases, mature days"),
        ("roas", "revenue", "mature_spend", "ratio", "revenue over spend, mature days"),
    )
    out = []
    for w in WINDOWS:
        for name, above, below, unit, words in kinds:
            thousand = "1000 * " if name == "cpm" else ""
            formula = f"ratio({thousand}s.{above}_{w}d, s.{below}_{w}d)"
            out.append(Feature(f"{name}_{w}d", f"{words}, of {w} days", unit, formula))
    return out


# A ratio as its two sums: of (numerator, denominator) over a number of days.
_PARTS = {
    "ctr": ("clicks", "impressions"),
    "cpc": ("spend", "clicks"),
    "cpm": ("spend", "impressions"),
    "cvr": ("purchases", "mature_clicks"),
    "cpa": ("mature_spend", "purchases"),
    "roas": ("revenue", "mature_spend"),
}


def _quotient(name: str, days: int, of: str = "s") -> str:
    above, below = _PARTS[name]
    return f"ratio({of}.{above}_{days}d, {of}.{below}_{days}d)"


def _trends() -> list[Feature]:
    out = [
        Feature(f"{n}_trend", f"{n} of 7 days against 28", "log ratio", f"log_ratio({_quotient(n, 7)}, {_quotient(n, 28)})")
        for n in ("roas", "cvr", "cpa", "ctr", "cpc", "cpm")
    ]
    for n in ("spend", "purchases"):
        out.append(
            Feature(f"{n}_trend", f"{n} a day, 7 days against 28", "log ratio", f"log_ratio(s.{n}_7d / 7, s.{n}_28d / 28)")
        )
    for n, days in (("spend", "last"), ("revenue", "mature")):
        meaning = f"standard deviation over mean of daily {n}, 14 {days} days"
        out.append(Feature(f"{n}_volatility", meaning, "ratio", f"ratio(s.{n}_sd, s.{n}_14d / 14)"))
    return out


def _relatives() -> list[Feature]:
    out = [
        Feature(f"{n}_share", f"own {n} over the parent's, {w} days", "share", f"ratio(s.{n}_{w}d, p.{n}_{w}d)", WITH_PARENT)
        for n, w in (("spend", 7), ("purchases", 14), ("revenue", 14))
    ]
    for n, w in (("roas", 14), ("cpa", 14), ("cvr", 14), ("ctr", 7), ("cpc", 7), ("cpm", 7)):
        formula = f"ratio({_quotient(n, w)}, {_quotient(n, w, 'p')})"
        out.append(Feature(f"{n}_relative", f"own {n} over the parent's, {w} days", "ratio", formula, WITH_PARENT))
    return out


_BUDGETS = (
    Feature("budget", "daily budget of the last day", "currency", "s.budget", WITH_BUDGET),
    Feature("budget_7d", "budgets of the last 7 days", "currency", "s.budget_7d", WITH_BUDGET),
    Feature("utilisation", "spend over budget, 7 days", "share", "ratio(s.spend_7d, s.budget_7d)", WITH_BUDGET),
    Feature("budget_change", "budget against 7 days before", "log ratio", "log_ratio(s.budget, s.budget_before)", WITH_BUDGET),
    Feature(
        "days_since_change",
        "days since the budget moved by more than 1 % in a day; its age where it never did",
        "days",
        "s.days_since_change",
        WITH_BUDGET,
    ),
    Feature(
        "learning_events",
        "purchases reported so far since the last change of budget, at most 7 days",
        "count",
        "s.learning_events",
        WITH_BUDGET,
    ),
)
_STATE = (
    Feature("age_days", "days since the first row, that day counted", "days", "s.age_days"),
    Feature("active_days", "days with spend of the last 28", "days", "s.active_days"),
    Feature("frequency", "impressions over reach, 7 days", "ratio", "ratio(s.impressions_7d, s.reach_7d)"),
    Feature(
        "fatigue",
        "1 less CTR of 7 days over that of the 21 before; 0 where there is none",
        "share",
        "CASE WHEN s.impressions_7d > 0 AND s.clicks_prior > 0 "
        "THEN 1 - (s.clicks_7d / s.impressions_7d) / (s.clicks_prior / s.impressions_prior) ELSE 0 END",
    ),
    Feature(
        "spend_since_purchase",
        "spend since the last mature day with a purchase, at most 28",
        "currency",
        "s.spend_since_purchase",
    ),
    Feature("attribution_maturity", "expected share of 7 days' purchases that is reported", "share", "maturity()"),
)
_TIME = (
    Feature("weekday", "0 Monday to 6 Sunday, of the date", "day", "isodow(s.date) - 1"),
    Feature("season_sin", "sine of the day of the year", "ratio", "sin(2 * pi() * dayofyear(s.date) / 365.25)"),
    Feature("season_cos", "cosine of the day of the year", "ratio", "cos(2 * pi() * dayofyear(s.date) / 365.25)"),
    Feature("month_day", "day of the month, of the date", "day", "day(s.date)"),
    Feature("month_days", "days of the month", "days", "day(last_day(s.date))"),
    Feature("month_spend", "own spend of the month so far", "currency", "s.month_spend"),
    Feature(
        "month_pacing",
        "spend of the month over its budget's share by days",
        "ratio",
        "ratio(s.month_spend, month_budget() * (day(s.date) - 1) / day(last_day(s.date)))",
        ("account",),
    ),
)


def _orders() -> list[Feature]:
    out = []
    for w in WINDOWS:
        meaning = f"revenue of the shop's orders, last {w} days"
        out.append(Feature(f"shop_revenue_{w}d", meaning, "currency", f"s.shop_revenue_{w}d", WITH_ORDERS, True))
        formula = f"ratio(s.shop_revenue_{w}d, s.spend_{w}d)"
        out.append(Feature(f"shop_roas_{w}d", f"shop_revenue_{w}d over spend", "ratio", formula, WITH_ORDERS, True))
    return out


FEATURES: tuple[Feature, ...] = (
    *_sums(),
    *_ratios(),
    *_trends(),
    *_relatives(),
    *_BUDGETS,
    *_STATE,
    *_TIME,
    *_orders(),
)


def features_of(level: str, orders: bool) -> tuple[Feature, ...]:
    """Features that entities of a level have.

    Parameters
    ----------
    level : str
    orders : bool
        Whether there are orders of the shop.
    """
    return tuple(f for f in FEATURES if level in f.levels and (orders or not f.orders))
