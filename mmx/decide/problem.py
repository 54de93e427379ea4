"""A budget question: money per cell within linear constraints, and what a decision may know of a fit.

A cell is what money is decided for: a channel, or a channel in a geo or a period. Cells of one block interact (periods of one
channel share carryover), blocks add up: the value of a draw s is ``sum_b value[s, b]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats

Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


class Response(Protocol):
    """KPI money of a plan per posterior draw: all that a decision sees of a fit. No spend brings 0 (carry-in cancels)."""

    @property
    def samples(self) -> int:
        """Number of posterior draws."""

    @property
    def blocks(self) -> Index:
        """Block of each cell, (cell,), counted from 0."""

    def value(self, money: Floats) -> Floats:
        """KPI money (sample, block) of a plan (cell,)."""

    def value_and_slope(self, money: Floats) -> tuple[Floats, Floats]:
        """KPI money (sample, block), and the slope of a block's value in the money of each of its cells, (sample, cell)."""

    def thinned(self, draws: Index) -> Response:
        """The same response of some of the draws."""


@runtime_checkable
class Enveloped(Protocol):
    """A response that may know a concave one above it, which bounds what any plan can bring."""

    def envelope(self) -> Response | None:
        """Concave in every draw and block, nowhere below this response between the bounds; None if there is none."""


@dataclass(frozen=True)
class Row:
    """A linear constraint ``low <= weights @ money <= high``.

    Attributes
    ----------
    name : str
        In the user's words: ``digital <= 60 %``.
    weights : array, (cell,)
    low, high : float
        -inf or inf where there is none.
    """

    name: str
    weights: Floats
    low: float
    high: float


@dataclass(frozen=True)
class Problem:
    """Which plans are allowed, and how money is counted: ``margin * value - cost * sum(money)``.

    Attributes
    ----------
    cells : tuple of str
    current : array, (cell,), money
        The current plan.
    low, high : array, (cell,), money, >= 0
        Finite.
    rows : tuple of Row
    minimum : array, (cell,), optional
        Minimum commitment: the money is 0 or at least this; 0 where there is none.
    step : array, (cell,), optional
        The money is a multiple of this; 0 where there is none.
    cost : float
        Money counted per unit of spend; 1 for profit.
    margin : float
        Money counted per unit of the response.
    """

    cells: tuple[str, ...]
    current: Floats
    low: Floats
    high: Floats
    rows: tuple[Row, ...] = ()
    minimum: Floats | None = None
    step: Floats | None = None
    cost: float = 0.0
    margin: float = 1.0

    def __post_init__(self) -> None:
        """Turn lists into arrays and refuse what no solver could read."""
        for name in ("current", "low", "high", "minimum", "step"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _numbers(name, given, self.cells))
        for row in self.rows:
            _numbers(f"row {row.name!r}", row.weights, self.cells, signed=True)
            if np.isnan(row.low) or np.isnan(row.high):
                raise ValueError(f"row {row.name!r}: limits {row.low} to {row.high}. Expected numbers, -inf or inf for none")
        if not (np.isfinite(self.cost) and np.isfinite(self.margin) and self.margin >= 0):
            raise ValueError(f"cost {self.cost} and margin {self.margin}. Expected finite numbers, the margin at least 0")

    @property
    def total(self) -> Row | None:
        """The row that limits the sum of all money, if there is one."""
        return next((row for row in self.rows if is_total(row)), None)

    @property
    def discrete(self) -> bool:
        """Whether some cell has a minimum commitment or an integer step."""
        return any(given is not None and bool((given > 0).any()) for given in (self.minimum, self.step))


def is_total(row: Row) -> bool:
    """Whether a row weighs all cells alike."""
    weights = np.asarray(row.weights)
    return bool(weights[0] > 0 and (weights == weights[0]).all())


def is_sum(row: Row) -> bool:
    """Whether a row is about the sum of some cells' money."""
    weights = np.asarray(row.weights)
    return bool(((weights == 0) | (weights == 1)).all())


def total_row(cells: int, low: float, high: float | None = None, *, name: str = "total budget") -> Row:
    """A row on the sum of all money: fixed at ``low``, or between ``low`` and ``high``.

    Parameters
    ----------
    cells : int
    low : float, money
    high : float, money, optional
        ``low`` by default.
    name : str
    """
    return Row(name, np.ones(cells), float(low), float(low if high is None else high))


def _numbers(name: str, given: Floats, cells: tuple[str, ...], *, signed: bool = False) -> Floats:
    numbers = np.asarray(given, dtype=float)
    if numbers.shape != (len(cells),):
        raise ValueError(f"{name} has shape {numbers.shape}. Expected one number for each of the {len(cells)} cells")
    wrong = ~np.isfinite(numbers) | (False if signed else numbers < 0)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        expected = "finite numbers" if signed else "finite money of at least 0"
        raise ValueError(f"{name} of {cells[first]} is {numbers[first]}. Expected {expected}")
    return numbers
