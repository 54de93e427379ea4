"""Coefficients of draws: solve the media's, draw the baseline's back. Equations: ``mmx.mmm.density``, ``mmx.mmm.collapse``."""

from __future__ import annotations

import numpy as np

from mmx.mmm.evaluate_curves import level
from mmx.mmm.evaluate_options import compiled


@compiled
def _media(data, shapes, effect, factor, residual, beta, u, h):  # type: ignore[no-untyped-def]
    """Fill one draw's coefficients ``beta`` (geo, media) and take all media off the KPI in ``residual`` (time, geo)."""
    times, geos = residual.shape
    media = data.codes.shape[1]
    acted = np.empty(geos)
    for m in range(media):
        unit = 1.0
        if not data.direct[m]:
            acted[:] = 0.0
            if data.counted[m, 1] != 0.0:
                level(data.codes[:, m], shapes[m], m, data.x_other, u, h)
                for t in range(times):
                    for g in range(geos):
                        acted[g] += data.counted[m, 1] * data.money[t, g] * h[t, g]
        level(data.codes[:, m], shapes[m], m, data.x, u, h)
        if not data.direct[m]:
            per_unit = 0.0
            for t in range(times):
                for g in range(geos):
                    acted[g] += data.counted[m, 0] * data.money[t, g] * h[t, g]
            for g in range(geos):
                per_unit += factor[g, m] * acted[g]
            unit = data.numerator[m] / per_unit
        for g in range(geos):
            beta[g, m] = effect[m] * unit * factor[g, m]
        for t in range(times):
            for g in range(geos):
                residual[t, g] -= h[t, g] * beta[g, m]


@compiled
def _normal(data, residual, sd, precision, matrix, rhs, geo_precision, geo_rhs):  # type: ignore[no-untyped-def]
    """Fill the normal equations of the shared coefficients and of the geos' own ones."""
    times, geos = residual.shape
    own = data.local.shape[0]
    n, cells = sd.size, data.z_cell.shape[2]
    rhs[:] = 0.0
    geo_rhs[:, :] = 0.0
    rest = rhs[cells:]
    for t in range(times):
        total = 0.0
        for g in range(geos):
            weighted = precision * data.w[t, g] * residual[t, g]
            total += weighted
            for k in range(own):
                geo_rhs[k, g] += data.local[k, t, g] * weighted
            for p in range(cells):
                rhs[p] += data.z_cell[t, g, p] * weighted
        row = data.z_time[t]
        for p in range(rest.size):
            rest[p] += row[p] * total
    for i in range(n):
        for j in range(i + 1):
            matrix[i, j] = precision * data.zz[i, j]
        matrix[i, i] += 1.0 / (sd[i] * sd[i])
    if geos == 1:
        return
    for k in range(own):
        for g in range(geos):
            row = data.local_z[k, g]
            geo_precision[k, g] = precision * data.local_w[k, g] + 1.0 / (data.local_sd[k] * data.local_sd[k])
            for i in range(n):
                scale = precision * precision * row[i] / geo_precision[k, g]
                rhs[i] -= precision * row[i] * geo_rhs[k, g] / geo_precision[k, g]
                for j in range(i + 1):
                    matrix[i, j] -= scale * row[j]


@compiled
def _factorise(matrix):  # type: ignore[no-untyped-def]
    """Overwrite the lower triangle of a symmetric matrix by its Cholesky factor."""
    for i in range(matrix.shape[0]):
        row = matrix[i]
        for j in range(i + 1):
            done = matrix[j]
            total = row[j]
            for k in range(j):
                total -= row[k] * done[k]
            row[j] = np.sqrt(total) if i == j else total / done[j]


@compiled
def coefficients(  # type: ignore[no-untyped-def]
    data, shapes, effect, factor, prior_sd, noise, control, shared_noise, geo_noise, beta, gamma, geo
):
    """Fill ``beta`` (sample, geo, media), ``gamma`` (sample, column) and ``geo`` (sample, local column, geo) of draws.

    ``shapes`` (sample, media, 4), ``effect`` (sample, media), ``factor`` (sample, geo, media), ``prior_sd`` (sample, column),
    ``noise`` (sample,), ``control`` (sample, signed control); ``shared_noise`` (sample, column), ``geo_noise`` (sample, local
    column, geo): standard normals.
    """
    _, times, geos = data.x.shape
    n = prior_sd.shape[1]
    residual, u, h = np.empty((times, geos)), np.empty((times, geos)), np.empty((times, geos))
    matrix, rhs, own = np.empty((n, n)), np.empty(n), data.local.shape[0]
    geo_precision, geo_rhs = np.ones((own, geos)), np.empty((own, geos))
    for s in range(noise.size):
        residual[:] = data.y
        for k in range(data.signed.shape[0]):
            residual -= control[s, k] * data.signed[k]
        _media(data, shapes[s], effect[s], factor[s], residual, beta[s], u, h)
        precision = 1.0 / (noise[s] * noise[s])
        _normal(data, residual, prior_sd[s], precision, matrix, rhs, geo_precision, geo_rhs)
        _factorise(matrix)
        for i in range(n):
            total = rhs[i]
            for j in range(i):
                total -= matrix[i, j] * rhs[j]
            rhs[i] = total / matrix[i, i]
        for i in range(n - 1, -1, -1):
            total = rhs[i] + shared_noise[s, i]
            for j in range(i + 1, n):
                total -= matrix[j, i] * gamma[s, j]
            gamma[s, i] = total / matrix[i, i]
        for k in range(own):
            for g in range(geos):
                mean = geo_rhs[k, g]
                for i in range(n):
                    mean -= precision * data.local_z[k, g, i] * gamma[s, i]
                spread = geo_noise[s, k, g] / np.sqrt(geo_precision[k, g])
                geo[s, k, g] = mean / geo_precision[k, g] + spread if geos > 1 else 0.0
