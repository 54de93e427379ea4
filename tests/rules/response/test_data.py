from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmx.data.ads.history import weekdays
from mmx.errors import DataError
from mmx.jax_setup import jax
from mmx.rules.response import bases, data, delay
from mmx.rules.response.data import prepare
from mmx.rules.response.density import log_density_of

from .small import ADSETS, DAYS, PARTS, SETTINGS, SHAPE, account, idle, points, prepared


def same(left: dict, right: dict) -> None:
    for name in left:
        if isinstance(left[name], dict):
            same(left[name], right[name])
        else:
            np.testing.assert_allclose(left[name], right[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_what_stands_on_idle_days_is_not_read() -> None:
    """A day without spend says nothing, whatever else its row holds."""
    history, _ = account()
    clean, junk = (prepare(idle(history, 2, slice(10, 20), value), SETTINGS, SHAPE) for value in (0.0, 7.0))
    for name in PARTS:
        weight = junk.inputs[name]["weight"][SHAPE[0] - DAYS + 10 : SHAPE[0] - DAYS + 20, 2]
        assert not weight.any()
        left, right = ({k: v for k, v in p.inputs[name].items() if k != "x"} for p in (clean, junk))
        same(left, right)


def test_masked_days_leave_the_density_as_it_is() -> None:
    """Values of cells with weight zero may be anything."""
    for name in PARTS:
        structure, inputs = prepared().structures[name], prepared().inputs[name]
        off = inputs["weight"] == 0
        other = inputs | {"value": np.where(off, 3.0, inputs["value"]), "size": np.where(off, 5.0, inputs["size"])}
        density, (q,) = jax.jit(log_density_of(structure)), points(structure.dim, 1)
        assert float(density(q, other)) == pytest.approx(float(density(q, inputs)), rel=1e-14)


def test_a_larger_shape_says_the_same() -> None:
    """Up to the prior of what is padded, which does not depend on the data: differences of log densities agree."""
    history, _ = account()
    wide = prepare(history, SETTINGS, (SHAPE[0], SHAPE[1] + 4, SHAPE[2]))
    for name in ("clicks", "amounts"):
        narrow = prepared().inputs[name]
        for key in ("level_mean", "weekday_basis", "drift_basis"):
            np.testing.assert_array_equal(narrow[key], wide.inputs[name][key])
        for key in ("value", "weight", "offset", "x"):
            np.testing.assert_array_equal(narrow[key], wide.inputs[name][key][:, : SHAPE[1]])


def test_days_after_a_fold_are_not_seen() -> None:
    history, _ = account()
    metrics = history.metrics.copy()
    metrics[40:] *= 3.0
    left, right = (prepare(h.until(40), SETTINGS, SHAPE) for h in (history, replace(history, metrics=metrics)))
    for name in PARTS:
        same(left.inputs[name], right.inputs[name])


def test_reported_shares_enter_as_an_offset_and_unknown_ones_as_no_data() -> None:
    late = replace(account()[0], immature_days=3)
    without = prepare(late, SETTINGS, SHAPE).inputs["purchases"]
    assert not without["weight"][-3:].any() and without["weight"][-4].any()
    curve = (0.25, 0.5, 0.9)
    with_curve = prepare(late, replace(SETTINGS, reported=curve), SHAPE).inputs["purchases"]
    assert with_curve["weight"][-3:].any()
    whole = prepare(replace(late, immature_days=0), SETTINGS, SHAPE).inputs["purchases"]
    shift = (with_curve["offset"] - whole["offset"])[-4:]
    expected = np.log([1.0, *curve[::-1]])[:, None] * np.ones(SHAPE[1])
    np.testing.assert_allclose(shift[whole["weight"][-4:] > 0], expected[whole["weight"][-4:] > 0], rtol=1e-12)


def test_the_delay_curve_is_found_in_earlier_exports() -> None:
    final, _ = account()
    late, curve = replace(final, immature_days=3), np.array([0.4, 0.7, 0.9])
    early = []
    for day in range(20, 45):
        metrics = final.metrics[:day].copy()
        for age, share in enumerate(curve):
            metrics[day - 1 - age, :, 3] *= share
        early.append(replace(late.until(day), metrics=metrics))
    np.testing.assert_allclose(delay.estimate_reported(early, late), curve, rtol=1e-12)
    with pytest.raises(DataError, match="Keep exports of more days"):
        delay.estimate_reported(early[:0], late)


def test_variation_is_what_two_way_means_leave() -> None:
    rng = np.random.default_rng(3)
    cell = rng.uniform(size=(30, 5)) < 0.8
    values = rng.standard_normal((30, 5))
    design = np.concatenate([np.kron(np.ones((30, 1)), np.eye(5)), np.kron(np.eye(30), np.ones((5, 1)))], axis=1)
    rows = cell.ravel()
    fitted = design[rows] @ np.linalg.lstsq(design[rows], values.ravel()[rows], rcond=None)[0]
    left = np.zeros(150)
    left[rows] = values.ravel()[rows] - fitted
    expected = np.sqrt((left.reshape(30, 5) ** 2).sum(axis=0) / cell.sum(axis=0))
    np.testing.assert_allclose(data.within_variation(values, cell), expected, rtol=1e-6)
    common = np.where(cell, rng.standard_normal((30, 1)) + rng.standard_normal(5), 0.0)
    assert data.within_variation(common, cell).max() < 1e-5  # Budgets that move together tell nothing.


def test_drift_and_weekdays_have_the_variance_that_their_scales_say() -> None:
    basis = bases.drift_basis(57, 14, 0.8)
    np.testing.assert_allclose((basis[[0, 14, 28, 42, 56]] ** 2).sum(axis=1), 1.0)
    assert basis[-1] @ basis[-15] == pytest.approx(0.8)
    contrasts = bases.weekday_contrasts()
    np.testing.assert_allclose((contrasts**2).sum(axis=1), 1.0)
    np.testing.assert_allclose(contrasts.sum(axis=0), 0.0, atol=1e-12)
    assert weekdays(np.array(["2026-11-30", "2026-12-06"], dtype="datetime64[D]")).tolist() == [0, 6]


def test_what_cannot_be_fitted_says_why() -> None:
    history, _ = account()
    with pytest.raises(DataError, match=r"ads\.budget: from_spend"):
        prepare(replace(history, budget=np.zeros((DAYS, ADSETS))), SETTINGS)
    with pytest.raises(DataError, match=r"ads\.columns"):
        prepare(replace(history, metrics=history.metrics * np.array([1.0, 0, 0, 0, 0, 0])), SETTINGS)
    with pytest.raises(ValueError, match="does not hold"):
        prepare(history, SETTINGS, (50, 8, 4))
    assert data.padded_shape(DAYS, ADSETS, 2) == SHAPE
