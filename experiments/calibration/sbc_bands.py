"""Simultaneous bands for the empirical distribution of ranks that are uniform when a posterior is calibrated.

With ``N`` ranks among ``L`` draws, the number of ranks below ``k`` is binomial with chance ``z = k / (L + 1)``. The bands are
pointwise binomial quantiles at ``gamma / 2`` and ``1 - gamma / 2`` for ``k = 1 .. L``, with the largest ``gamma`` at which all
counts lie inside at once with the chance asked for. That chance is exact: the counts are a Markov chain, whose mass inside the
bands is carried from ``k`` to ``k + 1``. Source: Saeilynoja, Buerkner and Vehtari (2022), section 2.3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Ints = npt.NDArray[np.int64]


def counts(ranks: Ints, draws: int) -> Ints:
    """Number of ranks below ``k = 1 .. draws``, (draws,); ``ranks`` are between 0 and ``draws``."""
    below = np.cumsum(np.bincount(ranks, minlength=draws + 1))[:draws]
    return below.astype(np.int64)


def pointwise(gamma: float, simulations: int, draws: int) -> tuple[Ints, Ints]:
    """Binomial quantiles of the counts at ``gamma / 2`` from either end: lower and upper, each (draws,)."""
    z = np.arange(1, draws + 1) / (draws + 1)
    law = stats.binom(simulations, z)
    return law.ppf(gamma / 2).astype(np.int64), law.isf(gamma / 2).astype(np.int64)


def coverage(lower: Ints, upper: Ints, simulations: int) -> float:
    """Chance that the counts of uniform ranks lie between ``lower`` and ``upper``, (draws,), everywhere at once."""
    z = np.arange(len(lower) + 1) / (len(lower) + 1)
    before, mass = np.zeros(1, dtype=np.int64), np.ones(1)
    for k in range(len(lower)):
        now = np.arange(lower[k], upper[k] + 1)
        # Of the ranks not below k, each is below k + 1 with the same chance.
        step = stats.binom.pmf(now[:, None] - before, simulations - before, (z[k + 1] - z[k]) / (1 - z[k]))
        before, mass = now, step @ mass
    return float(mass.sum())


def bands(simulations: int, draws: int, level: float) -> tuple[Ints, Ints]:
    """Bands that hold all counts of uniform ranks with a chance of at least ``level``.

    Parameters
    ----------
    simulations : int
        Number of ranks.
    draws : int
        Draws that each rank was taken among.
    level : float
        Between 0 and 1.

    Returns
    -------
    lower, upper : array of int, (draws,)
        Limits, inclusive, of the number of ranks below ``k = 1 .. draws``.
    """
    low, high = 0.0, 1.0 - level  # One point alone needs a gamma of 1 - level, several need less.
    while high - low > 1e-6 * (1.0 - level):
        middle = (low + high) / 2
        if coverage(*pointwise(middle, simulations, draws), simulations) >= level:
            low = middle
        else:
            high = middle
    return pointwise(low, simulations, draws)


def p_value(ranks: Ints, draws: int) -> float:
    """Chance that uniform ranks leave narrower bands than these do, by the test that the bands state.

    It is below ``1 - level`` where the counts leave the bands of that level.
    """
    simulations, found = len(ranks), counts(ranks, draws)
    law = stats.binom(simulations, np.arange(1, draws + 1) / (draws + 1))
    gamma = float((2 * np.minimum(law.cdf(found), law.sf(found - 1))).min())
    if gamma >= 1.0:  # In the middle everywhere: no ranks are less extreme.
        return 1.0
    return max(0.0, 1.0 - coverage(*pointwise(gamma * (1 + 1e-9), simulations, draws), simulations))
