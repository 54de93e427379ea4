"""Models of the small shop that together hold every adstock, saturation and meaning of an effect, nationally and by geo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mmx.jax_setup import jax
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.mmm.structure import Structure
from mmx.mmm.target import log_density_of

from ..panels import CHANNELS, MIXED, shop_config, shop_panel
from .oracle import Oracle

FAMILIES = list(MIXED.values())
# Together the priors of one model: ROAS, a share of the total twice, a coefficient; turned by one from model to model.
OWN: list[dict[str, Any]] = [
    {"kind": "roas", "family": "lognormal", "median": 1.2, "q90": 3.9},
    {},
    {"kind": "coefficient", "family": "normal", "mean": 0.05, "sd": 0.1},
    {},
]
TOTAL = {"kind": "contribution", "family": "lognormal", "median": 0.2, "q90": 0.5}
ROTATIONS = range(4)


@dataclass(frozen=True)
class Case:
    """A model with its data, its compiled density and its oracle."""

    structure: Structure
    inputs: dict[str, Any]
    oracle: Oracle

    def density(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient of the package's log density."""
        value, slope = gradient_of(self.structure)(q, self.inputs)
        return float(value), np.asarray(slope)

    def points(self, count: int, seed: int = 0) -> np.ndarray:
        """Unconstrained vectors as the priors draw them, roughly."""
        return np.random.default_rng(seed).normal(0.0, 0.7, (count, self.structure.dim))


@cache
def gradient_of(structure: Structure) -> Any:
    """Jitted value and gradient."""
    return jax.jit(jax.value_and_grad(log_density_of(structure)))


@cache
def rotated(rotation: int, geos: int) -> Case:
    """One of four models in which every channel takes another meaning of its effect.

    The rotations also switch drift, trend and the kind of KPI, and hold rows out.
    """
    channels = {}
    for i, name in enumerate(CHANNELS):
        own = OWN[(i + rotation) % 4]
        channels[name] = {**FAMILIES[i], **({"priors": own} if own else {})}
    model: dict[str, Any] = {"priors": TOTAL, "drift": rotation % 2 == 0, "trend": "none" if rotation == 3 else "linear"}
    config = shop_config(
        {"data": {"channels": channels, "organic": {"mail": FAMILIES[rotation]}}, "model": model},
        {"data": {"target_kind": "count", "unit_value": "worth"}} if rotation == 1 else {},
    )
    panel = shop_panel(geos, population=rotation < 2, target_kind="count" if rotation == 1 else "money", weeks=40)
    weights = panel.window.astype(float)
    weights[15:19] = 0.0
    return make(config.spec, panel, weights)


def make(spec: Any, panel: Any, weights: np.ndarray) -> Case:
    """Resolve on the rows of positive weight and prepare."""
    resolved = resolve(spec, panel, weights > 0)
    structure, inputs, _ = prepare(resolved, panel, weights)
    return Case(structure, inputs, Oracle(resolved, panel, weights, structure, inputs["geo_basis"]))
