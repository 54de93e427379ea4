"""The step of Meridian's ``BudgetOptimizer`` for a fixed total, in NumPy: ``meridian/analysis/optimizer.py`` of release 2.1.0.

Each channel has a grid of spends ``low, low + step, ..., high`` with ``step`` a power of ten that follows from the total and
``gtol``, and the mean incremental outcome at each. From the lowest spends, the channel and grid point with the highest outcome
per further unit of money are taken again and again, until a move would exceed the total: it is not made, nor a smaller one.
``meridian_step.py`` holds this copy against Meridian's own answers on a fit of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int_]
GTOL = 1e-4  # Meridian's default.


def digits(budget: float, gtol: float = GTOL) -> int:
    """Return the digits to which Meridian rounds money, ``get_round_factor``: 0 or negative, for ``np.round``."""
    tolerance = budget * gtol
    return 0 if tolerance < 1.0 else -int(math.log10(tolerance)) - 1


def bounds(spend: Floats, low: Floats, high: Floats, budget: float, gtol: float = GTOL) -> tuple[Whole, Whole]:
    """Lowest and highest spend on the grid, ``get_optimization_bounds``.

    Parameters
    ----------
    spend : array, (channel,), money
        The plan that the bounds are stated by.
    low, high : array, (channel,)
        Multiples of it.
    budget : float, money
    gtol : float
    """
    places = digits(budget, gtol)
    rounded = np.round(spend, places).astype(int)
    return np.round(low * rounded, places).astype(int), np.round(high * rounded, places).astype(int)


def grid(lower: Whole, upper: Whole, budget: float, gtol: float = GTOL) -> Floats:
    """Spends of each channel, (row, channel), NaN below a channel's last: ``_create_grids``."""
    step = 10 ** -digits(budget, gtol)
    spends = np.full((int((upper - lower).max() // step) + 1, len(lower)), np.nan)
    for c in range(len(lower)):
        points = np.arange(lower[c], upper[c] + step, step)
        spends[: len(points), c] = points
    return spends


def climb(spends: Floats, outcomes: Floats, total: float) -> Whole:
    """Spend of each channel, (channel,), from both grids (row, channel): ``OptimizationGrid._grid_search``, fixed total."""
    spend = spends[0].copy()
    rate = _rate(outcomes[1:] - outcomes[0], spends[1:] - spends[0])
    while True:
        reached: Whole = spend.astype(int)
        if np.isnan(rate).all():
            return reached
        row, channel = np.unravel_index(np.nanargmax(rate), rate.shape)
        spend[channel] = spends[row + 1, channel]
        if spend.sum() > total:
            return reached
        rate[: row + 1, channel] = np.nan
        more = slice(row + 2, None)
        rate[row + 1 :, channel] = _rate(
            outcomes[more, channel] - outcomes[row + 1, channel], spends[more, channel] - spends[row + 1, channel]
        )


def plan(
    outcomes: Callable[[Floats], Floats], spend: Floats, low: Floats, high: Floats, budget: float, gtol: float = GTOL
) -> Whole:
    """Plan of a fixed total.

    Parameters
    ----------
    outcomes : callable
        Mean outcomes on a grid of spends, (row, channel) both; NaN stays NaN.
    spend, low, high, budget, gtol
        As in ``bounds``; ``spend`` adds up to the budget.

    Returns
    -------
    array, (channel,), money
        At most the budget in all.
    """
    spends = grid(*bounds(spend, low, high, budget, gtol), budget, gtol)
    return climb(spends, outcomes(spends), float(np.round(spend, digits(budget, gtol)).astype(int).sum()))


def _rate(gain: Floats, money: Floats) -> Floats:
    """Gain per unit of money, to eight decimals as Meridian rounds it."""
    return np.round(np.divide(gain, money, out=np.zeros_like(gain), where=money != 0), 8)
