"""The log density and its gradient in compiled code: the fast twin of ``mmx.mmm.density``.

Shape parameters belong to one medium each, so their tangents are carried forward with the curve and dotted with the
residual's cotangent: there is no reverse pass. The baseline's gradient is the closed form of ``mmx.mmm.collapse``. Tests hold
value and gradient equal to JAX to 1e-12 for every combination of families.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_baseline import collapsed, scales, scales_back
from mmx.mmm.kernel_curves import curve
from mmx.mmm.kernel_groups import group_back
from mmx.mmm.kernel_math import exp
from mmx.mmm.kernel_national import collapsed_national
from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def constrain(q, kind, first, second, norm, value, slope, grad):  # type: ignore[no-untyped-def]
    """Fill constrained values and their derivatives; return the log prior and add its gradient."""
    total = 0.0
    for i in range(q.size):
        z = q[i]
        total += norm[i]
        if kind[i] <= 1:
            total -= 0.5 * z * z
            grad[i] -= z
            value[i] = first[i] + second[i] * z
            slope[i] = second[i]
            if kind[i] == 1:
                value[i] = np.exp(value[i])
                slope[i] *= value[i]
        elif kind[i] == 2:
            share = 1.0 / (1.0 + np.exp(-z))
            log_share = -np.log1p(np.exp(-z)) if z > 0 else z - np.log1p(np.exp(z))
            total += first[i] * log_share + second[i] * (log_share - z)
            grad[i] += first[i] * (1.0 - share) - second[i] * share
            value[i] = share
            slope[i] = share * (1.0 - share)
        elif kind[i] == 4:
            value[i] = np.exp(z)
            slope[i] = value[i]
            ratio = value[i] / first[i]
            total += z - np.log1p(ratio * ratio)
            grad[i] += 1.0 - 2.0 * ratio * ratio / (1.0 + ratio * ratio)
        else:
            value[i] = np.exp(z)
            slope[i] = value[i]
            ratio = value[i] / first[i]
            total += z - 0.5 * ratio * ratio
            grad[i] += 1.0 - ratio * ratio
    return total


@njit(**OPTIONS)
def effects(value, at, special, shared, split_basis, split_sd, effect, weights):  # type: ignore[no-untyped-def]
    """Fill the effect of every medium, and the shares of those under one total."""
    for m in range(effect.size):
        if at[m, 0] >= 0:
            effect[m] = value[at[m, 0]]
    n = shared.size
    if n == 0:
        return
    top = -np.inf
    for j in range(n):
        weights[j] = 0.0
        for k in range(n - 1):
            weights[j] += split_sd * split_basis[j, k] * value[special[4] + k]
        top = max(top, weights[j])
    norm = 0.0
    for j in range(n):
        weights[j] = np.exp(weights[j] - top)
        norm += weights[j]
    for j in range(n):
        weights[j] /= norm
        effect[shared[j]] = value[special[3]] * weights[j]


@njit(**OPTIONS)
def effects_back(value, at, special, shared, split_basis, split_sd, weights, by_effect, by_value):  # type: ignore[no-untyped-def]
    """Carry the gradient of the effects to the parameters."""
    for m in range(by_effect.size):
        if at[m, 0] >= 0:
            by_value[at[m, 0]] += by_effect[m]
    n = shared.size
    if n == 0:
        return
    mean = 0.0
    for j in range(n):
        mean += weights[j] * by_effect[shared[j]]
    by_value[special[3]] += mean
    for j in range(n):
        by_weight = value[special[3]] * weights[j] * (by_effect[shared[j]] - mean)
        for k in range(n - 1):
            by_value[special[4] + k] += split_sd * split_basis[j, k] * by_weight


@njit(**OPTIONS)
def factors(value, at, mirror, deviation, factor):  # type: ignore[no-untyped-def]
    """Fill each geo's effect over the national one, (media, geo), and the log of it at a standard deviation of one."""
    media, geos = factor.shape
    for m in range(media):
        out, ratio, axis = deviation[m], factor[m], mirror[m]
        if geos == 1:
            ratio[0] = 1.0
            continue
        z = value[at[m, 6] : at[m, 6] + geos - 1]
        along = 0.0
        for k in range(geos - 1):
            along += axis[k + 1] * z[k]
        out[0] = -along * axis[0]
        for k in range(geos - 1):
            out[k + 1] = z[k] - along * axis[k + 1]
        sd = value[at[m, 5]]
        for g in range(geos):
            ratio[g] = exp(sd * out[g])


@njit(**OPTIONS)
def factors_back(value, at, axis, deviation, by_log, by_value):  # type: ignore[no-untyped-def]
    """Carry the gradient of a medium's log factors (geo,) to its standard deviation and deviations."""
    geos = by_log.size
    sd = value[at[5]]
    total, along = 0.0, 0.0
    for g in range(geos):
        total += by_log[g] * deviation[g]
        along += by_log[g] * axis[g]
    by_value[at[5]] += total
    z = by_value[at[6] : at[6] + geos - 1]
    for k in range(geos - 1):
        z[k] += sd * (by_log[k + 1] - along * axis[k + 1])


@njit(**OPTIONS)
def sum_by_geo(first, second, sign, out):  # type: ignore[no-untyped-def]
    """Add the products of two arrays (cell,), summed over time, to an array (geo,)."""
    geos = out.size
    if geos == 1:
        total = 0.0
        for t in range(first.size):
            total += first[t] * second[t]
        out[0] += sign * total
        return
    for t in range(first.size // geos):
        a, b = first[t * geos : (t + 1) * geos], second[t * geos : (t + 1) * geos]
        for g in range(geos):
            out[g] += sign * a[g] * b[g]


@njit(**OPTIONS)
def take(cells, scale, residual):  # type: ignore[no-untyped-def]
    """Take a multiple of an array (cell,) from the residual."""
    for i in range(residual.size):
        residual[i] -= scale * cells[i]


@njit(**OPTIONS)
def dot(first, second):  # type: ignore[no-untyped-def]
    """Return the sum of the products of two arrays (cell,)."""
    total = 0.0
    for i in range(first.size):
        total += first[i] * second[i]
    return total


@njit(**OPTIONS)
def add_products(first, second, out):  # type: ignore[no-untyped-def]
    """Add the products of two arrays (cell,) to a third, if it has cells."""
    for i in range(out.size):
        out[i] += first[i] * second[i]


@njit(**OPTIONS)
def spread(cells, scale, factor, other, other_scale, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (cell,) with ``(scale * cells + other_scale * other) * factor`` of the cell's geo."""
    geos = factor.size
    if geos == 1:
        for t in range(out.size):
            out[t] = scale * cells[t] + other_scale * other[t]
        return
    for t in range(out.size // geos):
        a, b, c = cells[t * geos : (t + 1) * geos], other[t * geos : (t + 1) * geos], out[t * geos : (t + 1) * geos]
        for g in range(geos):
            c[g] = (scale * a[g] + other_scale * b[g]) * factor[g]


@njit(**OPTIONS)
def subtract(level, scale, factor, residual):  # type: ignore[no-untyped-def]
    """Take a medium's effect from the residual (cell,)."""
    geos = factor.size
    if geos == 1:
        for t in range(level.size):
            residual[t] -= scale * level[t]
        return
    for t in range(level.size // geos):
        a, b = level[t * geos : (t + 1) * geos], residual[t * geos : (t + 1) * geos]
        for g in range(geos):
            b[g] -= scale * factor[g] * a[g]


@njit(**OPTIONS)
def _media(value, a, effect, factor, rows, other, steep, acted, per_unit, beta, residual):  # type: ignore[no-untyped-def]
    """Fill every medium's curve, sums and coefficient, and the KPI minus all media (cell,)."""
    media, geos = factor.shape
    for i in range(residual.size):
        residual[i] = a.y[i]
    for m in range(media):
        curve(a, m, value, a.x[m], a.x[max(a.order[m] - 2, 0)], geos, rows[m], steep)
        beta[m] = effect[m]
        if not a.direct[m]:
            sum_by_geo(a.money, rows[m, 0], a.counted[m, 0], acted[m])
            if a.counted[m, 1] != 0.0:
                curve(a, m, value, a.x_other[m], a.x_other[max(a.order[m] - 2, 0)], geos, other[m], steep)
                sum_by_geo(a.money, other[m, 0], a.counted[m, 1], acted[m])
            for g in range(geos):
                per_unit[m] += factor[m, g] * acted[m, g]
            beta[m] *= a.numerator[m] / per_unit[m]
        subtract(rows[m, 0], beta[m], factor[m], residual)


@njit(**OPTIONS)
def medium_back(  # type: ignore[no-untyped-def]
    value, a, m, money, beta, per_unit, factor, deviation, acted, rows, other, cotangent, pull, by_level, by_geo, by_value
):
    """Carry the gradient of the prediction to one medium's parameters; return the gradient of its effect.

    ``by_geo`` (geo,) holds what the coefficients' gradient has beside the prediction's part; it is scratch after. To
    ``by_level`` (cell,), where it has cells, the gradient by the logarithm of the curves is added.
    """
    geos = factor.size
    sum_by_geo(cotangent, rows[0], 1.0, by_geo)
    by_beta = 0.0
    for g in range(geos):
        by_beta += by_geo[g] * factor[g]
    at = a.at[m]
    solved = 0.0 if a.direct[m] else by_beta * beta / per_unit
    spread(cotangent, beta, factor, money, -solved * a.counted[m, 0], pull)
    for j in range(1, 5):
        if at[j] >= 0:
            by_value[at[j]] += dot(pull, rows[j])
    add_products(pull, rows[0], by_level)
    if a.counted[m, 1] != 0.0 and not a.direct[m]:
        spread(money, -solved * a.counted[m, 1], factor, money, 0.0, pull)
        for j in range(1, 5):
            if at[j] >= 0:
                by_value[at[j]] += dot(pull, other[j])
        add_products(pull, other[0], by_level)
    if geos > 1:
        for g in range(geos):
            by_geo[g] = (by_geo[g] * beta - solved * acted[g]) * factor[g]
        if a.features.groups > 0:
            group_back(value, a, m, by_geo, by_value)
        else:
            factors_back(value, at, a.mirror[m], deviation, by_geo, by_value)
    return by_beta if a.direct[m] else by_beta * a.numerator[m] / per_unit


@njit(**OPTIONS)
def fill(q, a, work, grad):  # type: ignore[no-untyped-def]
    """Fill the gradient (dim,) and return the log density; ``work`` is scratch memory, one slot of ``a.work``."""
    for i in range(grad.size):
        grad[i] = 0.0
    media, cells, geos = a.adstock.size, a.x.shape[1], a.mirror.shape[1]
    value, slope, by_value = np.empty(q.size), np.empty(q.size), np.zeros(q.size)
    total = constrain(q, a.kind, a.first, a.second, a.norm, value, slope, grad)
    effect, weights = np.empty(media), np.empty(a.shared.size)
    effects(value, a.at, a.special, a.shared, a.split_basis, a.split_sd, effect, weights)
    deviation, factor = np.zeros((media, geos)), np.empty((media, geos))
    factors(value, a.at, a.mirror, deviation, factor)
    rows = work[: media * 5 * cells].reshape((media, 5, cells))
    rest = work[media * 5 * cells :]
    scratch = rest[: 3 * cells].reshape((3, cells))
    other = rest[3 * cells :].reshape((media if a.x_other.shape[0] > 0 else 0, 5, cells))
    acted, per_unit, beta = np.zeros((media, geos)), np.zeros(media), np.empty(media)
    residual, cotangent, spare = scratch[0], scratch[1], scratch[2]
    _media(value, a, effect, factor, rows, other, spare, acted, per_unit, beta, residual)
    for k in range(a.signed.shape[0]):
        take(a.signed[k], value[a.special[5] + k], residual)
    prior_sd = scales(value, a.special, a.prior_sd, a.frequency, a.sparse)
    if geos == 1:
        likelihood, by_sd, by_noise = collapsed_national(residual, prior_sd, value[a.special[0]], a, cotangent)
    else:
        likelihood, by_sd, by_noise = collapsed(residual, geos, prior_sd, value[a.special[0]], a, cotangent)
    by_value[a.special[0]] += by_noise
    scales_back(value, a.special, by_sd, prior_sd, a.frequency, a.sparse, by_value)
    for k in range(a.signed.shape[0]):
        by_value[a.special[5] + k] += dot(a.signed[k], cotangent)
    by_effect = np.empty(media)
    for m in range(media):
        extra = other[m] if a.x_other.shape[0] > 0 else rows[m]
        by_effect[m] = medium_back(
            value,
            a,
            m,
            a.money,
            beta[m],
            per_unit[m],
            factor[m],
            deviation[m],
            acted[m],
            rows[m],
            extra,
            cotangent,
            spare,
            np.zeros(0),
            np.zeros(geos),
            by_value,
        )
    effects_back(value, a.at, a.special, a.shared, a.split_basis, a.split_sd, weights, by_effect, by_value)
    for i in range(q.size):
        grad[i] += by_value[i] * slope[i]
    return total + likelihood
