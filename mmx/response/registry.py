"""The adstock and saturation families by their configuration names. A new family is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmx.jax_setup import jax
from mmx.response import delayed, geometric, hill, logistic, two_stage

type Params = dict[str, jax.Array]


@dataclass(frozen=True)
class Adstock:
    """A carryover family: ``apply(x, params, window)``, ``weights(params, window, length)`` and its parameter names."""

    apply: Callable[[jax.Array, Params, int], jax.Array]
    weights: Callable[[Params, int, int], jax.Array]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Saturation:
    """A saturation family: ``apply(u, params)`` and its parameter names."""

    apply: Callable[[jax.Array, Params], jax.Array]
    parameters: tuple[str, ...]


ADSTOCKS = {
    "geometric": Adstock(geometric.apply, geometric.weights, geometric.PARAMETERS),
    "two_stage": Adstock(two_stage.apply, two_stage.weights, two_stage.PARAMETERS),
    "delayed": Adstock(delayed.apply, delayed.weights, delayed.PARAMETERS),
}
SATURATIONS = {
    "hill": Saturation(hill.apply, hill.PARAMETERS),
    "logistic": Saturation(logistic.apply, logistic.PARAMETERS),
}
