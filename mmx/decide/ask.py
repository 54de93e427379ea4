"""A budget question in people's words as a problem: bounds, totals, groups, ramps and commitments become limits on cells.

Every limit becomes one row with a name in the user's words, so that a conflict or a binding constraint can be told to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.budget_settings import ChannelLimits, GroupLimits, Question
from mmx.data.panel import Floats
from mmx.decide.feasible import ROUNDING
from mmx.decide.problem import Problem, Row, is_sum, total_row
from mmx.errors import DecisionError

Mask = npt.NDArray[np.bool_]
TIMES_CURRENT = "times its current money over the horizon"  # How the row of a channel's multiples in a flighting ends.


@dataclass(frozen=True)
class Cells:
    """What has money of its own in a plan.

    Attributes
    ----------
    names : tuple of str, (cell,)
    channel : tuple of str, (cell,)
    geo : tuple of str, (cell,)
        Empty where a cell covers all geos.
    period : tuple of str, (cell,)
        First day of the cell's periods; empty where a cell covers the whole horizon.
    current : array, (cell,), money
        The current plan.
    length : array, (cell,), periods
        How many periods a cell covers: the last one of a flighting may be shorter.
    """

    names: tuple[str, ...]
    channel: tuple[str, ...]
    geo: tuple[str, ...]
    period: tuple[str, ...]
    current: Floats
    length: Floats

    def of(self, channels: Sequence[str] = (), geos: Sequence[str] = ()) -> Mask:
        """Cells of some channels and geos, (cell,); of all where none are named."""
        return np.array(
            [
                (not channels or channel in channels) and (not geos or geo in geos)
                for channel, geo in zip(self.channel, self.geo, strict=True)
            ]
        )


def problem_of(question: Question, cells: Cells, currency: str) -> Problem:
    """Write a question as a problem.

    Parameters
    ----------
    question : Question
    cells : Cells
    currency : str
        Printed with money; empty for none.

    Raises
    ------
    DecisionError
        If it names a channel or a geo that the plan does not have, limits geos that have no money of their own, or nothing is
        spent in the reference window.
    """
    _known(question, cells)
    current = cells.current
    if not current.sum() > 0:
        raise DecisionError("no channel spends in the reference window, so there is no current plan to scale")
    low, high, rows = _flights(question, cells) if any(cells.period) else _multiples(question, cells)
    if question.max_change is not None:
        own = {name for name, limits in question.channels.items() if limits.bounds is not None}
        free = np.array([channel not in own for channel in cells.channel])
        low = np.where(free, np.maximum(low, (1.0 - question.max_change) * current), low)
        high = np.where(free, np.minimum(high, (1.0 + question.max_change) * current), high)
    minimum, step = np.zeros(len(current)), np.zeros(len(current))
    total = _fixed_total(question, current)
    for name, limits in question.channels.items():
        where = cells.of([name])
        _limit_channel(name, limits, where, low, high, rows, currency)
        if limits.minimum is not None:
            minimum[where], low[where] = limits.minimum, 0.0
        if limits.step is not None:
            step[where] = limits.step
    ends = _ends(low, high, rows)
    rows += [row for group in question.groups for row in _group(group, cells, currency)]
    rows += _ramps(question, cells)
    if total is not None:
        _reachable(total, *ends, currency)
        rows.append(total_row(len(current), total, name=f"total budget = {_money(total, currency)}"))
    return Problem(cells.names, current, low, high, tuple(rows), minimum, step)


def _multiples(question: Question, cells: Cells) -> tuple[Floats, Floats, list[Row]]:
    """Least and largest money of cells as multiples of the current plan."""
    times = np.array([_times(question, channel) for channel in cells.channel])
    return times[:, 0] * cells.current, times[:, 1] * cells.current, []


def _flights(question: Question, cells: Cells) -> tuple[Floats, Floats, list[Row]]:
    """The same of what a channel spends over the horizon, as rows; its cells go from nothing to a multiple of its busiest."""
    low, high, rows = np.zeros(len(cells.current)), np.zeros(len(cells.current)), []
    for (channel, geo), places in _series(cells).items():
        least, most = _times(question, channel)
        rate = float((cells.current[places] / cells.length[places]).max())
        high[places] = most * rate * cells.length[places]
        limits = question.channels.get(channel)
        if limits is not None and (limits.money is not None or limits.fixed is not None):
            continue
        weights, sums = np.zeros(len(low)), float(cells.current[places].sum())
        weights[places] = 1.0
        least = 0.0 if limits is not None and limits.minimum is not None else least
        words = f"{_who(channel, geo)}: {least:.4g} to {most:.4g} {TIMES_CURRENT}"
        rows.append(Row(words, weights, least * sums, most * sums))
    return low, high, rows


def _times(question: Question, channel: str) -> tuple[float, float]:
    """Least and largest multiple of a channel's current money."""
    limits = question.channels.get(channel)
    return question.bounds if limits is None or limits.bounds is None else limits.bounds


def _series(cells: Cells) -> dict[tuple[str, str], list[int]]:
    """Places of the cells of each channel and geo, in the order of time."""
    series: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(cells.channel, cells.geo, strict=True)):
        series.setdefault(key, []).append(i)
    return series


def _who(channel: str, geo: str) -> str:
    return channel if not geo else f"{channel} in {geo}"


def _ends(low: Floats, high: Floats, rows: list[Row]) -> tuple[float, float]:
    """Least and largest sum of all cells; each is in one row at most."""
    least, most, rest = 0.0, 0.0, np.ones(len(low), dtype=bool)
    for row in filter(is_sum, rows):
        cells = np.asarray(row.weights) > 0
        least += max(row.low, float(low[cells].sum()))
        most += min(row.high, float(high[cells].sum()))
        rest &= ~cells
    return least + float(low[rest].sum()), most + float(high[rest].sum())


def _fixed_total(question: Question, current: Floats) -> float | None:
    """The total that is asked for; None where it is to be found."""
    if question.goal is not None or question.profit:
        return None
    return float(current.sum()) if question.total is None else question.total


def _reachable(total: float, least: float, most: float, currency: str) -> None:
    """Refuse a total outside what bounds alone allow, in plainer words than a conflict of them all."""
    if not least * (1 - ROUNDING) <= total <= most * (1 + ROUNDING):
        unit = f" {currency}" if currency else ""
        raise DecisionError(
            f"a total of {total:,.2f}{unit} cannot be reached: the bounds allow {least:,.2f} to {most:,.2f}{unit} "
            f"over the horizon. Change the total (--budget), the bounds (--bounds) or budget.channels"
        )


def _limit_channel(
    name: str,
    limits: ChannelLimits,
    where: Mask,
    low: Floats,
    high: Floats,
    rows: list[Row],
    currency: str,
) -> None:
    """Set the bounds of a channel's only cell in money, or a row on the sum where there are several."""
    money = (limits.fixed, limits.fixed) if limits.fixed is not None else limits.money
    if money is None:
        return
    least, most = 0.0 if money[0] is None else money[0], money[1]
    if where.sum() == 1:
        low[where], high[where] = least, max(float(high[where][0]), least) if most is None else most
        return
    free = max(float(high[where].sum()), least) if most is None else most
    high[where], low[where] = free, 0.0
    rows.append(Row(_words(name, money, currency), where.astype(float), least, np.inf if most is None else most))


def _group(group: GroupLimits, cells: Cells, currency: str) -> list[Row]:
    """Rows of a group: its money, or its share of all cells at either end."""
    inside = cells.of(group.channels, group.geos).astype(float)
    if group.money is not None:
        low, high = group.money
        return [Row(_words(group.name, group.money, currency), inside, low or 0.0, np.inf if high is None else high)]
    assert group.share is not None
    rows = []
    for share, word, ends in zip(group.share, ("at least", "at most"), ((0.0, np.inf), (-np.inf, 0.0)), strict=True):
        if share is not None:
            rows.append(Row(f"{group.name} {word} {100 * share:.4g} % of the plan", inside - share, *ends))
    return rows


def _ramps(question: Question, cells: Cells) -> list[Row]:
    """Rows that limit the change of a channel's money per period from each cell to the next."""
    if question.ramp is None:
        return []
    rows = []
    for (channel, geo), places in _series(cells).items():
        who = _who(channel, geo)
        for before, after in itertools.pairwise(places):
            for sign, word in ((1.0, "more"), (-1.0, "less")):
                weights = np.zeros(len(cells.names))
                weights[after] = sign / cells.length[after]
                weights[before] = -sign * (1.0 + sign * question.ramp) / cells.length[before]
                name = f"{who}: at most {100 * question.ramp:.4g} % {word} from {cells.period[before]} to {cells.period[after]}"
                rows.append(Row(name, weights, -np.inf, 0.0))
    return rows


def _known(question: Question, cells: Cells) -> None:
    """Refuse names that the plan does not have."""
    channels, geos = set(cells.channel), set(cells.geo)
    for what, named, known in (
        ("budget.channels", list(question.channels), channels),
        *((f"budget.groups, {g.name}", list(g.channels), channels) for g in question.groups),
        *((f"budget.groups, {g.name}", list(g.geos), geos) for g in question.groups),
    ):
        if unknown := sorted(set(named) - known):
            have = ", ".join(sorted(name for name in known if name)) or "no geos of its own (by: [channel, geo] gives it some)"
            raise DecisionError(f"{what} names {', '.join(unknown)}, which the plan does not have. It has {have}")


def _words(name: str, limits: tuple[float | None, float | None], currency: str) -> str:
    """Limits on money in words."""
    low, high = limits
    if low is not None and low == high:
        return f"{name} = {_money(low, currency)}"
    ends: list[tuple[float | None, str]] = [(low, "at least"), (high, "at most")]
    return f"{name} " + " and ".join(f"{word} {_money(end, currency)}" for end, word in ends if end is not None)


def _money(amount: float, currency: str) -> str:
    digits = 0 if amount >= 1000 or amount == round(amount) else 2
    return f"{amount:,.{digits}f}{f' {currency}' if currency else ''}"
