"""A compiled density as a C function, so that a sampler calls it without Python in the loop. Imported only to compile.

The function gets its data as one table of addresses and lengths. Its form is the one that nutpie expects of a log density:
``(dim, position, gradient, log density, data) -> 0, or a positive number where the density is not finite``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, cfunc, types

from mmx.machine.entry import TABLE, arguments_of
from mmx.mmm.kernel_arrays import LAYOUT
from mmx.mmm.kernel_memory import give_back, take

_DOUBLES = types.CPointer(types.float64)
_arrays_at = arguments_of((LAYOUT,))


@cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, TABLE))
def copy(dim, size, position, out, table):  # type: ignore[no-untyped-def]
    """Copy a position (dim,): what a sampler keeps of a draw is the draw."""
    for i in range(dim):
        out[i] = position[i]
    return 0


def functions_of(fill: Any) -> dict[str, Any]:
    """Return the C functions of a density: ``fill(q, arrays, scratch memory, gradient) -> log density``, compiled."""

    @cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, TABLE), error_model="numpy")
    def log_density(dim, position, gradient, density, table):  # type: ignore[no-untyped-def]
        """Fill gradient and log density at a position (dim,)."""
        a = _arrays_at(table)[0]
        q, slope, result = carray(position, (dim,)), carray(gradient, (dim,)), carray(density, (1,))
        slot = take(a.busy)
        work = a.work[slot] if slot >= 0 else np.empty(a.work.shape[1])
        result[0] = fill(q, a, work, slope)
        if slot >= 0:
            give_back(a.busy, slot)
        total = result[0]
        for i in range(slope.size):
            total += slope[i]
        return 0 if np.isfinite(total) else 3

    return {"log_density": log_density, "copy": copy}
