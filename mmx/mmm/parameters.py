"""From unconstrained draws to stored parameters: constrain, solve the coefficients, draw the baseline back.

Stored values are float32; everything reported is computed from these, so a saved fit gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from mmx.data.panel import Floats
from mmx.jax_setup import jax, jnp
from mmx.mmm import collapse, density
from mmx.mmm.structure import Structure

BLOCK = 250  # Draws per compiled call.


@cache
def _compiled(structure: Structure) -> Callable[..., Any]:
    def one(q: jax.Array, key: jax.Array, inputs: dict[str, Any]) -> tuple[Any, ...]:
        params = density.constrain(structure, q, inputs)
        media, beta = density.media_effect(structure, params, inputs)
        noise = params["noise"][0]
        normal = collapse.normal_equations(inputs["y"] - media, density.baseline_sd(structure, params, inputs), noise, inputs)
        shared_key, geo_key = jax.random.split(key)
        shared_noise = jax.random.normal(shared_key, (structure.columns,))
        geo_noise = jax.random.normal(geo_key, (structure.geos,))
        gamma, geo = collapse.draw_back(normal, noise, inputs, shared_noise, geo_noise)
        return params, beta, gamma, geo

    compiled: Callable[..., Any] = jax.jit(lambda q, keys, inputs: jax.lax.map(lambda a: one(a[0], a[1], inputs), (q, keys)))
    return compiled


def parameters_of(
    structure: Structure, inputs: dict[str, Any], q: Floats, seed: int
) -> tuple[dict[str, Floats], Floats, Floats, Floats]:
    """Named parameters of unconstrained draws.

    Parameters
    ----------
    structure, inputs
    q : array, (chain, draw, dim)
    seed : int
        Fixes the exact conditional draw of the baseline.

    Returns
    -------
    params : dict of array, (sample, size)
    beta : array, (sample, geo, media)
    gamma : array, (sample, column)
    geo_intercept : array, (sample, geo)
        All rounded to float32 and held as float64.
    """
    flat = q.reshape(-1, q.shape[-1])
    keys = jax.random.split(jax.random.PRNGKey(seed), len(flat))
    arrays = jax.tree.map(jnp.asarray, inputs)
    compiled = _compiled(structure)
    parts = []
    for start in range(0, len(flat), BLOCK):
        rows = np.minimum(np.arange(start, start + BLOCK), len(flat) - 1)
        parts.append(jax.tree.map(np.asarray, compiled(flat[rows], keys[rows], arrays)))
    joined = jax.tree.map(lambda *v: np.concatenate(v)[: len(flat)].astype(np.float32).astype(np.float64), *parts)
    params, beta, gamma, geo = joined
    return params, beta, gamma, geo


def free_of(structure: Structure, inputs: dict[str, Any], params: dict[str, Floats]) -> Floats:
    """Unconstrained vectors of named parameters, (sample, dim): the inverse of ``density.constrain``."""
    parts = []
    for block in structure.blocks:
        value, prior = params[block.name], inputs["prior"][block.name]
        if block.kind == "effect":
            logs = density.lognormal_effects(structure)
            parts.append((np.where(logs, np.log(np.where(logs, value, 1.0)), value) - prior[0]) / prior[1])
        elif block.kind == "lognormal":
            parts.append((np.log(value) - prior[0]) / prior[1])
        elif block.kind == "beta":
            inside = np.clip(value, 1e-7, 1 - 1e-7)  # A stored float32 may have been rounded to 0 or 1.
            parts.append(np.log(inside) - np.log1p(-inside))
        else:
            parts.append(np.log(value) if block.kind == "half_normal" else value)
    return np.concatenate(parts, axis=-1)
