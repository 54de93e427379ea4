"""Columns of linear predictors: weekdays, an ad set's drift between knots, and the bend of returns in the budget."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.rules.response.structure import WEEKDAYS

Floats = npt.NDArray[np.float64]


def bend(x: Any) -> Any:
    """What curvature multiplies: about x^2 near x = 0, straight far away, where its slope is at most 2.

    ``x`` is the log of a budget over its reference. A quadratic term in logarithms is the translog form (Christensen, Jorgenson
    and Lau 1973); straightened, the elasticity moves by at most twice the curvature, however far a budget is taken.
    """
    return 2.0 * ((1.0 + x * x) ** 0.5 - 1.0)


def weekday_contrasts() -> Floats:
    """Orthonormal contrasts of seven weekdays, (weekday, 6): every effect has the same variance, and all sum to zero."""
    basis = np.linalg.qr(np.column_stack([np.ones(7), np.eye(7)[:, :WEEKDAYS]]))[0][:, 1:]
    return np.asarray(basis * math.sqrt(7.0 / 6.0))


def drift_basis(days: int, knot_days: int, correlation: float) -> Floats:
    """Straight lines between knots times the factor of an autoregressive process over the knots, (day, knot).

    The last knot is the last day, so that standard normals give a drift of unit variance there; knots are in order of time.
    """
    knots = -(-(days - 1) // knot_days) + 1
    place = (knots - 1) - (days - 1 - np.arange(days)) / knot_days
    lines = np.maximum(1.0 - np.abs(place[:, None] - np.arange(knots)), 0.0)
    lag = np.abs(np.subtract.outer(np.arange(knots), np.arange(knots)))
    found: Floats = lines @ np.linalg.cholesky(correlation**lag)
    return found
