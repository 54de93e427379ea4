"""Geos that deviate in two levels, for the compiled kernel. Equations: ``mmx.mmm.density.geo_factors``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def group_factors(value, a, factor):  # type: ignore[no-untyped-def]
    """Fill each geo's effect over the national one, (media, geo)."""
    media, geos = factor.shape
    between = a.features.groups - 1
    for m in range(media):
        z, basis = value[a.at[m, 6] : a.at[m, 6] + geos - 1], a.features.geo_basis[m]
        wide, narrow = value[a.features.group_sd + m], value[a.at[m, 5]]
        for g in range(geos):
            total = 0.0
            for k in range(geos - 1):
                total += basis[g, k] * z[k] * (wide if k < between else narrow)
            factor[m, g] = np.exp(total)


@njit(**OPTIONS)
def group_back(value, a, m, by_log, by_value):  # type: ignore[no-untyped-def]
    """Carry the gradient of a medium's log factors (geo,) to both standard deviations and the deviations."""
    geos, between = by_log.size, a.features.groups - 1
    first, basis = a.at[m, 6], a.features.geo_basis[m]
    for k in range(geos - 1):
        along = 0.0
        for g in range(geos):
            along += basis[g, k] * by_log[g]
        sd = a.features.group_sd + m if k < between else a.at[m, 5]
        by_value[first + k] += value[sd] * along
        by_value[sd] += value[first + k] * along
