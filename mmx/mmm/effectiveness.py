"""Effectiveness that changes over time: ``beta exp(f(t))`` with a smooth ``f`` whose mean over the training rows is zero.

``f`` is a Hilbert-space Gaussian process as the drift's (``mmx.mmm.design``), one shared by several media or one of each. What
a prior says of a medium's ROAS, it says of the whole window. Nonlinear and time-varying effects can look alike: Dew, Padilla
and Shchetkina (2024), Your MMM is Broken: Identification of Nonlinear and Time-varying Effects in Marketing Mix Models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats, Panel
from mmx.mmm.design import hilbert_basis
from mmx.mmm.structure import Structure
from mmx.spec import Constants


def basis(constants: Constants, panel: Panel, train: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Basis functions of all periods less their mean over the training rows, (time, term), and their frequencies, (term,)."""
    years: Floats = (np.arange(len(panel.dates), dtype=float) - constants.drift_center) / constants.periods_per_year
    half_range = constants.drift_half_range / constants.periods_per_year
    columns, frequency = hilbert_basis(years, constants.effectiveness_terms, half_range)
    return columns - columns[train].mean(axis=0), frequency


def factors(structure: Structure, params: Mapping[str, Floats], columns: Floats, frequency: Floats) -> Floats:
    """Factor on each medium's effect, (sample, time, media); ``mmx.mmm.density.varied`` in numpy.

    Parameters
    ----------
    structure : Structure
    params : mapping of str to array, (sample, size)
    columns, frequency : array, (time, term) and (term,)
        Of `basis`.
    """
    samples, curves = params["effectiveness_sd"].shape
    decay = 5.0 / params["effectiveness_length"] ** 2
    log_density = math.log(16.0 / 3.0) + 2.5 * np.log(decay) - 3.0 * np.log(decay + frequency**2)
    z = params["effectiveness_z"].reshape(samples, curves, -1) * np.exp(0.5 * log_density)[:, None]
    curve = np.exp(params["effectiveness_sd"][:, :, None] * (z @ columns.T))
    out = np.ones((samples, len(columns), structure.media))
    for m, which in enumerate(structure.effectiveness):
        if which >= 0:
            out[:, :, m] = curve[:, which]
    return out
