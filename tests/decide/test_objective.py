"""Objectives on draws: definitions, gradients, curvature, and the inequality that bounds rest on."""

import numpy as np
import pytest

from mmx.decide.objective import CVaR, Mean, MeanMinusSd, ProbabilityAbove, Weighted

RNG = np.random.default_rng(7)
DRAWS = RNG.normal(100.0, 30.0, 37)
OFFSET = RNG.normal(0.0, 20.0, 37)
CONCAVE = [Mean(), CVaR(0.3), CVaR(0.25, OFFSET), MeanMinusSd(0.7), MeanMinusSd(2.5), MeanMinusSd(1.2, OFFSET)]
SMOOTH = [
    Mean(),
    MeanMinusSd(0.7),
    MeanMinusSd(0.9, OFFSET),
    ProbabilityAbove(95.0, width=12.0),
    ProbabilityAbove(DRAWS - OFFSET, width=8.0),
]


def test_cvar_is_the_mean_of_the_worst_draws_and_counts_a_cut_draw_in_part():
    worst = np.sort(DRAWS)
    assert CVaR(5 / 37).value(DRAWS) == pytest.approx(worst[:5].mean())
    assert CVaR(5.5 / 37).value(DRAWS) == pytest.approx((worst[:5].sum() + 0.5 * worst[5]) / 5.5)
    assert CVaR(1.0).value(DRAWS) == pytest.approx(DRAWS.mean())
    assert CVaR(0.2, OFFSET).value(DRAWS) == pytest.approx(CVaR(0.2).value(DRAWS - OFFSET))


@pytest.mark.parametrize("objective", SMOOTH, ids=lambda o: o.name)
def test_weights_and_bend_are_derivatives(objective):
    slopes = RNG.normal(0.0, 5.0, (37, 3))

    def along(x):
        return objective.value(DRAWS + slopes @ x)

    step = 1e-3
    eye = np.eye(3) * step
    gradient = np.array([(along(e) - along(-e)) / (2 * step) for e in eye])
    assert objective.weights(DRAWS) @ slopes == pytest.approx(gradient, rel=1e-5)
    second = np.array([[along(a + b) - along(a - b) - along(b - a) + along(-a - b) for a in eye] for b in eye]) / (4 * step**2)
    bend = objective.bend(DRAWS, slopes)
    assert (np.zeros((3, 3)) if bend is None else bend) == pytest.approx(
        second, rel=1e-3, abs=1e-6 * np.abs(second).max() + 1e-7
    )


@pytest.mark.parametrize("objective", CONCAVE, ids=lambda o: o.name)
def test_the_supergradient_lies_above(objective):
    weights = objective.weights(DRAWS)
    for _ in range(200):
        other = DRAWS + RNG.normal(0.0, RNG.uniform(1, 80), 37)
        assert objective.value(other) <= objective.value(DRAWS) + weights @ (other - DRAWS) + 1e-9


@pytest.mark.parametrize("risk", [0.0, 0.3, 1.0, 3.0])
def test_safe_weights_are_never_negative_and_bound_mean_minus_sd(risk):
    objective = MeanMinusSd(risk)
    weights = objective.safe_weights(DRAWS)
    assert weights.min() >= -1e-15
    assert weights.sum() == pytest.approx(1.0)
    for _ in range(200):
        other = RNG.normal(50.0, RNG.uniform(0, 80), 37) + RNG.uniform(-2, 2) * DRAWS
        assert objective.value(other) <= weights @ other + 1e-9
    if (objective.weights(DRAWS) >= 0).all():
        assert weights @ DRAWS == pytest.approx(objective.value(DRAWS), rel=1e-9)


def test_thinning_keeps_each_draws_offset_and_threshold():
    some = np.array([3, 8, 20, 36])
    assert CVaR(0.5, OFFSET).thinned(some).value(DRAWS[some]) == CVaR(0.5, OFFSET[some]).value(DRAWS[some])
    assert ProbabilityAbove(OFFSET).thinned(some).value(DRAWS[some]) == (DRAWS[some] > OFFSET[some]).mean()
    assert Weighted(np.arange(37.0)).thinned(some).fixed.sum() == pytest.approx(np.arange(37.0).sum())


@pytest.mark.parametrize("level", [0.0, 1.5, -0.1, np.nan])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(ValueError, match="share of draws"):
        CVaR(level)
