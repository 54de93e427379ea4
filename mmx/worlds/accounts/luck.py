"""Common random numbers: a uniform is a hash of (seed, day, ad set, purpose), never the next number of a stream.

Two policies that are rolled through one future therefore face the same luck, whatever they do and in whatever order they are
tried. The hash is three rounds of the finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

PAST = 0  # the seed of what has happened; futures have seeds above it
NORMAL = ("demand", "price", "own", "day", "pace", "cpm", "impressions", "reach", "orders", "delay", "move")
UNIFORM = ("clicks", "purchases", "reported", "tracked", "whether")
PURPOSES = (*NORMAL, *UNIFORM)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Luck(NamedTuple):
    """Random numbers of one day.

    Attributes
    ----------
    account : array, (future, purpose)
        Of the account as a whole, in the order of ``PURPOSES``: standard normals, then uniforms.
    adset : array, (future, ad set, purpose)
        Of each ad set.
    """

    account: Floats
    adset: Floats

    def of(self, purpose: str) -> Floats:
        """Numbers of the ad sets for one purpose, (future, ad set)."""
        return self.adset[..., PURPOSES.index(purpose)]

    def common(self, purpose: str) -> Floats:
        """Numbers of the account for one purpose, (future,)."""
        return self.account[:, PURPOSES.index(purpose)]


def keys_of(world: int, seeds: ArrayLike) -> Keys:
    """The key of every future, (future,), from the seed of a world and the seeds of futures, whole numbers >= 0."""
    futures = np.atleast_1d(np.asarray(seeds, dtype=np.uint64))
    return _mix(_mix(np.full(1, world, dtype=np.uint64) + _GOLDEN) ^ (futures * _GOLDEN + np.uint64(1)))


def uniforms(keys: Keys, *parts: ArrayLike) -> Floats:
    """Uniforms in (0, 1), by keys and whole numbers.

    Parameters
    ----------
    keys : array of uint64, (future,)
    parts : array of int, (n,)
        Each adds an axis.

    Returns
    -------
    array, (future, n of the first part, n of the second ...)
    """
    mixed = keys
    for part in parts:
        numbers = np.atleast_1d(np.asarray(part)).astype(np.int64).astype(np.uint64)
        mixed = _mix(mixed[..., None] ^ ((numbers + np.uint64(1)) * _GOLDEN))
    return np.asarray(((mixed >> np.uint64(11)) + 0.5) * 2.0**-53)


def luck_of(keys: Keys, day: int, adsets: int) -> Luck:
    """Random numbers of one day for every future; those of an ad set do not depend on how many there are."""
    numbers = uniforms(keys, day + 1, np.arange(adsets + 1), np.arange(len(PURPOSES)))[:, 0]
    normal = len(NORMAL)
    numbers[..., :normal] = ndtri(numbers[..., :normal])
    return Luck(numbers[:, 0], numbers[:, 1:])


def _mix(x: Keys) -> Keys:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
