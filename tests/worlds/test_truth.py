from dataclasses import replace

import numpy as np
import pytest

from mmx.worlds import WORLDS, simulate
from mmx.worlds.curves import Curve
from mmx.worlds.truth import Mechanism


def one_channel(curve, spend, window=None, beta=1.0, scale=1.0):
    spend = np.asarray(spend, dtype=float)[None, :, None]
    window = np.ones(spend.shape[1], dtype=bool) if window is None else np.asarray(window)
    return Mechanism(
        ("a",), spend, spend, np.ones(1), np.array([scale]), (curve,), np.array([[beta]]), np.ones(spend.shape[:2]), window
    )


def from_files(simulated, name, spend):
    """KPI money of one channel by period, from the truth's numbers alone, with explicit sums."""
    p = simulated.truth["parameters"][name]
    heads = simulated.table.population.to_numpy().reshape(spend.shape)[:, :1] if "population" in simulated.table else 1.0
    x = spend / heads / p["scale"]
    lags = np.arange(spend.shape[1])
    if p["adstock"] == "geometric":
        weights = (1 - p["alpha"]) * p["alpha"] ** lags
    else:
        weights = np.where(lags < p["window"], p["alpha"] ** ((lags - p["delay"]) ** 2.0), 0.0)
        weights = weights / weights.sum()
    carried = np.stack([np.convolve(row, weights)[: len(row)] for row in x])
    if p["saturation"] == "hill":
        powered = carried ** p["slope"]
        saturated = powered / (powered + p["half_saturation"] ** p["slope"])
    else:
        saturated = 2 / (1 + np.exp(-p["lam"] * carried)) - 1
    return heads * np.array(p["beta"])[:, None] * saturated


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_truth_is_what_an_independent_simulation_finds(world):
    simulated = simulate(world, seed=3)
    truth, geos = simulated.truth, len(simulated.scene.geos)
    for name in truth["roas"]:
        spend = simulated.table[f"{name}_spend"].to_numpy().reshape(geos, -1)
        money = from_files(simulated, name, spend).sum()
        more = from_files(simulated, name, 1.01 * spend).sum()
        assert truth["spend"][name] == pytest.approx(spend.sum())
        assert truth["contribution"][name] == pytest.approx(money, rel=1e-9, abs=1e-6)
        assert truth["roas"][name] == pytest.approx(money / spend.sum(), rel=1e-9, abs=1e-12)
        assert truth["mroas"][name] == pytest.approx((more - money) / (0.01 * spend.sum()), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_contributions_and_the_rest_add_up_to_the_kpi(world):
    simulated = simulate(world, seed=5)
    mechanism, mean = simulated.scene.mechanism, simulated.scene.mean
    rest = mean - sum(mechanism.effect(m) for m in range(6))
    assert (rest > 0).all()
    assert sum(simulated.truth["contribution"].values()) + rest.sum() == pytest.approx(simulated.truth["kpi"])
    assert sum(simulated.truth["contribution_share"].values()) == pytest.approx(simulated.truth["media_share"])


def test_linear_limit_has_the_closed_form():
    # Hill with slope 1 far below half saturation is beta x / (k scale), and without retention nothing is carried
    spend = np.array([0.0, 4.0, 1.0, 0.0, 7.0])
    mechanism = one_channel(Curve("geometric", "hill", 0.0, half_saturation=1e9), spend, beta=3e9, scale=2.0)
    assert mechanism.contribution["a"] == pytest.approx(1.5 * spend.sum(), rel=1e-6)
    assert mechanism.roas["a"] == pytest.approx(1.5, rel=1e-6)
    assert mechanism.mroas["a"] == pytest.approx(1.5, rel=1e-6)


def test_saturated_limit_has_no_marginal_return():
    mechanism = one_channel(Curve("geometric", "hill", 0.0, half_saturation=1e-9), [1.0, 2.0, 0.0, 3.0], beta=5.0)
    assert mechanism.contribution["a"] == pytest.approx(15.0, rel=1e-6)
    assert mechanism.mroas["a"] == pytest.approx(0.0, abs=1e-6)


def test_effect_after_the_last_row_is_left_out():
    linear = Curve("geometric", "hill", 0.6, half_saturation=1e9)
    mechanism = one_channel(linear, [0.0, 0.0, 10.0], beta=1e9)
    assert mechanism.contribution["a"] == pytest.approx(0.4 * 10, rel=1e-6)


def test_rows_after_the_window_do_not_count():
    linear = Curve("geometric", "hill", 0.6, half_saturation=1e9)
    mechanism = one_channel(linear, [0.0, 10.0, 70.0, 0.0], [True, True, False, False], beta=1e9)
    assert mechanism.contribution["a"] == pytest.approx(0.4 * 10, rel=1e-6)
    assert mechanism.spent["a"] == 10


def test_carry_in_from_before_the_window_is_left_out():
    linear = Curve("geometric", "hill", 0.6, half_saturation=1e9)
    window = [False, False, True, True, True]
    mechanism = one_channel(linear, [50.0, 50.0, 10.0, 0.0, 0.0], window, beta=1e9)
    assert mechanism.contribution["a"] == pytest.approx(10 * 0.4 * (1 + 0.6 + 0.36), rel=1e-6)
    assert mechanism.spent["a"] == 10
    assert mechanism.roas["a"] == mechanism.contribution["a"] / 10


def test_carry_in_still_saturates():
    # the same spend on top of a large carry-in moves along a flatter part of the curve
    curve = Curve("geometric", "hill", 0.8, half_saturation=1.0)
    window = [False, True, True]
    alone = one_channel(curve, [0.0, 1.0, 1.0], window).contribution["a"]
    after = one_channel(curve, [50.0, 1.0, 1.0], window).contribution["a"]
    assert 0 < after < 0.2 * alone


def test_population_scales_out():
    spend = np.random.default_rng(2).random((1, 30, 1))
    curve = Curve("geometric", "hill", 0.4, half_saturation=0.7, slope=1.5)
    worth, window = np.ones((1, 30)), np.ones(30, dtype=bool)
    small = Mechanism(("a",), spend, spend, np.ones(1), np.array([0.5]), (curve,), np.array([[2.0]]), worth, window)
    large = replace(small, spend=9 * spend, exposure=9 * spend, population=np.array([9.0]))
    assert large.contribution["a"] == pytest.approx(9 * small.contribution["a"])
    assert large.roas["a"] == pytest.approx(small.roas["a"])


def test_unit_value_turns_units_into_money():
    mechanism = one_channel(Curve("geometric", "hill", 0.3), [1.0, 2.0, 3.0], beta=4.0)
    dear = replace(mechanism, worth=7 * mechanism.worth)
    assert dear.contribution["a"] == pytest.approx(7 * mechanism.contribution["a"])
