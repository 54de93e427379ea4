"""Replays: what they claim where the answer is known, and spans that are too short."""

from dataclasses import replace

import numpy as np
import pytest

from mmx.config import read_config
from mmx.errors import DataError
from mmx.rules.engine import Engine
from mmx.validate.replay import Replay, replay

from ..rules.simulated import account

ENGINE = Engine()
FIRST = 60


@pytest.fixture(scope="module")
def rules():
    """What a customer tells, with a margin."""
    files = {"files": ["unused.csv"], "columns": {name: name for name in ("date", "campaign", "adset", "spend", "clicks")}}
    columns = {name: name for name in ("impressions", "purchases", "revenue")}
    files["columns"] |= columns
    return read_config({"name": "rules", "ads": files, "rules": {"margin": 0.4}}).rules


@pytest.fixture(scope="module")
def vectors():
    """The defaults, and parameters that move other budgets."""
    space = ENGINE.space
    rng = np.random.default_rng(4)
    moved = space.from_unit(np.clip(space.to_unit(space.default) + rng.uniform(-0.2, 0.2, (2, len(space))), 0.0, 1.0))
    return np.concatenate([space.default[None, :], moved])


def worth(roas):
    """An account whose spend brought the same on every day."""
    history = account(3, days=90)
    metrics = history.metrics.copy()
    metrics[..., 4] = roas * metrics[..., 0]
    return replace(history, metrics=metrics)


def test_where_spend_always_brings_the_same_claims_are_that_times_spend(rules, vectors):
    found = replay(ENGINE, vectors, worth(2.5), rules, FIRST)
    assert found.same_day == pytest.approx(2.5 * found.spend, rel=1e-9)
    assert found.next_period == pytest.approx(2.5 * found.spend, rel=1e-9)
    assert found.spend[1:] != pytest.approx(found.spend[0], rel=1e-6)
    assert Replay.uplift(found.spend)[0] == 0.0


def test_too_few_days_are_refused(rules, vectors):
    with pytest.raises(DataError, match="it needs ten"):
        replay(ENGINE, vectors, worth(2.0), rules, 75)
