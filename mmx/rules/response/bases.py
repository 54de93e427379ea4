"""Columns of what days have in common: weekdays, and an ad set's drift between knots."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mmx.rules.response.structure import WEEKDAYS

Floats = npt.NDArray[np.float64]


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
