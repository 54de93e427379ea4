from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import rankdata

from mmx.tune.overfitting import deflate, expected_maximum, overfitting
from mmx.tune.verdict import judge

from .problems import settings


def brute(scores: np.ndarray) -> list[float]:
    """Logits by the paper's steps, one split at a time."""
    n, folds = scores.shape
    logits = []
    for size in sorted({folds // 2, folds - folds // 2}):
        for inside in combinations(range(folds), size):
            outside = [f for f in range(folds) if f not in inside]
            best = int(np.argmax(scores[:, list(inside)].mean(axis=1)))
            rank = rankdata(scores[:, outside].mean(axis=1))[best]
            logits.append(float(np.log(rank / (n + 1) / (1 - rank / (n + 1)))))
    return logits


@pytest.mark.parametrize(("n", "folds"), [(7, 4), (30, 6), (12, 5), (3, 2)])
def test_it_is_the_papers_count(n: int, folds: int) -> None:
    scores = np.unique(np.random.default_rng(n).normal(size=(n, folds)), axis=0)
    found = overfitting(scores)
    np.testing.assert_allclose(found.logits, brute(scores), atol=1e-12)
    assert found.probability == np.mean(np.array(brute(scores)) <= 0)


def test_skill_is_told_from_luck() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(200, 10))
    skill = noise * 0.1 + np.linspace(0, 1, 200)[:, None]
    assert overfitting(skill).probability < 0.02
    chances = [overfitting(rng.normal(size=(100, 8))).probability for _ in range(30)]
    assert 0.4 < np.mean(chances) < 0.6
    trend = np.outer(np.arange(50.0), [1, 1, -1, -1])  # What wins in one half loses in the other.
    assert overfitting(trend + 0.01 * rng.normal(size=trend.shape)).probability > 0.3


def test_the_defaults_are_compared_in_the_other_half_and_folds_are_joined() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(40, 24)) + 1.0
    found = overfitting(scores, np.zeros(24), blocks=8)
    assert (found.folds, found.trials, len(found.logits)) == (8, 40, 70)
    assert found.below_default == 0.0
    assert overfitting(scores, np.full(24, 9.0), blocks=8).below_default == 1.0
    same = np.repeat(scores.reshape(40, 8, 3).mean(axis=2), 3, axis=1)
    np.testing.assert_allclose(overfitting(same, blocks=8).logits, found.logits)


def test_it_needs_something_to_compare() -> None:
    with pytest.raises(ValueError, match="two different trials and two folds; there are 1 and 4"):
        overfitting(np.ones((5, 4)))


def test_the_expected_maximum_is_that_of_normal_numbers() -> None:
    assert expected_maximum(1, 2.0) == pytest.approx(0.0, abs=1e-12)
    assert expected_maximum(2, 3.0) == pytest.approx(3.0 / np.sqrt(np.pi), rel=1e-9)
    assert expected_maximum(3, 1.0) == pytest.approx(1.5 / np.sqrt(np.pi), rel=1e-9)
    draws = np.random.default_rng(1).normal(scale=2.0, size=(20_000, 50)).max(axis=1)
    assert abs(expected_maximum(50, 2.0) - draws.mean()) < 4 * draws.std() / np.sqrt(20_000)


def test_the_best_of_worthless_trials_has_no_deflated_gain() -> None:
    rng = np.random.default_rng(4)
    worthless = [deflate(rng.normal(size=(100, 12)), np.zeros(12)) for _ in range(100)]
    assert abs(np.mean([w.deflated for w in worthless])) < 0.1 * np.mean([w.gain for w in worthless])
    common = rng.normal(size=12)
    alike = deflate(common + 0.01 * rng.normal(size=(100, 12)), np.zeros(12))
    assert alike.independent < 2.0
    skilled = deflate(np.vstack([rng.normal(size=(99, 12)), 3.0 + rng.normal(size=(1, 12))]), np.zeros(12))
    assert skilled.deflated > 1.0


@pytest.mark.parametrize(
    ("mean", "luck", "adopt", "words"),
    [
        (3.0, 0.1, True, "Adopt the tuned parameters: on the hold-out they bring 3"),
        (1.0, 0.1, False, "an interval that holds 0"),
        (-3.0, 0.1, False, "which is worse"),
        (3.0, 0.9, False, "probability of backtest overfitting is 0.90, more than 0.5"),
    ],
)
def test_verdicts(mean: float, luck: float, adopt: bool, words: str) -> None:
    normal = np.random.default_rng(1).normal(size=4000)
    draws = mean + (normal - normal.mean()) / normal.std()
    found = overfitting(np.random.default_rng(1).normal(size=(9, 4)))
    found = type(found)(luck, found.logits, found.below_default, found.trials, found.folds)
    verdict = judge(draws, settings().verdict, luck=found, unit="EUR a day")
    assert verdict.adopt is adopt
    assert words in verdict.sentence and "EUR a day, 90 % interval" in verdict.sentence
    assert verdict.low == pytest.approx(mean - 1.645, abs=0.08)


def test_a_verdict_needs_finite_draws() -> None:
    with pytest.raises(ValueError, match="two finite paired draws"):
        judge(np.array([1.0, np.nan]), settings().verdict)
