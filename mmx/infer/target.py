"""What a sampler needs to know of a model: a log density over an unconstrained vector, and its front ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmx.infer.starts import Starts

if TYPE_CHECKING:
    from mmx.jax_setup import jax

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int, int], None]  # finished draws, total draws, divergences, over all chains


@dataclass(frozen=True)
class Site:
    """A named variable of the front ends: where it lies in the unconstrained vector, and its transform.

    Attributes
    ----------
    name : str
    place : slice
    transform : {"identity", "log", "logit"}
        From the variable to the unconstrained coordinates.
    """

    name: str
    place: slice
    transform: str


@dataclass(frozen=True)
class Native:
    """A compiled log density as C functions, for samplers that call it without Python.

    Attributes
    ----------
    density : int
        Address of ``(dim, position, gradient, log density, table) -> 0, or a positive number where it is not finite``.
    copy : int
        Address of ``(dim, size, position, out, table) -> 0``, which keeps a position as it is.
    table : array of int
        What both get as their data.
    owner : object
        Keeps the memory alive that the table points to.
    """

    density: int
    copy: int
    table: npt.NDArray[np.int64]
    owner: Any


def _same(q: Floats) -> Floats:
    return q


@dataclass(frozen=True)
class Target:
    """A log density with its data, generic over the model behind it.

    Attributes
    ----------
    dim : int
        Length of the unconstrained vector.
    log_density : callable
        ``(q (dim,), inputs) -> ()`` in JAX. The same object for the same structure, so that it compiles once.
    inputs : dict
        Arrays that the density takes as arguments.
    names : tuple of str, (dim,)
        Name of every coordinate, for diagnostics.
    numpyro_model, pymc_model : callable or None
        ``numpyro_model(inputs)`` and ``pymc_model() -> pymc.Model``: the same density in their words.
    compiled : callable or None
        ``compiled()`` returns ``q -> (value, gradient)``, a faster twin of ``log_density`` with the inputs bound that runs
        without holding Python's lock; None where there is none.
    native : callable or None
        ``native()`` returns the same twin as C functions; None where there is none.
    dense : int or None
        How many of the first coordinates are worth a dense metric; None for all.
    canonical : callable
        ``(q (..., dim)) -> (..., dim)``, one representative of points that say the same; the identity by default.
    sites : tuple of Site
        The named variables that the front ends sample, in the order of the unconstrained vector.
    """

    dim: int
    log_density: Callable[[jax.Array, dict[str, Any]], jax.Array]
    inputs: dict[str, Any]
    names: tuple[str, ...]
    numpyro_model: Callable[[dict[str, Any]], None] | None
    pymc_model: Callable[[], Any] | None
    compiled: Callable[[], Callable[[Floats], tuple[float, Floats]]] | None
    sites: tuple[Site, ...]
    native: Callable[[], Native] | None = None
    dense: int | None = None
    canonical: Callable[[Floats], Floats] = _same


@dataclass(frozen=True)
class Draws:
    """What a sampler returns, in one vocabulary.

    Attributes
    ----------
    q : array, (chain, draw, dim)
        Unconstrained draws.
    stats : dict of array, (chain, draw)
        ``lp, acceptance_rate, diverging, energy, n_steps, tree_depth, reached_max_depth``.
    seconds : dict of float
        ``compile`` and ``sample``.
    sampler : str
    settings : dict
        Chains, tune, draws, target acceptance, depth, seed, as used.
    tune_steps : int or None
        Gradients of all chains' tuning; None where the sampler does not count them, and in a fit that was read back.
    notes : tuple of str
        What the sampler decided on its own.
    ebfmi : float or None
        Smallest energy Bayesian fraction of missing information over chains, where not all draws are kept: it is one of
        neighbouring draws.
    """

    q: Floats
    stats: dict[str, npt.NDArray[Any]]
    seconds: dict[str, float]
    sampler: str
    settings: dict[str, Any]
    tune_steps: int | None = None
    notes: tuple[str, ...] = ()
    ebfmi: float | None = None


def initial_point(dim: int, seed: int, start: Starts | None = None) -> Floats:
    """Starting point of one chain, (dim,).

    Without ``start``, uniform between -1 and 1 around the centre of the priors; with it, the chain's own draw of the earlier
    fit, which it asks for by its seed.
    """
    if start is not None:
        return start.point(seed)
    return np.random.default_rng([seed % 2**32, 7]).uniform(-1.0, 1.0, size=dim)


def tree_depth(steps: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Number of doublings behind a number of leapfrog steps; samplers count a doubling that was broken off differently."""
    depth: npt.NDArray[np.int64] = np.floor(np.log2(np.maximum(steps, 1))).astype(np.int64) + 1
    return depth


_FORWARD: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda v: v,
    "log": lambda v: np.log(v),
    "logit": lambda v: np.log(v) - np.log1p(-v),
}
_INVERSE: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda v: v,
    "log": lambda v: np.exp(v),
    "logit": lambda v: 1.0 / (1.0 + np.exp(-v)),
}


def to_sites(sites: tuple[Site, ...], q: Floats) -> dict[str, Floats]:
    """Values of the front ends' variables at unconstrained vectors (..., dim)."""
    return {site.name: _INVERSE[site.transform](q[..., site.place]) for site in sites}


def from_sites(sites: tuple[Site, ...], values: dict[str, Floats]) -> Floats:
    """Unconstrained vectors (..., dim) of the front ends' variables (..., size)."""
    return np.concatenate([_FORWARD[site.transform](values[site.name]) for site in sites], axis=-1)
