import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.worlds.curves import Curve


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
