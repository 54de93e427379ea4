"""KPI money by period and medium from parameter draws, in blocks: the one primitive behind every reported quantity.

Contributions, ROAS, marginal ROAS, response curves and plans are differences of these levels under different exposures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from mmx.data.panel import Floats
from mmx.jax_setup import jax, jnp
from mmx.mmm import density
from mmx.mmm.structure import Structure

BLOCK_CELLS = 1_000_000  # Numbers per array of one block: about 8 MB, which stays near the processor.
WORKERS = 2
ROWS = 64


@cache
def _compiled(structure: Structure) -> Callable[..., jax.Array]:
    def one(params: dict[str, jax.Array], beta: jax.Array, x: jax.Array, money: jax.Array) -> jax.Array:
        return jnp.einsum("tgm,gm,tg->tm", density.saturated(structure, params, x), beta, money)

    compiled: Callable[..., jax.Array] = jax.jit(jax.vmap(one, in_axes=(0, 0, None, None)))
    return compiled


def levels(structure: Structure, params: Mapping[str, Floats], beta: Floats, x: Floats, money: Floats) -> Floats:
    """Money that each medium brings per period, summed over geos, for every draw.

    Parameters
    ----------
    structure : Structure
    params : mapping of str to array, (sample, size)
        Adstock and saturation parameters.
    beta : array, (sample, geo, media)
    x : array, (time, geo, media)
        Scaled exposure, starting where the media history starts.
    money : array, (time, geo)
        KPI money per unit of the scaled KPI.

    Returns
    -------
    array, (sample, time, media)
    """
    samples, times = len(beta), len(x)
    # Folds and carryover tails differ by some rows: empty rows at the end make them share a compiled shape.
    more = -times % ROWS
    x, money = (np.concatenate([v, np.zeros((more, *v.shape[1:]))]) for v in (x, money))
    size = min(max(1, BLOCK_CELLS // x.size), samples)
    compiled = _compiled(structure)
    shapes = {name: params[name] for name in shape_names(structure)}

    def block(start: int) -> Any:
        stop = min(start + size, samples)
        rows = np.minimum(np.arange(start, start + size), samples - 1)  # One shape for all blocks: one compile.
        part = compiled({k: v[rows] for k, v in shapes.items()}, beta[rows], x, money)
        return np.asarray(part)[: stop - start, :times]

    starts = range(0, samples, size)
    with ThreadPoolExecutor(WORKERS) as pool:
        return np.concatenate(list(pool.map(block, starts)))


def shape_names(structure: Structure) -> tuple[str, ...]:
    """Names of the adstock and saturation parameters."""
    return tuple(b.name for b in structure.blocks if b.name in ("alpha", "theta", "half_saturation", "slope", "lam"))
