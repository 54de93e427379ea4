"""How much of a day's purchases attribution has reported: given, left out, or estimated from earlier exports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmx.data.ads.history import AccountHistory
from mmx.errors import DataError

Floats = npt.NDArray[np.float64]


def reported_share(days: int, immature_days: int, reported: Sequence[float] | None) -> Floats:
    """Share of each day's purchases that is reported after the last day, (day,); 0 where it is not known."""
    age = np.arange(days)[::-1]
    if reported is None:
        return np.where(age < immature_days, 0.0, 1.0)
    return np.where(age < len(reported), np.asarray(reported)[np.minimum(age, len(reported) - 1)], 1.0)


def estimate_reported(early: Sequence[AccountHistory], late: AccountHistory) -> tuple[float, ...]:
    """Share of purchases reported after 0, 1, ... days, from what earlier histories of the account showed.

    Parameters
    ----------
    early : sequence of AccountHistory
        Histories taken before, with the ad sets of ``late`` in the same order. Days on which ``late`` is immature are left out.
    late : AccountHistory

    Returns
    -------
    tuple of float
        One per immature day, rising, at most 1.

    Raises
    ------
    DataError
        If no day of an earlier history is mature in the later one.
    """
    seen, final = np.zeros(late.immature_days), np.zeros(late.immature_days)
    mature = {date: row for row, date in enumerate(late.dates[: len(late.dates) - late.immature_days])}
    for before in early:
        for age in range(min(late.immature_days, len(before.dates))):
            row = mature.get(before.dates[-1 - age])
            if row is not None:
                seen[age] += before.metric("purchases")[-1 - age].sum()
                final[age] += late.metric("purchases")[row, : len(before.adsets)].sum()
    if (final <= 0).any():
        raise DataError(
            f"the delay of attribution cannot be estimated: purchases of an age of {int(np.argmin(final))} days are in none of "
            f"{len(early)} earlier histories, or not final in the later one. Keep exports of more days, or state ads.reported"
        )
    rising = np.maximum.accumulate(np.minimum(seen / final, 1.0))
    return tuple(float(share) for share in rising)
