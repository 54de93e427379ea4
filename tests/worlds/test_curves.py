import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mmx.worlds.curves import ADSTOCKS, SATURATIONS, Curve


def impulse(periods):
    x = np.zeros(periods)
    x[0] = 1.0
    return x


def test_geometric_impulse_decays_by_alpha():
    response = Curve("geometric", "hill", 0.6).carry(impulse(30))
    np.testing.assert_allclose(response, 0.4 * 0.6 ** np.arange(30), rtol=1e-12)


def test_delayed_impulse_is_the_formula_of_jin():
    response = Curve("delayed", "hill", 0.7, delay=2.0, window=5).carry(impulse(8))
    raw = np.array([0.7**4, 0.7, 1.0, 0.7, 0.7**4, 0, 0, 0])
    np.testing.assert_allclose(response, raw / raw.sum(), rtol=1e-12)


@given(st.floats(0, 0.95), st.floats(0, 4))
def test_weights_sum_to_one(alpha, delay):
    geometric = Curve("geometric", "hill", alpha)
    assert geometric.carry(impulse(geometric.tail() + 1)).sum() == pytest.approx(1, abs=1e-9)
    if alpha > 0:
        assert Curve("delayed", "hill", alpha, delay=delay).weights(13).sum() == pytest.approx(1, abs=1e-12)


def test_tail_is_where_the_effect_ends():
    for curve in (Curve("geometric", "hill", 0.8), Curve("delayed", "hill", 0.8, delay=2.0)):
        response = curve.carry(impulse(300))
        assert response[curve.tail() + 1 :].sum() < 1e-9
        assert response[: curve.tail()].sum() < 1 - 1e-13
    assert Curve("geometric", "hill", 0.0).tail() == 0


@pytest.mark.parametrize("adstock", ["geometric", "delayed"])
def test_without_retention_nothing_is_carried(adstock):
    x = np.random.default_rng(1).random((3, 20))
    np.testing.assert_array_equal(Curve(adstock, "hill", 0.0).carry(x), x)


@given(st.floats(0.05, 10), st.floats(0.5, 3))
def test_hill_is_one_half_at_its_half_saturation(half, slope):
    assert Curve("geometric", "hill", 0.5, half_saturation=half, slope=slope).saturate(np.array([half]))[0] == pytest.approx(
        0.5
    )


@given(st.floats(0, 20), st.floats(0.1, 5))
def test_logistic_is_its_formula(x, lam):
    came = Curve("geometric", "logistic", 0.5, lam=lam).saturate(np.array([x]))[0]
    assert came == pytest.approx((1 - np.exp(-lam * x)) / (1 + np.exp(-lam * x)), abs=1e-12)


def test_parameters_name_what_the_curve_uses():
    assert set(Curve("geometric", "hill", 0.5).parameters()) == {"adstock", "saturation", "alpha", "half_saturation", "slope"}
    delayed = Curve("delayed", "logistic", 0.5, delay=3.0, window=13).parameters()
    assert set(delayed) == {"adstock", "saturation", "alpha", "delay", "window", "lam", "theta"}
    assert delayed["theta"] == 0.25


@pytest.mark.parametrize("adstock", sorted(ADSTOCKS))
@given(st.floats(0.05, 0.9), st.floats(0.3, 3), st.floats(0.5, 5))
def test_every_adstock_is_a_distribution_of_lags_that_ends(adstock, alpha, peak, spread):
    curve = Curve(adstock, "hill", alpha, delay=1.5, peak=peak, spread=spread)
    weights = curve.weights(curve.tail() + 20)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    assert weights[curve.tail() + 1 :].sum() < 1e-9
    np.testing.assert_array_equal(curve.weights(4), weights[:4])


@pytest.mark.parametrize("saturation", sorted(SATURATIONS))
@given(st.floats(0.3, 3), st.floats(0.5, 3), st.floats(1, 3))
def test_every_saturation_rises_from_zero(saturation, half, slope, foot):
    curve = Curve("geometric", saturation, 0.5, half_saturation=half, slope=slope, steepness=foot, foot=foot)
    value = curve.saturate(np.linspace(0, 4, 200))
    assert value[0] == pytest.approx(0, abs=1e-15)
    assert (np.diff(value) >= -1e-15).all()
    low, middle = curve.saturate(half * np.array([0.3, 1.0]))
    assert 0 < low < middle
    if saturation not in ("log", "root"):
        assert curve.saturate(np.array([1e6]))[0] == pytest.approx(1, abs=1e-2)


@given(st.floats(0.5, 3), st.floats(0.5, 5))
def test_weibull_carryover_is_that_of_scipy(peak, spread):
    law = stats.weibull_min(peak, scale=spread)
    mass = law.cdf(np.arange(1, 14)) - law.cdf(np.arange(13))
    np.testing.assert_allclose(
        Curve("weibull", "hill", 0.5, peak=peak, spread=spread).weights(13), mass / mass.sum(), atol=1e-12
    )
    left = law.sf(np.arange(13))
    cdf = Curve("weibull_cdf", "hill", 0.5, peak=peak, spread=spread)
    np.testing.assert_allclose(cdf.weights(13), left / left.sum(), atol=1e-12)


def test_binomial_carryover_is_that_of_meridian():
    # Meridian's binomial decay: (1 - lag / window) ^ (1 / alpha - 1); alpha of a half is a straight line
    weights = Curve("binomial", "hill", 0.5, window=4).weights(6)
    np.testing.assert_allclose(weights, np.array([4, 3, 2, 1, 0, 0]) / 10, rtol=1e-12)


def test_two_speeds_are_a_mixture():
    mixed = Curve("two_speed", "hill", 0.2, alpha_slow=0.8, slow=0.25).weights(40)
    fast, slow = (Curve("geometric", "hill", a).weights(40) for a in (0.2, 0.8))
    np.testing.assert_allclose(mixed, 0.75 * fast + 0.25 * slow, rtol=1e-12)


@pytest.mark.parametrize("saturation", ["hill", "exponential", "weibull", "arctan"])
def test_half_saturation_is_where_half_is_reached(saturation):
    curve = Curve("geometric", saturation, 0.5, half_saturation=0.8, slope=1.7)
    assert curve.saturate(np.array([0.8]))[0] == pytest.approx(0.5)


def test_log_and_root_are_their_formulas():
    x = np.array([0.5, 2.0])
    np.testing.assert_allclose(Curve("geometric", "log", 0.5, half_saturation=0.5).saturate(x), np.log([2.0, 5.0]))
    np.testing.assert_allclose(Curve("geometric", "root", 0.5, power=0.5).saturate(x), np.sqrt(x))


def test_s_curves_start_flat():
    x = np.array([0.0, 0.01, 0.5, 0.51])
    for family in ("gompertz", "s_logistic"):
        value = Curve("geometric", family, 0.5, steepness=3.0, foot=3.0).saturate(x)
        assert value[1] - value[0] < 0.5 * (value[3] - value[2])
