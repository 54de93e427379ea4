"""Numbers that stand for the families in compiled code; one that is missing here goes through JAX."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmx.mmm.structure import Structure

ADSTOCK_CODES = {
    "geometric": 0,
    "delayed": 1,
    "two_stage": 2,
    "none": 3,
    "weibull_pdf": 4,
    "weibull_cdf": 5,
    "binomial": 6,
    "half_life": 7,
}
SATURATION_CODES = {
    "hill": 0,
    "logistic": 1,
    "none": 2,
    "exponential": 3,
    "michaelis_menten": 4,
    "root": 5,
    "log": 6,
    "tanh": 7,
}


def order_codes(structure: Structure) -> npt.NDArray[np.int64]:
    """Order of adstock and saturation, (media,): 1 adstock first, 0 saturation first, above it a frequency's place from 2 on.

    The place is that of the frequency among the arrays of exposure, plus 2.
    """
    codes = [{"adstock": 1, "saturation": 0}.get(order, -1) for order in structure.order]
    for medium, place in structure.often.items():
        codes[medium] = place + 2
    return np.array(codes, dtype=np.int64)


NORMAL, STUDENT_T, COUNTS = range(3)
DIRECT_CODES = {"student_t": STUDENT_T, "negative_binomial": COUNTS}


def likelihood_code(structure: Structure) -> int:
    """Number of the likelihood; ``NORMAL`` also of the logarithm."""
    return NORMAL if structure.collapsed else DIRECT_CODES[structure.likelihood]


def supports(structure: Structure) -> bool:
    """Whether compiled code knows the density of a structure."""
    known = structure.collapsed or structure.likelihood in DIRECT_CODES
    return has_curves(structure) and known


def is_plain(structure: Structure) -> bool:
    """Whether the plain model's kernel, the shortest, computes the density: normal noise of one scale, one level of geos."""
    return has_coefficients(structure) and not structure.lift and not structure.groups


def has_coefficients(structure: Structure) -> bool:
    """Whether compiled code solves the coefficients of a structure's draws."""
    return structure.plain and not structure.multiplicative and not structure.varies and has_curves(structure)


def has_curves(structure: Structure) -> bool:
    """Whether every family of a structure has an entry in compiled code."""
    adstocks = all(family in ADSTOCK_CODES for family, _ in structure.adstock)
    return adstocks and all(family in SATURATION_CODES for family in structure.saturation)
