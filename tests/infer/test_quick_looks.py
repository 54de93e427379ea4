"""Laplace and Pathfinder: exact on normals, corrected by their weights near them, refused by the gate where they are wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from mmx.infer import laplace, pathfinder, whiten
from mmx.infer.gate import judge_quick_look
from mmx.infer.sampling import sample
from mmx.infer.target import Draws, Target
from mmx.jax_setup import jax, jnp
from mmx.spec import GateSettings, SamplerSettings

from .gaussian import COVARIANCE, MEAN, target

GATE = GateSettings(max_rhat=1.01, min_ess=400, min_ebfmi=0.3, max_divergences=0, max_pareto_k=0.7)
QUICK = ("laplace", "pathfinder")


def settings(name: str, **changes: float) -> SamplerSettings:
    base = {"name": name, "chains": 4, "tune": 50, "draws": 1000, "target_accept": 0.8, "max_depth": 8, "warm_tune": 50}
    return SamplerSettings.model_validate(base | {"retry_target_accept": 0.95, "proposals": 8000} | changes)


def of(log_density: Any, dim: int) -> Target:
    return replace(target(), dim=dim, log_density=log_density, inputs={}, numpyro_model=None, pymc_model=None, sites=())


def skewed(q: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Logarithms of a gamma of shape 30 and an inverse gamma of shape 20, independent."""
    return 30.0 * q[0] - jnp.exp(q[0]) - 20.0 * q[1] - jnp.exp(-q[1])


def funnel(q: jax.Array, inputs: dict[str, Any]) -> jax.Array:
    """Neal's funnel in ten dimensions."""
    return -0.5 * (q[0] / 3.0) ** 2 - 0.5 * jnp.sum(q[1:] ** 2) * jnp.exp(-q[0]) - 4.5 * q[0]


TARGETS = {"normal": target, "skewed": lambda: of(skewed, 2), "funnel": lambda: of(funnel, 10)}


@cache
def drawn(name: str, case: str) -> Draws:
    return sample(TARGETS[case](), settings(name), seed=3)


@pytest.fixture(params=QUICK)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_normal_posterior_is_found_exactly_by_laplace() -> None:
    draws = drawn("laplace", "normal")
    assert draws.importance is not None
    np.testing.assert_allclose(draws.stats["log_weight"], -np.log(8000), rtol=0, atol=1e-6)
    assert draws.importance.ess == pytest.approx(8000, rel=1e-6)
    flat = draws.q.reshape(-1, 4)
    assert (np.abs(flat.mean(axis=0) - MEAN) < 4 * np.sqrt(np.diag(COVARIANCE) / len(flat))).all()


def test_the_mode_and_its_curvature_are_those_of_the_density() -> None:
    from mmx.infer.approximation import gradient_of

    mode = laplace.find(gradient_of(target()), [np.zeros(4), np.full(4, 3.0)])
    np.testing.assert_allclose(mode.point, MEAN, rtol=0, atol=1e-8)
    np.testing.assert_allclose(mode.covariance, COVARIANCE, rtol=1e-6, atol=1e-8)
    assert mode.log_density == pytest.approx(0.0, abs=1e-12)
    assert mode.gradients > 8


def test_the_highest_of_several_modes_is_taken() -> None:
    def two(q: np.ndarray) -> tuple[float, np.ndarray]:
        parts = np.array([-0.5 * (q[0] - 3) ** 2, 1.0 - 0.5 * (q[0] + 3) ** 2])
        share = np.exp(parts - parts.max()) / np.exp(parts - parts.max()).sum()
        return float(np.log(np.exp(parts - parts.max()).sum()) + parts.max()), np.array([share @ [3 - q[0], -3 - q[0]]])

    assert laplace.find(two, [np.array([3.5])]).point[0] == pytest.approx(3, abs=1e-3)
    assert laplace.find(two, [np.array([3.5]), np.array([-3.5])]).point[0] == pytest.approx(-3, abs=1e-3)


def test_a_direction_that_is_flat_keeps_the_scale_of_a_prior() -> None:
    mode = laplace.find(lambda q: (-2.0 * q[0] ** 2, np.array([-4.0 * q[0], 0.0])), [np.ones(2)])
    np.testing.assert_allclose(mode.covariance, [[0.25, 0.0], [0.0, 1.0]], atol=1e-6)


def test_a_density_that_is_finite_nowhere_is_an_error(name: str) -> None:
    nowhere = of(lambda q, inputs: jnp.nan * jnp.sum(q), 2)
    with pytest.raises(ValueError, match="the model or its data are wrong"):
        sample(nowhere, settings(name), seed=1)


def test_weights_correct_the_approximation(name: str) -> None:
    """Means of gamma and inverse gamma within 4 standard errors of the effective number; without weights they are off."""
    draws = drawn(name, "skewed")
    assert draws.importance is not None
    assert draws.importance.pareto_k < 0.7
    values = np.stack([np.exp(draws.q[..., 0]), np.exp(draws.q[..., 1])], axis=-1).reshape(-1, 2)
    error = np.array([np.sqrt(30), 1 / (19 * np.sqrt(18))]) / np.sqrt(min(draws.importance.ess, len(values)))
    assert (np.abs(values.mean(axis=0) - [30, 1 / 19]) < 4 * error).all()
    assert judge_quick_look(draws, GATE).passed


def test_a_funnel_is_refused(name: str) -> None:
    """By the shape of its weights, or, where no proposal comes near its neck and the shape looks fair, by their number."""
    draws = drawn(name, "funnel")
    assert draws.importance is not None
    verdict = judge_quick_look(draws, GATE)
    assert not verdict.passed
    assert verdict.pareto_k == draws.importance.pareto_k
    assert ("Pareto k" in verdict.reasons[0]) == (draws.importance.pareto_k > 0.7)
    assert draws.importance.ess < 400
    assert any("importance weights are worth" in reason for reason in verdict.reasons)


def test_the_verdict_says_what_independent_draws_can_say() -> None:
    verdict = judge_quick_look(drawn("laplace", "normal"), GATE)
    assert verdict.passed
    assert np.isnan(verdict.max_rhat)
    assert np.isnan(verdict.min_ebfmi)
    assert verdict.min_ess == pytest.approx(8000, rel=1e-6)
    few = judge_quick_look(drawn("laplace", "normal"), GATE.model_copy(update={"min_ess": 9000.0}))
    assert few.reasons == ("the importance weights are worth 8000 draws, below 9000",)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(name: str) -> None:
    one, two = (sample(TARGETS["skewed"](), settings(name), seed=3, cores=cores) for cores in (1, 2))
    assert one.q.tobytes() == two.q.tobytes() == drawn(name, "skewed").q.tobytes()
    assert sample(TARGETS["skewed"](), settings(name), seed=4).q.tobytes() != one.q.tobytes()


def test_it_starts_from_an_earlier_fit(name: str) -> None:
    earlier = sample(TARGETS["skewed"](), settings("laplace"), seed=1)
    draws = sample(TARGETS["skewed"](), settings(name), seed=3, start=earlier)
    assert judge_quick_look(draws, GATE).passed


def test_a_low_rank_normal_has_the_density_and_the_moments_that_it_says() -> None:
    """Against the dense normal distribution of ``R (I + Q (L L' - I) Q') R``."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    inner, root = np.array([[1.5, 0.0], [0.4, 0.5]]), np.exp(rng.normal(size=5))
    normal = pathfinder.Normal(rng.normal(size=5), root, basis, inner)
    dense = np.diag(root) @ (np.eye(5) + basis @ (inner @ inner.T - np.eye(2)) @ basis.T) @ np.diag(root)
    u = rng.standard_normal((4, 5))
    affine = whiten.of_covariance(normal.mean, dense)
    expected = laplace.log_normal(affine, affine.back(normal.forward(u)))
    np.testing.assert_allclose(normal.log_density(normal.forward(u)), expected, rtol=1e-12)
    linear = normal.forward(np.eye(5)) - normal.mean
    np.testing.assert_allclose(linear.T @ linear, dense, rtol=1e-12, atol=1e-12)


def test_pathfinder_finds_a_normal_posterior() -> None:
    """Four directions, a history of six steps: the low-rank estimate is near the covariance, and weights do the rest."""
    draws = drawn("pathfinder", "normal")
    assert draws.importance is not None
    assert draws.importance.pareto_k < 0.5
    flat = draws.q.reshape(-1, 4)
    size = min(draws.importance.ess, len(flat))
    assert (np.abs(flat.mean(axis=0) - MEAN) < 4 * np.sqrt(np.diag(COVARIANCE) / size)).all()
    np.testing.assert_allclose(flat.std(axis=0), np.sqrt(np.diag(COVARIANCE)), rtol=4 / np.sqrt(2 * size))
