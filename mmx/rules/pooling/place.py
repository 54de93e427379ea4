"""Optima of searches over different parameters, in the coordinates of one pool.

A parameter that a customer did not search has precision 0 there: its trials say nothing of it. What a customer searched beside
the pool's parameters is integrated out, ``P_aa - P_ab P_bb^+ P_ba``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.smoother import Floats
from mmx.tune_settings import CommonSettings


def common_parameters(importances: Sequence[Mapping[str, float]], settings: CommonSettings) -> tuple[str, ...]:
    """Parameters that enough customers searched, most important first.

    Parameters
    ----------
    importances : sequence of mapping
        Of each customer: importance by searched parameter.
    settings : CommonSettings

    Returns
    -------
    tuple of str
        Those searched by at least ``share`` of the customers and by two, by their mean importance, at most ``most``.
    """
    least = max(2.0, settings.share * len(importances))
    total: dict[str, list[float]] = {}
    for own in importances:
        for name, value in own.items():
            total.setdefault(name, []).append(value)
    kept = {name: sum(values) for name, values in total.items() if len(values) >= least}
    return tuple(sorted(kept, key=lambda name: (-kept[name], name))[: settings.most])


def place(optimum: Optimum, searched: Sequence[str], parameters: Sequence[str], default: Floats) -> Optimum:
    """An optimum over the searched parameters as one over the pool's.

    Parameters
    ----------
    optimum : Optimum
    searched : sequence of str
        Its coordinates.
    parameters : sequence of str, (coordinate,)
        The pool's.
    default : array, (coordinate,)
        The defaults in unconstrained coordinates, where a parameter was not searched.
    """
    own = np.array([searched.index(name) for name in parameters if name in searched], dtype=np.intp)
    at = np.array([i for i, name in enumerate(parameters) if name in searched], dtype=np.intp)
    rest = np.setdiff1d(np.arange(len(searched)), own)
    p = optimum.precision
    marginal = p[np.ix_(own, own)]
    if len(rest):
        cross = p[np.ix_(own, rest)]
        marginal = marginal - cross @ np.linalg.pinv(p[np.ix_(rest, rest)], hermitian=True) @ cross.T
        marginal = _semidefinite(marginal)
    precision = np.zeros((len(parameters), len(parameters)))
    precision[np.ix_(at, at)] = marginal
    point, side, error = default.copy(), np.zeros(len(parameters)), np.ones(len(parameters))
    point[at], side[at], error[at] = optimum.point[own], optimum.side[own], optimum.error[own]
    return replace(optimum, point=point, precision=precision, side=side, error=error)


def _semidefinite(matrix: Floats) -> Floats:
    """A symmetric matrix without what rounding left below 0."""
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    cleaned: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return cleaned
