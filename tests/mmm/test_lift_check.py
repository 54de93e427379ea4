from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmx.data.lift import LiftTests, read_lift_tests
from mmx.data.panel import Panel
from mmx.mmm.lift_check import lift_checks, used_tests

from ..panels import shop_config, shop_panel

BASE = {"channel": "tv", "start": "2022-03-14", "end": "2022-04-10", "metric": "roas", "se": 0.2}


def shop(*values: float, layer: dict[str, Any] | None = None) -> tuple[LiftTests, Panel]:
    """The shop's panel with one lift test of tv per value."""
    rows = [BASE | {"test": f"test {k}", "value": value} for k, value in enumerate(values)]
    panel = shop_panel()
    return read_lift_tests(shop_config({"model": {"lift_tests": rows}}, layer or {}), panel), panel


def test_without_tests_there_is_nothing_to_check() -> None:
    tests, panel = shop()
    assert lift_checks(tests, panel) == [] and used_tests(tests, panel, panel.window) is None


def test_the_tests_stand_beside_the_prior_that_they_would_update() -> None:
    tests, panel = shop(1.9, 2.1)
    found, priors = lift_checks(tests, panel)
    assert found.passed is None and found.table is not None and priors.table is not None
    assert found.table["roas"].tolist() == [1.9, 2.1] and found.table["periods"].tolist() == [4, 4]
    row = priors.table.iloc[0]
    assert (row["channel"], row["tests"], priors.passed) == ("tv", 2, True)
    assert row["roas"] == pytest.approx(2.0) and row["se"] == pytest.approx(0.2 / np.sqrt(2))
    assert row["prior_median"] == pytest.approx(1.2)
    assert row["prior_q05"] < row["updated_q05"] < row["updated_median"] < row["updated_q95"] < row["prior_q95"]
    assert row["updated_median"] == pytest.approx(2.0, abs=0.03)


def test_tests_that_contradict_each_other_are_named() -> None:
    (_, priors) = lift_checks(*shop(1.0, 3.0))
    assert priors.passed is False and "tv (p = 1.5e-12)" in priors.text and "raise their inflation" in priors.text
    (_, agreeing) = lift_checks(*shop(1.0, 3.0, layer={"checks": {"test_agreement": 0}}))
    assert agreeing.passed is True


def test_a_prior_of_another_kind_is_not_updated() -> None:
    layer = {"model": {"priors": {"kind": "contribution", "family": "lognormal", "median": 0.2, "q90": 0.5}}}
    (_, priors) = lift_checks(*shop(1.9, layer=layer))
    assert priors.table is not None and list(priors.table.columns) == ["channel", "tests", "roas", "se"]


@pytest.mark.parametrize(("rows", "used"), [(13, False), (14, True)])
def test_a_summary_says_whether_a_test_counted(rows: int, used: bool) -> None:
    tests, panel = shop(1.9)
    made = used_tests(tests, panel, panel.window & (np.arange(64) < rows))
    assert made is not None and [t["used"] for t in made["tests"]] == [used]
    assert made["as"] == "likelihood" and made["tests"][0]["start"] == "2022-03-14"
