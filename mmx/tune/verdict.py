"""The verdict on tuned parameters: adopt them, or keep the defaults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmx.tune.overfitting import Overfitting
from mmx.tune.problem import Floats
from mmx.tune_settings import VerdictSettings


@dataclass(frozen=True)
class Verdict:
    """Winner minus defaults on a hold-out that tuning never saw.

    Attributes
    ----------
    adopt : bool
    mean, low, high : float
        Of the difference, in ``unit``; a central interval of probability ``mass``.
    mass, probability : float
        Probability that the winner is better.
    overfitting : float
        Probability of backtest overfitting, NaN where it is not known.
    unit : str
    sentence : str
    """

    adopt: bool
    mean: float
    low: float
    high: float
    mass: float
    probability: float
    overfitting: float
    unit: str
    sentence: str


def judge(difference: Floats, settings: VerdictSettings, *, luck: Overfitting | None = None, unit: str = "") -> Verdict:
    """Judge tuned parameters by paired draws of winner minus defaults.

    Parameters
    ----------
    difference : array, (draw,)
        Winner minus defaults on the hold-out, under the same draw of everything that is not known.
    settings : VerdictSettings
    luck : Overfitting, optional
        Of the trials that the winner was chosen from.
    unit : str
        Of the difference, for the sentence.

    Raises
    ------
    ValueError
        With fewer than two draws, or one that is not finite.
    """
    if len(difference) < 2 or not np.isfinite(difference).all():
        raise ValueError("a verdict needs two finite paired draws at least")
    tail = (1.0 - settings.mass) / 2.0
    low, high = (float(q) for q in np.quantile(difference, [tail, 1.0 - tail]))
    mean, probability = float(difference.mean()), float((difference > 0.0).mean())
    chance = float("nan") if luck is None else luck.probability
    overfitted = luck is not None and chance > settings.overfitting
    adopt = low > 0.0 and not overfitted
    shown = f"{mean:,.4g}{' ' + unit if unit else ''}, {100 * settings.mass:.0f} % interval {low:,.4g} to {high:,.4g}"
    if adopt:
        words = f"Adopt the tuned parameters: on the hold-out they bring {shown}, better with probability {probability:.2f}."
    elif overfitted:
        words = (
            f"Keep the defaults: the tuned parameters bring {shown} on the hold-out, but the probability of backtest "
            f"overfitting is {chance:.2f}, more than {settings.overfitting:g}."
        )
    elif high < 0.0:
        words = f"Keep the defaults: on the hold-out the tuned parameters bring {shown}, which is worse."
    else:
        words = (
            f"Keep the defaults: on the hold-out the tuned parameters bring {shown}, an interval that holds 0; they are better "
            f"with probability {probability:.2f}."
        )
    return Verdict(adopt, mean, low, high, settings.mass, probability, chance, unit, words)
