"""Integrating the baseline out changes nothing: one posterior with coefficients written out, without them, and drawn back.

For any coefficients, the density of the KPI is that of KPI and coefficients over that of the coefficients given the KPI: the
collapsed density is held against the explicit one by this identity, drawn-back coefficients against the last factor.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import linalg, stats

from mmx import worlds
from mmx.mmm.parameters import parameters_of, unsigned

from ..finite import assert_gradient, gradient
from ..panels import changed, shop_config, shop_panel
from . import explicit
from .cases import LIKELIHOODS, Case, every, make, plain


@cache
def small(geos: int) -> Case:
    """Two channels and an organic medium; a drift nationally, geo deviations by geo."""
    channels = ("tv", "search")
    config = shop_config(
        {"model": {"adstock": "geometric", "saturation": "hill", "drift": geos == 1}}, mixed=False, channels=channels
    )
    panel = shop_panel(geos, weeks=40, channels=channels)
    return make(config.spec, panel, panel.window.astype(float))


@cache
def default(geos: int, likelihood: str = "normal") -> Case:
    """The default model of 6 channels: 156 weeks nationally, 104 weeks of 5 geos; another likelihood of whole numbers."""
    simulated = worlds.simulate("clean" if geos == 1 else "geo", seed=3, periods=156 if geos == 1 else 104)
    config, panel = worlds.read(simulated, geos=geos if geos > 1 else None)
    if likelihood == "normal":
        return make(config.spec, panel, panel.window.astype(float))
    model = config.spec.model.model_copy(update=LIKELIHOODS[likelihood])
    panel = changed(panel, kpi=np.round(panel.array("kpi")))
    return make(config.spec.model_copy(update={"model": model}), panel, panel.window.astype(float))


CASES = {
    "every-national": (every, 1),
    "every-geo": (every, 3),
    "plain-national": (plain, 1),
    "plain-geo": (plain, 3),
    "default-national": (default, 1),
    "default-geo": (default, 5),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    build, geos = request.param
    return build(geos)


def marginal(case: Case, q: np.ndarray, away: float) -> float:
    """Explicit joint density over that of the coefficients, at coefficients ``away`` standard deviations from their mean."""
    mean, covariance = explicit.conditional(case, q)
    factor = np.linalg.cholesky(covariance)
    z = away * np.resize([1.0, -1.0, 0.5], len(mean))
    log_conditional = -0.5 * z @ z - np.log(np.diag(factor)).sum() - 0.5 * len(z) * np.log(2 * np.pi)
    return explicit.log_joint(case, q, mean + factor @ z) - float(log_conditional)


def test_the_collapsed_density_is_the_explicit_one_less_its_coefficients(case: Case) -> None:
    for q in case.points(2, seed=21):
        for away in (0.0, 1.5):
            assert case.density(q)[0] == pytest.approx(marginal(case, q, away), rel=1e-8)


@pytest.mark.parametrize("geos", [1, 3])
def test_so_is_its_gradient(geos: int) -> None:
    """Along random directions, by finite differences of the explicit density."""
    case = small(geos)
    (q,) = case.points(1, seed=22)
    slope = case.density(q)[1]
    directions = np.random.default_rng(23).normal(size=(3, len(q)))
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        difference, error = gradient(lambda s, d=direction: marginal(case, q + s[0] * d, 0.7), np.zeros(1))
        assert error[0] < 1e-5 * max(1.0, abs(difference[0]))
        assert abs(slope @ direction - difference[0]) <= error[0]


@pytest.mark.parametrize("geos", [1, 5])
def test_the_gradient_of_the_default_model_is_the_finite_difference(geos: int) -> None:
    case = default(geos)
    (q,) = case.points(1, seed=24)
    assert_gradient(case.density(q)[1], lambda at: case.density(at)[0], q)


def test_coefficients_are_drawn_back_from_their_conditional(case: Case) -> None:
    """Independent draws at one point, whitened by the exact mean and covariance: mean 0, covariance the identity."""
    count = 8000
    (q,) = case.points(1, seed=25)
    mean, covariance = explicit.conditional(case, q)
    _, _, gamma, geo = parameters_of(case.structure, case.inputs, np.repeat(q[None, None], count, axis=1), seed=26)
    drawn = explicit.written_out(case, gamma, geo)
    white = linalg.solve_triangular(np.linalg.cholesky(covariance), (drawn - mean).T, lower=True).T
    size = white.shape[1]
    found = np.concatenate([white.mean(axis=0), (white.T @ white / count)[np.tril_indices(size)]])
    wanted = np.concatenate([np.zeros(size), np.eye(size)[np.tril_indices(size)]])
    error = np.concatenate([np.ones(size), (1 + np.eye(size))[np.tril_indices(size)] ** 0.5]) / np.sqrt(count)
    limit = stats.norm.isf(1e-4 / len(found))  # One in 5,000 for all numbers together.
    assert (np.abs(found - wanted) < limit * error).all()


def test_the_explicit_density_in_jax_is_the_one_in_numpy() -> None:
    for geos in (1, 3):
        case = small(geos)
        dim, density, _ = explicit.log_density_in_jax(case)
        rng = np.random.default_rng(27)
        for q in unsigned(case.structure, case.points(2, seed=28)):
            z = rng.normal(size=dim - len(q))
            scales = explicit.scales_of(case, case.oracle.values(q))
            # Coordinates are standardised coefficients: the Jacobian is the product of their scales.
            expected = explicit.log_joint(case, q, scales * z) + np.log(scales).sum()
            if geos > 1:  # There the logarithm of a positive scale, here a scale of either sign, half as likely with each.
                place, prior = case.structure.slices["geo_sd"], case.inputs["prior"]["geo_sd"][1]
                expected += np.sum(np.log(2.0 * q[place]))
                q[place] = np.log(q[place] * prior)
            assert float(density(np.concatenate([q, z]), {})) == pytest.approx(expected, rel=1e-9)
