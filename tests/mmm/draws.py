"""Posteriors whose draws are points of a case: what is computed from draws, without sampling."""

from __future__ import annotations

from functools import cache

import numpy as np

from mmx.mmm import kernel_arrays, kernel_load
from mmx.mmm.parameters import parameters_of
from mmx.mmm.posterior import Posterior

from .cases import Case, every, grouped, lifted, other, plain, rich, varying

BUILDERS = {"every": every, "grouped": lambda _: grouped(), "lifted": lifted, "plain": plain, "rich": rich, "varying": varying}


@cache
def posterior_of(name: str, geos: int, count: int = 6) -> Posterior:
    """Posterior of a case by its name (a builder's, or a likelihood's); points of no density are left out."""
    case = case_of(name, geos)
    density = kernel_load.bind(kernel_arrays.arrays_of(case.structure, case.inputs))
    points = [q for q in case.points(4 * count, seed=3) if np.isfinite(density(q)[0])][:count]
    return made_of(case, np.array(points))


def case_of(name: str, geos: int) -> Case:
    """A case by its name."""
    return BUILDERS[name](geos) if name in BUILDERS else other(name, geos)


def made_of(case: Case, points: np.ndarray) -> Posterior:
    """Posterior of some unconstrained points (sample, dim)."""
    found = parameters_of(case.structure, case.inputs, points[None], 7)
    return Posterior(case.oracle.spec, case.oracle.panel, case.structure, case.oracle.weights, *found, 1)
