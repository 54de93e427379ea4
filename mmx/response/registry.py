"""The adstock and saturation families by their configuration names. A new family is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmx.jax_setup import jax
from mmx.response import (
    binomial,
    delayed,
    exponential,
    geometric,
    half_life,
    hill,
    log,
    logistic,
    michaelis_menten,
    no_adstock,
    no_saturation,
    root,
    tanh,
    two_stage,
    weibull_cdf,
    weibull_pdf,
)

type Params = dict[str, jax.Array]


@dataclass(frozen=True)
class Adstock:
    """A carryover family: ``apply(x, params, window)``, ``weights(params, window, length)`` and its parameter names.

    ``windowed`` says whether lags from the window on have no weight; other families do not use it.
    """

    apply: Callable[[jax.Array, Params, int], jax.Array]
    weights: Callable[[Params, int, int], jax.Array]
    parameters: tuple[str, ...]
    windowed: bool = False


@dataclass(frozen=True)
class Saturation:
    """A saturation family: ``apply(u, params)``, its parameter names, and whether it ends at 1."""

    apply: Callable[[jax.Array, Params], jax.Array]
    parameters: tuple[str, ...]
    bounded: bool = True


ADSTOCKS = {
    "none": Adstock(no_adstock.apply, no_adstock.weights, no_adstock.PARAMETERS),
    "geometric": Adstock(geometric.apply, geometric.weights, geometric.PARAMETERS),
    "half_life": Adstock(half_life.apply, half_life.weights, half_life.PARAMETERS),
    "two_stage": Adstock(two_stage.apply, two_stage.weights, two_stage.PARAMETERS),
    "delayed": Adstock(delayed.apply, delayed.weights, delayed.PARAMETERS, windowed=True),
    "weibull_pdf": Adstock(weibull_pdf.apply, weibull_pdf.weights, weibull_pdf.PARAMETERS, windowed=True),
    "weibull_cdf": Adstock(weibull_cdf.apply, weibull_cdf.weights, weibull_cdf.PARAMETERS, windowed=True),
    "binomial": Adstock(binomial.apply, binomial.weights, binomial.PARAMETERS, windowed=True),
}
SATURATIONS = {
    "none": Saturation(no_saturation.apply, no_saturation.PARAMETERS, bounded=False),
    "hill": Saturation(hill.apply, hill.PARAMETERS),
    "logistic": Saturation(logistic.apply, logistic.PARAMETERS),
    "exponential": Saturation(exponential.apply, exponential.PARAMETERS),
    "michaelis_menten": Saturation(michaelis_menten.apply, michaelis_menten.PARAMETERS),
    "root": Saturation(root.apply, root.PARAMETERS, bounded=False),
    "log": Saturation(log.apply, log.PARAMETERS, bounded=False),
    "tanh": Saturation(tanh.apply, tanh.PARAMETERS),
}
