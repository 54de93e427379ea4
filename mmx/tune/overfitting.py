"""How much of a winner is luck: the probability of backtest overfitting, and the gain that the best of many would show anyway.

Combinatorially symmetric cross-validation: of all ways to split the folds into two halves, the winner of one half is ranked in
the other; the logit of its relative rank ``log(w / (1 - w))``, ``w = rank / (n + 1)``, is at most 0 where it does no better
than the median. The share of such splits is the probability of overfitting (Bailey, Borwein, Lopez de Prado and Zhu 2017, The
probability of backtest overfitting).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import log_ndtr

from mmx.tune.problem import Floats

_CELLS = 4_000_000  # Numbers of one block of splits, about 32 MB.


@dataclass(frozen=True)
class Overfitting:
    """Evidence on the luck of the best of many trials.

    Attributes
    ----------
    probability : float
        Share of splits whose winner is no better than the median of all trials in the other half.
    logits : array, (split,)
    below_default : float
        Share of splits whose winner is worse than the defaults in the other half; NaN where these were not given.
    trials, folds : int
        Different trials, and blocks of folds that were recombined.
    """

    probability: float
    logits: Floats
    below_default: float
    trials: int
    folds: int


def overfitting(scores: Floats, default: Floats | None = None, blocks: int = 16) -> Overfitting:
    """Probability of backtest overfitting.

    Parameters
    ----------
    scores : array, (trial, fold)
        Of what the winner was chosen by; equal rows count once.
    default : array, (fold,), optional
        The same of the defaults.
    blocks : int
        More folds than this are joined to as many blocks of neighbours. With an odd number of folds, halves of both sizes
        are used.

    Raises
    ------
    ValueError
        With fewer than two different trials or two folds.
    """
    distinct = np.unique(scores, axis=0)
    if len(distinct) < 2 or scores.shape[1] < 2:
        raise ValueError(f"needs two different trials and two folds; there are {len(distinct)} and {scores.shape[1]}")
    parts = np.array_split(np.arange(scores.shape[1]), min(blocks, scores.shape[1]))
    size = np.array([len(part) for part in parts], dtype=float)
    sums = np.stack([distinct[:, part].sum(axis=1) for part in parts], axis=1)
    own = None if default is None else np.array([default[part].sum() for part in parts])
    inside = _halves(len(parts))
    logits, worse = np.empty(len(inside)), np.zeros(len(inside), dtype=bool)
    step = max(1, _CELLS // len(distinct))
    for begin in range(0, len(inside), step):
        rows = slice(begin, begin + step)
        chosen = inside[rows].astype(float)
        within, out = (sums @ half.T / (half @ size) for half in (chosen, 1.0 - chosen))
        won = out[within.argmax(axis=0), np.arange(out.shape[1])]
        rank = (out < won).sum(axis=0) + 0.5 * ((out == won).sum(axis=0) + 1)
        relative = rank / (len(distinct) + 1)
        logits[rows] = np.log(relative / (1.0 - relative))
        if own is not None:
            worse[rows] = won < (1.0 - chosen) @ own / ((1.0 - chosen) @ size)
    below = float("nan") if own is None else float(worse.mean())
    return Overfitting(float((logits <= 0.0).mean()), logits, below, len(distinct), len(parts))


def _halves(folds: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """All ways to choose half of the folds, (split, fold)."""
    sizes = sorted({folds // 2, folds - folds // 2})
    chosen = [c for size in sizes for c in combinations(range(folds), size)]
    inside = np.zeros((len(chosen), folds), dtype=bool)
    for row, folds_in in enumerate(chosen):
        inside[row, list(folds_in)] = True
    return inside


def expected_maximum(trials: float, sd: float) -> float:
    """Expected largest of independent normal numbers of mean 0, ``sd * E max`` with ``P(max < x) = Phi(x)^trials``.

    By quadrature; Bailey and Lopez de Prado 2014, eq. 1, approximate the same to 2 %.

    Parameters
    ----------
    trials : float
        How many, >= 1; need not be whole.
    sd : float
        Their standard deviation.
    """
    x = np.linspace(-12.0, 12.0, 4801)
    below = np.exp(trials * log_ndtr(x))
    return float(sd * np.trapezoid((x > 0.0) - below + 0.5 * (x == 0.0), x))


@dataclass(frozen=True)
class Deflated:
    """A winner's gain over the defaults against what the best of as many worthless trials would show.

    Attributes
    ----------
    gain, expected, deflated : float
        ``deflated = gain - expected``.
    independent : float
        Number of independent trials that the correlated ones amount to.
    """

    gain: float
    expected: float
    deflated: float
    independent: float


def deflate(scores: Floats, default: Floats) -> Deflated:
    """Deflated gain of the best trial.

    Under no skill a trial's mean gain has the standard error of its folds; correlated trials count as
    ``r + (1 - r) n`` independent ones, with ``r`` their mean correlation over folds (Bailey and Lopez de Prado 2014).

    Parameters
    ----------
    scores : array, (trial, fold)
    default : array, (fold,)
    """
    gains = np.unique(scores - default, axis=0)
    folds = gains.shape[1]
    spread = gains.std(axis=1, ddof=1) if folds > 1 else np.zeros(len(gains))
    moving = spread > 0.0
    z = (gains[moving] - gains[moving].mean(axis=1, keepdims=True)) / spread[moving, None]
    count = int(moving.sum())
    # The mean over all pairs of their correlation, from the sum of all standardised rows.
    pairs = count * (count - 1)
    mean = 0.0 if pairs == 0 else ((np.square(z.sum(axis=0)).sum() / (folds - 1)) - count) / pairs
    r = float(np.clip(mean, 0.0, 1.0))
    independent = max(1.0, r + (1.0 - r) * count)
    error = float(np.median(spread[moving]) / np.sqrt(folds)) if count else 0.0
    gain, expected = float(gains.mean(axis=1).max()), expected_maximum(independent, error)
    return Deflated(gain, expected, gain - expected, independent)
