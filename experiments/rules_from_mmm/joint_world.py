"""One world that both halves of mmx look at: an advertising account, and the shop whose channel ``search`` that account is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmx.budget_settings import BudgetSettings
from mmx.config import read_config
from mmx.data.ads.history import weekdays
from mmx.worlds import SimulatedAccount, write
from mmx.worlds.accounts import AccountWorld, draw_customer, make_world
from mmx.worlds.accounts.past import live_through
from mmx.worlds.accounts.table import settings_of
from mmx.worlds.draws import stream
from mmx.worlds.generate import Simulated, truth_of
from mmx.worlds.registry import CLEAN, Medium
from mmx.worlds.scene import Frame, build

CHANNEL = "search"
WEEK = 7


@dataclass(frozen=True)
class Joint:
    """An account and its shop.

    Attributes
    ----------
    account : AccountWorld
    day : int
        The day that rules decide about: the Monday after the shop's last week.
    shop : Simulated
        Weekly table with the account's spend as channel ``search``, and revenue that holds what the account truly brought.
    rows : slice
        Days of the shop's table.
    share : float
        Of the account's true revenue that would not have come without it.
    """

    account: AccountWorld
    day: int
    shop: Simulated
    rows: slice
    share: float

    @property
    def true_incrementality(self) -> float:
        """What the account truly brought in the shop's weeks over what the platform ends up reporting for them."""
        now = self.account.past.day
        bought, seen = now.purchases[self.rows], now.tracked[self.rows]
        reported = now.revenue[self.rows] * np.where(bought > 0.0, seen / np.where(bought > 0.0, bought, 1.0), 0.0)
        return float(self.share * now.revenue[self.rows].sum() / reported.sum())

    def roas(self, first: int, last: int) -> float:
        """True ROAS of the channel in weeks ``first`` to ``last`` (exclusive) of the shop's table."""
        spend, revenue = _weekly(self.account, self.rows)
        return float(self.share * revenue[first:last].sum() / spend[first:last].sum())

    def write(self, folder: Path, tests: list[dict[str, Any]], layers: dict[str, Any]) -> tuple[Path, Path]:
        """Write tables, truth and configurations as a user has them; returns the configurations of account and shop.

        ``layers`` has ``rules`` of the account's configuration, and ``sampler`` and ``budget`` of the shop's.
        """
        made = self.account
        about = {"about": "The account of a joint world.", "seed": made.seed}
        rules = {"margin": round(made.customer.margin, 4), "channel": CHANNEL} | layers["rules"]
        own = {"rules": rules, "tracking": {"uri": None}, "output": {"dir": str(folder / "runs")}}
        account = SimulatedAccount(made.ad_table(self.day), about, settings_of(made, "account") | own, made)
        shop = {"model": {"lift_tests": tests}, "tracking": {"uri": None}}
        settings = self.shop.settings | shop | {name: layers[name] for name in ("sampler", "budget")}
        return write(account, folder / "account.csv")[2], write(replace(self.shop, settings=settings), folder / "shop.csv")[2]


def make_joint(seed: int, settings: dict[str, Any], *, swings: float) -> Joint:
    """Simulate an account and its shop.

    Parameters
    ----------
    seed : int
    settings : dict
        ``weeks``, ``horizon`` in days, ``share``, ``media`` (what other channels' levels are over the account's weekly spend)
        and ``customer`` (what differs from the population's draw).
    swings : float
        Standard deviation of the log of the account's whole budget, which is set anew every few weeks; 0: nobody moves it.
    """
    customer = replace(draw_customer(seed), **settings["customer"])
    days = WEEK * (settings["weeks"] + 1)
    account = make_world(seed, kind="randomised", customer=customer, days=days, horizon=settings["horizon"])
    if swings > 0.0:
        past = live_through(account.truth, "calm", seed, account.days, _levels(account, swings))
        account = replace(account, kind="calm", past=past)
    first = int(-weekdays(account.truth.calendar.dates[:1])[0]) % WEEK
    rows = slice(first, first + WEEK * settings["weeks"])
    return Joint(account, rows.stop, _shop(account, rows, settings, seed), rows, settings["share"])


def _levels(account: AccountWorld, swings: float) -> np.ndarray:
    """Levels of the account's whole budget (day,) that hold for four to twelve weeks."""
    rng, out = stream(account.seed, "swings"), np.ones(account.days)
    t = 0
    while t < account.days:
        length = WEEK * int(rng.integers(4, 13))
        out[t : t + length] = np.exp(swings * rng.standard_normal())
        t += length
    return out


def _weekly(account: AccountWorld, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Spend and true revenue of the account by week, (week,)."""
    day = account.past.day
    spend, revenue = (values[rows].sum(axis=1).reshape(-1, WEEK).sum(axis=1) for values in (day.spend, day.revenue))
    return spend, revenue


def _shop(account: AccountWorld, rows: slice, settings: dict[str, Any], seed: int) -> Simulated:
    """The clean world's baseline and other channels, scaled to the account, with the account's spend and what it brought."""
    spend, revenue = _weekly(account, rows)
    patterns = {medium.name: medium for medium in CLEAN.media}
    media = tuple(_scaled(patterns[name], times * spend.mean()) for name, times in settings["media"].items())
    world = replace(CLEAN, about="A shop one of whose channels is a simulated account.", media=media)
    names = [*(medium.name for medium in media), CHANNEL]
    data = {"date": "week", "target": "revenue", "currency": "EUR", "channels": {n: {"spend": f"{n}_spend"} for n in names}}
    budget: BudgetSettings = read_config({"name": "shop", "data": data}).budget
    dates = account.truth.calendar.dates[rows][::WEEK]
    scene = build(world, Frame(dates, np.ones(len(dates), dtype=bool), "money", 1.0, budget), seed=seed)
    columns: dict[str, Any] = {"week": dates.astype("datetime64[s]")}
    columns["revenue"] = np.round(scene.kpi[0] + settings["share"] * revenue, 2)
    columns |= {f"{n}_spend": scene.mechanism.spend[0, :, c] for c, n in enumerate(scene.mechanism.channels)}
    columns[f"{CHANNEL}_spend"] = np.round(spend, 2)
    truth = truth_of(scene, name="joint", seed=seed)
    return Simulated(pd.DataFrame(columns), truth, {"name": "shop", "data": data}, scene)


def _scaled(medium: Medium, level: float) -> Medium:
    return replace(medium, level=level)
