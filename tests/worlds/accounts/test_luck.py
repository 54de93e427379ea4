import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmx.worlds.accounts.counts import negative_binomial, order_total
from mmx.worlds.accounts.luck import NORMAL, PURPOSES, keys_of, luck_of, uniforms


def test_uniforms_are_uniform_and_their_neighbours_unrelated():
    numbers = uniforms(keys_of(3, np.arange(40)), np.arange(40), np.arange(5), np.arange(6))
    assert numbers.shape == (40, 40, 5, 6)
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
    centred = numbers - 0.5
    bound = 4.0 / np.sqrt(numbers.size) / 12.0
    for axis in range(4):
        first, second = np.delete(centred, -1, axis), np.delete(centred, 0, axis)
        assert abs(np.mean(first * second)) < bound * 1.3, axis


def test_luck_is_a_function_of_seed_day_ad_set_and_purpose_alone():
    keys = keys_of(1, [4, 9, 4])
    luck, fewer = luck_of(keys, 12, 7), luck_of(keys_of(1, [9]), 12, 3)
    assert (luck.adset[1, :3] == fewer.adset[0]).all() and (luck.account[1] == fewer.account[0]).all()
    assert (luck.adset[0] == luck.adset[2]).all()
    for other in (luck_of(keys, 13, 7), luck_of(keys_of(2, [4, 9, 4]), 12, 7)):
        assert not (other.adset == luck.adset).any()
    assert luck.of("purchases").shape == (3, 7) and luck.common("demand").shape == (3,)
    normal, uniform = luck.adset[..., : len(NORMAL)], luck.adset[..., len(NORMAL) : len(PURPOSES)]
    assert (normal < 0.0).any() and (uniform > 0.0).all() and (uniform < 1.0).all()


def test_small_counts_are_the_quantiles_of_scipy():
    u = np.random.default_rng(1).random(4000)
    for mean in (0.02, 0.7, 3.0, 14.9):
        want = stats.nbinom.ppf(u, 8.0, 8.0 / (8.0 + mean))
        assert (negative_binomial(u, np.full(4000, mean), 8.0) == want).all(), mean
    assert (negative_binomial(u, np.zeros(4000), 8.0) == 0.0).all()


@pytest.mark.parametrize("mean", [0.05, 1.0, 14.0, 16.0, 60.0, 500.0, 4000.0])
@pytest.mark.parametrize("size", [6.0, 40.0])
def test_counts_have_the_mean_and_variance_of_the_negative_binomial(mean, size):
    u = (np.arange(200_000) + 0.5) / 200_000
    counts = negative_binomial(u, np.full(u.shape, mean), size)
    assert counts.mean() == pytest.approx(mean, rel=2e-3)
    assert counts.var() == pytest.approx(mean + mean**2 / size, rel=0.025)


@given(st.floats(0.01, 0.99), st.floats(0.0, 300.0), st.floats(0.0, 1.0))
@settings(max_examples=200, deadline=None)
def test_counts_never_fall_with_luck(u, mean, more):
    low, high = negative_binomial(np.array([u, u + more * (1.0 - u - 1e-9)]), np.array([mean, mean]), 10.0)
    assert low <= high


def test_order_totals_have_the_moments_of_a_sum():
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    for orders in (1.0, 12.0):
        total = order_total(z, np.full(z.shape, orders), np.full(z.shape, 50.0), 0.7)
        assert total.mean() == pytest.approx(50.0 * orders, rel=1e-3)
        assert total.var() == pytest.approx(orders * 50.0**2 * np.expm1(0.49), rel=0.02)
    assert order_total(np.array([2.0]), np.zeros(1), np.array([50.0]), 0.7)[0] == 0.0
