"""The log density of the model, stated once, in JAX: what every sampler reaches and every test compares with.

``y[g,t] = baseline[g,t] + sum_c beta[g,c] saturation(adstock(x[g,t,c])) + noise`` on the scaled KPI, with the baseline
integrated out. The effect of a medium is sampled in the unit its prior speaks of; ``beta`` is solved from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mmx.jax_setup import jax, jnp
from mmx.mmm import collapse, correlated, likelihoods, reference
from mmx.mmm.structure import Block, Structure
from mmx.response.registry import ADSTOCKS, SATURATIONS

NEWTON = 30  # Steps to the coefficient of a multiplicative model; five are enough where media bring less than half.

type Inputs = dict[str, Any]
type Params = dict[str, jax.Array]


def constrain(structure: Structure, q: jax.Array, inputs: Inputs) -> Params:
    """Map an unconstrained vector (dim,) to the named parameters."""
    prior, lognormal = inputs["prior"], inputs["lognormal"]
    return {b.name: _to_value(b, q[structure.slices[b.name]], prior[b.name], lognormal) for b in structure.blocks}


def _to_value(block: Block, q: jax.Array, prior: jax.Array, lognormal: jax.Array) -> jax.Array:
    if block.kind == "effect":
        linear = prior[0] + prior[1] * q
        return jnp.where(lognormal, jnp.exp(linear), linear)
    if block.kind == "lognormal":
        return jnp.exp(prior[0] + prior[1] * q)
    if block.kind == "beta":
        return jax.nn.sigmoid(q)
    if block.kind == "degrees":
        return 2.0 + jnp.exp(prior[0] + prior[1] * q)
    return jnp.exp(q) if block.kind in ("half_normal", "half_cauchy") else prior[0] + prior[1] * q


def log_prior(structure: Structure, q: jax.Array, inputs: Inputs) -> jax.Array:
    """Log prior density of the unconstrained vector, Jacobians included."""
    total = jnp.zeros(())
    for block in structure.blocks:
        part, prior = q[structure.slices[block.name]], inputs["prior"][block.name]
        if block.kind == "beta":
            a, b = prior
            norm = jax.scipy.special.gammaln(a + b) - jax.scipy.special.gammaln(a) - jax.scipy.special.gammaln(b)
            total += jnp.sum(norm + a * jax.nn.log_sigmoid(part) + b * jax.nn.log_sigmoid(-part))
        elif block.kind == "half_normal":
            ratio = jnp.exp(part) / prior[0]
            total += jnp.sum(0.5 * jnp.log(2.0 / jnp.pi) - jnp.log(prior[0]) - 0.5 * ratio**2 + part)
        elif block.kind == "half_cauchy":
            ratio = jnp.exp(part) / prior[0]
            total += jnp.sum(jnp.log(2.0 / jnp.pi) - jnp.log(prior[0]) - jnp.log1p(ratio**2) + part)
        else:
            total += jnp.sum(-0.5 * part**2 - 0.5 * jnp.log(2.0 * jnp.pi))
    return total


def saturated(structure: Structure, params: Params, x: jax.Array, only: int | None = None) -> jax.Array:
    """Adstocked and saturated exposure, (time, geo, media), without the coefficients.

    ``x`` is (time, geo, media + frequencies): see ``Structure.often``. ``only`` asks for one medium, (time, geo, 1).
    """

    def carry(x: jax.Array, media: list[int]) -> jax.Array:
        def apply(x: jax.Array, media: list[int]) -> jax.Array:
            family, window = structure.adstock[media[0]]
            return ADSTOCKS[family].apply(x, _pick(structure, params, ADSTOCKS[family].parameters, media), window)

        return _by_family(structure.adstock, x, media, apply)

    def saturate(u: jax.Array, media: list[int]) -> jax.Array:
        def apply(u: jax.Array, media: list[int]) -> jax.Array:
            family = SATURATIONS[structure.saturation[media[0]]]
            return family.apply(u, _pick(structure, params, family.parameters, media))

        return _by_family(structure.saturation, u, media, apply)

    def both(x: jax.Array, media: list[int]) -> jax.Array:
        if structure.order[media[0]] == "adstock":
            return saturate(carry(x, media), media)
        if structure.order[media[0]] == "saturation":
            return carry(saturate(x, media), media)
        return carry(x * saturate(often[..., np.array([structure.often[m] for m in media])], media), media)

    often, media = x, list(range(structure.media)) if only is None else [only]
    return _by_family(structure.order, x[..., media[0] : media[-1] + 1], media, both)


def _pick(structure: Structure, params: Params, names: tuple[str, ...], media: list[int]) -> Params:
    """Parameters of some media, taken from blocks that hold those of all media of a family."""
    blocks = {b.name: b.media for b in structure.blocks}
    return {name: params[name][np.array([blocks[name].index(m) for m in media])] for name in names}


def _by_family(
    keys: tuple[Any, ...], x: jax.Array, media: list[int], apply: Callable[[jax.Array, list[int]], jax.Array]
) -> jax.Array:
    """Apply a function to the media (the last axis of ``x``) of each key, and put the results back in order."""
    groups: dict[Any, list[int]] = {}
    for place, m in enumerate(media):
        groups.setdefault(keys[m], []).append(place)
    if len(groups) == 1:
        return apply(x, media)
    parts = [apply(x[..., np.array(places)], [media[place] for place in places]) for places in groups.values()]
    order = np.argsort(np.concatenate([np.array(places) for places in groups.values()]))
    return jnp.concatenate(parts, axis=-1)[..., order]


def geo_factors(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Each geo's effect over the national one, (geo, media): log-normal, deviations summing to zero by spend.

    With groups, the first deviations are theirs and have the scale ``group_sd``. Scales may be negative: with the signs of
    their deviations turned, they give the same factors.
    """
    if structure.geos == 1:
        return jnp.ones((1, structure.media))
    z = params["geo_z"].reshape(structure.media, structure.geos - 1)
    if structure.groups:
        between = structure.groups - 1
        sd = [
            jnp.repeat(params["group_sd"][:, None], between, axis=1),
            jnp.repeat(params["geo_sd"][:, None], z.shape[1] - between, axis=1),
        ]
        return jnp.exp(jnp.einsum("mgk,mk->gm", inputs["geo_basis"], jnp.concatenate(sd, axis=1) * z))
    deviation = jnp.einsum("mgk,mk->gm", inputs["geo_basis"], z)
    return jnp.exp(params["geo_sd"] * deviation)


def coefficients(structure: Structure, params: Params, factors: jax.Array, acting: jax.Array, inputs: Inputs) -> jax.Array:
    """Solve the national coefficients from the effects.

    Parameters
    ----------
    structure, params, inputs
    factors : array, (geo, media)
    acting : array, (time, geo, media)
        Saturated exposure that the effect is counted from.

    Returns
    -------
    array, (media,)
        Effect at full saturation in units of the scaled KPI.
    """
    effect, direct = effects(structure, params, inputs), inputs["direct"]
    if structure.multiplicative:
        return _solved(effect, factors, acting, inputs)
    per_unit = jnp.einsum("tgm,tg,gm->m", acting, inputs["money_train"], factors)
    return jnp.where(direct, effect, effect * inputs["numerator"] / jnp.where(direct, 1.0, per_unit))


def _solved(effect: jax.Array, factors: jax.Array, acting: jax.Array, inputs: Inputs) -> jax.Array:
    """Coefficients of a multiplicative model, by Newton's method on the money that a medium brings, (media,).

    Without a medium the KPI would be ``exp(-beta a)`` of what it is: it brings ``sum M (1 - exp(-beta a))`` of the KPI's money
    ``M``. For the next percent of exposure that is ``sum M (exp(beta (a' - a)) - 1) / STEP``. The sum is concave in ``beta``,
    so that steps from the solution of the straight line go up to the root; a goal that no coefficient reaches ends in NaN. The
    last step alone carries the gradient, which is exact at a root.
    """
    direct, bend, worth = inputs["direct"], inputs["bend"], inputs["money_train"]
    goal = jnp.where(direct, 0.0, effect * inputs["numerator"])
    act = jnp.where(direct, 0.0, acting * factors)

    def step(beta: jax.Array) -> jax.Array:
        left = worth[..., None] * jnp.exp(-bend * beta * act)
        brought = jnp.sum(-worth[..., None] * jnp.expm1(-bend * beta * act), axis=(0, 1)) / bend
        slope = jnp.where(direct, 1.0, jnp.sum(left * act, axis=(0, 1)))
        better: jax.Array = beta + (goal - brought) / slope
        return better

    start = goal / jnp.where(direct, 1.0, jnp.einsum("tg,tgm->m", worth, act))
    near = jax.lax.stop_gradient(jax.lax.fori_loop(0, NEWTON, lambda _, beta: step(beta), start))
    return jnp.where(direct, effect, step(near))


def effects(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Effect of every medium in the unit its prior speaks of, (media,).

    Media under one prior on their total share it by a logistic-normal split: weights ``exp(d)`` with deviations ``d``
    that sum to zero.
    """
    if not structure.shared:
        return params["effect"]
    deviation = jnp.zeros(len(structure.shared))
    if len(structure.shared) > 1:
        deviation = inputs["split_sd"] * (inputs["split_basis"] @ params["split"])
    shared = params["total"][0] * jax.nn.softmax(deviation)
    effect = jnp.zeros(structure.media).at[np.array(structure.shared)].set(shared)
    own = np.setdiff1d(np.arange(structure.media), structure.shared)
    return effect.at[own].set(params["effect"]) if own.size else effect


def media_effect(structure: Structure, params: Params, inputs: Inputs) -> tuple[jax.Array, jax.Array]:
    """Effect of all media on the scaled KPI, (time, geo), and the coefficients per geo, (geo, media)."""
    actual, beta = media_curves(structure, params, inputs)
    return jnp.einsum("tgm,gm->tg", actual, beta), beta


def media_curves(structure: Structure, params: Params, inputs: Inputs) -> tuple[jax.Array, jax.Array]:
    """Saturated exposure, (time, geo, media), and the coefficients per geo, (geo, media)."""
    varying = varied(structure, params, inputs)
    actual = varying * saturated(structure, params, inputs["x"])
    first, second = inputs["counted"].T

    def both() -> jax.Array:
        acting: jax.Array = first * actual + second * varying * saturated(structure, params, inputs["x_other"])
        return acting

    acting = jax.lax.cond(inputs["other"], both, lambda: actual)
    factors = geo_factors(structure, params, inputs)
    return actual, coefficients(structure, params, factors, acting, inputs) * factors


def varied(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Factor of each period on each medium's effect, (time, 1, media), or 1: see ``mmx.mmm.effectiveness``."""
    if not structure.varies:
        return jnp.ones(())
    height = collapse.drift_sd(inputs["effectiveness_frequency"], jnp.ones(()), params["effectiveness_length"][0])
    z = params["effectiveness_z"].reshape(len(params["effectiveness_sd"]), -1)
    curves = params["effectiveness_sd"] * (inputs["effectiveness_basis"] @ (height * z).T)
    which = np.array(structure.effectiveness)
    return jnp.where(which >= 0, jnp.exp(curves)[:, which], 1.0)[:, None]


def lift_likelihood(structure: Structure, actual: jax.Array, beta: jax.Array, params: Params, inputs: Inputs) -> jax.Array:
    """Log density of what experiments measured: normal around the model's own difference over their cells."""
    total = jnp.zeros(())
    for k, m in enumerate(structure.lift):
        x = jnp.asarray(inputs["x"]).at[..., m].set(inputs["lift_x"][k])
        fewer = saturated(structure, params, x, only=m)[..., 0]
        if structure.varies:
            fewer = fewer * varied(structure, params, inputs)[..., m]
        brought = beta[:, m] * (actual[..., m] - fewer)
        if structure.multiplicative:
            brought = -jnp.expm1(-brought)
        sd = inputs["lift_sd"][k]
        ratio = (inputs["lift_value"][k] - jnp.sum(inputs["lift_worth"][k] * brought)) / sd
        total += inputs["lift_used"][k] * (-0.5 * ratio**2 - jnp.log(sd) - 0.5 * jnp.log(2.0 * jnp.pi))
    return total


def baseline_sd(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Prior standard deviations of the baseline coefficients, (column,)."""
    sd = jnp.asarray(inputs["prior_sd"])
    if structure.sparse:
        at = np.array(structure.sparse)
        sd = sd.at[at].set(collapse.sparse_sd(sd[at], params["sparse_local"], params["sparse_global"][0]))
    if not structure.drift_terms:
        return sd
    if structure.drift == "knots":
        drift = jnp.broadcast_to(params["drift_sd"], structure.drift_terms)
    else:
        drift = collapse.drift_sd(inputs["frequency"], params["drift_sd"][0], params["drift_length"][0])
    return jnp.concatenate([sd[: structure.columns - structure.drift_terms], drift])


def sampled_effect(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Effect of media and of controls with a sign on the scaled KPI, (time, geo): all that is not integrated out."""
    effect, _ = media_effect(structure, params, inputs)
    return effect + inputs["signed"] @ params["control"] if structure.signed else effect


def log_likelihood(structure: Structure, params: Params, inputs: Inputs) -> jax.Array:
    """Log density of KPI and experiments given the sampled parameters, the baseline integrated out where it can be."""
    actual, beta = media_curves(structure, params, inputs)
    effect = jnp.einsum("tgm,gm->tg", actual, beta)
    if structure.signed:
        effect = effect + inputs["signed"] @ params["control"]
    return _of_kpi(structure, params, effect, inputs) + lift_likelihood(structure, actual, beta, params, inputs)


def _of_kpi(structure: Structure, params: Params, effect: jax.Array, inputs: Inputs) -> jax.Array:
    sd = baseline_sd(structure, params, inputs)
    if not structure.collapsed:
        found = reference.coefficients(structure, params, effect, sd, inputs)
        level = effect + baseline_effect(structure, found[0], found[1], inputs)
        own = likelihoods.log_density(structure, params, level, inputs)
        return own + reference.log_jacobian(structure, params, found, sd, inputs)
    residual = inputs["y"] - effect
    if not structure.plain:
        return correlated.log_marginal(residual, sd, params["noise"], autocorrelation(structure, params), inputs)
    return collapse.log_marginal(residual, sd, params["noise"][0], inputs)


def autocorrelation(structure: Structure, params: Params) -> jax.Array:
    """Correlation of the noise with that of the period before; 0 without."""
    return params["autocorrelation"][0] if structure.autocorrelated else jnp.zeros(())


def baseline_effect(structure: Structure, shared: jax.Array, own: jax.Array, inputs: Inputs) -> jax.Array:
    """Baseline of coefficients (column,) and the geos' own (local column, geo), on the scaled KPI, (time, geo)."""
    baseline = collapse.predict(shared, inputs)
    return baseline if structure.geos == 1 else baseline + jnp.einsum("ktg,kg->tg", inputs["local"], own)


def log_density(structure: Structure, q: jax.Array, inputs: Inputs) -> jax.Array:
    """Log posterior density of the unconstrained vector, up to the evidence."""
    return log_prior(structure, q, inputs) + log_likelihood(structure, constrain(structure, q, inputs), inputs)
