"""What experiments measured, as arrays: which cells, which exposure without the test, and from when on a fold knows of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmx.mmm.inputs import prepare
from mmx.mmm.lift import bought
from mmx.mmm.resolve import resolve
from mmx.spec import LiftTest

from ..panels import changed, shop_config, shop_panel

TEST = {"test": "a", "channel": "tv", "start": "2022-03-14", "end": "2022-04-10", "metric": "kpi", "value": 300.0, "se": 50.0}
CELLS = np.zeros((6, 2), dtype=bool)
CELLS[2:4, 0] = True
SPEND = np.array([[10.0, 5.0], [30.0, 5.0], [8.0, 5.0], [12.0, 5.0], [20.0, 5.0], [20.0, 5.0]])


def inputs_of(geos: int = 1, train: int | None = None, dark: bool = False, **changes: Any) -> dict[str, Any]:
    """Arrays of a shop with one lift test; ``train`` rows are used, and ``dark`` takes all spend out of the test's cells."""
    panel = shop_panel(geos, weeks=40)
    if dark:
        spend = panel.array("spend")
        spend[:, 10:14, 0] = 0.0
        panel = changed(panel, spend=spend, exposure=np.where(spend == 0, 0.0, panel.array("exposure")))
    weights = panel.window.astype(float)
    weights[train:] = 0.0 if train is not None else weights[train:]
    test = LiftTest.model_validate(TEST | changes)
    spec = shop_config().spec.model_copy(update={"lift_tests": (test,)})
    resolved = resolve(spec, panel, weights > 0)
    return prepare(resolved, panel, weights)[1]


def test_added_spend_is_taken_out_in_proportion() -> None:
    np.testing.assert_allclose(bought(2 * SPEND, SPEND, CELLS, 5.0)[CELLS], 2 * SPEND[CELLS] * 5.0 / 20.0)


def test_spend_that_was_taken_away_is_put_back() -> None:
    moved = bought(2 * SPEND, SPEND, CELLS, -20.0)
    np.testing.assert_allclose(moved[CELLS], -2 * SPEND[CELLS])
    assert moved[CELLS].sum() / 2 == pytest.approx(-20.0)


@pytest.mark.parametrize("left", [0.0, 0.1])
def test_where_little_is_left_the_usual_pattern_is_put_back(left: float) -> None:
    """At two units of exposure per money, all of what was taken away, even over the test's periods."""
    spend = np.where(CELLS, SPEND * left, SPEND)
    moved = bought(2 * spend, spend, CELLS, -40.0)
    np.testing.assert_allclose(moved[CELLS], [-40.0, -40.0])


def test_a_part_of_a_week_left_over_does_not_take_all_that_is_missing() -> None:
    spend = SPEND.copy()
    spend[2:4, 0] = 6.0, 0.0
    np.testing.assert_allclose(bought(spend, spend, CELLS, -50.0)[CELLS], [-25.0, -25.0])


def test_a_channel_without_any_other_spend_has_nothing_to_put_back() -> None:
    spend = np.zeros((6, 2))
    assert not bought(spend, spend, CELLS, -5.0).any()


@pytest.mark.parametrize("geos", [1, 3])
def test_signs_are_with_the_test_less_without_it(geos: int) -> None:
    more, less = inputs_of(geos, delta_spend=40.0), inputs_of(geos, delta_spend=-40.0, value=-300.0)
    actual = more["x"][..., 0]
    cells = np.zeros(actual.shape, dtype=bool)
    cells[10:14] = True
    assert (more["lift_x"][0][cells] <= actual[cells]).all() and (less["lift_x"][0][cells] >= actual[cells]).all()
    np.testing.assert_allclose(more["lift_x"][0] + less["lift_x"][0], 2 * actual)
    for inputs in (more, less):
        np.testing.assert_array_equal(inputs["lift_x"][0][~cells], actual[~cells])
    np.testing.assert_array_equal(more["lift_worth"], less["lift_worth"])


def test_a_return_on_spend_has_one_sign_whether_spend_was_added_or_taken_away() -> None:
    """Fewer sales over less spend: what the model compares with a positive ROAS is positive in both."""
    for delta in (40.0, -40.0):
        inputs = inputs_of(metric="roas", value=1.5, delta_spend=delta)
        brought = inputs["x"][..., 0] - inputs["lift_x"][0]  # of any curve that rises
        assert (inputs["lift_worth"][0] * brought).sum() > 0


def test_a_channel_gone_dark_has_more_exposure_without_the_test() -> None:
    inputs = inputs_of(3, dark=True, delta_spend=-500.0, value=-300.0)
    back = inputs["lift_x"][0][10:14] - inputs["x"][10:14, :, 0]
    assert (back > 0).all()
    np.testing.assert_allclose(back, np.broadcast_to(back[0], back.shape))


def test_the_whole_spend_leaves_none() -> None:
    inputs = inputs_of()
    assert inputs["lift_x"][0][10:14].max() == pytest.approx(0.0, abs=1e-12)
    assert inputs["lift_sd"].tolist() == [50.0]
    assert inputs_of(inflation=1.5)["lift_sd"].tolist() == [75.0]


@pytest.mark.parametrize(("train", "used"), [(13, 0.0), (14, 1.0), (15, 1.0), (30, 1.0)])
def test_a_fold_uses_tests_that_ended_before_its_cut(train: int, used: float) -> None:
    """The test's last period is row 13, 2022-04-04: a fold of 13 rows does not know of its end."""
    assert inputs_of(train=train)["lift_used"].tolist() == [used]
