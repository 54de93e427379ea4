"""What a decision sees of a fit: KPI money of money per cell, per posterior draw, with its slopes.

A cell is a channel in a group of geos and of periods. Within a cell money keeps the pattern of the reference plan. Where that
has none, it is even over the cell's periods, and split over its geos as the channel's spend, or else as that of all channels.
Cells of one channel in one group of geos share carryover: they are a block. In a multiplicative model all cells are one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior
    from mmx.mmm.reference_window import Reference

Ints = npt.NDArray[np.intp]
type Grouping = Sequence[int] | npt.NDArray[np.integer] | Literal["each"] | None


class Values(Protocol):
    """KPI money of spend (horizon, geo, channel), as ``mmx.mmm.outlook.Outlook`` gives it."""

    @property
    def samples(self) -> int:
        """Number of draws."""

    @property
    def additive(self) -> bool:
        """Whether channels add up."""

    @property
    def nothing(self) -> Floats:
        """Value of no spend, as `value`."""

    def value(self, spend: Floats) -> Floats:
        """(sample, geo, channel), or (sample, geo, 1) if channels do not add up."""

    def value_and_slope(self, spend: Floats, pattern: Floats, labels: Ints) -> tuple[Floats, Floats]:
        """Value, and what a step of the pattern in the periods of each label brings, (sample, label, geo, channel)."""

    def thinned(self, draws: Ints) -> Values:
        """Keep some of the draws."""

    def envelope(self) -> Values | None:
        """Concave values, nowhere below these; None if they are not known."""


@dataclass(frozen=True)
class FitResponse:
    """Response of a fit to money per cell; it is a ``Response`` of the decision problem.

    Attributes
    ----------
    values : Values
    spend : array, (horizon, geo, channel)
        Money of the reference plan.
    geos : array of int, (geo,)
        Group of each geo, from 0.
    periods : array of int, (horizon,)
        Group of each period, from 0.
    names : tuple of str, (cell,)
        Of the cells: channels outermost, then geos, then periods.
    """

    values: Values
    spend: Floats
    geos: Ints
    periods: Ints
    names: tuple[str, ...]

    @property
    def samples(self) -> int:
        """Number of draws."""
        return self.values.samples

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, groups of geos, groups of periods."""
        return self.spend.shape[2], int(self.geos.max()) + 1, int(self.periods.max()) + 1

    @cached_property
    def blocks(self) -> Ints:
        """Block of each cell, (cell,)."""
        size = int(np.prod(self.shape))
        return np.arange(size) // self.shape[2] if self.values.additive else np.zeros(size, dtype=np.intp)

    @cached_property
    def cells(self) -> Ints:
        """Cell of each period, geo and channel, (horizon, geo, channel)."""
        channels, geos, periods = self.shape
        block = np.arange(channels) * geos + self.geos[:, None]
        return block * periods + self.periods[:, None, None]

    @cached_property
    def current(self) -> Floats:
        """Money of the reference plan, (cell,)."""
        return self.gathered(self.spend)

    @cached_property
    def share(self) -> Floats:
        """Share of its cell's money that each period, geo and channel has, (horizon, geo, channel)."""
        share = np.zeros_like(self.spend)
        found = np.zeros(len(self.names), dtype=bool)
        by_geo = self.spend.sum(axis=0)
        patterns = (self.spend, by_geo[None], by_geo.sum(axis=1, keepdims=True)[None], np.ones((1, 1, 1)))
        for pattern in patterns:
            weight = np.broadcast_to(pattern, self.spend.shape)
            total = self.gathered(weight)
            fits = (total > 0) & ~found
            share += np.where(fits[self.cells], weight / np.where(total > 0, total, 1.0)[self.cells], 0.0)
            found |= fits
        return share

    def gathered(self, spend: Floats) -> Floats:
        """Money per cell, (cell,), of spend (horizon, geo, channel)."""
        total: Floats = np.bincount(self.cells.ravel(), weights=spend.ravel(), minlength=len(self.names))
        return total

    def spread(self, money: Floats) -> Floats:
        """Spend, (horizon, geo, channel), of money per cell, (cell,)."""
        if np.shape(money) != (len(self.names),):
            raise ValueError(f"the money has shape {np.shape(money)}; expected one number per cell, ({len(self.names)},)")
        spend: Floats = np.asarray(money, dtype=float)[self.cells] * self.share
        return spend

    def value(self, money: Floats) -> Floats:
        """KPI money over that of no spend, carryover tail counted.

        Parameters
        ----------
        money : array, (cell,)

        Returns
        -------
        array, (sample, block)
        """
        return self._by_block(self.values.value(self.spread(money)) - self.values.nothing)

    def value_and_slope(self, money: Floats) -> tuple[Floats, Floats]:
        """Value as `value`, and KPI money per unit of money in each cell, (sample, cell).

        At no money the slope is that from above.
        """
        value, slope = self.values.value_and_slope(self.spread(money), self.share, self.periods)
        by_cell = np.moveaxis(self._by_group(slope), 1, -1).reshape(self.samples, -1)
        return self._by_block(value - self.values.nothing), by_cell

    def thinned(self, draws: Ints) -> FitResponse:
        """Keep some of the draws."""
        return replace(self, values=self.values.thinned(draws))

    def envelope(self) -> FitResponse | None:
        """A concave response, nowhere below this one; None if it is not known."""
        above = self.values.envelope()
        return None if above is None else replace(self, values=above)

    def _by_block(self, value: Floats) -> Floats:
        """(sample, geo, channel) as (sample, block)."""
        if self.values.additive:
            return self._by_group(value).reshape(self.samples, -1)
        total: Floats = value.sum(axis=(1, 2))[:, None]
        return total

    def _by_group(self, value: Floats) -> Floats:
        """Sums over groups of geos, (..., channel, group), of (..., geo, channel)."""
        return np.stack([value[..., self.geos == group, :].sum(axis=-2) for group in range(self.shape[1])], axis=-1)


def response_of(
    posterior: Posterior, reference: Reference, *, geos: Grouping = None, periods: Grouping = None, draws: Ints | None = None
) -> FitResponse:
    """Response of a fit over the horizon of a reference.

    Parameters
    ----------
    posterior : Posterior
    reference : Reference
    geos : array of int (geo,), "each" or None
        Group of each geo, from 0; all geos in one cell by default.
    periods : array of int (horizon,), "each" or None
        Group of each period, from 0, e.g. `months`; one cell for the whole horizon by default.
    draws : array of int, optional
        Samples to use; all by default.

    Raises
    ------
    ValueError
        If the labels are not one per geo or period, or leave a group empty.
    """
    from mmx.mmm.outlook import Outlook

    by_geo = _labels("geos", geos, len(reference.geos))
    by_period = _labels("periods", periods, len(reference.starts))
    names = tuple(
        " | ".join(part for part in (channel, place, when) if part)
        for channel in reference.channels
        for place in _titles(reference.geos, by_geo, " + ")
        for when in _titles(reference.starts, by_period, " to ")
    )
    return FitResponse(Outlook(posterior, reference, draws), reference.spend, by_geo, by_period, names)


def months(starts: Sequence[str]) -> Ints:
    """Groups of periods by the calendar month of their first day, for days in ISO format."""
    return np.unique([start[:7] for start in starts], return_inverse=True)[1]


def _labels(what: str, given: Grouping, size: int) -> Ints:
    if given is None:
        return np.zeros(size, dtype=np.intp)
    labels = np.arange(size) if isinstance(given, str) else np.asarray(given)
    whole = np.issubdtype(labels.dtype, np.integer)
    if labels.shape != (size,) or not whole or set(labels.tolist()) != set(range(int(labels.max(initial=-1)) + 1)):
        raise ValueError(
            f"{what} are {given!r}; expected {size} whole numbers, one per {what.removesuffix('s')}, that count groups from 0 "
            'without a gap, or "each"'
        )
    return labels.astype(np.intp)


def _titles(names: Sequence[str], labels: Ints, joint: str) -> list[str]:
    """Title of each group: the names in it, the first and the last of periods; empty where all are one group."""
    groups = [[name for name, at in zip(names, labels, strict=True) if at == label] for label in range(int(labels.max()) + 1)]
    if len(groups) == 1:
        return [""]
    ends = [[own[0], own[-1]] if joint == " to " and len(own) > 1 else own for own in groups]
    return [joint.join(own) for own in ends]
