"""KPI money of media from draws: by period, and summed over groups of periods at several multiples of the exposure.

Layouts: ``codes`` (4, media) of ``Data``; ``shapes`` (sample, media, 4); ``beta`` (sample, geo, media); exposures (media +
frequencies, time, geo); ``money`` (time, geo). Each draw is summed on its own, in one order, whatever the number of threads.
"""

from __future__ import annotations

import numpy as np

from mmx.mmm.evaluate_curves import carry, level, saturate, unsaturated
from mmx.mmm.evaluate_options import compiled


@compiled
def by_period(codes, shapes, beta, x, money, first, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (sample, time - first, media) with money summed over geos, from row ``first`` on."""
    samples, media, _ = shapes.shape
    _, times, geos = x.shape
    u, whole = np.empty((times, geos)), np.empty((times, geos))
    h, paid = whole.reshape(-1)[first * geos :], money.reshape(-1)[first * geos :]
    for s in range(samples):
        for m in range(media):
            level(codes[:, m], shapes[s, m], m, x, u, whole)
            if geos == 1:
                for t in range(h.size):
                    out[s, t, m] = h[t] * (beta[s, 0, m] * paid[t])
                continue
            for t in range(times - first):
                total = 0.0
                for g in range(geos):
                    total += h[t * geos + g] * (beta[s, g, m] * paid[t * geos + g])
                out[s, t, m] = total


@compiled
def _product(weight, h):  # type: ignore[no-untyped-def]
    """Return the sum of weighted levels."""
    total = 0.0
    for i in range(h.size):
        total += weight[i] * h[i]
    return total


@compiled
def _weighted(weight, odds, scale):  # type: ignore[no-untyped-def]
    """Return the sum of weighted Hill levels at odds times ``scale``."""
    total = 0.0
    for i in range(odds.size):
        total += weight[i] / (1.0 + scale * odds[i])
    return total


@compiled
def _add(fixed, multiplier, moved, out):  # type: ignore[no-untyped-def]
    """Fill ``fixed + multiplier * moved``, all (time, geo)."""
    for t in range(out.shape[0]):
        for g in range(out.shape[1]):
            out[t, g] = fixed[t, g] + multiplier * moved[t, g]


@compiled
def by_group(codes, shapes, beta, x, before, money, runs, multipliers, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (sample, multiplier, group, media) with money of exposure ``before + multiplier * x``.

    ``runs`` (run, 3) holds first period, end and group of periods in a row; ``before`` has no rows where there is nothing.
    """
    samples, media, _ = shapes.shape
    _, times, geos = x.shape
    moved, fixed, whole = np.empty((times, geos)), np.zeros((times, geos)), np.empty((times, geos))
    h, weight, u, mixed = whole.reshape(-1), np.empty(times * geos), np.empty((times, geos)), np.empty_like(x)
    alone = before.shape[1] == 0
    out[:] = 0.0
    for s in range(samples):
        for m in range(media):
            shape, first = shapes[s, m], codes[3, m] == 1
            one = alone and first and codes[2, m] == 0
            for t in range(times):
                for g in range(geos):
                    weight[t * geos + g] = beta[s, g, m] * money[t, g]
            if first:
                carry(codes[0, m], codes[1, m], shape, x[m], moved)
                if not alone:
                    carry(codes[0, m], codes[1, m], shape, before[m], fixed)
            if one:
                unsaturated(shape, moved.reshape(-1), u.reshape(-1))
            for k in range(multipliers.size):
                if alone and multipliers[k] == 0.0:
                    continue
                # Hill without carry-in: (k u)^slope is k^slope u^slope, so one power serves all multipliers.
                scale = multipliers[k] ** -shape[3] if one else 0.0
                if first and not one:
                    _add(fixed, multipliers[k], moved, u)
                    saturate(codes[2, m], shape, u.reshape(-1), h)
                elif not first:
                    for place in (m, max(codes[3, m] - 2, m)):
                        _add(fixed if alone else before[place], multipliers[k], x[place], mixed[place])
                    level(codes[:, m], shape, m, mixed, u, whole)
                for j in range(runs.shape[0]):
                    cells = slice(runs[j, 0] * geos, runs[j, 1] * geos)
                    if one:
                        out[s, k, runs[j, 2], m] += _weighted(weight[cells], u.reshape(-1)[cells], scale)
                    else:
                        out[s, k, runs[j, 2], m] += _product(weight[cells], h[cells])
