"""The reference of a plan: what is spent, what money buys and what the KPI is worth in a horizon after the training rows.

It is a window of the past, the last periods or those of a year ago, or what the table itself plans: rows after the training
rows, with their dates, prices, spend and exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.mmm.inputs import money_per_unit, scaled_exposure

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior

KINDS = ("last", "last_year", "planned")


@dataclass(frozen=True)
class Reference:
    """The reference of a plan.

    Attributes
    ----------
    spend : array, (horizon, geo, channel)
        Money per period: the current plan.
    exposure_per_money : array, (horizon, geo, channel)
        Scaled exposure per unit of money; where a cell has no spend, at the channel's average price in the window, or else
        in all rows up to the last training row.
    frequency : array, (horizon, geo, frequencies)
        Scaled frequency of channels with reach: a plan buys more or less reach at these.
    money : array, (horizon, geo)
        KPI money per unit of the scaled KPI: the mean of a past window in every period, or that of the planned rows.
    ahead : array, (geo,)
        The same in the carryover tail: the mean over the horizon.
    starts : tuple of str, (horizon,)
        First day of each period of the horizon.
    kind : {"last", "last_year", "planned"}
    channels, geos : tuple of str
        Names.
    first : int
        Row of the panel where the window begins.
    """

    spend: Floats
    exposure_per_money: Floats
    frequency: Floats
    money: Floats
    ahead: Floats
    starts: tuple[str, ...]
    kind: str
    channels: tuple[str, ...]
    geos: tuple[str, ...]
    first: int

    @property
    def horizon(self) -> int:
        """Periods."""
        return len(self.spend)


def reference_of(posterior: Posterior, horizon: int, kind: str) -> Reference:
    """Spend, exposure and worth of a horizon; see ``Posterior.reference``."""
    panel, constants, stop = posterior.panel, posterior.constants, posterior.stop
    start = _start(posterior, horizon, kind)
    rows = slice(start, start + horizon)
    spend, exposure = panel.array("spend").swapaxes(0, 1), scaled_exposure(panel, constants)
    bought = exposure[..., : posterior.structure.channels]
    size = np.array(constants.geo_scale)[:, None]
    price = _bought(spend[rows], bought[rows] * size)
    price = np.where(price > 0, price, _bought(spend[:stop], bought[:stop] * size))
    often, money = exposure[rows, :, posterior.structure.media :], money_per_unit(panel, constants)[rows]
    mean = money.mean(axis=0)
    planned = [pd.Timestamp(date) for date in panel.dates[rows]]
    last = pd.Timestamp(panel.dates[stop - 1])
    dates = planned if kind == "planned" else future_dates(last, horizon, panel.frequency)
    usual = np.broadcast_to(price / size, spend[rows].shape).copy()
    return Reference(
        spend=spend[rows],
        exposure_per_money=np.divide(bought[rows], spend[rows], out=usual, where=spend[rows] > 0),
        frequency=np.where(often > 0, often, 1.0),  # Where there is none, the mean over active cells, which is 1.
        money=money if kind == "planned" else np.repeat(mean[None], horizon, axis=0),
        ahead=mean,
        starts=tuple(str(date.date()) for date in dates),
        kind=kind,
        channels=panel.names("channel"),
        geos=panel.names("geo"),
        first=start,
    )


def _bought(spend: Floats, exposure: Floats) -> Floats:
    """Exposure per unit of money over all cells (time, geo, channel), (channel,); 0 without spend."""
    total = spend.sum(axis=(0, 1))
    return np.divide(exposure.sum(axis=(0, 1)), total, out=np.zeros_like(total), where=total > 0)


def _start(posterior: Posterior, horizon: int, kind: str) -> int:
    """Row where the window begins."""
    if kind not in KINDS:
        raise ValueError(f"reference {kind!r} is unknown: expected one of {', '.join(KINDS)}")
    if kind == "planned":
        have = posterior.panel.data.sizes["time"] - posterior.stop
        if have < horizon:
            raise ValueError(
                f"a horizon of {horizon} periods with reference planned needs as many rows after the training rows, which end "
                f"on {posterior.panel.dates[posterior.stop - 1]}; the table has {have}. Add rows with the planned spend, "
                "prices, controls and events after data.window.end"
            )
        return posterior.stop
    back = 0 if kind == "last" else round(posterior.panel.periods_per_year) - horizon
    start = posterior.stop - back - horizon
    if start < 0 or back < 0:
        have_rows = f"{posterior.stop} periods of data up to the end of the KPI window"
        raise ValueError(f"a horizon of {horizon} periods with reference {kind} needs more than the {have_rows}")
    return start


def future_dates(last: pd.Timestamp, periods: int, frequency: str) -> Sequence[pd.Timestamp]:
    """First days of the periods after ``last``."""
    step = {"daily": pd.DateOffset(days=1), "weekly": pd.DateOffset(weeks=1), "monthly": pd.DateOffset(months=1)}[frequency]
    return [last + (i + 1) * step for i in range(periods)]
