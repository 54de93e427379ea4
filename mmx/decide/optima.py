"""The best plan of each posterior draw, as if that draw were known to be true: how far the advice itself is known.

Plans are mixtures of a menu of amounts (``mmx.decide.menu``), so that all draws are answered at once. Curves that are not
concave count with their concave hulls, whose plan may bring some percent less than the draw's best, and minimum commitments and
steps with mixtures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.menu import Menu, menu_of
from mmx.decide.problem import Index, Problem, Response, is_total
from mmx.decide.replan import best_plans
from mmx.errors import DecisionError


@dataclass(frozen=True)
class Optima:
    """Best plans of draws.

    Attributes
    ----------
    money : array, (sample, group), money
    channels : array of int, (group,)
        Channel of each group of cells that can move.
    fixed : array, (channel,), money
        Of cells that cannot.
    value : array, (sample,), money
        KPI money of each plan under its own draw.
    """

    money: Floats
    channels: Index
    fixed: Floats
    value: Floats

    def by_channel(self) -> Floats:
        """Money, (sample, channel)."""
        member = (self.channels[:, None] == np.arange(len(self.fixed))).astype(float)
        total: Floats = self.money @ member + self.fixed
        return total


def optima(problem: Problem, response: Response, money: Floats, channels: Index) -> Optima:
    """Best plan of each draw.

    Parameters
    ----------
    problem : Problem
    response : Response
    money : array, (cell,), money
        An allowed plan, around which the menu is finest.
    channels : array of int, (cell,)
    """
    menu = menu_of(problem, response, money, channels)
    shares = best_plans(menu, menu.gain)
    fixed = np.bincount(channels, weights=np.where(menu.groups < 0, money, 0.0), minlength=int(channels.max()) + 1)
    spent = np.einsum("sgp,gp->sg", shares, menu.spend)
    value = response.value(money).sum(axis=1) + np.einsum("sgp,sgp->s", shares, menu.gain)
    return Optima(spent, menu.channels, fixed, value)


@dataclass(frozen=True)
class MeanCurves:
    """A menu with what its amounts bring in the mean, for many quick answers to questions that differ a little."""

    menu: Menu

    def best(self, budget: float, channel: int, factor: float) -> Floats | None:
        """Money by channel of the best plan; None where no plan is allowed.

        Parameters
        ----------
        budget : float
            Factor on a total.
        channel : int
        factor : float
            On the effect of this channel.
        """
        problem = self.menu.problem
        rows = tuple(replace(r, low=r.low * budget, high=r.high * budget) if is_total(r) else r for r in problem.rows)
        menu = replace(self.menu, problem=replace(problem, rows=rows))
        mean = menu.gain.mean(axis=0) * np.where(menu.channels == channel, factor, 1.0)[:, None]
        total = menu.problem.total
        if total is not None and not self._reaches(total.low, total.high, float(total.weights[0])):
            return None
        try:
            shares = best_plans(menu, mean[None])[0]
        except DecisionError:
            return None
        return np.bincount(menu.channels, weights=(shares * menu.spend).sum(axis=1))

    def _reaches(self, low: float, high: float, weight: float) -> bool:
        least, most = self.menu.fixed + self.menu.spend[:, 0].sum(), self.menu.fixed + self.menu.spend[:, -1].sum()
        return bool(low / weight <= most * (1 + 1e-9) and high / weight >= least * (1 - 1e-9))
