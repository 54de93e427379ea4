"""From unconstrained draws to stored parameters: constrain, solve the coefficients, draw the baseline back.

Stored values are float32; everything reported is computed from these, so a saved fit gives the same numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm import evaluate, evaluate_jax, kernel_codes
from mmx.mmm.structure import Block, Structure


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
    local : array, (sample, local column, geo)
        Of the columns of ``Design.local``. All rounded to float32 and held as float64.
    """
    flat = q.reshape(-1, q.shape[-1])
    rng = np.random.default_rng([seed, 13])
    params = constrained(structure, inputs, flat)
    drawn = {
        **scales(structure, inputs, params),
        "shared_noise": rng.standard_normal((len(flat), structure.columns)),
        "geo_noise": rng.standard_normal((len(flat), *inputs["local_w"].shape)),
    }
    solver = evaluate if kernel_codes.has_coefficients(structure) else evaluate_jax
    beta, gamma, local = solver.coefficients(structure, inputs, params, drawn)
    local[:, 0] -= (local * inputs["local_middle"]).sum(axis=1)  # From columns that are measured from a geo's mean.
    return {name: _stored(value) for name, value in params.items()}, _stored(beta), _stored(gamma), _stored(local)


def _stored(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def constrained(structure: Structure, inputs: dict[str, Any], q: Floats) -> dict[str, Floats]:
    """Named parameters (sample, size) of unconstrained vectors (sample, dim): ``density.constrain`` in numpy."""
    return {b.name: _to_value(b, q[:, structure.slices[b.name]], inputs["prior"][b.name], structure) for b in structure.blocks}


def _to_value(block: Block, q: Floats, prior: Floats, structure: Structure) -> Floats:
    if block.kind == "beta":
        value: Floats = 1.0 / (1.0 + np.exp(-q))
    elif block.kind in ("half_normal", "half_cauchy"):
        value = np.exp(q)
    elif block.kind == "degrees":
        value = 2.0 + np.exp(prior[0] + prior[1] * q)
    else:
        linear = prior[0] + prior[1] * q
        logs = structure.lognormal if block.kind == "effect" else np.full(block.size, block.kind == "lognormal")
        value = np.exp(linear, out=linear.copy(), where=logs)
    return value


def prior_vectors(structure: Structure, inputs: dict[str, Any], count: int, rng: np.random.Generator) -> Floats:
    """Unconstrained vectors from the prior, (count, dim): each block from its own distribution, geo scales with a sign."""
    parts = []
    for block in structure.blocks:
        first, second = inputs["prior"][block.name]
        size = (count, block.size)
        if block.kind == "beta":
            share = rng.beta(first, second, size)
            parts.append(np.log(share) - np.log1p(-share))
        elif block.kind == "half_normal":
            parts.append(np.log(np.abs(rng.normal(0.0, first, size))))
        elif block.kind == "half_cauchy":
            parts.append(np.log(first) + np.log(np.abs(rng.standard_cauchy(size))))
        else:
            parts.append(rng.standard_normal(size))
    return np.concatenate(parts, axis=1)


def unsigned(structure: Structure, q: Floats) -> Floats:
    """Unconstrained vectors (..., dim) with every geo standard deviation made positive, and its deviations turned with it.

    A standard deviation with a half-normal prior is sampled as a number of either sign with the normal prior: sign and
    deviations together change nothing in the density, and there is no long tail towards a logarithm of zero to be walked
    (Gelman, 2006, "Prior distributions for variance parameters in hierarchical models", on such redundant signs).
    """
    if structure.geos == 1:
        return q
    out = q.copy()
    between = max(structure.groups - 1, 0)
    deviations = out[..., structure.slices["geo_z"]].reshape(*q.shape[:-1], structure.media, structure.geos - 1)
    for name, columns in (("geo_sd", slice(between, None)), ("group_sd", slice(0, between))):
        if name in structure.slices:
            sign = np.where(q[..., structure.slices[name]] < 0, -1.0, 1.0)
            out[..., structure.slices[name]] *= sign
            deviations[..., columns] *= sign[..., None]
    out[..., structure.slices["geo_z"]] = deviations.reshape(*q.shape[:-1], -1)
    return out


def scales(structure: Structure, inputs: dict[str, Any], params: dict[str, Floats]) -> dict[str, Floats]:
    """What the coefficients are solved from.

    Returns
    -------
    dict of array
        ``effect (sample, media)``, each medium's in the unit that its prior speaks of; ``factor (sample, geo, media)``, each
        geo's effect over the national one; ``prior_sd (sample, column)`` of the baseline.
    """
    samples = len(params["noise"])
    effect = np.empty((samples, structure.media))
    shared = list(structure.shared)
    own = [m for m in range(structure.media) if m not in shared]
    if own:
        effect[:, own] = params["effect"]
    if shared:
        deviation = np.zeros((samples, len(shared)))
        if "split" in params:
            deviation = inputs["split_sd"] * (params["split"] @ inputs["split_basis"].T)
        share = np.exp(deviation - deviation.max(axis=1, keepdims=True))
        effect[:, shared] = params["total"] * share / share.sum(axis=1, keepdims=True)
    factor = np.ones((samples, structure.geos, structure.media))
    if structure.geos > 1:
        z = params["geo_z"].reshape(samples, structure.media, structure.geos - 1)
        between = max(structure.groups - 1, 0)
        for m in range(structure.media):
            scaled = z[:, m] * params["geo_sd"][:, m : m + 1]
            if between:
                scaled[:, :between] = z[:, m, :between] * params["group_sd"][:, m : m + 1]
            factor[:, :, m] = np.exp(scaled @ inputs["geo_basis"][m].T)
    prior_sd = np.array(np.broadcast_to(inputs["prior_sd"], (samples, structure.columns)))
    if structure.sparse:
        slab, free = prior_sd[:, structure.sparse], params["sparse_local"] * params["sparse_global"]
        prior_sd[:, structure.sparse] = slab * free / np.sqrt(slab**2 + free**2)
    if structure.drift_terms:
        drift = np.repeat(params["drift_sd"], structure.drift_terms, axis=1)
        if structure.drift == "hsgp":
            decay = 5.0 / params["drift_length"] ** 2
            log_density = math.log(16.0 / 3.0) + 2.5 * np.log(decay) - 3.0 * np.log(decay + inputs["frequency"] ** 2)
            drift = params["drift_sd"] * np.exp(0.5 * log_density)
        prior_sd = np.concatenate([prior_sd[:, : structure.columns - structure.drift_terms], drift], axis=1)
    return {"effect": effect, "factor": factor, "prior_sd": prior_sd}


def free_of(structure: Structure, inputs: dict[str, Any], params: dict[str, Floats]) -> Floats:
    """Unconstrained vectors of named parameters, (sample, dim): the inverse of ``density.constrain``."""
    parts = []
    for block in structure.blocks:
        value, prior = params[block.name], inputs["prior"][block.name]
        if block.kind == "effect":
            logs = structure.lognormal
            parts.append((np.where(logs, np.log(np.where(logs, value, 1.0)), value) - prior[0]) / prior[1])
        elif block.kind in ("lognormal", "degrees"):
            above = value if block.kind == "lognormal" else np.maximum(value - 2.0, 1e-6)
            parts.append((np.log(above) - prior[0]) / prior[1])
        elif block.kind == "beta":
            inside = np.clip(value, 1e-7, 1 - 1e-7)  # A stored float32 may have been rounded to 0 or 1.
            parts.append(np.log(inside) - np.log1p(-inside))
        else:
            positive = block.kind in ("half_normal", "half_cauchy")
            parts.append(np.log(value) if positive else (value - prior[0]) / prior[1])
    return np.concatenate(parts, axis=-1)
