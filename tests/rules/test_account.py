"""The account that rules see: target and floor are in the same money as the ROAS they are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from mmx import read_config
from mmx.rules.account import Log, account_of
from mmx.worlds.accounts import make_world

HISTORY = make_world(4, kind="randomised", days=60).history()
SETTINGS = read_config({"name": "account", "ads": {"schema": "meta_export"}}).rules
HALF = Log(np.log(0.5), 0.2)


def test_without_a_target_the_accounts_own_roas_is_counted_as_its_ad_sets_are() -> None:
    platform, true = account_of(HISTORY, SETTINGS), account_of(HISTORY, SETTINGS, incrementality=HALF)
    mature = slice(-28 - HISTORY.immature_days, -HISTORY.immature_days)
    own = HISTORY.metric("revenue")[mature].sum() / HISTORY.metric("spend")[mature].sum()
    assert float(platform.target_roas) == pytest.approx(own)
    assert float(true.target_roas) == pytest.approx(0.5 * own)
    assert float(true.marginal_floor) == pytest.approx(0.5 * float(platform.marginal_floor))
    np.testing.assert_allclose(true.incrementality_mean, np.log(0.5))
    assert not np.any(true.incrementality_sd) and not np.any(true.floor_sd)  # it multiplies both sides and cancels out


def test_a_target_and_a_margin_are_true_money_and_stay() -> None:
    asked = SETTINGS.model_copy(update={"target_roas": 3.0, "margin": 0.4})
    found = account_of(HISTORY, asked, incrementality=HALF)
    assert (float(found.target_roas), float(found.marginal_floor)) == pytest.approx((3.0, 2.5))
    np.testing.assert_allclose([found.incrementality_sd, found.floor_sd], 0.2)
