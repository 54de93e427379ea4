from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mmx.infer.gate import judge, summarise
from mmx.infer.sampling import sample, thinned
from mmx.infer.target import Draws, from_sites, to_sites
from mmx.spec import GateSettings, SamplerSettings

from .gaussian import COVARIANCE, MEAN, NAMES, SITES, target

DRAWS = {"nutpie": 1000, "numpyro": 1000, "pymc": 600}
STATS = {"lp", "acceptance_rate", "diverging", "energy", "n_steps", "tree_depth", "reached_max_depth"}
KINDS = {"lp": "f", "acceptance_rate": "f", "diverging": "b", "energy": "f", "n_steps": "iu", "tree_depth": "iu"}


def settings(name: str, **changes: float) -> SamplerSettings:
    base = {"name": name, "chains": 2, "tune": 300, "draws": DRAWS[name], "target_accept": 0.8, "max_depth": 8}
    return SamplerSettings.model_validate(base | {"retry_target_accept": 0.95, "warm_tune": 100, "thin": 1} | changes)


@cache
def drawn(name: str) -> tuple[Draws, list[tuple[int, int, int]]]:
    """Draws of one sampler, and the progress it reported. PyMC runs on JAX here, which compiles faster than numba."""
    import pytensor

    seen: list[tuple[int, int, int]] = []
    with pytensor.config.change_flags(mode="JAX"):
        return sample(target(), settings(name), seed=3, progress=lambda *now: seen.append(now)), seen


@pytest.fixture(params=DRAWS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_it_finds_mean_and_spread(name: str) -> None:
    draws, _ = drawn(name)
    quantities = {n: draws.q[..., i] for i, n in enumerate(NAMES)}
    quantities |= {f"{n} squared": (draws.q[..., i] - MEAN[i]) ** 2 for i, n in enumerate(NAMES)}
    product = (draws.q[..., 0] - MEAN[0]) * (draws.q[..., 1] - MEAN[1])
    table = summarise(quantities | {"product": product}).set_index("name")
    assert table["ess_bulk"].min() >= 400
    expected = np.concatenate([MEAN, np.diag(COVARIANCE), [COVARIANCE[0, 1]]])
    error = table["sd"] / np.sqrt(table["ess_bulk"])
    off = np.abs(table["mean"] - expected) / error
    assert off.max() < 4, off


def test_its_statistics_have_one_vocabulary(name: str) -> None:
    (draws, _), chosen = drawn(name), settings(name)
    shape = (chosen.chains, chosen.draws)
    assert draws.sampler == name
    assert draws.q.shape == (*shape, 4)
    assert draws.q.dtype == np.float64
    assert set(draws.stats) == STATS
    for key, value in draws.stats.items():
        assert value.shape == shape, key
        assert value.dtype.kind in KINDS.get(key, "b"), key
        assert np.isfinite(value).all(), key
    assert set(draws.seconds) == {"compile", "sample"}
    assert draws.settings == {**chosen.model_dump(), "seed": 3}
    assert 0.6 < draws.stats["acceptance_rate"].mean() < 0.99
    assert (draws.stats["n_steps"] >= 1).all()
    assert (draws.stats["n_steps"] < 2 ** draws.stats["tree_depth"]).all()


def test_the_log_density_is_that_of_the_draws(name: str) -> None:
    """Up to one constant: samplers may leave out or keep normalising terms."""
    draws, _ = drawn(name)
    error = draws.q - MEAN
    expected = -0.5 * np.einsum("cdi,ij,cdj->cd", error, np.linalg.inv(COVARIANCE), error)
    np.testing.assert_allclose(draws.stats["lp"] - expected, (draws.stats["lp"] - expected)[0, 0], rtol=0, atol=1e-9)


def test_the_energy_is_log_density_plus_a_kinetic_part(name: str) -> None:
    """The kinetic energy of four coordinates is half a chi-square of four degrees, up to a constant: its variance is 2."""
    draws, _ = drawn(name)
    kinetic = draws.stats["energy"] + draws.stats["lp"]
    squared = (kinetic - kinetic.mean(axis=1, keepdims=True)) ** 2
    table = summarise({"squared": squared}).iloc[0]
    assert table["ess_bulk"] >= 400
    assert abs(table["mean"] - 2) < 4 * table["sd"] / np.sqrt(table["ess_bulk"])


def test_nutpie_gives_the_same_bytes_on_any_number_of_cores() -> None:
    short = settings("nutpie", tune=50, draws=60)
    one, two = (sample(target(), short, seed=7, cores=cores) for cores in (1, 2))
    assert one.q.tobytes() == two.q.tobytes()
    assert {key: value.tobytes() for key, value in one.stats.items()} == {key: v.tobytes() for key, v in two.stats.items()}
    assert sample(target(), short, seed=8).q.tobytes() != one.q.tobytes()


@pytest.mark.parametrize("name", ["nutpie", "numpyro"])
def test_thinning_keeps_every_kth_draw_and_what_happened_between(name: str) -> None:
    whole = sample(target(), settings(name, tune=50, draws=180, target_accept=0.55), seed=7)
    kept = sample(target(), settings(name, tune=50, draws=60, target_accept=0.55, thin=3), seed=7)
    np.testing.assert_array_equal(kept.q, whole.q[:, 2::3])
    np.testing.assert_array_equal(kept.stats["lp"], whole.stats["lp"][:, 2::3])
    assert kept.stats["n_steps"].sum() == whole.stats["n_steps"].sum()
    diverging = np.zeros_like(whole.stats["diverging"])
    diverging[1, [3, 5, 9]] = True  # Two before one kept draw, and one two draws later.
    again = thinned(replace(whole, stats={**whole.stats, "diverging": diverging}), 3)
    assert again.stats["diverging"].nonzero()[1].tolist() == [1, 3]
    assert set(kept.stats) == STATS and kept.settings == {**whole.settings, "draws": 60, "thin": 3}
    limits = GateSettings(max_rhat=9, min_ess=1, min_ebfmi=0.1, max_divergences=9)
    table = summarise({"level": kept.q[..., 0]})
    assert judge(table, kept, limits).min_ebfmi == judge(table, whole, limits).min_ebfmi


def test_chains_differ(name: str) -> None:
    draws, _ = drawn(name)
    assert not np.array_equal(draws.q[0], draws.q[1])


def test_progress_is_reported() -> None:
    chosen, (_, seen) = settings("nutpie"), drawn("nutpie")
    assert seen
    assert all(total == chosen.chains * (chosen.tune + chosen.draws) for _, total, _ in seen)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


def test_an_earlier_fit_of_another_size_is_refused(name: str) -> None:
    draws, _ = drawn("nutpie")
    other = replace(draws, q=draws.q[..., :3])
    with pytest.raises(ValueError, match="has 3 parameters and this one 4"):
        sample(target(), settings(name), seed=1, start=other)


def test_sites_and_vectors_are_each_others_inverse() -> None:
    q = np.random.default_rng(0).normal(0, 3, (5, 4))
    values = to_sites(SITES, q)
    assert {n: v.shape for n, v in values.items()} == {"level": (5, 2), "scale": (5, 1), "share": (5, 1)}
    np.testing.assert_allclose(values["scale"], np.exp(q[:, 2:3]))
    np.testing.assert_allclose(from_sites(SITES, values), q, rtol=1e-12, atol=1e-12)
