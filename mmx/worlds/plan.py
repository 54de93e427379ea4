"""The best plan of a world: one multiplier per channel on a reference plan, same total, within bounds.

A plan repeats the reference periods' spend after the last row of the KPI window. Its value is the noiseless KPI money
that paid media bring over the horizon and in the carryover tail after it, carry-in included. Value is a sum over
channels, so that dynamic programming over a grid of money finds the global optimum whatever the curves' shape; the grid
is then refined around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmx.budget_settings import BudgetSettings
from mmx.worlds.curves import Floats
from mmx.worlds.truth import Mechanism

Value = Callable[[Floats], Floats]
GRID = 400
ZOOM_GRID = 150
ZOOMS = 6


@dataclass(frozen=True, eq=False)
class PlanProblem:
    """The budget question in one world: horizon, reference and bounds as the configuration says."""

    mechanism: Mechanism
    budget: BudgetSettings

    @cached_property
    def rows(self) -> slice:
        """Rows of the reference plan."""
        last = int(np.flatnonzero(self.mechanism.window)[-1]) + 1
        back = 52 if self.budget.reference == "last_year" else self.budget.horizon
        first = max(last - back, 0)
        return slice(first, min(first + self.budget.horizon, last))

    @cached_property
    def current(self) -> dict[str, float]:
        """Spend of the reference plan, by channel."""
        total = self.mechanism.spend[:, self.rows].sum(axis=(0, 1))
        return {name: float(v) for name, v in zip(self.mechanism.channels, total, strict=True)}

    def channel_value(self, channel: int) -> Value:
        """Return the function from multipliers (n,) to KPI money (n,) of one channel."""
        world = self.mechanism
        last = int(np.flatnonzero(world.window)[-1]) + 1
        before = world.exposure[:, :last, channel]
        plan = world.exposure[:, self.rows, channel]
        ahead = plan.shape[1] + world.curves[channel].tail()
        # adstock is linear: history and plan are carried apart, and only the sum of the two depends on the multiplier
        carry_in = world.carried(channel, np.pad(before, ((0, 0), (0, ahead))))[:, last:]
        unit = world.carried(channel, np.pad(plan, ((0, 0), (0, ahead - plan.shape[1]))))
        worth = world.worth[:, self.rows].mean(axis=1)

        def value(multiplier: Floats) -> Floats:
            blocks = [
                (worth[:, None] * world.respond(channel, carry_in + m[:, None, None] * unit)).sum(axis=(1, 2))
                for m in np.array_split(multiplier, max(1, len(multiplier) * unit.size // 1_000_000))
            ]
            return np.concatenate(blocks)

        return value

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Value functions of the channels."""
        return tuple(self.channel_value(c) for c in range(len(self.mechanism.channels)))

    def value(self, multipliers: Mapping[str, float]) -> float:
        """KPI money of a plan; channels that are not named keep their current spend."""
        unknown = sorted(set(multipliers) - set(self.mechanism.channels))
        if unknown:
            raise ValueError(f"no such channel: {', '.join(unknown)}; the world has {', '.join(self.mechanism.channels)}")
        names = self.mechanism.channels
        return sum(float(f(np.array([float(multipliers.get(n, 1.0))]))[0]) for n, f in zip(names, self.values, strict=True))

    @cached_property
    def best(self) -> dict[str, float]:
        """Multipliers of the best plan; 1 for a channel without spend in the reference plan."""
        names = self.mechanism.channels
        live = [i for i, n in enumerate(names) if self.current[n] > 0]
        spend = np.array([self.current[names[i]] for i in live])
        found = np.ones(len(names))
        if live:
            found[live] = allocate([self.values[i] for i in live], spend, self.budget.bounds)
        return {n: float(m) for n, m in zip(names, found, strict=True)}


def allocate(values: Sequence[Value], spend: Floats, bounds: tuple[float, float]) -> Floats:
    """Return the multipliers (channel,) that maximise the summed value at the total of ``spend``.

    Parameters
    ----------
    values : sequence of function
        From multipliers (n,) to money (n,), one per channel.
    spend : array, (channel,)
        Current money, > 0.
    bounds : (low, high)
        On the multipliers; low <= 1 <= high.
    """
    total = float(spend.sum())
    floor, ceiling = bounds[0] * spend, bounds[1] * spend
    best = spend.copy()
    low, high, units = floor, ceiling, GRID
    for _ in range(1 + ZOOMS):
        step = (total - float(low.sum())) / units
        if step <= 0:
            break
        trial = _on_grid(values, spend, low, high, step, units)
        if trial is not None and _total(values, trial / spend) > _total(values, best / spend):
            best = trial
        low, high, units = np.maximum(floor, best - 3 * step), np.minimum(ceiling, best + 3 * step), ZOOM_GRID
    return best / spend


def _total(values: Sequence[Value], multipliers: Floats) -> float:
    return sum(float(f(multipliers[[i]])[0]) for i, f in enumerate(values))


def _on_grid(values: Sequence[Value], spend: Floats, low: Floats, high: Floats, step: float, units: int) -> Floats | None:
    """Share out ``units`` steps of money above ``low``, exactly; None where the upper bounds leave no room on the grid."""
    best = np.full(units + 1, -np.inf)
    best[0] = 0.0
    chosen = []
    for c, value in enumerate(values):
        most = min(units, int((high[c] - low[c]) / step * (1 + 1e-12)))
        gain = value((low[c] + step * np.arange(most + 1)) / spend[c])
        # candidate[k, j]: k units so far, of which j go to this channel
        left = np.arange(units + 1)[:, None] - np.arange(most + 1)[None, :]
        candidate = np.where(left >= 0, best[np.maximum(left, 0)], -np.inf) + gain[None, :]
        pick = candidate.argmax(axis=1)
        best = candidate[np.arange(units + 1), pick]
        chosen.append(pick)
    if not np.isfinite(best[units]):
        return None
    out, left_units = np.empty(len(values)), units
    for c in reversed(range(len(values))):
        take = int(chosen[c][left_units])
        out[c] = low[c] + step * take
        left_units -= take
    return out
