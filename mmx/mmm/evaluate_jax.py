"""Evaluate draws through JAX: for families without compiled code, and the oracle of ``mmx.mmm.evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.jax_setup import jax, jnp
from mmx.mmm import collapse, correlated, density, reference
from mmx.mmm.structure import Structure

BLOCK = 250  # Draws per compiled call of the coefficients.
BLOCK_CELLS = 1_000_000  # Numbers per array of one block: about 8 MB, which stays near the processor.
WORKERS = 2
ROWS = 64


@cache
def _levels(structure: Structure) -> Callable[..., jax.Array]:
    def one(params: dict[str, jax.Array], beta: jax.Array, x: jax.Array, money: jax.Array) -> jax.Array:
        return jnp.einsum("tgm,gm,tg->tm", density.saturated(structure, params, x), beta, money)

    compiled: Callable[..., jax.Array] = jax.jit(jax.vmap(one, in_axes=(0, 0, None, None)))
    return compiled


def levels(
    structure: Structure, params: Mapping[str, Floats], beta: Floats, x: Floats, money: Floats, first: int = 0
) -> Floats:
    """Money by period from row ``first`` on, (sample, time - first, media); see ``mmx.mmm.levels.levels``."""
    samples, times = len(beta), len(x)
    # Folds and carryover tails differ by some rows: empty rows at the end make them share a compiled shape.
    more = -times % ROWS
    x, money = (np.concatenate([v, np.zeros((more, *v.shape[1:]))]) for v in (x, money))
    size = min(max(1, BLOCK_CELLS // x.size), samples)
    compiled = _levels(structure)
    shapes = {b.name: params[b.name] for b in structure.blocks if b.name in structure.shape_places}

    def block(start: int) -> Any:
        stop = min(start + size, samples)
        rows = np.minimum(np.arange(start, start + size), samples - 1)  # One shape for all blocks: one compile.
        part = compiled({k: v[rows] for k, v in shapes.items()}, beta[rows], x, money)
        return np.asarray(part)[: stop - start, first:times]

    with ThreadPoolExecutor(WORKERS) as pool:
        return np.concatenate(list(pool.map(block, range(0, samples, size))))


def totals(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    before: Floats,
    money: Floats,
    groups: npt.NDArray[np.int64],
    multipliers: Floats,
) -> Floats:
    """Money by multiplier and group of periods, (sample, multiplier, group, media); see ``mmx.mmm.levels.totals``."""
    out = np.empty((len(beta), len(multipliers), int(groups.max()) + 1, structure.media))
    for k, multiplier in enumerate(multipliers):
        value = levels(structure, params, beta, before + multiplier * x, money)
        for group in range(out.shape[2]):
            out[:, k, group] = value[:, groups == group].sum(axis=1)
    return out


@cache
def _plans(structure: Structure, rows: tuple[int, int], labels: int, channels: int) -> Callable[..., Any]:
    first, last = rows

    def one(
        params: dict[str, jax.Array],
        beta: jax.Array,
        money: jax.Array,
        varied: Any,
        x: jax.Array,
        direction: jax.Array,
        at: Any,
    ) -> tuple[jax.Array, jax.Array]:
        def value(plan: jax.Array) -> jax.Array:
            acting = density.saturated(structure, params, x.at[first:last, :, :channels].set(plan))[first:, :, :channels]
            if varied is not None:
                acting = acting * varied[:, None, :channels]
            brought: jax.Array = jnp.einsum("tgm,gm,tg->gm", acting, beta[:, :channels], money)
            return brought

        plan = x[first:last, :, :channels]
        if labels == 0:
            return value(plan), jnp.zeros((0, structure.geos, channels))
        if labels == 1:  # One number per channel and geo: forwards.
            return value(plan), jax.jvp(value, (plan,), (direction,))[1][None]
        slope = jax.grad(lambda moved: value(moved).sum())(plan) * direction
        return value(plan), jax.ops.segment_sum(slope, at, labels)

    compiled: Callable[..., Any] = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, None, None, None)))
    return compiled


def plans(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    money: Floats,
    varied: Floats | None,
    rows: tuple[int, int],
    direction: Floats,
    labels: npt.NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """Money by geo with its slopes, (sample, geo, channel) and (sample, label, geo, channel); see ``mmx.mmm.levels.plans``."""
    samples = len(beta)
    size = min(max(1, BLOCK_CELLS // x.size), samples)
    compiled = _plans(structure, rows, int(labels.max(initial=-1)) + 1, direction.shape[2])
    shapes = {b.name: params[b.name] for b in structure.blocks if b.name in structure.shape_places}

    def block(start: int) -> Any:
        chosen = np.minimum(np.arange(start, start + size), samples - 1)
        own = money[chosen] if len(money) > 1 else np.repeat(money, size, axis=0)
        factors = None if varied is None else varied[chosen]
        part = compiled({k: v[chosen] for k, v in shapes.items()}, beta[chosen], own, factors, x, direction, labels)
        return tuple(np.asarray(v)[: min(size, samples - start)] for v in part)

    with ThreadPoolExecutor(WORKERS) as pool:
        value, slope = zip(*pool.map(block, range(0, samples, size)), strict=True)
    return np.concatenate(value), np.concatenate(slope)


@cache
def _coefficients(structure: Structure) -> Callable[..., Any]:
    def one(params: dict[str, jax.Array], drawn: dict[str, jax.Array], inputs: dict[str, Any]) -> tuple[jax.Array, ...]:
        _, beta = density.media_effect(structure, params, inputs)
        effect, sd = density.sampled_effect(structure, params, inputs), density.baseline_sd(structure, params, inputs)
        if not structure.collapsed:
            return beta, *reference.coefficients(structure, params, effect, sd, inputs)[:2]
        residual = inputs["y"] - effect
        if not structure.plain:
            rho = density.autocorrelation(structure, params)
            equations = correlated.normal_equations(residual, sd, params["noise"], rho, inputs)
            return beta, *correlated.draw_back(equations, drawn["shared_noise"], drawn["geo_noise"])
        noise = params["noise"][0]
        normal = collapse.normal_equations(residual, sd, noise, inputs)
        gamma, geo = collapse.draw_back(normal, noise, inputs, drawn["shared_noise"], drawn["geo_noise"])
        return beta, gamma, geo

    def many(params: dict[str, jax.Array], drawn: dict[str, jax.Array], inputs: dict[str, Any]) -> Any:
        return jax.lax.map(lambda own: one(own[0], own[1], inputs), (params, drawn))

    compiled: Callable[..., Any] = jax.jit(many)
    return compiled


def coefficients(
    structure: Structure, inputs: Mapping[str, Any], params: Mapping[str, Floats], drawn: Mapping[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Coefficients of media and baseline; see ``mmx.mmm.evaluate.coefficients``. Of ``drawn``, only the noise is read."""
    samples = len(drawn["shared_noise"])
    arrays = jax.tree.map(jnp.asarray, dict(inputs))
    noise = {name: drawn[name] for name in ("shared_noise", "geo_noise")}
    parts = []
    for start in range(0, samples, BLOCK):
        rows = np.minimum(np.arange(start, start + BLOCK), samples - 1)
        block = jax.tree.map(lambda v, rows=rows: v[rows], (dict(params), noise))
        parts.append(jax.tree.map(np.asarray, _coefficients(structure)(*block, arrays)))
    beta, gamma, geo = (np.concatenate([part[i] for part in parts])[:samples] for i in range(3))
    return beta, gamma, geo
