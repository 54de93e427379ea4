from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmx.jax_setup import jax
from mmx.rules.response.counts import mixed, poisson

COUNT = 100_001


def grid(count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    uniform = (np.arange(count) + 0.5) / count
    return uniform, stats.norm.ppf(uniform)


@pytest.mark.parametrize("mean", [0.02, 0.5, 2.9, 3.1, 6.0, 40.0, 500.0])
def test_poisson_quantiles_are_those_of_scipy(mean: float) -> None:
    """Exact where they are summed; elsewhere one off at a few uniform numbers in a thousand."""
    uniform, normal = grid()
    found = np.asarray(
        jax.jit(poisson)(np.full(COUNT, mean, np.float32), uniform.astype(np.float32), normal.astype(np.float32))
    )
    expected = stats.poisson(mean).ppf(uniform)
    off = found != expected
    assert off.mean() < (1e-3 if mean < 3 else 1e-2)
    assert found.mean() == pytest.approx(mean, rel=1e-3)
    assert found.var() == pytest.approx(mean, rel=6e-3)


@pytest.mark.parametrize("dispersion", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("mean", [0.05, 0.3, 1.0, 3.0, 10.0, 80.0, 500.0])
def test_mean_and_variance_are_those_of_the_negative_binomial(mean: float, dispersion: float) -> None:
    """By integration over a fine grid: no luck of a sample. The chance of no count is close where days vary by half or less."""
    _, rate = grid(2001)
    uniform, normal = grid(801)
    shape = (2001, 801)
    args = (np.full(shape, mean), np.full(shape, dispersion), np.repeat(rate[:, None], 801, axis=1))
    found = np.asarray(jax.jit(mixed)(*args, np.tile(uniform, (2001, 1)), np.tile(normal, (2001, 1))))
    law = stats.nbinom(dispersion**-2, 1.0 / (1.0 + mean * dispersion**2))
    assert found.mean() == pytest.approx(law.mean(), rel=5e-3)
    assert found.var() == pytest.approx(law.var(), rel=0.03)
    if dispersion <= 0.5:
        assert (found == 0).mean() == pytest.approx(law.pmf(0), abs=0.01)
