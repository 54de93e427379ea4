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
def curve(a, m, value, x, geos, rows, steep):  # type: ignore[no-untyped-def]
    """Fill one medium's ``rows`` (5, cell): its level, and the tangents by two parameters of each family.

    The adstock's stand first. Rows of parameters that the families lack (``a.at`` is -1) are left as they are.
    """
    at, level = a.at[m], rows[0]
    if a.adstock_first[m]:
        carry(a.adstock[m], a.window[m], value[at[1]], value[at[2]], x, geos, level, rows[1], rows[2])
        saturate(a.saturation[m], value[at[3]], value[at[4]], level, steep, rows[3], rows[4])
        for j in range(1, 3):
            if at[j] >= 0:
                times(rows[j], steep)
        return
    copy(x, level)
    saturate(a.saturation[m], value[at[3]], value[at[4]], level, steep, rows[3], rows[4])
    copy(level, steep)
    carry(a.adstock[m], a.window[m], value[at[1]], value[at[2]], steep, geos, level, rows[1], rows[2])
    for j in range(3, 5):
        if at[j] >= 0:
            copy(rows[j], steep)
            carry_only(a.adstock[m], a.window[m], value[at[1]], value[at[2]], steep, geos, rows[j])
