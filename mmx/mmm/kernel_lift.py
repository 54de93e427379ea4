"""Experiments as evidence, for the compiled kernel. Equations: ``mmx.mmm.density.lift_likelihood``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS
from mmx.mmm.kernel_special import exp_pair


@njit(**OPTIONS)
def experiment(f, k, geos, beta, factor, level, without, pull):  # type: ignore[no-untyped-def]
    """Return the log density of what one experiment measured; fill its gradient by the medium's effect (cell,).

    Parameters
    ----------
    f : Features
    k : int
        The experiment.
    geos : int
    beta : float
    factor : array, (geo,)
    level, without : array, (cell,)
        Saturated exposure with and without the tested spend.
    pull : array, (cell,)
    """
    worth, sd = f.lift_worth[k], f.lift_sd[k]
    total = 0.0
    for t in range(level.size // geos):
        for i in range(t * geos, (t + 1) * geos):
            brought = beta * factor[i - t * geos] * (level[i] - without[i])
            pull[i] = worth[i]
            if f.multiplicative:
                left, less = exp_pair(-brought)
                brought = -less
                pull[i] *= left
            total += worth[i] * brought
    ratio = (f.lift_value[k] - total) / sd
    for i in range(level.size):
        pull[i] *= ratio / sd
    return -0.5 * ratio * ratio - np.log(sd) - 0.5 * np.log(2.0 * np.pi)
