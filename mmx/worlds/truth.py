"""The truth of a world, by re-simulation without noise: contribution, ROAS, marginal ROAS.

``contribution`` is KPI money with actual spend minus with zero spend of that medium in the KPI window; carry-in from
before the window and the effect after its last row are excluded. ``roas`` is contribution over spend. ``mroas`` is the
same for one percent more in every cell of the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mmx.worlds.curves import Curve, Floats

STEP = 0.01


@dataclass(frozen=True, eq=False)
class Mechanism:
    """How media act in one world: ``population * beta * saturation(adstock(exposure / population / scale))``.

    Attributes
    ----------
    names : tuple of str, (media,)
        Paid channels first, then organic media.
    spend : array, (geo, time, channel)
        Money per period.
    exposure : array, (geo, time, media)
        What acts; equal to spend where exposure is not measured apart.
    population : array, (geo,)
        Heads, or 1 for a national world.
    scale : array, (media,)
        Mean active exposure per head.
    curves : tuple of Curve, (media,)
    beta : array, (geo, media)
        KPI units per head at full saturation.
    worth : array, (geo, time)
        Money per KPI unit; 1 where the KPI is money or an index.
    window : array of bool, (time,)
        KPI window.
    """

    names: tuple[str, ...]
    spend: Floats
    exposure: Floats
    population: Floats
    scale: Floats
    curves: tuple[Curve, ...]
    beta: Floats
    worth: Floats
    window: npt.NDArray[np.bool_]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the paid channels."""
        return self.names[: self.spend.shape[-1]]

    def carried(self, medium: int, exposure: Floats) -> Floats:
        """Adstocked exposure per head in multiples of the scale, (..., geo, time)."""
        return self.curves[medium].carry(exposure / self.population[:, None] / self.scale[medium])

    def respond(self, medium: int, carried: Floats) -> Floats:
        """KPI units that adstocked exposure brings, (..., geo, time)."""
        return (self.population * self.beta[:, medium])[:, None] * self.curves[medium].saturate(carried)

    def effect(self, medium: int, factor: float = 1.0) -> Floats:
        """KPI units by cell if every cell of the window is multiplied, (geo, time)."""
        exposure = self.exposure[..., medium]
        return self.respond(medium, self.carried(medium, np.where(self.window, factor * exposure, exposure)))

    def money(self, medium: int, factor: float = 1.0) -> float:
        """KPI money in the window if every cell of the window is multiplied."""
        return float((self.worth * self.effect(medium, factor))[:, self.window].sum())

    @cached_property
    def spent(self) -> dict[str, float]:
        """Money spent in the window, by channel."""
        total = self.spend[:, self.window].sum(axis=(0, 1))
        return {name: float(v) for name, v in zip(self.channels, total, strict=True)}

    @cached_property
    def contribution(self) -> dict[str, float]:
        """KPI money that each medium brings in the window."""
        return {name: self.money(m) - self.money(m, 0.0) for m, name in enumerate(self.names)}

    @cached_property
    def roas(self) -> dict[str, float]:
        """Contribution over spend, by channel."""
        return {name: self.contribution[name] / self.spent[name] for name in self.channels}

    @cached_property
    def mroas(self) -> dict[str, float]:
        """KPI money per unit of money for one percent more in every cell, by channel."""
        return {
            name: (self.money(m, 1 + STEP) - self.money(m)) / (STEP * self.spent[name]) for m, name in enumerate(self.channels)
        }
