"""Scales in coordinates in which their prior is standard normal: what the quick path searches and draws in.

On a log scale the way of a standard deviation to zero is long, its density falling like an exponential, and a law of normal
tails misses it; here a scale of which the data say nothing is a standard normal, and one that they know is close to a normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from mmx.rules.response.density import Inputs
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]

LIMITS = (-30.0, 7.5)  # Beyond them shares of the prior are 0 and 1 to the last digit.
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Coordinates:
    """Between standard normals and the unconstrained scales of a structure.

    Attributes
    ----------
    scale : array, (hyper_size,)
        Of the half-normal prior of a standard deviation; NaN where a number is a correlation.
    first, second : array, (hyper_size,)
        Shapes of a correlation's beta prior; NaN where a number is a standard deviation.
    """

    scale: Floats
    first: Floats
    second: Floats

    def scales(self, z: Floats) -> Floats:
        """Unconstrained scales, logarithms and logits, of standard normals, (..., hyper_size)."""
        share = special.ndtr(np.clip(z, *LIMITS))
        deviations = np.log(self.scale * math.sqrt(2.0) * special.erfinv(share))
        correlations = special.logit(special.betaincinv(self.first, self.second, share))
        return np.asarray(np.where(np.isnan(self.scale), correlations, deviations))

    def normals(self, theta: Floats) -> Floats:
        """Standard normals of unconstrained scales, the inverse of ``scales``."""
        deviations = special.erf(np.exp(theta) / self.scale / math.sqrt(2.0))
        share = np.where(np.isnan(self.scale), special.betainc(self.first, self.second, special.expit(theta)), deviations)
        return np.asarray(special.ndtri(share))

    def log_volume(self, z: Floats) -> Floats:
        """Logarithm of the volume of unconstrained scales per volume of standard normals, (...,): normal over prior density."""
        z = np.clip(z, *LIMITS)
        theta = self.scales(z)
        deviations = 0.5 * np.log(2.0 / np.pi) - np.log(self.scale) - 0.5 * np.square(np.exp(theta) / self.scale) + theta
        a, b = self.first, self.second
        shares = a * special.log_expit(theta) + b * special.log_expit(-theta) - special.betaln(a, b)
        prior = np.where(np.isnan(self.scale), shares, deviations)
        return np.asarray((-0.5 * z**2 - _HALF_LOG_2PI - prior).sum(axis=-1))


def coordinates(structure: Structure, inputs: Inputs) -> Coordinates:
    """Coordinates of a structure under the priors of its inputs."""
    scale, first, second = (np.full(structure.hyper_size, np.nan) for _ in range(3))
    for name, _, transform in structure.hyper:
        place, prior = structure.slices[name], np.asarray(inputs["prior"][name])
        if transform == "log":
            scale[place] = prior
        else:
            first[place], second[place] = prior
    return Coordinates(scale, first, second)
