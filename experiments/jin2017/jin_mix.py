"""The best mix of a smaller budget, draw by draw, and two sets of Hill parameters with almost the same curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from jin_world import adstocked, curve_of
from scipy.optimize import least_squares

from mmx.mmm.posterior import Posterior

Floats = npt.NDArray[np.float64]


def simplex(steps: int) -> npt.NDArray[np.int64]:
    """All ways to split ``steps`` units over three media, (way, 3)."""
    first, second = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    ways = np.column_stack([first.ravel(), second.ravel(), (steps - first - second).ravel()])
    return ways[ways[:, 2] >= 0]


def best(value: Floats, steps: int) -> Floats:
    """Shares of the best split, (sample, 3), from each medium's value at ``0 .. steps`` units, (sample, unit, 3)."""
    ways = simplex(steps)
    total = sum(value[:, ways[:, m], m] for m in range(3))
    shares: Floats = ways[np.argmax(total, axis=1)] / steps
    return shares


def multipliers(spend: Floats, budget: float, steps: int) -> Floats:
    """Factors on each medium's exposure that spend ``0 .. steps`` units of ``budget`` times all spend, (unit, media)."""
    factors: Floats = np.linspace(0, budget * spend.sum(), steps + 1)[:, None] / spend
    return factors


def of_posterior(posterior: Posterior, budget: float, steps: int) -> Floats:
    """Best shares by draw, (sample, 3): all weeks of the window are multiplied, the carryover after the last one is counted."""
    spend = posterior.panel.array("spend")[0, posterior.window].sum(axis=0)
    factors = multipliers(spend, budget, steps)
    value = [posterior.totals(factors[:, m]).sum(axis=2)[..., m] for m in range(len(spend))]
    return best(np.stack(value, axis=2), steps)


def of_truth(posterior: Posterior, world: dict[str, Any], budget: float, steps: int) -> Floats:
    """Best shares under the curves that the data come from, (3,)."""
    media, inside = list(world["media"].values()), posterior.window
    exposure = posterior.panel.array("exposure")[0]
    factors = multipliers(exposure[inside].sum(axis=0), budget, steps)
    value = np.zeros((1, steps + 1, len(media)))
    for m, medium in enumerate(media):
        curve = curve_of(medium, world["window"])
        for i, factor in enumerate(factors[:, m]):
            x = np.append(np.where(inside, factor, 1.0) * exposure[:, m], np.zeros(world["window"]))
            value[0, i, m] = medium["beta"] * curve.saturate(adstocked(x, curve)).sum()
    return best(value, steps)[0]


def patterns(shares: Floats, little: float) -> dict[str, float]:
    """Share of the draws by which media get less than ``little`` of the budget: ``none``, ``1``, ``2 3``."""
    names = [" ".join(str(m + 1) for m in np.flatnonzero(row < little)) or "none" for row in shares]
    found, counts = np.unique(names, return_counts=True)
    return {
        str(name): round(float(n) / len(names), 4) for name, n in sorted(zip(found, counts, strict=True), key=lambda p: -p[1])
    }


def hill(x: Floats, half_saturation: float, slope: float, beta: float) -> Floats:
    """``beta x^slope / (x^slope + half_saturation^slope)``."""
    value: Floats = beta / (1 + (half_saturation / np.maximum(x, 1e-12)) ** slope)
    return value


def twin(parameters: tuple[float, float, float], half_saturation: float) -> tuple[float, float, float]:
    """Parameters with another half saturation whose curve over [0, 1] is nearest to that of ``parameters``, least squares."""
    x = np.linspace(0, 1, 201)

    def miss(log: Floats) -> Floats:
        gap: Floats = hill(x, half_saturation, *np.exp(log)) - hill(x, *parameters)
        return gap

    slope, beta = np.exp(least_squares(miss, np.log(parameters[1:])).x)
    return half_saturation, float(slope), float(beta)
