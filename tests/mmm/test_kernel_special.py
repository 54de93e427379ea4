from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import special

from mmx.mmm import likelihoods
from mmx.mmm.kernel_special import exp_pair, log1p, log_gamma, log_rising

EPS = float(np.finfo(float).eps)


@njit
def _each(f, x):  # type: ignore[no-untyped-def]
    return np.array([f(v) for v in x])


@njit
def _pairs(f, x):  # type: ignore[no-untyped-def]
    out = np.empty((2, x.size))
    for i in range(x.size):
        out[0, i], out[1, i] = f(x[i])
    return out


@njit
def _rising(y, s):  # type: ignore[no-untyped-def]
    return log_rising(y, s)


@pytest.fixture(scope="module")
def positive() -> np.ndarray:
    """Numbers over thirty powers of ten, small integers and halves."""
    rng = np.random.default_rng(0)
    return np.concatenate([10.0 ** rng.uniform(-15.0, 15.0, 20_000), rng.uniform(0.0, 20.0, 20_000), np.arange(1, 60) / 2])


def test_the_exponential_less_one_has_no_cancellation() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-700.0, 700.0, 50_000), rng.normal(size=50_000), rng.normal(0.0, 1e-8, 50_000), [0.0]])
    whole, less = _pairs(exp_pair, x)
    np.testing.assert_allclose(whole, np.exp(x), rtol=3 * EPS)
    np.testing.assert_allclose(less, np.expm1(x), rtol=3 * EPS)


def test_the_logarithm_of_one_more_has_no_cancellation(positive: np.ndarray) -> None:
    np.testing.assert_allclose(_each(log1p, positive), np.log1p(positive), rtol=3 * EPS)


def test_the_gamma_functions_logarithm_is_scipys(positive: np.ndarray) -> None:
    """To rounding of its largest part: near 1 and 2, where it is 0, and below the recurrence's ten steps that is absolute."""
    value = _pairs(log_gamma, positive)[0]
    np.testing.assert_allclose(value, special.gammaln(positive), rtol=4 * EPS, atol=100 * EPS)


def test_its_derivative_is_scipys(positive: np.ndarray) -> None:
    slope = _pairs(log_gamma, positive)[1]
    np.testing.assert_allclose(slope, special.digamma(positive), rtol=4 * EPS, atol=20 * EPS)


@pytest.mark.parametrize("size", [1e-3, 0.7, 30.0, 99.0, 101.0, 1e4, 1e9, 1e30])
@pytest.mark.parametrize("count", [0, 1, 40, 3000])
def test_the_rising_factorial_is_its_product(count: int, size: float) -> None:
    """``gamma(y + s) / (gamma(s) s^y)`` is the product of ``1 + k / s``, in compiled code and in JAX."""
    k = np.arange(count)
    expected, slope = np.log1p(k / size).sum(), -(k / (size * (size + k))).sum()
    value, by_size = _rising(float(count), size)
    largest = max(expected, float(special.gammaln(count + min(size, 100.0))), 1.0)  # What cancels below the series.
    least = min(size, 100.0) * float(special.digamma(count + 100.0))
    assert value == pytest.approx(expected, rel=1e-13, abs=20 * EPS * largest)
    assert size * by_size == pytest.approx(size * slope, rel=1e-13, abs=20 * EPS * max(count, least))
    assert float(likelihoods.log_rising(np.float64(count), np.float64(size))) == pytest.approx(value, rel=1e-12, abs=1e-11)
