"""Media of a multiplicative model: counterfactual money, and an exact additive decomposition.

What a medium brings is the KPI as it was, less what it would have been with another exposure of this medium alone,
``K - K exp(beta (h(x') - h(x)))``. These do not add up: where several media act, each has a share in the others' effect. The
decomposition by the logarithmic mean ``L(a, b) = (a - b) / log(a / b)`` does: with ``K = K0 exp(s)``, where ``s`` is the sum of
all media's parts, a medium's is ``L(K, K0)`` times its part of ``s``. Source: Ang (2004), Decomposition analysis for
policymaking in energy (log-mean Divisia index, additive form).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm import levels as additive
from mmx.mmm.structure import Structure


def levels(
    structure: Structure,
    params: Mapping[str, Floats],
    beta: Floats,
    x: Floats,
    actual: Floats,
    money: Floats,
    first: int = 0,
) -> Floats:
    """KPI money per period with another exposure of one medium and the others' as it was, for every draw.

    Parameters
    ----------
    structure, params, beta, first
        As in ``mmx.mmm.levels.levels``.
    x, actual : array, (time, geo, media + frequencies)
        Scaled exposure that is asked for, and as it was.
    money : array, (time, geo)
        KPI money as it was.

    Returns
    -------
    array, (sample, time - first, media)
    """
    out = np.zeros((len(beta), len(x) - first, structure.media))
    one = np.ones((len(x), 1))
    for g in range(x.shape[1]):
        at = slice(g, g + 1)
        moved, stayed = (additive.levels(structure, params, beta[:, at], v[:, at], one, first) for v in (x, actual))
        out += money[first:, g, None] * np.exp(moved - stayed)
    return out


def shares(total: Floats, parts: Floats) -> Floats:
    """Logarithmic mean of ``total`` and of ``total exp(-parts)``: what a unit of these parts is worth.

    Parameters
    ----------
    total : array, (...)
        With all parts.
    parts : array, (...)
        Their sum, on the logarithm.

    Returns
    -------
    array, (...)
    """
    small = np.abs(parts) < 1e-12
    ratio = np.where(small, 1.0, -np.expm1(-parts) / np.where(small, 1.0, parts))
    found: Floats = total * ratio
    return found
