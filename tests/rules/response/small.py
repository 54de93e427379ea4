"""One small account, drawn from the model, whose shape all tests share: what is compiled for it is compiled once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from mmx.data.ads.history import AccountHistory
from mmx.rules.response.data import Prepared, prepare
from mmx.rules.response.generate import Truth, simulate
from mmx.rules.response.settings import ResponseSettings

SETTINGS = ResponseSettings()
DAYS, ADSETS, CAMPAIGNS = 53, 7, 2
SHAPE = (56, 8, 4)
PARTS = ("delivery", "impressions", "clicks", "purchases", "amounts")


@cache
def account(seed: int = 5, variation: float = 0.4) -> tuple[AccountHistory, Truth]:
    return simulate(seed, SETTINGS, days=DAYS, adsets=ADSETS, campaigns=CAMPAIGNS, variation=variation)


@cache
def prepared() -> Prepared:
    return prepare(account()[0], SETTINGS, SHAPE)


def idle(history: AccountHistory, adset: int, days: slice, junk: float = 0.0) -> AccountHistory:
    """The history with days on which an ad set spent nothing; what else is there is ``junk``."""
    metrics = history.metrics.copy()
    metrics[days, adset] = junk
    metrics[days, adset, 0] = 0.0
    return replace(history, metrics=metrics)


def points(dim: int, count: int, seed: int = 1) -> np.ndarray:
    return 0.5 * np.random.default_rng(seed).standard_normal((count, dim))
