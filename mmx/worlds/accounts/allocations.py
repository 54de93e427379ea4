"""Simple daily allocations that tuned rules are compared with; all of them spend what the account's ad sets spent before."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmx.data.ads.history import METRICS, AccountHistory
from mmx.errors import ConfigError
from mmx.worlds.accounts.luck import Floats
from mmx.worlds.accounts.rollout import Windows

NAMES = ("hold", "equal", "proportional", "greedy")
MATURE_DAYS = 14
GREEDY_CAP = 2.0  # most budget of an ad set over its opening one
_SPEND, _REVENUE = METRICS.index("spend"), METRICS.index("revenue")


@dataclass(frozen=True)
class Opening:
    """What an allocation keeps: opening budgets, (ad set,), and the number of days that attribution has not finished."""

    budget: Floats
    immature_days: int


@dataclass(frozen=True)
class Allocation:
    """A batch policy that shares out the opening total of the ad sets that run.

    Attributes
    ----------
    name : {"hold", "equal", "proportional", "greedy"}
        Opening budgets; equal ones; in proportion to the revenue of the last 14 mature days; to the best ROAS of those days
        first, up to twice the opening budget each.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            near = difflib.get_close_matches(self.name, NAMES, 1, 0.0)[0]
            raise ConfigError(f"allocations are {', '.join(NAMES)}; {self.name!r} came. Did you mean {near!r}?")

    def start(self, history: AccountHistory, futures: int) -> Opening:
        """Budgets of the last day; an ad set without one is not running."""
        return Opening(np.array(history.budget[-1]), history.immature_days)

    def decide(self, windows: Windows, state: Opening) -> tuple[Floats, Any]:
        """Budgets, (future, ad set), and the unchanged state."""
        futures = len(windows.metrics)
        opening, total = state.budget, float(state.budget.sum())
        live = opening > 0.0
        if self.name == "hold":
            return np.tile(opening, (futures, 1)), state
        if self.name == "equal":
            return np.tile(total * live / max(int(live.sum()), 1), (futures, 1)), state
        end = windows.metrics.shape[1] - state.immature_days
        mature = windows.metrics[:, max(end - MATURE_DAYS, 0) : end].sum(axis=1)
        revenue, spend = mature[..., _REVENUE] * live, mature[..., _SPEND]
        if self.name == "proportional":
            brought = revenue.sum(axis=1, keepdims=True)
            share = np.where(brought > 0.0, revenue / np.where(brought > 0.0, brought, 1.0), opening / max(total, 1e-12))
            return total * share, state
        roas = np.where(spend > 0.0, revenue / np.where(spend > 0.0, spend, 1.0), 0.0)
        order = np.argsort(-np.where(live, roas, -1.0), axis=1, kind="stable")
        most = (GREEDY_CAP * opening)[order]
        given = np.clip(total - (np.cumsum(most, axis=1) - most), 0.0, most)
        budgets = np.empty_like(given)
        np.put_along_axis(budgets, order, given, axis=1)
        return budgets, state
