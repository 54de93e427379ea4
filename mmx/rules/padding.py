"""Accounts of different sizes in one compiled program: ad sets that never run are added until a size is reached.

An ad set that was added has no past, no budget and an age of zero or less for good: no rule decides about it, no money goes to
it, and sums over ad sets do not see it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory

STEP_ADSETS, STEP_CAMPAIGNS = 16, 4
NEVER = 10**6


def padded_sizes(ad_sets: int, campaigns: int) -> tuple[int, int]:
    """Next sizes of ad sets and campaigns: multiples of 16 and 4."""
    return -(-ad_sets // STEP_ADSETS) * STEP_ADSETS, -(-campaigns // STEP_CAMPAIGNS) * STEP_CAMPAIGNS


def pad_history(history: AccountHistory, ad_sets: int, campaigns: int) -> AccountHistory:
    """The same account with ad sets and campaigns added that never run.

    Parameters
    ----------
    history : AccountHistory
    ad_sets, campaigns : int
        Sizes to reach, at least those that it has.
    """
    more, new = ad_sets - len(history.adsets), campaigns - len(history.campaigns)
    return replace(
        history,
        adsets=(*history.adsets, *(f"never {i}" for i in range(more))),
        campaigns=(*history.campaigns, *(f"never {i}" for i in range(new))),
        campaign_of=np.concatenate([history.campaign_of, np.zeros(more, dtype=np.intp)]),
        metrics=_wider(history.metrics, more, 1),
        budget=_wider(history.budget, more, 1),
        first_day=np.concatenate([history.first_day, np.full(more, NEVER, dtype=np.intp)]),
        campaign_budget=np.concatenate([history.campaign_budget, np.zeros(more, dtype=bool)]),
        propensity=None if history.propensity is None else _wider(history.propensity, more, 1),
    )


def _wider(values: np.ndarray[Any, Any], more: int, axis: int) -> np.ndarray[Any, Any]:
    pads = [(0, 0)] * values.ndim
    pads[axis] = (0, more)
    return np.pad(values, pads)


def repeat_last(values: np.ndarray[Any, Any], more: int, axis: int) -> np.ndarray[Any, Any]:
    """Values with the last ones along an axis repeated: parameters of ad sets that never run, which only must be numbers."""
    pads = [(0, 0)] * values.ndim
    pads[axis] = (0, more)
    return np.pad(values, pads, mode="edge")
