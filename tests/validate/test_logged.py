"""Doubly robust estimates: right on average where budgets were drawn at random, refused where they say too little."""

from dataclasses import replace

import numpy as np
import pytest

from mmx.data.ads.history import AccountHistory
from mmx.errors import DataError
from mmx.validate.logged import logged_value

DAYS, ADSETS, SD = 200, 10, 0.3


def logged(seed, *, elasticity=0.5, bend=0.0, season=0.0):
    """An account whose budgets jump around a level at random; the level, and the mean revenue at any budget."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(4.0, 0.3, ADSETS))
    change = rng.normal(0.0, SD, (DAYS, ADSETS))
    budget = np.empty((DAYS, ADSETS))
    budget[::2] = level  # every other day the level, so that changes are from it
    budget[1::2] = level * np.exp(change[1::2])
    density = np.full((DAYS, ADSETS), np.nan)
    density[1::2] = np.exp(-0.5 * (change[1::2] / SD) ** 2) / (SD * np.sqrt(2 * np.pi))
    wave = np.exp(season * np.sin(np.arange(DAYS) / 9.0))[:, None]

    def mean(at):
        relative = np.log(at / level)
        return 3.0 * level * wave * np.exp(elasticity * relative - bend * relative**2)

    revenue = mean(budget) * rng.gamma(4.0, 0.25, (DAYS, ADSETS))
    metrics = np.zeros((DAYS, ADSETS, 6))
    metrics[:, :, 0], metrics[:, :, 4] = budget, revenue
    dates = np.datetime64("2025-01-01") + np.arange(DAYS).astype("timedelta64[D]")
    names = tuple(f"set {i}" for i in range(ADSETS))
    history = AccountHistory(
        "logged", "meta", "EUR", dates, names, ("c",), np.zeros(ADSETS, int), metrics, budget, np.full(ADSETS, -30),
        np.zeros(ADSETS, bool), 0, density,
    )  # fmt: skip
    return history, level, mean


@pytest.mark.parametrize(("bend", "season"), [(0.0, 0.0), (0.6, 0.2)], ids=["model right", "model wrong"])
def test_the_mean_over_accounts_is_the_truth(bend, season):
    errors, inside = [], []
    for seed in range(40):
        history, level, mean = logged(seed, bend=bend, season=season)
        policy = np.tile(level * np.where(np.arange(ADSETS) < ADSETS // 2, 1.25, 0.85), (DAYS, 1))
        found = logged_value(history, policy)
        rows = np.arange(15, DAYS)[np.isfinite(history.propensity[15:]).all(axis=1)]
        truth = mean(policy)[rows].sum() / history.metric("revenue")[rows].sum() - 1.0
        errors.append(found.uplift - truth)
        inside.append(found.low <= truth <= found.high)
    assert abs(np.mean(errors)) < 5.0 * np.std(errors) / np.sqrt(len(errors)) + 0.005
    assert np.mean(inside) >= 0.8


def test_few_effective_observations_are_refused():
    history, level, _ = logged(2)
    with pytest.raises(DataError, match="effective observations"):
        logged_value(history, np.tile(level * 4.0, (DAYS, 1)))


def test_a_past_without_random_budgets_is_refused():
    history, level, _ = logged(3)
    with pytest.raises(DataError, match="drawn at random"):
        logged_value(replace(history, propensity=None), np.tile(level, (DAYS, 1)))
