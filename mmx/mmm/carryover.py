"""How long an effect lasts: the response of each medium's adstock to one period of exposure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm.levels import levels
from mmx.mmm.posterior import Posterior


def carryover(posterior: Posterior) -> tuple[Floats, Floats]:
    """Half-life and carryover share of each medium.

    The half-life is the number of periods after which half of the effect of one period's exposure has come, each lag's part
    spread evenly over its period; a geometric adstock that keeps one half has a half-life of 1. The carryover share is what
    comes after the period itself. Followed for at most a year.

    Returns
    -------
    half_life, share : array, (sample, media)
    """
    structure = posterior.structure
    media, periods = structure.media, posterior.tail + 1
    linear = replace(structure, saturation=("none",) * media, order=("adstock",) * media)
    x = np.zeros((periods, 1, media))
    x[0] = 1.0
    weight = levels(linear, posterior.params, np.ones((posterior.samples, 1, media)), x, np.ones((periods, 1)))
    reached = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    at = (reached < 0.5).sum(axis=1)
    here = np.take_along_axis(reached, at[:, None], axis=1)[:, 0]
    before = np.where(at > 0, np.take_along_axis(reached, np.maximum(at - 1, 0)[:, None], axis=1)[:, 0], 0.0)
    half_life: Floats = at + (0.5 - before) / (here - before)
    return half_life, 1.0 - reached[:, 0]
