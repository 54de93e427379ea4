"""What draws say about the KPI of every cell of the window, geo by geo: its parts, its expectation, and draws of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm.inputs import scaled_exposure
from mmx.mmm.levels import levels

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior


@dataclass(frozen=True)
class Parts:
    """What adds up to one geo's scaled KPI, or to its logarithm, in the window.

    Attributes
    ----------
    media, carry_in : array, (sample, window, media) and (sample, window)
        Of exposure in the window, and of all media's before it.
    treatments : array, (sample, window, treatment)
    baseline : dict of array, (sample, window)
        By component; ``intercept`` holds the centre and the geo's own.
    """

    media: Floats
    carry_in: Floats
    treatments: Floats
    baseline: dict[str, Floats]

    def total(self) -> Floats:
        """Sum of all parts, (sample, window)."""
        total: Floats = self.media.sum(axis=2) + self.carry_in + self.treatments.sum(axis=2)
        return total + sum(self.baseline.values())


def parts(posterior: Posterior) -> Iterator[Parts]:
    """Yield the parts of each geo."""
    design = posterior.design
    rows = np.flatnonzero(posterior.window)
    for g in range(posterior.structure.geos):
        media, carry_in = _media(posterior, g, rows)
        found = _baseline(posterior, g, rows)
        at = design.groups.get("treatments", slice(0, 0))
        treatments = design.z[rows, g, at] * posterior.gamma[:, None, at]
        yield Parts(media, carry_in, treatments, found)


def _media(posterior: Posterior, geo: int, rows: np.ndarray) -> tuple[Floats, Floats]:
    media = media_cells(posterior, geo, posterior.exposure)[:, rows]
    if not posterior.has_carry_in:
        return media, np.zeros(media.shape[:2])
    zeroed = media_cells(posterior, geo, posterior.zeroed)[:, rows]
    return media - zeroed, zeroed.sum(axis=2)


def whole_exposure(posterior: Posterior) -> Floats:
    """Scaled exposure of all periods of the panel, then frequencies, (time, geo, media + frequencies)."""
    return scaled_exposure(posterior.panel, posterior.constants)


def media_cells(posterior: Posterior, geo: int, x: Floats, chosen: slice | np.ndarray = slice(None)) -> Floats:
    """Effect of each medium in one geo on the scaled KPI or its logarithm, (chosen sample, time, media).

    Parameters
    ----------
    posterior : Posterior
    geo : int
    x : array, (time, geo, media + frequencies)
        Scaled exposure from the first row on.
    chosen : slice or array of int
        Samples.
    """
    at = slice(geo, geo + 1)
    params = {name: value[chosen] for name, value in posterior.params.items()}
    found = levels(posterior.structure, params, posterior.beta[chosen, at], x[:, at], np.ones((len(x), 1)))
    varied = posterior.varied(len(x))
    return found if varied is None else found * varied[chosen]


def _baseline(posterior: Posterior, geo: int, rows: np.ndarray) -> dict[str, Floats]:
    design = posterior.design
    found = {
        name: posterior.gamma[:, where] @ design.z[rows, geo, where].T
        for name, where in design.groups.items()
        if name != "treatments"
    }
    if design.signed.shape[2]:
        signed = posterior.params["control"] @ design.signed[rows, geo].T
        found["controls"] = found["controls"] + signed if "controls" in found else signed
    own = posterior.local[:, :, geo, None] * design.local[:, rows]
    found["intercept"] = found["intercept"] + posterior.constants.kpi_center + own[:, 0]
    if own.shape[1] > 1:
        found["trend"] = found["trend"] + own[:, 1]
    return found


def predictive_cells(posterior: Posterior) -> Iterator[Floats]:
    """Yield what media and baseline add up to in each geo's window, (sample, window): the scaled KPI or its logarithm."""
    rows = np.flatnonzero(posterior.window)
    for g in range(posterior.structure.geos):
        yield level(posterior, g, posterior.exposure, rows)


def level(posterior: Posterior, geo: int, x: Floats, rows: np.ndarray) -> Floats:
    """What media and baseline add up to in some rows of one geo, (sample, row).

    Parameters
    ----------
    posterior : Posterior
    geo : int
    x : array, (time, geo, media + frequencies)
        Scaled exposure from the first row on.
    rows : array of int, (row,)
    """
    found = sampled_level(posterior, geo, rows, slice(None), x)
    design = posterior.design
    found += posterior.gamma @ design.z[rows, geo].T
    return found + posterior.constants.kpi_center + posterior.local[:, :, geo] @ design.local[:, rows]


def sampled_level(
    posterior: Posterior, geo: int, rows: np.ndarray, chosen: slice | np.ndarray, x: Floats | None = None
) -> Floats:
    """Media and controls with a sign in some rows of one geo, (chosen sample, row); the exposure as it was by default."""
    media = media_cells(posterior, geo, posterior.exposure if x is None else x, chosen)
    found: Floats = media[:, rows].sum(axis=2)
    if posterior.structure.signed:
        found += posterior.params["control"][chosen] @ posterior.design.signed[rows, geo].T
    return found


def noise(posterior: Posterior, geo: int) -> Floats:
    """Noise scale of a geo, (sample,)."""
    return posterior.params["noise"][:, geo if posterior.structure.noises > 1 else 0]


def expected(posterior: Posterior, level: Floats, geo: int) -> Floats:
    """Expected KPI in its units.

    Parameters
    ----------
    posterior : Posterior
    level : array, (..., sample)
        What media and baseline add up to.
    geo : int
    """
    size = float(posterior.size[geo])
    if not posterior.structure.multiplicative:
        return level * size
    if posterior.structure.likelihood == "lognormal":  # The mean of exp(level + noise z).
        level = level + 0.5 * noise(posterior, geo) ** 2
    found: Floats = size * np.exp(level)
    return found


def draws(posterior: Posterior, level: Floats, geo: int, rng: np.random.Generator) -> Floats:
    """Draws of the KPI in its units, noise included; the arguments are those of `expected`, ``level`` (row, sample)."""
    structure, sd = posterior.structure, noise(posterior, geo).astype(np.float32)
    if structure.likelihood == "negative_binomial":
        mean, count = expected(posterior, level, geo), sd**-2.0
        return rng.poisson(rng.gamma(np.broadcast_to(count, mean.shape), mean / count)).astype(np.float64)
    if structure.likelihood == "student_t":
        noisy = level + sd * rng.standard_t(np.broadcast_to(posterior.params["degrees"][:, 0], level.shape))
    else:
        noisy = level + sd * rng.standard_normal(level.shape, dtype=np.float32)
    found: Floats = posterior.size[geo] * (np.exp(noisy) if structure.multiplicative else noisy)
    return found
