from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest
from numba import carray, cfunc
from scipy import linalg

from mmx.infer import starts, whiten
from mmx.infer.gate import judge, summarise
from mmx.infer.nutpie_nuts import through_jax
from mmx.infer.sampling import sample
from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Native, initial_point
from mmx.spec import GateSettings, SamplerSettings

from .gaussian import COVARIANCE, MEAN, NAMES, target

GATE = GateSettings(max_rhat=1.01, min_ess=400, min_ebfmi=0.3, max_divergences=0)
SETTINGS = SamplerSettings(
    name="nutpie",
    chains=4,
    tune=300,
    draws=500,
    target_accept=0.8,
    max_depth=8,
    thin=1,
    retry_target_accept=0.95,
    warm_tune=100,
)


def draws_of(q: np.ndarray) -> Draws:
    return Draws(q=q, stats={}, seconds={}, sampler="nutpie", settings={})


def normal_draws(mean: np.ndarray, covariance: np.ndarray, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    return draws_of(rng.multivariate_normal(mean, covariance, (4, 1000)))


def test_the_map_whitens_the_draws_and_has_an_inverse() -> None:
    draws = normal_draws(MEAN, COVARIANCE).q
    affine = whiten.of_draws(draws)
    z = affine.back(draws)
    flat = z.reshape(-1, 4)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(flat.T), np.eye(4), atol=0.02)  # 4 / 4004 of the correlations are shrunk away.
    np.testing.assert_allclose(affine.forward(z), draws, rtol=0, atol=1e-12)


def test_few_draws_and_stuck_coordinates_still_give_a_map() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 5, 30))
    draws[..., 3] = 2.0
    affine = whiten.of_draws(draws)
    assert np.isfinite(affine.factor).all()
    assert (np.diag(affine.factor) > 0).all()
    assert affine.factor[3, 3] == 1.0
    assert np.isfinite(whiten.of_draws(np.zeros((2, 50, 3))).factor).all()


def test_the_coordinates_after_the_dense_ones_are_scaled_alone() -> None:
    draws = normal_draws(MEAN, COVARIANCE).q
    affine = whiten.of_draws(draws, dense=2)
    assert affine.factor.shape == (2, 2)
    np.testing.assert_allclose(affine.factor, whiten.of_draws(draws[..., :2]).factor)
    np.testing.assert_allclose(affine.scale, draws.reshape(-1, 4)[:, 2:].std(axis=0))
    np.testing.assert_allclose(affine.forward(affine.back(draws)), draws, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dense", [None, 3, 1])
def test_the_whitened_density_is_the_density(dense: int | None) -> None:
    affine = whiten.of_draws(normal_draws(MEAN, COVARIANCE).q, dense)
    inside, outside = through_jax(whiten.whitened(target(), affine)), through_jax(target())
    for z in np.random.default_rng(1).normal(size=(5, 4)):
        value, gradient = inside(z)
        expected, slope = outside(affine.forward(z))
        assert value == pytest.approx(expected, abs=1e-10)
        jacobian = (affine.forward(np.eye(4)) - affine.forward(np.zeros(4))).T
        np.testing.assert_allclose(gradient, slope @ jacobian, rtol=0, atol=1e-10)


SIGNATURE = "int64(uint64, CPointer(float64), CPointer(float64), CPointer(float64), CPointer(int64))"


@cfunc(SIGNATURE)
def standard_normal(dim, position, gradient, density, table):  # type: ignore[no-untyped-def]
    q, slope, value = carray(position, (dim,)), carray(gradient, (dim,)), carray(density, (1,))
    value[0] = 0.0
    for i in range(q.size):
        value[0] -= 0.5 * q[i] ** 2
        slope[i] = -q[i]
    return carray(table, (1,))[0]


@pytest.mark.parametrize(("dim", "dense"), [(1, 1), (3, 3), (4, 4), (7, 7), (9, 9), (9, 5), (6, 0)])
def test_the_compiled_map_is_the_map(dim: int, dense: int) -> None:
    """For every remainder of the rows that are taken together; the inner function's code comes through."""
    from mmx.infer import whiten_load

    rng = np.random.default_rng(dim)
    factor, mean, z = np.tril(rng.normal(size=(dense, dense))), rng.normal(size=dim), rng.normal(size=dim)
    scale = rng.uniform(0.5, 2.0, dim - dense)
    jacobian = linalg.block_diag(factor, np.diag(scale)) if 0 < dense < dim else factor if dense else np.diag(scale)
    for code in (0, 3):
        inner = Native(standard_normal.address, 0, np.array([code], dtype=np.int64), None)
        wrapped = whiten_load.whitened(inner, mean, factor, scale)
        call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(wrapped.density)
        gradient, value = np.full(dim, np.nan), np.empty(1)
        found = call(dim, z.ctypes.data, gradient.ctypes.data, value.ctypes.data, wrapped.table.ctypes.data)
        q = mean + jacobian @ z
        assert found == code
        assert value[0] == pytest.approx(-0.5 * q @ q, rel=1e-13)
        np.testing.assert_allclose(gradient, -jacobian.T @ q, rtol=0, atol=1e-13)


def test_chains_start_at_different_draws() -> None:
    """Also where the earlier fit has only just enough different ones."""
    few = np.repeat(np.arange(4.0), 50).reshape(4, 50, 1)
    for seed in range(20):
        points = starts.distinct(few, 4, seed)
        assert sorted(points[:, 0]) == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="holds 4 different draws and 5 chains"):
        starts.distinct(few, 5, 0)


@pytest.mark.parametrize("name", ["nutpie", "numpyro"])
def test_every_chain_asks_for_a_start_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    point = Starts.point

    def spy(self: Starts, key: int) -> np.ndarray:
        asked.append(self.keys.index(key))
        return point(self, key)

    monkeypatch.setattr(Starts, "point", spy)
    short = SETTINGS.model_copy(update={"name": name, "tune": 50, "warm_tune": 50, "draws": 50})
    sample(target(), short, seed=5, start=normal_draws(MEAN, COVARIANCE))
    assert sorted(set(asked)) == [0, 1, 2, 3]


def test_without_an_earlier_fit_chains_start_around_the_centre() -> None:
    points = np.array([initial_point(4, key) for key in range(200)])
    assert np.abs(points).max() <= 1.0
    assert len(np.unique(points)) == points.size


def quality(draws: Draws) -> tuple[bool, tuple[str, ...]]:
    table = summarise({name: draws.q[..., i] for i, name in enumerate(NAMES)} | {"lp": draws.stats["lp"]})
    verdict = judge(table, draws, GATE)
    return verdict.passed, verdict.reasons


def test_a_start_from_the_posterior_finds_it_with_few_steps() -> None:
    warm = sample(target(), SETTINGS, seed=3, start=normal_draws(MEAN, COVARIANCE))
    cold = sample(target(), SETTINGS, seed=3)
    assert quality(warm) == (True, ())
    assert warm.settings["tune"] == SETTINGS.warm_tune
    assert warm.stats["n_steps"].mean() < cold.stats["n_steps"].mean()
    table = summarise({name: warm.q[..., i] for i, name in enumerate(NAMES)}).set_index("name")
    assert (np.abs(table["mean"] - MEAN) < 4 * table["sd"] / np.sqrt(table["ess_bulk"])).all()
    np.testing.assert_allclose(table["sd"], np.sqrt(np.diag(COVARIANCE)), rtol=0.1)


def test_a_start_from_another_posterior_fails_the_gate_and_not_in_silence() -> None:
    """Far away, far too narrow, and with next to no tuning: the draws are not those of the posterior, and the gate says so."""
    far = normal_draws(MEAN + 1e4, 1e-12 * np.eye(4))
    hasty = SETTINGS.model_copy(update={"warm_tune": 20, "draws": 100, "max_depth": 3})
    passed, reasons = quality(sample(target(), hasty, seed=3, start=far))
    assert not passed
    assert any("R-hat" in reason for reason in reasons)


def test_normal_tuning_recovers_from_another_posterior() -> None:
    away = normal_draws(MEAN + 10, 0.01 * COVARIANCE)
    recovered = sample(target(), SETTINGS.model_copy(update={"warm_tune": 300}), seed=3, start=away)
    assert quality(recovered) == (True, ())
    centre = recovered.q.reshape(-1, 4)
    np.testing.assert_allclose(centre.mean(axis=0), MEAN, atol=0.25)


def test_the_same_start_gives_the_same_bytes_on_any_number_of_cores() -> None:
    start, short = normal_draws(MEAN, COVARIANCE), SETTINGS.model_copy(update={"draws": 60})
    one, two = (sample(target(), short, seed=7, start=start, cores=cores) for cores in (1, 2))
    assert one.q.tobytes() == two.q.tobytes()
    assert sample(target(), short, seed=8, start=start).q.tobytes() != one.q.tobytes()
    other = replace(start, q=start.q + 0.01)
    assert sample(target(), short, seed=7, start=other).q.tobytes() != one.q.tobytes()
