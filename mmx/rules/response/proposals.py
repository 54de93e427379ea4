"""Laws that scales are drawn from, and weights of draws from several of them.

The first law comes from the maximum: Student's, of its own width on either side in each direction of the curvature (Martins,
Simpson, Lindgren and Rue 2013). Later ones have the mean and the covariance of what was weighed so far. All points count
under the mixture of the laws that they were drawn from (Cornuet, Marin, Mira and Robert 2012, Adaptive multiple importance
sampling).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Floats = npt.NDArray[np.float64]

FREEDOM = 8.0  # Degrees of freedom of every law.
WIDER = 1.1  # Covariance of a later law over that of the weighted points.


class Law(Protocol):
    """A law over scales."""

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Points, (count, number)."""

    def log_density(self, z: Floats) -> Floats:
        """Up to a constant that all laws share, (count,)."""


@dataclass(frozen=True)
class Split:
    """Student's law with a width of its own below and above the centre in each direction.

    Attributes
    ----------
    centre : array, (number,)
    directions : array, (number, direction)
    stretch : array, (2, direction)
        Below and above.
    """

    centre: Floats
    directions: Floats
    stretch: Floats

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Points, (count, number)."""
        units = _student(count, len(self.centre), rng)
        moved: Floats = self.centre + (units * self._width(units)) @ self.directions.T
        return moved

    def log_density(self, z: Floats) -> Floats:
        """Up to a constant, (count,)."""
        units = np.linalg.solve(self.directions, (z - self.centre).T).T
        width = self._width(units)
        return np.asarray(_log_student(units / width) - np.log(width).sum(axis=1) - _log_volume(self.directions))

    def covariance(self) -> Floats:
        """Of the law without its tails, (number, number)."""
        root = self.directions * self.stretch.mean(axis=0)
        found: Floats = root @ root.T
        return found

    def _width(self, units: Floats) -> Floats:
        found: Floats = self.stretch[(units > 0).astype(int), np.arange(len(self.centre))]
        return found


@dataclass(frozen=True)
class Student:
    """Student's law around ``centre (number,)`` with the lower factor ``root (number, number)``."""

    centre: Floats
    root: Floats

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Points, (count, number)."""
        moved: Floats = self.centre + _student(count, len(self.centre), rng) @ self.root.T
        return moved

    def log_density(self, z: Floats) -> Floats:
        """Up to a constant, (count,)."""
        return _log_student(np.linalg.solve(self.root, (z - self.centre).T).T) - _log_volume(self.root)


def adapted(z: Floats, weights: Floats, first: Split) -> Student:
    """The law of weighted points; the fewer of them are effective, the more its covariance is the first law's."""
    mean = weights @ z
    covariance = (z - mean).T @ ((z - mean) * weights[:, None])
    effective = 1.0 / np.square(weights).sum()
    trust = effective / (effective + 4.0 * z.shape[1])
    return Student(mean, np.linalg.cholesky(WIDER * (trust * covariance + (1.0 - trust) * first.covariance())))


def mixture(laws: Sequence[Law], z: Floats) -> Floats:
    """Log density of the mixture of laws in equal parts, up to a constant, (count,)."""
    found: Floats = logsumexp(np.stack([law.log_density(z) for law in laws]), axis=0) - math.log(len(laws))
    return found


def smoothed(log_weights: Floats) -> tuple[Floats, float]:
    """Pareto-smoothed weights that sum to one, and the k of their tail."""
    from arviz_stats.base.array import array_stats

    finite = np.where(np.isfinite(log_weights), log_weights, -1e300)
    found, khat = array_stats.psislw(-finite)  # It takes the log of the inverse.
    weights = np.exp(found - found.max())
    total: Floats = weights / weights.sum()
    return total, float(khat)


def systematic(weights: Floats, draws: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Systematic resampling: each point as often as its weight says, give or take one; in random order."""
    places = (rng.uniform() + np.arange(draws)) / draws
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    return rng.permutation(chosen)


def _student(count: int, size: int, rng: np.random.Generator) -> Floats:
    normals = rng.standard_normal((count, size))
    return np.asarray(normals / np.sqrt(rng.chisquare(FREEDOM, size=(count, 1)) / FREEDOM))


def _log_student(units: Floats) -> Floats:
    found: Floats = -0.5 * (FREEDOM + units.shape[1]) * np.log1p(np.square(units).sum(axis=1) / FREEDOM)
    return found


def _log_volume(root: Floats) -> float:
    return float(np.linalg.slogdet(root)[1])
