"""The plans within reach of today's, as a menu: for each group of cells some amounts of money, and what each brings per draw.

The cells of a group move together, on straight lines from today's plan to their bounds; one cell alone reaches all that its
bounds allow. What groups bring adds up: exactly where blocks do, else to first order around today's plan. A plan is a mixture
of the amounts of each group, so that its value is linear in the menu's, and the mean over draws under any belief is one
product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.problem import Index, Problem, Response, is_sum, is_total

SIDE = np.concatenate([np.geomspace(0.004, 0.08, 8), np.linspace(0.1, 1.0, 13)])  # Of the way from today's plan to a bound.
ALONG = np.concatenate([-SIDE[::-1], [0.0], SIDE])
TODAY = len(SIDE)  # Place of today's plan among the amounts.
SAME = 1e-9  # Room below this share of the largest amount is none.


@dataclass(frozen=True)
class Menu:
    """Amounts of groups of cells.

    Attributes
    ----------
    problem : Problem
    channels : array of int, (group,)
        Channel that each group belongs to.
    groups : array of int, (cell,)
        Group of each cell; -1 where a cell cannot move.
    amounts : array, (point, cell), money
        Growing.
    spend : array, (group, point), money
        Sums of the amounts over the cells of each group.
    gain : array, (sample, group, point), money
        Objective's money (margin times value less cost of spend) over that of today's plan.
    """

    problem: Problem
    channels: Index
    groups: Index
    amounts: Floats
    spend: Floats
    gain: Floats

    @property
    def width(self) -> Floats:
        """Money between neighbouring amounts, (group, point - 1)."""
        return np.diff(self.spend, axis=1)

    @property
    def fixed(self) -> float:
        """Money of cells that cannot move."""
        return float(self.amounts[TODAY, self.groups < 0].sum())


def menu_of(problem: Problem, response: Response, money: Floats, channels: Index) -> Menu:
    """Menu around a plan.

    Parameters
    ----------
    problem : Problem
    response : Response
    money : array, (cell,), money
        Today's plan.
    channels : array of int, (cell,)
        Cells of one channel in one block move together.
    """
    problem, low, high = _within(problem, np.asarray(response.blocks), channels, money)
    amounts = _amounts(problem, money, low, high)
    moves = amounts[-1] - amounts[0] > SAME * float(problem.high.max(initial=0.0))
    blocks = np.asarray(response.blocks)
    pairs, labels = np.unique(np.stack([blocks[moves], channels[moves]], axis=1), axis=0, return_inverse=True)
    groups = np.full(len(money), -1, dtype=np.intp)
    groups[moves] = labels.ravel()
    amounts = np.where(moves, amounts, money)
    member = (groups[:, None] == np.arange(len(pairs))).astype(float)
    spend = (amounts @ member).T
    gain = _gains(problem, response, amounts, groups, pairs[:, 0])
    gain -= problem.cost * (spend - spend[:, TODAY, None])
    return Menu(problem, pairs[:, 1].astype(np.intp), groups, amounts, spend, gain)


def _within(problem: Problem, blocks: Index, channels: Index, money: Floats) -> tuple[Problem, Floats, Floats]:
    """Ends of the lines; a row on the sum of what moves together shortens them, and is left out of the problem."""
    low, high, rows = np.minimum(problem.low, money), np.maximum(problem.high, money), []
    labels = np.unique(np.stack([blocks, channels], axis=1), axis=0, return_inverse=True)[1].ravel()
    for row in problem.rows:
        cells = np.asarray(row.weights) > 0
        together = np.isin(labels, labels[cells])
        if is_total(row) or not is_sum(row) or len(np.unique(labels[cells])) != 1 or (together & ~cells & (high > low)).any():
            rows.append(row)
            continue
        spent = float(money[cells].sum())
        down, up = spent - float(low[cells].sum()), float(high[cells].sum()) - spent
        low[cells] = money[cells] - min(max(spent - row.low, 0.0) / max(down, 1e-300), 1.0) * (money[cells] - low[cells])
        high[cells] = money[cells] + min(max(row.high - spent, 0.0) / max(up, 1e-300), 1.0) * (high[cells] - money[cells])
    return replace(problem, rows=tuple(rows)), low, high


def _amounts(problem: Problem, money: Floats, low: Floats, high: Floats) -> Floats:
    """Amounts (point, cell) from the lower to the upper ends; minimum commitments and steps are kept to."""
    along = ALONG[:, None]
    amounts = money + np.maximum(along, 0.0) * (high - money) - np.maximum(-along, 0.0) * (money - low)
    if problem.step is not None:
        step = np.where(problem.step > 0, problem.step, 1.0)
        whole = np.clip(np.round(amounts / step) * step, np.ceil(low / step) * step, np.floor(high / step) * step)
        amounts = np.where((problem.step > 0) & (along != 0), whole, amounts)
    if problem.minimum is not None:
        least = np.where(amounts < problem.minimum / 2, 0.0, np.minimum(problem.minimum, high))
        amounts = np.where((problem.minimum > 0) & (amounts < problem.minimum) & (along != 0), least, amounts)
    return np.maximum.accumulate(amounts, axis=0)


def _gains(problem: Problem, response: Response, amounts: Floats, groups: Index, blocks: Index) -> Floats:
    """Margin times value over that of today's plan, (sample, group, point); one group of every block moves at a time."""
    today = amounts[TODAY]
    base = response.value(today)
    out = np.zeros((response.samples, len(blocks), len(amounts)))
    place = np.array([int((blocks[:g] == b).sum()) for g, b in enumerate(blocks)], dtype=np.intp)
    for turn in range(int(place.max(initial=-1)) + 1):
        moving = np.flatnonzero(place == turn)
        at = np.isin(groups, moving)
        for k in range(len(amounts)):
            if k != TODAY:
                value = response.value(np.where(at, amounts[k], today))
                out[:, moving, k] = problem.margin * (value - base)[:, blocks[moving]]
    return out


def simple(problem: Problem) -> bool:
    """Whether nothing but the total and bounds limits a plan."""
    return all(is_total(row) for row in problem.rows)
