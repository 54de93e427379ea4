"""Simulated customers whose rules have a known optimum, and small settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from mmx.config import default_text, merge
from mmx.rules.parameters import Parameter, Space, make_space
from mmx.rules.pooling.traits import Trait, make_encoding
from mmx.spec import GateSettings, SamplerSettings
from mmx.tune_settings import PoolSettings

DEFAULTS: dict[str, Any] = yaml.safe_load(default_text())
Floats = np.ndarray[Any, np.dtype[np.float64]]


def pool_settings(**changes: Any) -> PoolSettings:
    return PoolSettings.model_validate(merge(DEFAULTS["pool"], changes))


def sampler() -> SamplerSettings:
    return SamplerSettings.model_validate(DEFAULTS["sampler"])


def gate(**changes: Any) -> GateSettings:
    return GateSettings.model_validate({**DEFAULTS["gate"], **changes})


def space(coordinates: int) -> Space:
    return make_space([("rule", [Parameter(f"p{i}", "a share", "share", 0.0, 1.0, 0.4) for i in range(coordinates)])])


@dataclass(frozen=True)
class World:
    """Customers with traits and their true optima, (customer, coordinate), in unconstrained coordinates."""

    space: Space
    traits: dict[str, dict[str, Trait]]
    theta: Floats
    strength: Floats


def make_world(rng: np.random.Generator, customers: int, coordinates: int, *, spread: float = 0.5, flat: int = 0) -> World:
    """Optima that depend on the traits and differ by ``spread``; the last ``flat`` coordinates change no score."""
    names = [f"c{i}" for i in range(customers)]
    traits: dict[str, dict[str, Trait]] = {
        name: {"spend": float(np.exp(rng.normal(7, 1))), "platform": ("google", "meta")[i % 2]} for i, name in enumerate(names)
    }
    encoding = make_encoding(list(traits.values()))
    z = np.stack([encoding.encode(traits[name]) for name in names])
    w = rng.normal(size=(z.shape[1], coordinates)) * 0.4
    strength = np.exp(rng.normal(-0.5, 0.5, size=coordinates))
    strength[coordinates - flat :] = 0.0
    return World(space(coordinates), traits, z @ w + spread * rng.normal(size=(customers, coordinates)), strength)


def trials_of(
    world: World, customer: int, rng: np.random.Generator, trials: int = 200, folds: int = 10
) -> tuple[Floats, Floats]:
    """Trials around the optimum and their scores: bowls in steps, whose middle moves from fold to fold."""
    theta = world.theta[customer]
    points = np.clip(theta + rng.normal(size=(trials, len(theta))) * 1.2, -4, 4)
    middle = theta + 0.6 * rng.normal(size=(folds, len(theta)))
    scores = -(world.strength * (points[:, None, :] - middle) ** 2).sum(axis=2)
    return points, np.round(scores * 10) / 10
