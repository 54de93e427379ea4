"""The first, short run: what it hands on, and that a chain in a mode without weight is moved and said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmx.infer import pilot
from mmx.infer.starts import Starts
from mmx.infer.target import Draws, Native, Target
from mmx.spec import SamplerSettings

from .gaussian import target
from .test_whiten import SETTINGS


def normal_draws(rng: np.random.Generator, mean: float, sd: np.ndarray, chains: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draws of independent normals with a peak of the same height, and their log densities."""
    z = rng.normal(size=(chains, 400, len(sd)))
    return mean + sd * z, -0.5 * (z**2).sum(axis=2)


def test_the_weight_is_that_of_the_volume_and_the_height() -> None:
    """Of two normal modes, one is wider by a known volume and lower by a known height."""
    rng, narrow, wide = np.random.default_rng(1), np.full(10, 0.5), np.full(10, 2.0)
    (a, high), (b, low) = normal_draws(rng, 0.0, narrow), normal_draws(rng, 50.0, wide)
    for height in (0.0, 10 * np.log(4.0)):
        found = pilot.log_weights(np.concatenate([a, b]), np.concatenate([high, low - height]))
        assert found[1] - found[0] == pytest.approx(10 * np.log(4.0) - height, abs=1.0)


def test_equal_chains_are_all_kept() -> None:
    """The noise of the estimate stays far below the limit, with as few draws as a pilot records."""
    for dim in (5, 50, 300):
        q, lp = normal_draws(np.random.default_rng(dim), 0.0, np.ones(dim), chains=200)
        weight = pilot.log_weights(q[:, :100], lp[:, :100])
        assert np.ptp(weight) < pilot.limit(dim) / 2


def test_a_chain_that_never_moved_has_no_weight() -> None:
    q, lp = normal_draws(np.random.default_rng(2), 0.0, np.ones(3), chains=2)
    q[1] = q[1, 0]
    weight = pilot.log_weights(q, lp)
    assert np.isfinite(weight).all()
    assert weight[0] - weight[1] > pilot.limit(3)


def test_chains_go_on_where_they_ended_and_others_from_kept_ones() -> None:
    q = np.random.default_rng(3).normal(size=(4, 50, 2))
    kept = np.array([True, False, True, False])
    points = pilot.ends(q, kept)
    np.testing.assert_array_equal(points[kept], q[kept, -1])
    flat = q[kept].reshape(-1, 2)
    for chain in (1, 3):
        assert (points[chain] == flat).all(axis=1).any()
    assert len(np.unique(points, axis=0)) == 4
    np.testing.assert_array_equal(pilot.ends(q, np.ones(4, dtype=bool)), q[:, -1])


class Recorder:
    """A sampler that returns normal draws, one chain of the pilot lower by a hundred, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[SamplerSettings, Starts | None]] = []

    def sample(self, target: Target, settings: SamplerSettings, *, seed: int, start: Starts | None, **_: object) -> Draws:
        rng = np.random.default_rng(seed)
        q = rng.normal(size=(settings.chains, settings.draws, target.dim))
        lp = -0.5 * (q**2).sum(axis=2)
        if not self.asked:
            q[2] += 30.0
            lp[2] -= 100.0
        self.asked.append((settings, start))
        stats = {"lp": lp, "n_steps": np.full(lp.shape, 7)}
        return Draws(q, stats, {"compile": 0.5, "sample": 1.0}, "nutpie", settings.model_dump(), tune_steps=1000)


def test_a_chain_in_a_mode_without_weight_is_moved_and_said_to_be() -> None:
    recorder, settings = Recorder(), SETTINGS.model_copy(update={"tune": 400, "draws": 300})
    own = replace(target(), native=lambda: Native(0, 0, np.zeros(1, dtype=np.int64), None), compiled=lambda: None)
    draws = pilot.sample(recorder, own, settings, seed=5, cores=1, progress=None)
    (first, no_start), (second, start) = recorder.asked
    assert (first.tune + first.draws + second.tune, first.draws, second.draws) == (400, 100, 300)
    assert no_start is None
    assert start is not None
    assert np.abs(start.points).max() < 10  # In units of the chains that were kept: not thirty away.
    assert len(np.unique(start.points, axis=0)) == 4
    assert [note[:7] for note in draws.notes] == ["Chain 2"]
    assert draws.settings["tune"] == 400
    assert draws.seconds == {"compile": 1.0, "sample": 2.0}
    assert draws.tune_steps == 2000 + 4 * 100 * 7


def test_little_tuning_is_not_split() -> None:
    recorder = Recorder()
    pilot.sample(recorder, target(), SETTINGS.model_copy(update={"tune": 400}), seed=5, cores=1, progress=None)
    own = replace(target(), native=lambda: Native(0, 0, np.zeros(1, dtype=np.int64), None))
    pilot.sample(recorder, own, SETTINGS.model_copy(update={"tune": 199}), seed=5, cores=1, progress=None)
    assert [(settings.tune, start) for settings, start in recorder.asked] == [(400, None), (199, None)]
