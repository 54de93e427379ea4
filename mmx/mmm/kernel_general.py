"""The log density and its gradient in compiled code for all models beside the plain one: the twin of ``mmx.mmm.density``.

As ``mmx.mmm.kernel``, with experiments, multiplicative coefficients and other likelihoods. It is compiled on its own, when a
model needs it, so that the plain model's function stays short.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel import (
    add_products,
    constrain,
    dot,
    effects,
    effects_back,
    factors,
    medium_back,
    spread,
    subtract,
    sum_by_geo,
    take,
)
from mmx.mmm.kernel_baseline import scales, scales_back
from mmx.mmm.kernel_carry import copy
from mmx.mmm.kernel_codes import COUNTS, NORMAL, STUDENT_T
from mmx.mmm.kernel_correlated import collapsed_correlated
from mmx.mmm.kernel_curves import curve
from mmx.mmm.kernel_direct import negative_binomial, student_t
from mmx.mmm.kernel_effectiveness import sum_by_period, varied, varied_back, vary
from mmx.mmm.kernel_features import SCRATCH
from mmx.mmm.kernel_groups import group_factors
from mmx.mmm.kernel_lift import experiment
from mmx.mmm.kernel_multiplicative import solve
from mmx.mmm.kernel_options import CALLED, OPTIONS
from mmx.mmm.kernel_reference import place, place_back


@njit(**OPTIONS)
def _curves(value, a, geos, log_factor, curves, steep):  # type: ignore[no-untyped-def]
    """Fill ``curves`` (curve, 5, cell): of all media, of the other exposure their effects count, and without each test."""
    media, others = a.adstock.size, a.x_other.shape[0] > 0
    tests = media * (1 + others)
    for k in range(curves.shape[0]):
        m, x = k % media, a.x
        exposure = x[m]
        if k >= tests:
            m, exposure = a.features.lift_medium[k - tests], a.features.lift_x[k - tests]
        elif k >= media:
            x = a.x_other
            exposure = x[m]
            if a.direct[m] or a.counted[m, 1] == 0.0:
                continue
        curve(a, m, value, exposure, x[max(a.order[m] - 2, 0)], geos, curves[k], steep)
        if a.features.effect_curve[m] >= 0:
            vary(log_factor[a.features.effect_curve[m]], geos, a.at[m], curves[k])


@njit(**OPTIONS)
def _coefficient(a, m, effect, factor, level, other, acting, worth, acted):  # type: ignore[no-untyped-def]
    """Return a medium's coefficient and what its effect counts per unit; fill that by geo, and the money it is counted in."""
    first, second = a.counted[m, 0], a.counted[m, 1]
    goal, beta, money = effect * a.numerator[m], 0.0, a.money
    if a.features.multiplicative:
        spread(level, first, factor, other, second, acting)
        beta, money = solve(goal, a.features.bend[m], a.money, acting, worth), worth
    sum_by_geo(money, level, first, acted)
    if second != 0.0:
        sum_by_geo(money, other, second, acted)
    per_unit = 0.0
    for g in range(factor.size):
        per_unit += factor[g] * acted[g]
    return beta if a.features.multiplicative else goal / per_unit, per_unit


@njit(**OPTIONS)
def _likelihood(value, geos, prior_sd, a, scratch, by_sd, by_value):  # type: ignore[no-untyped-def]
    """Return the log density of the KPI of a residual; fill its gradient by prediction (cell,) and by prior scales (column,).

    The rows of ``scratch`` are residual, gradient, and memory.
    """
    f, residual, cotangent = a.features, scratch[0], scratch[1]
    noise = value[a.special[0] : a.special[0] + f.noises]
    by_noise = by_value[a.special[0] : a.special[0] + f.noises]
    if f.likelihood == NORMAL:
        rho = value[f.autocorrelation] if f.autocorrelation >= 0 else 0.0
        total, by_rho = collapsed_correlated(residual, geos, prior_sd, noise, rho, a, scratch[2], cotangent, by_sd, by_noise)
        if f.autocorrelation >= 0:
            by_value[f.autocorrelation] += by_rho
        return total
    variance = f.reference_variance
    for g in range(noise.size):
        variance += noise[g] * noise[g] / noise.size
    own_count = a.own_w.size if geos > 1 else 0
    shared, own = value[f.baseline : f.baseline + prior_sd.size], value[f.own : f.own + own_count]
    by_shared, by_own = by_value[f.baseline : f.baseline + prior_sd.size], by_value[f.own : f.own + own_count]
    placed, volume = place(residual, geos, prior_sd, variance, shared, own, a, scratch[2])
    if f.likelihood == STUDENT_T:
        degrees = 2.0 + value[f.degrees]
        total, by_degrees = student_t(scratch[2], noise, degrees, a, scratch[3], scratch[4], cotangent, by_noise)
        by_value[f.degrees] += by_degrees
    else:
        total = negative_binomial(scratch[2], noise, a, scratch[3], scratch[4], cotangent, by_noise)
    by_variance = place_back(placed, geos, prior_sd, shared, own, a, cotangent, scratch[3], by_sd, by_shared, by_own)
    for g in range(noise.size):
        by_noise[g] += by_variance * 2.0 * noise[g] / noise.size
    return total + volume


@njit(**OPTIONS)
def _kpi(value, geos, a, scratch, by_value):  # type: ignore[no-untyped-def]
    """Return the log density of the KPI, of which ``scratch`` holds the residual less all media; fill its gradients."""
    for k in range(a.signed.shape[0]):
        take(a.signed[k], value[a.special[5] + k], scratch[0])
    prior_sd = scales(value, a.special, a.prior_sd, a.frequency, a.sparse)
    by_sd = np.empty(prior_sd.size)
    total = _likelihood(value, geos, prior_sd, a, scratch, by_sd, by_value)
    scales_back(value, a.special, by_sd, prior_sd, a.frequency, a.sparse, by_value)
    for k in range(a.signed.shape[0]):
        by_value[a.special[5] + k] += dot(a.signed[k], scratch[1])
    return total


@njit(**CALLED)
def _experiments(  # type: ignore[no-untyped-def]
    value, a, m, beta, factor, level, without, pulls, spare, cotangent, by_level, by_geo, by_value
):
    """Return the log density of one medium's experiments.

    Adds its gradients: by the medium's actual effect to ``cotangent`` (cell,), by its coefficients to ``by_geo`` (geo,), and by
    the curves without the tested spend (experiment, 5, cell) to the parameters. ``pulls`` and ``spare`` (cell,) are scratch.
    """
    total, f, geos = 0.0, a.features, factor.size
    for k in range(f.lift_medium.size):
        if f.lift_medium[k] != m:
            continue
        rows = without[k]
        total += experiment(f, k, geos, beta, factor, level, rows[0], pulls)
        for i in range(pulls.size):
            cotangent[i] += pulls[i]
        sum_by_geo(pulls, rows[0], -1.0, by_geo)
        spread(pulls, -beta, factor, pulls, 0.0, spare)
        for j in range(1, 5):
            if a.at[m, j] >= 0:
                by_value[a.at[m, j]] += dot(spare, rows[j])
        add_products(spare, rows[0], by_level)
    return total


@njit(**OPTIONS)
def _media_back(  # type: ignore[no-untyped-def]
    value, a, factor, deviation, acted, per_unit, beta, curves, worth, scratch, by_effect, by_factor, by_value
):
    """Carry the gradient of the prediction to all media; return the experiments' log density.

    Fills the gradient by the media's effects, and adds that by the logarithms of effectiveness over time, (curve, time).
    """
    f, total = a.features, 0.0
    media, geos = factor.shape
    others = media if a.x_other.shape[0] > 0 else 0
    for m in range(media):
        cotangent, by_geo, by_level = scratch[1], np.zeros(geos), scratch[4, : scratch.shape[1] * (f.effect_curve[m] >= 0)]
        for i in range(by_level.size):
            by_level[i] = 0.0
        if f.lift_medium.size > 0:
            cotangent = scratch[0]
            copy(scratch[1], cotangent)
            without = curves[media + others :]
            total += _experiments(
                value,
                a,
                m,
                beta[m],
                factor[m],
                curves[m, 0],
                without,
                scratch[2],
                scratch[3],
                cotangent,
                by_level,
                by_geo,
                by_value,
            )
        by_effect[m] = medium_back(
            value,
            a,
            m,
            worth[m] if f.multiplicative and not a.direct[m] else a.money,
            beta[m],
            per_unit[m],
            factor[m],
            deviation[m],
            acted[m],
            curves[m],
            curves[others + m],
            cotangent,
            scratch[2],
            by_level,
            by_geo,
            by_value,
        )
        if f.effect_curve[m] >= 0:
            sum_by_period(by_level, by_factor[f.effect_curve[m]])
    return total


@njit(**OPTIONS)
def fill(q, a, work, grad):  # type: ignore[no-untyped-def]
    """Fill the gradient (dim,) and return the log density; ``work`` is scratch memory, one slot of ``a.work``."""
    f = a.features
    for i in range(grad.size):
        grad[i] = 0.0
    media, cells, geos = a.adstock.size, a.x.shape[1], a.mirror.shape[1]
    others = media if a.x_other.shape[0] > 0 else 0
    value, slope, by_value = np.empty(q.size), np.empty(q.size), np.zeros(q.size)
    total = constrain(q, a.kind, a.first, a.second, a.norm, value, slope, grad)
    effect, weights = np.empty(media), np.empty(a.shared.size)
    effects(value, a.at, a.special, a.shared, a.split_basis, a.split_sd, effect, weights)
    deviation, factor = np.zeros((media, geos)), np.empty((media, geos))
    if f.groups > 0:
        group_factors(value, a, factor)
    else:
        factors(value, a.at, a.mirror, deviation, factor)
    varying = np.empty((f.effect_curves, cells // geos))
    if f.effect_curves > 0:
        varied(value, f, varying)
    count = media + others + f.lift_medium.size
    curves, rest = work[: count * 5 * cells].reshape((count, 5, cells)), work[count * 5 * cells :]
    scratch = rest[: SCRATCH * cells].reshape((SCRATCH, cells))
    worth = rest[SCRATCH * cells :].reshape((media if f.multiplicative else 0, cells))
    _curves(value, a, geos, varying, curves, scratch[2])
    for i in range(cells):
        scratch[0, i] = f.reference[i] if f.likelihood == COUNTS else a.y[i]
    acted, per_unit, beta = np.zeros((media, geos)), np.ones(media), np.empty(media)
    for m in range(media):
        level, other = curves[m, 0], curves[m + (others if a.counted[m, 1] != 0.0 else 0), 0]
        money = worth[m] if f.multiplicative else a.money
        if a.direct[m]:
            beta[m] = effect[m]
        else:
            beta[m], per_unit[m] = _coefficient(a, m, effect[m], factor[m], level, other, scratch[2], money, acted[m])
        subtract(level, beta[m], factor[m], scratch[0])
    total += _kpi(value, geos, a, scratch, by_value)
    by_effect, by_factor = np.empty(media), np.zeros(varying.shape)
    total += _media_back(
        value, a, factor, deviation, acted, per_unit, beta, curves, worth, scratch, by_effect, by_factor, by_value
    )
    if f.effect_curves > 0:
        varied_back(value, f, by_factor, varying, by_value)
    effects_back(value, a.at, a.special, a.shared, a.split_basis, a.split_sd, weights, by_effect, by_value)
    for i in range(q.size):
        grad[i] += by_value[i] * slope[i]
    return total
