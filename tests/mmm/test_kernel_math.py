from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_math import exp, log


@njit
def _each(f, x):  # type: ignore[no-untyped-def]
    return np.array([f(v) for v in x])


def test_the_exponential_is_numpys_to_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-700.0, 700.0, 100_001), np.random.default_rng(0).normal(size=100_000), [0.0]])
    np.testing.assert_allclose(_each(exp, x), np.exp(x), rtol=4.5e-16)


def test_the_exponential_saturates() -> None:
    np.testing.assert_allclose(_each(exp, np.array([-1e4, 1e4])), np.exp([-700.0, 700.0]), rtol=4.5e-16)


def test_the_logarithm_is_numpys_to_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.exp(rng.uniform(-690.0, 690.0, 100_000)), 1.0 + rng.uniform(-0.3, 0.4, 100_000), [1.0]])
    np.testing.assert_allclose(_each(log, x), np.log(x), rtol=4.5e-16, atol=1e-300)
