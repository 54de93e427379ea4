from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmx.lift.conformal import interval, p_value
from mmx.lift.synthetic import gap

from .panels import experiment

SEEDS, MASS, RARE = 120, 0.9, 0.005


def arrays(seed: int, **options: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outcomes = experiment(seed, **options)
    test = np.arange(outcomes.kpi.shape[1]) >= outcomes.kpi.shape[1] - 8
    return outcomes.kpi[:2].mean(axis=0), outcomes.kpi[2:].T, test


def test_the_p_value_is_counted_by_hand() -> None:
    target, donors, test = arrays(1, effect=0.7)
    left, _ = gap(target - 0.2 * test, donors, np.ones(60, dtype=bool), 0.0)
    sums = [abs(np.roll(left, shift)[test].sum()) for shift in range(60)]
    assert p_value(target, donors, test, 0.2, 0.0) == np.mean([s >= sums[0] - 1e-9 for s in sums])


def test_an_effect_shifts_the_interval_and_nothing_else() -> None:
    target, donors, test = arrays(4)
    low, high = interval(target, donors, test, MASS, 0.0, 0.0)
    moved = interval(target + 5.0 * test, donors, test, MASS, 0.0, 4.0)
    np.testing.assert_allclose(moved, [low + 5.0, high + 5.0], rtol=1e-6)
    scaled = interval(1e4 * target, 1e4 * donors, test, MASS, 0.0, 0.0)
    np.testing.assert_allclose(scaled, [1e4 * low, 1e4 * high], rtol=1e-5)


def test_the_interval_ends_where_effects_are_refuted() -> None:
    target, donors, test = arrays(4, effect=1.0)
    low, high = interval(target, donors, test, MASS, 0.0, 1.0)
    step = 1e-5 * (high - low)
    for inside, outside in ((low + step, low - step), (high - step, high + step)):
        assert p_value(target, donors, test, inside, 0.0) > 1 - MASS >= p_value(target, donors, test, outside, 0.0)
    wider = interval(target, donors, test, 0.95, 0.0, 1.0)
    assert wider[0] <= low < high <= wider[1] and wider != (low, high)


def test_a_mass_that_so_few_periods_cannot_reach_has_no_end() -> None:
    target, donors, test = arrays(4)
    assert interval(target, donors, test, 0.99, 0.0, 0.0) == (-np.inf, np.inf)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_interval_covers_a_known_effect_as_often_as_it_says(rho: float) -> None:
    """Hits are binomial with the mass as rate: fewer than these come by chance in one of 200 such studies."""
    hits = 0
    for seed in range(SEEDS):
        effect = 3.0 * np.random.default_rng(seed).random()
        target, donors, test = arrays(seed, effect=effect, rho=rho, geos=10)
        low, high = interval(target, donors, test, MASS, 0.0, effect)
        hits += low <= effect <= high
    law = stats.binom(SEEDS, MASS)
    assert law.ppf(RARE) <= hits, hits
    assert hits < SEEDS, "an interval that never misses is too wide"
