"""KPI money of media from parameter draws: the one primitive behind every reported quantity.

Contributions, ROAS, marginal ROAS, response curves and plans are differences of these levels under different exposures.
Evaluated by compiled code (``mmx.mmm.evaluate``), or through JAX where a family has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.mmm import evaluate, evaluate_jax, kernel_codes
from mmx.mmm.structure import Structure


def evaluator(structure: Structure) -> ModuleType:
    """Return the module that evaluates curves of a structure's draws."""
    return evaluate if kernel_codes.has_curves(structure) else evaluate_jax


def levels(
    structure: Structure, params: Mapping[str, Floats], beta: Floats, x: Floats, money: Floats, first: int = 0
) -> Floats:
    """Money that each medium brings per period, summed over geos, for every draw.

    Parameters
    ----------
    structure : Structure
    params : mapping of str to array, (sample, size)
        Adstock and saturation parameters.
    beta : array, (sample, geo, media)
    x : array, (time, geo, media)
        Scaled exposure, starting where the media history starts.
    money : array, (time, geo)
        KPI money per unit of the scaled KPI.
    first : int
        First period that is asked for.

    Returns
    -------
    array, (sample, time - first, media)
    """
    found: Floats = evaluator(structure).levels(structure, params, beta, x, money, first)
    return found


def totals(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    before: Floats,
    money: Floats,
    groups: npt.NDArray[np.int64],
    multipliers: Floats,
) -> Floats:
    """Money that each medium brings with exposure ``before + multiplier * x``, summed over geos and groups of periods.

    Parameters
    ----------
    structure, params, beta
        As in `levels`.
    x, before : array, (time, geo, media)
        Scaled exposure that is multiplied, and that stays.
    money : array, (time, geo)
    groups : array, (time,)
        Group of each period, from 0; -1 where a period is not counted.
    multipliers : array, (multiplier,)
        At least 0.

    Returns
    -------
    array, (sample, multiplier, group, media)
    """
    found: Floats = evaluator(structure).totals(structure, params, beta, x, before, money, groups, multipliers)
    return found
