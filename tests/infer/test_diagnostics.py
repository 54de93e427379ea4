"""R-hat and effective sample sizes against ArviZ, one quantity at a time there and all at once here."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from mmx.infer.diagnostics import _fast_length, rhat_and_ess

SHAPES = [(4, 1000), (2, 501), (4, 60), (3, 9), (2, 5), (2, 4), (1, 200)]


def kinds(chains: int, draws: int) -> np.ndarray:
    """Quantities of every temper, (quantity, chain, draw)."""
    rng = np.random.default_rng([chains, draws])
    white = rng.normal(size=(12, chains, draws))
    walk = np.cumsum(white[:3], axis=2)
    slow, back = white[3:6].copy(), white[6:8].copy()
    for t in range(1, draws):
        slow[..., t] += np.array([0.5, 0.9, 0.99])[:, None] * slow[..., t - 1]
        back[..., t] -= np.array([0.4, 0.9])[:, None] * back[..., t - 1]
    apart = white[8:9] + np.arange(chains)[:, None]
    wide = white[9:10] * (1 + np.arange(chains))[:, None]
    ties = np.round(white[10:11] * 3)
    steps = np.floor(np.arange(draws) / 7) + 0 * white[11:12]
    return np.concatenate([white, np.exp(3 * white[:2]), walk, slow, back, apart, wide, ties, steps])


@pytest.mark.parametrize(("chains", "draws"), SHAPES)
def test_diagnostics_are_arvizs(chains: int, draws: int) -> None:
    values = kinds(chains, draws)
    rhat, bulk, tail = rhat_and_ess(values)
    stacked = np.moveaxis(values, 0, -1)
    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(rhat, array_stats.rhat(stacked, **axes), rtol=1e-10)
        np.testing.assert_allclose(bulk, array_stats.ess(stacked, method="bulk", **axes), rtol=1e-10)
        np.testing.assert_allclose(tail, array_stats.ess(stacked, method="tail", prob=(0.05, 0.95), **axes), rtol=1e-10)
    assert np.isfinite(bulk).all()


def test_quantities_do_not_disturb_each_other() -> None:
    values = np.concatenate([kinds(4, 300)] * 20)
    values[5, 1, 7], values[9, 0, 0] = np.nan, np.inf
    together = np.stack(rhat_and_ess(values))
    for i in (0, 5, 9, 17, len(values) - 1):
        np.testing.assert_array_equal(together[:, i], np.concatenate(rhat_and_ess(values[i : i + 1])))
    assert np.isnan(together[:, [5, 9]]).all()
    assert np.isfinite(np.delete(together, [5, 9], axis=1)).all()


def test_chains_that_never_move_have_no_finite_rhat() -> None:
    stuck = np.repeat(np.arange(4.0)[:, None], 100, axis=1)
    rhat, bulk, _ = rhat_and_ess(np.stack([stuck, np.zeros((4, 100))]))
    assert rhat[0] > 1e6 and np.isnan(rhat[1])
    assert bulk[0] < 10


def test_too_few_draws_say_nothing() -> None:
    assert np.isnan(np.stack(rhat_and_ess(np.random.default_rng(0).normal(size=(3, 4, 3))))).all()


def test_lengths_of_the_transform() -> None:
    for least in (1, 7, 11, 1000, 2002, 1999):
        length = _fast_length(least)
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        assert rest == 1 and least <= length < 2 * least + 1
