"""Random markets with known curves: carryover, then a Hill curve, per posterior draw; a stand-in for a fit of any size.

A cell is a channel in a period. ``value = sum_t top stock_t^shape / (half^shape + stock_t^shape)`` with ``stock_t = keep
stock_{t-1} + money_t``, over the horizon and four periods after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmx.decide.problem import Problem, Row, total_row

Floats = npt.NDArray[np.float64]
TAIL = 4


@dataclass(frozen=True)
class Market:
    """Curves of channels, (sample, channel): a ``Response`` of a decision problem."""

    top: Floats
    half: Floats
    keep: Floats
    shape: Floats
    periods: int

    @property
    def samples(self) -> int:
        """Number of draws."""
        return len(self.top)

    @property
    def blocks(self) -> npt.NDArray[np.intp]:
        """Channel of each cell."""
        return np.repeat(np.arange(self.top.shape[1]), self.periods)

    def value(self, money: Floats) -> Floats:
        """KPI money, (sample, channel)."""
        return self._of(self._stock(money))[0]

    def value_and_slope(self, money: Floats) -> tuple[Floats, Floats]:
        """KPI money (sample, channel), and slopes (sample, cell)."""
        value, steep = self._of(self._stock(money))
        for t in range(steep.shape[2] - 2, -1, -1):
            steep[..., t] += self.keep * steep[..., t + 1]
        return value, steep[..., : self.periods].reshape(self.samples, -1)

    def thinned(self, draws: npt.NDArray[np.intp]) -> Market:
        """Some of the draws."""
        return replace(self, **{name: getattr(self, name)[draws] for name in ("top", "half", "keep", "shape")})

    def _stock(self, money: Floats) -> Floats:
        spend = money.reshape(-1, self.periods)
        after = TAIL if self.keep.any() else 0
        stock = np.zeros((*self.top.shape, self.periods + after))
        stock[..., : self.periods] = spend
        for t in range(1, stock.shape[2]):
            stock[..., t] += self.keep * stock[..., t - 1]
        return stock

    def _of(self, stock: Floats) -> tuple[Floats, Floats]:
        """Value, and slope by the stock of each period."""
        shape = self.shape[..., None]
        at = stock / self.half[..., None]
        power = at ** (shape - 1)
        level = power * at / (1 + power * at)
        slope = shape * power / (1 + power * at) ** 2 * (self.top / self.half)[..., None]
        return self.top * level.sum(axis=2), slope


def market(seed: int, channels: int, draws: int, periods: int, shape: tuple[float, float]) -> Market:
    """Draw a market: tops, half saturations and shapes differ between channels, and by 30 % between draws."""
    rng = np.random.default_rng(seed)
    noise = np.exp(0.3 * rng.standard_normal((3, draws, channels)))
    top = rng.uniform(50, 300, channels) * noise[0] / periods
    half = rng.uniform(30, 150, channels) * noise[1] / periods
    keep = np.clip(rng.uniform(0.1, 0.7, channels) + 0.05 * rng.standard_normal((draws, channels)), 0, 0.9)
    bent = rng.uniform(*shape, channels) * noise[2] if shape[1] > 1 else np.ones((draws, channels))
    return Market(top, half, keep if periods > 1 else 0 * keep, np.maximum(bent, 1.0), periods)


def question(made: Market, ramp: float | None, minimum: float | None) -> Problem:
    """A fixed total of 60 a channel, up to four times that each; ramps between periods; nothing or at least ``minimum``."""
    channels, periods = made.top.shape[1], made.periods
    cells = channels * periods
    each = 60.0 / periods
    rows = [total_row(cells, 60.0 * channels)]
    if ramp is not None:
        for c in range(channels):
            for t in range(1, periods):
                for sign in (1.0, -1.0):
                    weights = np.zeros(cells)
                    weights[c * periods + t], weights[c * periods + t - 1] = sign, -sign * (1 + sign * ramp)
                    rows.append(Row(f"ramp {c} {t} {sign:+.0f}", weights, -np.inf, 0.0))
    names = tuple(f"channel {c} period {t}" for c in range(channels) for t in range(periods))
    least = None if minimum is None else np.full(cells, minimum)
    return Problem(names, np.full(cells, each), np.zeros(cells), np.full(cells, 4 * each), tuple(rows), least)
