"""What an account's history is, in one number: two histories with the same digest are the same data."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory


def history_sha256(history: AccountHistory) -> str:
    """Return the digest of an account's days, names, metrics and budgets, and of how many days are immature."""
    names = [history.account, history.platform, history.currency, history.adsets, history.campaigns, history.immature_days]
    digest = hashlib.sha256(json.dumps(names, ensure_ascii=True).encode())
    digest.update(history.dates.astype("datetime64[D]").astype("<i8").tobytes())
    for place in (history.campaign_of, history.first_day, history.campaign_budget):
        digest.update(np.asarray(place).astype("<i8").tobytes())
    for values in (history.metrics, history.budget):
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()
