"""Expected KPI of every cell of the window from parameter draws, geo by geo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm import design as baseline
from mmx.mmm.levels import levels
from mmx.mmm.posterior import Posterior


def predictive_cells(posterior: Posterior) -> Iterator[Floats]:
    """Yield the expected scaled KPI of each geo's window, (sample, window), without noise."""
    design = baseline.build(posterior.spec, posterior.panel)
    rows = np.flatnonzero(posterior.window)
    for g in range(posterior.structure.geos):
        x, beta = posterior.exposure[:, g : g + 1], posterior.beta[:, g : g + 1]
        media = levels(posterior.structure, posterior.params, beta, x, np.ones((len(x), 1)))[:, rows].sum(axis=2)
        media += posterior.gamma @ design.z[rows, g].T
        if design.signed.shape[2]:
            media += posterior.params["control"] @ design.signed[rows, g].T
        media += posterior.constants.kpi_center + posterior.local[:, :, g] @ design.local[:, rows]
        yield media
