"""What a plan is judged by, on its money per posterior draw ``v`` (sample,).

``value`` is the exact number. ``weights`` is its (super)gradient in the draws; where the objective is concave in them,
``value(u) <= value(v) + weights(v) @ (u - v)``. ``bend`` is the curvature that the objective itself adds to a plan's, as a
matrix over cells: ``slopes.T @ Hessian(v) @ slopes``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.problem import Index

HALVINGS = 60  # Halvings of a bracket, to the last digit.
FARTHEST = 1e3  # Most by which standardised draws are stretched.


class Objective(Protocol):
    """A number to maximise that depends on a plan through its draws only."""

    @property
    def name(self) -> str:
        """In words."""

    def value(self, draws: Floats) -> float:
        """The objective of draws (sample,)."""

    def weights(self, draws: Floats) -> Floats:
        """Gradient in the draws, (sample,)."""

    def bend(self, draws: Floats, slopes: Floats) -> Floats | None:
        """Curvature over cells (cell, cell) from slopes (sample, cell); None where there is none."""

    def thinned(self, draws: Index) -> Objective:
        """The same objective of some of the draws."""


@dataclass(frozen=True)
class Mean:
    """Mean over draws."""

    name: str = "mean"

    def value(self, draws: Floats) -> float:
        """The mean of draws (sample,)."""
        return float(draws.mean())

    def weights(self, draws: Floats) -> Floats:
        """One share per draw, (sample,)."""
        return np.full(len(draws), 1.0 / len(draws))

    def bend(self, draws: Floats, slopes: Floats) -> None:
        """None: linear in the draws."""

    def thinned(self, draws: Index) -> Mean:
        """Itself."""
        return self


@dataclass(frozen=True)
class Weighted:
    """A fixed weight per draw, (sample,): a linear objective that bounds another one."""

    fixed: Floats
    name: str = "weighted mean"

    def value(self, draws: Floats) -> float:
        """The weighted sum of draws (sample,)."""
        return float(self.fixed @ draws)

    def weights(self, draws: Floats) -> Floats:
        """The weights, (sample,)."""
        return self.fixed

    def bend(self, draws: Floats, slopes: Floats) -> None:
        """None: linear in the draws."""

    def thinned(self, draws: Index) -> Weighted:
        """With the weights of these draws, scaled to the same sum."""
        part = self.fixed[draws]
        return replace(self, fixed=part * (self.fixed.sum() / max(float(part.sum()), 1e-300)))


@dataclass(frozen=True)
class CVaR:
    """Mean of the worst share ``level`` of draws (Rockafellar and Uryasev 2000); concave and monotone in the draws.

    Attributes
    ----------
    level : float
        In (0, 1]; 1 is the mean.
    offset : array, (sample,), money, optional
        Taken from each draw first. With the best value of each draw this is the CVaR of minus regret.
    """

    level: float
    offset: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse a level that is no share."""
        if not 0 < self.level <= 1:
            raise ValueError(f"CVaR level {self.level}. Expected a share of draws above 0 and at most 1")

    @property
    def name(self) -> str:
        """In words."""
        of = "" if self.offset is None else " of minus regret"
        return f"mean of the worst {self.level:.3g} of draws{of}"

    def shifted(self, draws: Floats) -> Floats:
        """Draws less the offset."""
        return draws if self.offset is None else draws - self.offset

    def value(self, draws: Floats) -> float:
        """The mean of the worst draws; a draw that the share cuts counts in part."""
        return float(self.weights(draws) @ self.shifted(draws))

    def weights(self, draws: Floats) -> Floats:
        """``1 / (level * samples)`` on the worst draws, the rest of 1 on the next, (sample,)."""
        each = 1.0 / (self.level * len(draws))
        ranked = np.argsort(self.shifted(draws), kind="stable")
        weights = np.zeros(len(draws))
        weights[ranked] = np.clip(1.0 - each * np.arange(len(draws)), 0.0, each)
        return weights

    def bend(self, draws: Floats, slopes: Floats) -> None:
        """None: the solver writes the worst draws as rows instead."""

    def thinned(self, draws: Index) -> CVaR:
        """With the offsets of these draws."""
        return self if self.offset is None else replace(self, offset=self.offset[draws])


@dataclass(frozen=True)
class MeanMinusSd:
    """``mean - risk * sd``, concave in the draws but not monotone: of a concave response it need not be concave in the plan.

    Attributes
    ----------
    risk : float
    offset : array, (sample,), money, optional
        Taken off the draws first, such as what the current plan would bring.
    """

    risk: float
    offset: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse a love of risk."""
        if not self.risk >= 0:
            raise ValueError(f"risk {self.risk} in mean - risk * sd. Expected at least 0")

    @property
    def name(self) -> str:
        """In words."""
        return f"mean minus {self.risk:.3g} sd"

    def shifted(self, draws: Floats) -> Floats:
        """Draws less the offset."""
        return draws if self.offset is None else draws - self.offset

    def value(self, draws: Floats) -> float:
        """The mean less ``risk`` standard deviations of draws (sample,)."""
        counted = self.shifted(draws)
        return float(counted.mean() - self.risk * counted.std())

    def weights(self, draws: Floats) -> Floats:
        """``(1 - risk * u) / samples`` with standardised draws u, (sample,)."""
        return (1.0 - self.risk * _standard(self.shifted(draws))) / len(draws)

    def bend(self, draws: Floats, slopes: Floats) -> Floats:
        """Curvature of ``-risk * sd``: that of the slopes' covariance, less the part along the draws."""
        counted = self.shifted(draws)
        sd = float(counted.std())
        if sd <= 0:
            return np.zeros((slopes.shape[1], slopes.shape[1]))
        centred = slopes - slopes.mean(axis=0)
        along = centred.T @ _standard(counted) / len(draws)
        bent: Floats = -self.risk / sd * (centred.T @ centred / len(draws) - np.outer(along, along))
        return bent

    def safe_weights(self, draws: Floats) -> Floats:
        """Weights (sample,) that are nowhere negative and still bound the objective: ``value(u) <= weights @ shifted(u)``.

        ``-sd(u) <= -mean(z * u)`` for any z of mean 0 and mean square at most 1; the weights stay positive if z is at most 1
        / risk. The best such z for these draws is their standardised value, stretched, shifted and cut at that height.
        """
        counted = self.shifted(draws)
        if self.risk == 0 or counted.std() <= 0:
            return np.full(len(draws), 1.0 / len(draws))
        z = _cut(_standard(counted), 1.0 / self.risk)
        return (1.0 - self.risk * z) / len(draws)

    def thinned(self, draws: Index) -> MeanMinusSd:
        """With the offsets of these draws."""
        return self if self.offset is None else replace(self, offset=self.offset[draws])


def _cut(u: Floats, height: float) -> Floats:
    """``min(a u + b, height)`` with mean 0 and the largest mean square up to 1, for standardised u (sample,)."""

    def centred(stretch: float) -> Floats:
        low, high = -stretch * float(np.abs(u).max()) - height, stretch * float(np.abs(u).max()) + height
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if np.minimum(stretch * u + middle, height).mean() < 0 else (low, middle)
        z = np.minimum(stretch * u + low, height)
        return z - z.mean() if low < high else z

    least, most = 0.0, 1.0
    while (centred(most) ** 2).mean() < 1 and most < FARTHEST:
        least, most = most, 2 * most
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if (centred(middle) ** 2).mean() < 1 else (least, middle)
    z = centred(least)
    found: Floats = np.minimum(z, height)
    return (found - found.mean()) / max(1.0, float(np.sqrt(((found - found.mean()) ** 2).mean())))


def _standard(draws: Floats) -> Floats:
    sd = float(draws.std())
    return (draws - draws.mean()) / sd if sd > 0 else np.zeros(len(draws))


@dataclass(frozen=True)
class ProbabilityAbove:
    """Share of draws above a threshold: a target, or the current plan's money draw by draw.

    Attributes
    ----------
    threshold : float or array, (sample,), money
    width : float
        Scale in money of the logistic step that stands in for the jump while a plan is searched; 0 is the jump itself.
    """

    threshold: float | Floats
    width: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return "probability of more than " + ("the reference" if np.ndim(self.threshold) else f"{self.threshold:,.0f}")

    def value(self, draws: Floats) -> float:
        """The share of draws (sample,), smoothed if there is a width."""
        if self.width <= 0:
            return float((draws > self.threshold).mean())
        return float(self._step(draws).mean())

    def weights(self, draws: Floats) -> Floats:
        """Slope of the smoothed step, (sample,)."""
        at = self._step(draws)
        return at * (1.0 - at) / (self.width * len(draws))

    def bend(self, draws: Floats, slopes: Floats) -> Floats:
        """Curvature of the smoothed step."""
        at = self._step(draws)
        second = at * (1.0 - at) * (1.0 - 2.0 * at) / (self.width**2 * len(draws))
        bent: Floats = (slopes.T * second) @ slopes
        return bent

    def softened(self, width: float) -> ProbabilityAbove:
        """With a step of some width in money."""
        return replace(self, width=width)

    def thinned(self, draws: Index) -> ProbabilityAbove:
        """With the thresholds of these draws."""
        return self if np.ndim(self.threshold) == 0 else replace(self, threshold=np.asarray(self.threshold)[draws])

    def _step(self, draws: Floats) -> Floats:
        z = np.clip((draws - self.threshold) / self.width, -500.0, 500.0)
        step: Floats = 1.0 / (1.0 + np.exp(-z))
        return step
