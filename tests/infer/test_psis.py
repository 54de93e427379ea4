from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from hypothesis import given
from hypothesis import strategies as st

from mmx.infer import psis


@pytest.mark.parametrize("count", [100, 225, 226, 1000, 4000])
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_weights_and_shape_are_those_of_arviz(count: int, spread: float) -> None:
    """ArviZ takes log likelihoods, the negative of log ratios."""
    ratios = np.random.default_rng(count).normal(0, spread, count)
    weights, shape = psis.smooth(ratios)
    theirs, their_shape = array_stats.psislw(-ratios)
    np.testing.assert_allclose(weights, theirs, rtol=0, atol=1e-10)
    assert shape == pytest.approx(float(their_shape), abs=1e-10)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_a_pareto_tail_is_found(shape: float) -> None:
    """Ratios ``u^-k`` have a tail of shape k; 20 fits of 300 tail values each, drawn a little towards 0.5."""
    found = [psis.smooth(-shape * np.log(np.random.default_rng(i).uniform(size=10_000)))[1] for i in range(20)]
    shrunk = (300 * shape + 5) / 310
    assert abs(np.mean(found) - shrunk) < 4 * np.std(found, ddof=1) / np.sqrt(20) + 0.02


@pytest.mark.parametrize(
    "ratios",
    [np.zeros(10), np.zeros(100), np.full(100, -np.inf), np.r_[np.zeros(99), np.inf], np.r_[np.zeros(99), np.nan]],
    ids=["few", "equal", "nowhere", "infinite", "nan"],
)
def test_no_tail_is_an_infinite_shape(ratios: np.ndarray) -> None:
    assert psis.smooth(ratios)[1] == np.inf


def test_points_without_density_have_no_weight() -> None:
    ratios = np.random.default_rng(0).normal(size=1000)
    ratios[::10] = -np.inf
    weights, shape = psis.smooth(ratios)
    assert np.isfinite(shape)
    assert np.isneginf(weights[::10]).all()
    assert np.exp(weights).sum() == pytest.approx(1.0, abs=1e-12)


@given(st.integers(1, 400), st.integers(0, 2**31))
def test_every_place_comes_as_often_as_its_weight_says(count: int, seed: int) -> None:
    """Rounded down or up."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(30, 0.3)) + 1e-300
    places = psis.resample(np.log(weights), count, rng)
    often = np.bincount(places, minlength=30)
    assert len(places) == count
    assert (np.abs(often - count * weights) < 1 + 1e-9).all()


def test_the_effective_number_of_equal_weights_is_their_number() -> None:
    assert psis.effective(np.full(50, -np.log(50))) == pytest.approx(50)
    assert psis.effective(np.array([0.0, -np.inf])) == 1.0
