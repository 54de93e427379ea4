"""The curve of one medium with its tangents, for the compiled kernel."""

from __future__ import annotations

from numba import njit

from mmx.mmm.kernel_carry import carry, carry_only, copy
from mmx.mmm.kernel_options import OPTIONS
from mmx.mmm.kernel_saturation import saturate


@njit(**OPTIONS)
def times(by, steep):  # type: ignore[no-untyped-def]
    """Multiply one array (cell,) by another in place."""
    for i in range(by.size):
        by[i] *= steep[i]


@njit(**OPTIONS)
def curve(a, m, value, x, often, geos, rows, steep):  # type: ignore[no-untyped-def]
    """Fill one medium's ``rows`` (5, cell) from its exposure (cell,): level, tangents by two parameters each.

    The adstock's stand first. ``often`` (cell,) is the frequency of a medium that has one. Rows of parameters that the families
    lack (``a.at`` is -1) are left as they are.
    """
    at, level, order = a.at[m], rows[0], a.order[m]
    if order == 1:
        carry(a.adstock[m], a.window[m], value[at[1]], value[at[2]], x, geos, level, rows[1], rows[2])
        saturate(a.saturation[m], value[at[3]], value[at[4]], level, steep, rows[3], rows[4])
        for j in range(1, 3):
            if at[j] >= 0:
                times(rows[j], steep)
        return
    copy(x if order == 0 else often, level)
    saturate(a.saturation[m], value[at[3]], value[at[4]], level, steep, rows[3], rows[4])
    if order > 1:
        times(level, x)
    copy(level, steep)
    carry(a.adstock[m], a.window[m], value[at[1]], value[at[2]], steep, geos, level, rows[1], rows[2])
    for j in range(3, 5):
        if at[j] >= 0:
            if order > 1:
                times(rows[j], x)
            copy(rows[j], steep)
            carry_only(a.adstock[m], a.window[m], value[at[1]], value[at[2]], steep, geos, rows[j])
