"""An account as a user's file: daily rows of ads as Meta's ad manager exports them, the truth beside it, and settings.

Rows of ads sum to the ad set's: impressions, reach and spend by the ads' shares, clicks by their CTR, and purchases one by one,
so that an ad's count never falls when later days restate it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmx.worlds.accounts.benchmark import elasticity, long_run, marginal_roas, oracle_allocation
from mmx.worlds.accounts.creatives import SLOTS
from mmx.worlds.accounts.customer import COVARIATES
from mmx.worlds.accounts.luck import PAST, Floats, keys_of, uniforms
from mmx.worlds.accounts.past import as_reported, known_at
from mmx.worlds.accounts.truth import fatigue_of
from mmx.worlds.accounts.world import AccountWorld, make_world

FORMAT = 1
WORLDS = {"account": "calm", "account_randomised": "randomised", "account_demand": "demand"}
_ABOUT = {
    "calm": "An advertising account whose past budgets changed rarely, by hand.",
    "randomised": "An advertising account whose past budgets took random steps every day.",
    "demand": "An advertising account whose past budgets followed demand.",
}
_ASSIGNED = 10**6  # a day that never comes: its uniforms give purchases to ads
_MOST_PURCHASES = 2**24  # of an ad set's day


@dataclass(frozen=True)
class SimulatedAccount:
    """One simulated account, in the form that ``mmx.worlds.write`` takes.

    Attributes
    ----------
    table : DataFrame
        Of ``ad_table``.
    truth : dict
        Ready for JSON.
    settings : dict
        The configuration that reads the table, without the files' names.
    world : AccountWorld
    """

    table: pd.DataFrame
    truth: dict[str, Any]
    settings: dict[str, Any]
    world: AccountWorld


def simulate_account(name: str, *, seed: int) -> SimulatedAccount:
    """Simulate one of ``WORLDS``; the settings have a name by seed, and the margin, as a customer knows it."""
    world = make_world(seed, kind=WORLDS[name])
    settings = settings_of(world, f"{name}_{seed}") | {"rules": {"margin": round(world.customer.margin, 4)}}
    return SimulatedAccount(ad_table(world, world.days), truth_of(world, name), settings, world)


def ad_table(world: AccountWorld, day: int) -> pd.DataFrame:
    """Daily rows of the ads that were shown before a day, as reported on its morning, with the columns of a Meta export.

    ``Ad set budget`` is the budget that held; where the platform splits a campaign's, the ad set's part of it. ``Reach`` is
    missing where the platform does not tell it.
    """
    truth, now = world.truth, world.past.day
    share = truth.creatives.share[:day]
    impressions = _shared(now.impressions[:day], share)
    shown = np.where(truth.creatives.new[:day], 0.0, np.concatenate([state.shown for state in world.past.states[:day]]))
    worn = fatigue_of(truth, shown / truth.audience[:, None])
    by_click = share * truth.creatives.quality[:day] * worn * (impressions > 0.0)
    spend = _shared(np.rint(now.spend[:day] * 100.0), share) / 100.0
    purchases, revenue = as_reported(truth, world.past, day)
    bought = _assigned(world, purchases, by_click)
    at = np.nonzero((impressions > 0.0) | (spend > 0.0))
    days, sets, slots = at
    columns: dict[str, Any] = {
        "Day": truth.calendar.dates[days].astype("datetime64[s]"),
        "Account name": world.name,
        "Campaign name": [f"campaign_{c + 1}" for c in truth.campaign_of[sets]],
        "Ad set name": [f"adset_{a + 1:02d}" for a in sets],
        "Ad name": [
            f"adset_{a + 1:02d} ad_{'abc'[s]}{n:02d}" for a, s, n in zip(sets, slots, truth.creatives.number[at], strict=True)
        ],
        "Amount spent (EUR)": np.round(spend[at], 2),
        "Impressions": impressions[at].astype(np.int64),
        "Reach": _shared(now.reach[:day], share)[at].astype(np.int64),
        "Link clicks": _shared(now.clicks[:day], by_click)[at].astype(np.int64),
        "Purchases": bought[at].astype(np.int64),
        "Purchases conversion value": np.round(_shared(np.rint(revenue * 100.0), bought)[at] / 100.0, 2),
        "Ad set budget": np.round(now.budget[days, sets], 2),
    }
    if world.customer.platform == "google":
        del columns["Reach"]
    return pd.DataFrame(columns)


def settings_of(world: AccountWorld, name: str) -> dict[str, Any]:
    """Return the settings that read an account's table, without ``ads.files``."""
    return {
        "name": name,
        "ads": {
            "schema": "meta_export",
            "platform": world.customer.platform,
            "currency": "EUR",
            "budget": "column",
            "immature_days": world.truth.immature_days,
            "delay_curve": [round(float(share), 4) for share in world.truth.delay],
        },
    }


def truth_of(world: AccountWorld, name: str) -> dict[str, Any]:
    """Truth of an account as plain numbers: customer, calendar, and each ad set's response at its last budgets."""
    truth, calendar, customer = world.truth, world.truth.calendar, world.customer
    known, history = known_at(truth, world.days), world.history()
    budgets = history.budget[-1]
    response = long_run(world, budgets)
    best = oracle_allocation(world, float(budgets.sum()))
    at_best = long_run(world, best)
    slope, bend = marginal_roas(world, budgets), elasticity(world, budgets)
    out = np.argwhere(calendar.stock[: world.days] < 1.0)
    return {
        "format": FORMAT,
        "world": name,
        "about": _ABOUT[world.kind],
        "seed": world.seed,
        "kind": world.kind,
        "customer": {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in vars(customer).items()
            if key not in ("number", "covariates")
        },
        "covariates": dict(zip(COVARIATES, customer.covariates.tolist(), strict=True)),
        "promotions": [str(date) for date in calendar.dates[: world.days][calendar.promotion[: world.days]]],
        "stock_outs": [{"date": str(calendar.dates[t]), "campaign": f"campaign_{c + 1}"} for t, c in out],
        "lost_tracking": [str(date) for date in calendar.dates[: world.days][calendar.tracking[: world.days] < 1.0]],
        "margin": customer.margin,
        "ad_sets": {
            adset: {
                "campaign": f"campaign_{truth.campaign_of[a] + 1}",
                "campaign_budget": bool(truth.campaign_budget[a]),
                "ended": bool(truth.last_day[a] < world.days),
                "budget": float(budgets[i]),
                "spend": float(response.spend[i]),
                "revenue": float(response.revenue[i]),
                "marginal_roas": _number(slope[i]),
                "elasticity": _number(bend[i]),
                "best_budget": float(best[i]),
            }
            for i, (a, adset) in enumerate(zip(known, history.adsets, strict=True))
        },
        "best_plan": {
            "total": float(budgets.sum()),
            "profit": float(customer.margin * at_best.revenue.sum() - at_best.spend.sum()),
            "current_profit": float(customer.margin * response.revenue.sum() - response.spend.sum()),
        },
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shared(total: Floats, weight: Floats) -> Floats:
    """Share out whole numbers, (...), by weights, (..., slot), so that they sum to them."""
    whole = weight.sum(axis=-1, keepdims=True)
    edge = np.rint(total[..., None] * np.cumsum(weight, axis=-1) / np.where(whole > 0.0, whole, 1.0))
    return np.diff(edge, axis=-1, prepend=0.0)


def _assigned(world: AccountWorld, purchases: Floats, weight: Floats) -> Floats:
    """Purchases by ad, (day, ad set, slot): each purchase of a day belongs to one ad, whenever it is reported."""
    count = purchases.astype(np.int64).ravel()
    cell = np.repeat(np.arange(count.size), count)
    order = np.arange(cell.size) - np.repeat(np.cumsum(count) - count, count)
    draw = uniforms(keys_of(world.seed, [PAST]), _ASSIGNED, cell * _MOST_PURCHASES + order)[0, 0]
    cumulative = np.cumsum(weight, axis=-1).reshape(count.size, SLOTS)[cell]
    slot = (draw[:, None] * cumulative[:, -1:] >= cumulative[:, :-1]).sum(axis=1)
    return np.bincount(cell * SLOTS + slot, minlength=count.size * SLOTS).reshape(weight.shape).astype(np.float64)
