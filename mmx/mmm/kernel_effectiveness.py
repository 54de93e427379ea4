"""Effectiveness that changes over time, for the compiled kernel. Equations: ``mmx.mmm.density.varied``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmx.mmm.kernel_options import OPTIONS


@njit(**OPTIONS)
def _heights(f, length):  # type: ignore[no-untyped-def]
    """Return prior standard deviations of the basis functions, and their logarithms' slopes by the length, (term,) each."""
    frequency, decay = f.effect_frequency, 5.0 / length**2
    height, slope = np.empty(frequency.size), np.empty(frequency.size)
    first = 0.5 * (np.log(16.0 / 3.0) + 2.5 * np.log(decay))
    for j in range(frequency.size):
        whole = decay + frequency[j] ** 2
        height[j] = np.exp(first - 1.5 * np.log(whole))
        slope[j] = 0.5 * (2.5 / decay - 3.0 / whole) * (-2.0 * decay / length)
    return height, slope


@njit(**OPTIONS)
def varied(value, f, out):  # type: ignore[no-untyped-def]
    """Fill the logarithm of each curve's factor, (curve, time)."""
    height, _ = _heights(f, value[f.effect_length])
    terms = height.size
    for c in range(out.shape[0]):
        z, sd = value[f.effect_z + c * terms : f.effect_z + (c + 1) * terms], value[f.effect_sd + c]
        for t in range(out.shape[1]):
            row, total = f.effect_basis[t], 0.0
            for j in range(terms):
                total += row[j] * height[j] * z[j]
            out[c, t] = sd * total


@njit(**OPTIONS)
def vary(log_factor, geos, at, rows):  # type: ignore[no-untyped-def]
    """Multiply the ``rows`` (5, cell) of a medium's curve, those of parameters that it has, by a factor of the period."""
    for t in range(log_factor.size):
        factor = np.exp(log_factor[t])
        for j in range(5):
            if j == 0 or at[j] >= 0:
                row = rows[j, t * geos : (t + 1) * geos]
                for g in range(geos):
                    row[g] *= factor


@njit(**OPTIONS)
def varied_back(value, f, by_log, log_factor, by_value):  # type: ignore[no-untyped-def]
    """Carry the gradient of the logarithms of the factors (curve, time) to the parameters of the curves."""
    height, slope = _heights(f, value[f.effect_length])
    terms = height.size
    for c in range(by_log.shape[0]):
        first, sd, total = f.effect_z + c * terms, value[f.effect_sd + c], 0.0
        along = np.zeros(terms)
        for t in range(by_log.shape[1]):
            row, pull = f.effect_basis[t], by_log[c, t]
            total += pull * log_factor[c, t]
            for j in range(terms):
                along[j] += row[j] * pull
        by_value[f.effect_sd + c] += total / sd
        for j in range(terms):
            by_value[first + j] += sd * height[j] * along[j]
            by_value[f.effect_length] += sd * height[j] * slope[j] * value[first + j] * along[j]


@njit(**OPTIONS)
def sum_by_period(cells, out):  # type: ignore[no-untyped-def]
    """Add an array (cell,), summed over geos, to an array (time,)."""
    geos = cells.size // out.size
    for t in range(out.size):
        total = 0.0
        for i in range(t * geos, (t + 1) * geos):
            total += cells[i]
        out[t] += total
