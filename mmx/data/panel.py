"""The panel: one table of KPI, media, treatments and controls as labelled arrays, checked and frozen.

Dimensions are named and ordered ``geo, time, channel``. A national table has one geo called ``national``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

NATIONAL = "national"
NAMED = ("organic", "frequency", "treatment", "control", "event")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Data of one model, complete and regular.

    Attributes
    ----------
    data : xarray.Dataset
        ``kpi (geo, time)`` in the user's units, NaN outside the window where the file has none;
        ``spend (geo, time, channel)`` in money per period, >= 0; ``exposure (geo, time, channel)``, equal to spend
        where a channel has no exposure column, and to reach where it has that; ``media_frequency (geo, time,
        frequency_name)`` of the channels with reach; ``organic (geo, time, organic_name)`` exposure; ``treatment (geo, time,
        treatment_name)``; ``control (geo, time, control_name)``; ``event (geo, time, event_name)`` 0/1 or share of the
        period;
        ``unit_value (geo, time)`` money per KPI unit, 1 where the KPI is money or an index; ``population (geo)``, NaN
        where unknown; ``window (time)`` bool, the KPI window: earlier rows are media history, later rows are planned.
        ``time`` holds the first day of each period as datetime64.
    target_kind : {"money", "count", "index"}
    frequency : str
        ``daily``, ``weekly`` or ``monthly``.
    currency : str
        Unit of money for print, such as ``EUR``; empty when the configuration names none.
    source : str
        Path of the file that the table came from.
    sha256 : str
        Digest of the file's bytes.
    notes : tuple of str
        What policies repaired and what a reader should know, one sentence each. Logged with the run.
    has_exposure : tuple of bool, (channel,)
        Whether a channel has an exposure column of its own.
    groups : tuple of str, (geo,)
        What each geo belongs to; empty without a second level.
    columns : tuple of (str, str)
        Name and type of every column of the file, for drift checks.
    """

    data: xr.Dataset
    target_kind: str
    frequency: str
    currency: str
    source: str
    sha256: str
    notes: tuple[str, ...] = ()
    has_exposure: tuple[bool, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()

    def array(self, name: str) -> Floats:
        """Values of one variable as float64, a copy."""
        return np.array(self.data[name].values, dtype=np.float64)

    def names(self, dim: str) -> tuple[str, ...]:
        """Labels along ``geo``, ``channel``, ``organic``, ``frequency``, ``treatment``, ``control`` or ``event``."""
        # an xarray variable of several dimensions cannot bear the name of one of them
        label = f"{dim}_name" if dim in NAMED else dim
        return tuple(str(v) for v in self.data[label].values) if label in self.data.sizes else ()

    @property
    def media_exposure(self) -> Floats:
        """Exposure of paid channels, then of organic media, (geo, time, media), in the units of the file."""
        return np.concatenate([self.array("exposure"), self.array("organic")], axis=2)

    @property
    def media_frequency(self) -> Floats:
        """Frequency of the channels with reach, (geo, time, frequency_name)."""
        none = np.zeros((self.data.sizes["geo"], self.data.sizes["time"], 0))
        return self.array("media_frequency") if "media_frequency" in self.data else none

    @cached_property
    def window(self) -> npt.NDArray[np.bool_]:
        """Rows of the KPI window, (time,)."""
        return np.array(self.data["window"].values, dtype=bool)

    @property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """First day of each period, (time,)."""
        return np.array(self.data["time"].values, dtype="datetime64[D]")

    @property
    def has_population(self) -> bool:
        """Whether every geo has a population."""
        return bool(np.isfinite(self.array("population")).all())

    @property
    def periods_per_year(self) -> float:
        """365.25 for daily, 52.1786 for weekly, 12 for monthly data."""
        return {"daily": 365.25, "weekly": 365.25 / 7, "monthly": 12.0}[self.frequency]

    def describe(self) -> dict[str, Any]:
        """Return the size of the panel in plain numbers, for logs."""
        sizes = {str(k).removesuffix("_name"): int(v) for k, v in self.data.sizes.items()}
        dates = self.dates
        inside = dates[self.window]
        return {
            **sizes,
            "frequency": self.frequency,
            "first": str(dates[0]),
            "last": str(dates[-1]),
            "window_start": str(inside[0]),
            "window_end": str(inside[-1]),
            "window_rows": int(self.window.sum()),
        }
