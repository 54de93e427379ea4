"""Ads of ad sets: up to three run at a time, each for some weeks; a new one takes the place of an old one, rested or not.

Which ad runs when is part of the truth: it is the same whatever budgets are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmx.worlds.accounts.luck import Floats

SLOTS = 3
LIFE_DAYS = (35.0, 0.5)  # median and standard deviation of the logarithm
PAUSE = 0.25  # share of the changes after which a slot stays empty for a while; the first slot never does
PREFERENCE = 1.5  # how strongly the platform shows the better ad


@dataclass(frozen=True)
class Creatives:
    """Ads by day.

    Attributes
    ----------
    number : array of int, (day, ad set, slot)
        Number of the ad in its ad set, from 1; 0 where the slot is empty.
    share : array, (day, ad set, slot)
        Share of the ad set's impressions; sums to 1 over slots.
    quality : array, (day, ad set, slot)
        CTR of the ad when it is new, over that of the ad set.
    new : array of bool, (day, ad set, slot)
        Whether an ad begins.
    age : array of int, (ad set, slot)
        Days that the ads of the first day have run before it.
    """

    number: NDArray[np.int64]
    share: Floats
    quality: Floats
    new: NDArray[np.bool_]
    age: NDArray[np.int64]


def make_creatives(rng: np.random.Generator, days: int, first_day: NDArray[np.int64]) -> Creatives:
    """Draw ads for every slot of every ad set; one that is older than the history has ads that are, too."""
    shape = (days, len(first_day), SLOTS)
    number, new = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    quality, age = np.ones(shape), np.zeros(shape[1:], dtype=np.int64)
    for a, first in enumerate(first_day):
        ads = 0
        for s in range(SLOTS):
            day = max(int(first), 0) - (int(rng.integers(0, 30)) if first < 0 else 0)
            age[a, s] = max(-day, 0)
            while day < days:
                lasts = max(7, int(LIFE_DAYS[0] * np.exp(LIFE_DAYS[1] * rng.standard_normal())))
                end = max(day + lasts, 1)
                if s == 0 or rng.random() > PAUSE:
                    ads += 1
                    rows = slice(max(day, 0), end)
                    number[rows, a, s] = ads
                    quality[rows, a, s] = np.exp(0.2 * rng.standard_normal())
                    if day >= 0:
                        new[day, a, s] = True
                day = end
    weight = np.where(number > 0, quality**PREFERENCE, 0.0)
    total = weight.sum(axis=2, keepdims=True)
    return Creatives(number, weight / np.where(total > 0.0, total, 1.0), quality, new, age)
