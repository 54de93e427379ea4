"""Intervals of draws."""

from __future__ import annotations

import numpy as np

from mmx.data.panel import Floats
from mmx.decide.recommendation import Interval


def interval(draws: Floats) -> Interval:
    """Mean and equal-tailed 90 % interval of draws (sample,)."""
    q05, q95 = np.quantile(draws, [0.05, 0.95])
    return Interval(float(draws.mean()), float(q05), float(q95))
