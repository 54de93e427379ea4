r"""Response curves of the simulated worlds, in plain numpy: an oracle that shares no code with the model.

Adstock: weights of lags ``l = 0, 1, ...`` that sum to one. ``geometric`` ``(1 - alpha) alpha^l``; ``delayed`` proportional to
``alpha^((l - delay)^2)`` (Jin et al. 2017); ``weibull`` the Weibull density's mass in ``[l, l + 1)`` and ``weibull_cdf``
what it leaves at ``l``, ``exp(-(l / spread)^peak)`` (Robyn's two); ``two_speed`` a share ``slow`` of a geometric with retention
``alpha_slow``, the rest with ``alpha``; ``binomial`` proportional to ``(1 - l / window)^(1 / alpha - 1)`` (Meridian). All but
``geometric`` and ``two_speed`` end after ``window`` lags.

Saturation of ``x`` in multiples of the medium's scale, with ``u = x / half_saturation``: ``hill`` ``u^s / (1 + u^s)``;
``logistic`` ``tanh(lam x / 2)``; ``exponential`` ``1 - 2^-u`` (Mitscherlich); ``weibull`` ``1 - 2^-(u^s)``; ``arctan``
``2 / pi atan(u)``; ``log`` ``log(1 + u)``; ``root`` ``x^power``; ``gompertz`` ``exp(-b e^(-c u))`` and ``s_logistic``
``1 / (1 + e^(b - c u))``, both moved and stretched to run from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
REST = 1e-10  # A geometric adstock has ended where a smaller share than this is still to come.


@dataclass(frozen=True)
class Curve:
    """Adstock and saturation of one medium.

    Attributes
    ----------
    adstock, saturation : str
        Keys of ``ADSTOCKS`` and ``SATURATIONS``.
    alpha, alpha_slow : float
        Retention per period, 0 <= alpha < 1.
    slow : float
        Share of the slow part, for two speeds.
    delay : float
        Periods until the peak; delayed only.
    window : int
        Number of weights of the families that end.
    peak, spread : float
        Shape and scale of the Weibull, the latter in periods; above 1 the first makes its density peak late.
    half_saturation, slope : float
        The first in multiples of the medium's scale.
    lam : float
        Logistic rate per the same multiple.
    power : float
        Exponent of the root.
    steepness, foot : float
        ``c`` and ``b`` of the two S-curves: rate per half saturation, and how flat it starts.
    """

    adstock: str
    saturation: str
    alpha: float
    delay: float = 0.0
    window: int = 13
    half_saturation: float = 1.0
    slope: float = 1.0
    lam: float = 1.0
    alpha_slow: float = 0.9
    slow: float = 0.3
    peak: float = 2.0
    spread: float = 3.0
    power: float = 0.5
    steepness: float = 2.0
    foot: float = 2.0

    def carry(self, x: Floats) -> Floats:
        """Adstock along the last axis, (..., time); nothing happened before the first period."""
        periods = x.shape[-1]
        lag = np.arange(periods)[None, :] - np.arange(periods)[:, None]
        # spread[s, t] is the weight at t of what was spent at s
        spread = np.where(lag >= 0, self.weights(periods)[np.maximum(lag, 0)], 0.0)
        return np.asarray(x @ spread, dtype=np.float64)

    def weights(self, periods: int) -> Floats:
        """Weights of lags 0, 1, ..., (periods,)."""
        family = ADSTOCKS[self.adstock]
        if not family.ends:
            return np.asarray(family.weights(self, np.arange(periods, dtype=np.float64)))
        finite = family.weights(self, np.arange(self.window, dtype=np.float64))
        return np.asarray(np.pad(finite / finite.sum(), (0, max(periods - self.window, 0)))[:periods])

    def saturate(self, x: Floats) -> Floats:
        """Saturation of adstocked exposure in multiples of the medium's scale, >= 0; 0 at 0, and rising."""
        return np.asarray(SATURATIONS[self.saturation].value(self, np.maximum(x, 0.0)))

    def tail(self) -> int:
        """Periods after which no effect is left in double precision terms (a share of 1e-10 of the adstock)."""
        if ADSTOCKS[self.adstock].ends:
            return self.window - 1
        slowest = max(self.alpha, self.alpha_slow if self.adstock == "two_speed" else 0.0)
        return math.ceil(math.log(REST) / math.log(slowest)) if slowest > 0 else 0

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that this curve uses, by name; ``theta`` is the delay as a share of ``window - 1``."""
        adstock, saturation = ADSTOCKS[self.adstock], SATURATIONS[self.saturation]
        names = ("adstock", "saturation", *adstock.uses, *(("window",) if adstock.ends else ()), *saturation.uses)
        out = {name: getattr(self, name) for name in names}
        return out | {"theta": self.delay / (self.window - 1)} if self.adstock == "delayed" else out


@dataclass(frozen=True)
class Carryover:
    """One family of adstocks: its weights up to a factor where it ``ends``, and the parameters that it uses."""

    weights: Callable[[Curve, Floats], Floats]
    uses: tuple[str, ...]
    ends: bool = True


@dataclass(frozen=True)
class Saturation:
    """One family of saturations: its value, and the parameters that it uses."""

    value: Callable[[Curve, Floats], Floats]
    uses: tuple[str, ...]


def _left(c: Curve, lag: Floats) -> Floats:
    return np.asarray(np.exp(-((lag / c.spread) ** c.peak)))


def _two_speeds(c: Curve, lag: Floats) -> Floats:
    fast, slow = ((1 - a) * np.power(a, lag) for a in (c.alpha, c.alpha_slow))
    return np.asarray((1 - c.slow) * fast + c.slow * slow)


def _hill(c: Curve, x: Floats) -> Floats:
    powered = np.power(x / c.half_saturation, c.slope)
    return np.asarray(powered / (1 + powered))


def _gompertz(c: Curve, x: Floats) -> Floats:
    start = math.exp(-c.foot)
    return np.asarray((np.exp(-c.foot * np.exp(-c.steepness * x / c.half_saturation)) - start) / (1 - start))


def _s_logistic(c: Curve, x: Floats) -> Floats:
    start = 1 / (1 + math.exp(c.foot))
    return np.asarray((1 / (1 + np.exp(c.foot - c.steepness * x / c.half_saturation)) - start) / (1 - start))


ADSTOCKS: dict[str, Carryover] = {
    "geometric": Carryover(lambda c, lag: (1 - c.alpha) * np.power(c.alpha, lag), ("alpha",), ends=False),
    "delayed": Carryover(lambda c, lag: np.power(c.alpha, (lag - c.delay) ** 2), ("alpha", "delay")),
    "weibull": Carryover(lambda c, lag: _left(c, lag) - _left(c, lag + 1), ("peak", "spread")),
    "weibull_cdf": Carryover(_left, ("peak", "spread")),
    "two_speed": Carryover(_two_speeds, ("alpha", "alpha_slow", "slow"), ends=False),
    "binomial": Carryover(lambda c, lag: np.power(1 - lag / c.window, 1 / c.alpha - 1), ("alpha",)),
}
SATURATIONS: dict[str, Saturation] = {
    "hill": Saturation(_hill, ("half_saturation", "slope")),
    "logistic": Saturation(lambda c, x: np.tanh(c.lam * x / 2), ("lam",)),
    "exponential": Saturation(lambda c, x: -np.expm1(-math.log(2) * x / c.half_saturation), ("half_saturation",)),
    "weibull": Saturation(
        lambda c, x: -np.expm1(-math.log(2) * np.power(x / c.half_saturation, c.slope)), ("half_saturation", "slope")
    ),
    "arctan": Saturation(lambda c, x: 2 / math.pi * np.arctan(x / c.half_saturation), ("half_saturation",)),
    "log": Saturation(lambda c, x: np.log1p(x / c.half_saturation), ("half_saturation",)),
    "root": Saturation(lambda c, x: np.power(x, c.power), ("power",)),
    "gompertz": Saturation(_gompertz, ("half_saturation", "steepness", "foot")),
    "s_logistic": Saturation(_s_logistic, ("half_saturation", "steepness", "foot")),
}
