"""KPI money of media from parameter draws: the one primitive behind every reported quantity.

Contributions, ROAS, marginal ROAS, response curves and plans are differences of these levels under different exposures.
Evaluated by compiled code (``mmx.mmm.evaluate``), or through JAX where a family has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import ModuleType

import numpy as np
import numpy.typing as npt

from mmx.data.panel import Floats
from mmx.mmm import evaluate, evaluate_jax, kernel_codes
from mmx.mmm.structure import Structure

LEAST = 1e-9  # Scaled exposure that has the slopes of none.


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


def plans(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    money: Floats,
    varied: Floats | None,
    rows: tuple[int, int],
    direction: Floats,
    labels: npt.NDArray[np.int64],
    *,
    states: Floats | None = None,
    above: bool = False,
) -> tuple[Floats, Floats]:
    """Money that each paid channel brings in each geo from the start of a horizon on, and its slopes by the horizon's exposure.

    Parameters
    ----------
    structure, params, beta
        As in `levels`.
    x : array, (time, geo, media + frequencies)
        Scaled exposure: the past, the horizon, and no exposure in the tail.
    money : array, (1 or sample, time - first, geo)
        Money per unit of the scaled KPI from the first row of the horizon on, of all draws or of each.
    varied : array, (sample, time - first, media), optional
        Factor on effects: see ``mmx.mmm.effectiveness``.
    rows : (first, last)
        Rows of the horizon, the last one not included.
    direction : array, (horizon, geo, channel)
        Step of scaled exposure that slopes are taken along. No periods: no slopes.
    labels : array of int, (horizon,)
        Slopes are by one step in all periods of a label, from 0: all 0 for the slope of one multiplier, a number of its own
        for every period for the whole gradient.
    states : array, optional
        Of `past_states`, where the same past is asked for more than once.
    above : bool
        Of the least concave curves above the saturations instead; where all families have compiled code.

    Returns
    -------
    value : array, (sample, geo, channel)
    slope : array, (sample, label, geo, channel)
        At no exposure, that at ``LEAST``: at zero some curves are upright.
    """
    inner = evaluator(structure).plans
    if inner is evaluate.plans:
        inner = partial(inner, states=states, above=above)
    found: tuple[Floats, Floats] = inner(structure, params, beta, x, money, varied, rows, direction, labels)
    at = slice(*rows), slice(None), slice(direction.shape[2])
    silent = (x[at] < LEAST) & (direction != 0) if len(labels) else np.zeros(0, dtype=bool)
    if not silent.any():
        return found
    started = x.copy()
    started[at] = np.where(silent, LEAST, x[at])
    return found[0], inner(structure, params, beta, started, money, varied, rows, direction, labels)[1]


def past_states(structure: Structure, params: Mapping[str, Floats], x: Floats, samples: int, first: int) -> Floats | None:
    """What paid channels have carried up to row ``first``, for `plans`; None where that has no compiled code."""
    return evaluate.past_states(structure, params, x, samples, first) if evaluator(structure) is evaluate else None
