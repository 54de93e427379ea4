"""Hypervolume of a front: the volume between a reference point and all that the front dominates, exactly.

Two objectives are a staircase; three are a grid of the first two, each cell as high as the third of what covers it; from four
on, slabs of the last objective times the volume of what reaches into them (Knowles 2002; While et al. 2006).
"""

from __future__ import annotations

import numpy as np

from mmx.tune.problem import Floats


def hypervolume(values: Floats, reference: Floats) -> float:
    """Volume that is dominated, in the product of the objectives' units.

    Parameters
    ----------
    values : array, (n, objective)
        To be maximised; points that do not exceed the reference everywhere count for nothing.
    reference : array, (objective,)
    """
    gain = values - reference
    gain = gain[(gain > 0.0).all(axis=1)]
    return _volume(gain) if len(gain) else 0.0


def _volume(gain: Floats) -> float:
    """Volume of the union of boxes from the origin to each row, all positive."""
    objectives = gain.shape[1]
    if objectives == 1:
        return float(gain.max())
    if objectives == 2:
        return _area(gain)
    if objectives == 3:
        return _grid(gain)
    order = np.argsort(-gain[:, -1], kind="stable")
    gain = gain[order]
    depth = gain[:, -1] - np.append(gain[1:, -1], 0.0)
    upper: Floats = np.empty((0, objectives - 1))
    total, volume = 0.0, 0.0
    for row, slab in zip(gain[:, :-1], depth, strict=True):
        if not (upper >= row).all(axis=1).any():
            upper = np.vstack([upper[~(upper <= row).all(axis=1)], row])
            volume = _volume(upper)
        total += float(slab) * volume
    return total


def _area(gain: Floats) -> float:
    ordered = gain[np.argsort(-gain[:, 0], kind="stable")]
    height = np.maximum.accumulate(ordered[:, 1])
    width = ordered[:, 0] - np.append(ordered[1:, 0], 0.0)
    return float(width @ height)


def _grid(gain: Floats) -> float:
    first, second = np.unique(gain[:, 0]), np.unique(gain[:, 1])
    height = np.zeros((len(first), len(second)))
    np.maximum.at(height, (np.searchsorted(first, gain[:, 0]), np.searchsorted(second, gain[:, 1])), gain[:, 2])
    height = np.maximum.accumulate(np.maximum.accumulate(height[::-1, ::-1], axis=0), axis=1)[::-1, ::-1]
    return float(np.diff(first, prepend=0.0) @ height @ np.diff(second, prepend=0.0))
