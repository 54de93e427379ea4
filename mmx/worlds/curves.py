r"""Response curves of the simulated worlds, in plain numpy: an oracle that shares no code with the model.

Adstock, weights summing to one: geometric ``(1 - alpha) sum_l alpha^l x[t - l]``; delayed
``sum_l w_l x[t - l]`` with ``w_l`` proportional to ``alpha^((l - delay)^2)``, ``l = 0 .. window - 1`` (Jin et al. 2017).
Saturation: Hill ``x^s / (x^s + k^s)``; logistic ``(1 - e^(-lam x)) / (1 + e^(-lam x))``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Adstock and saturation of one medium.

    Attributes
    ----------
    adstock : {"geometric", "delayed"}
    saturation : {"hill", "logistic"}
    alpha : float
        Retention per period, 0 <= alpha < 1.
    delay : float
        Periods until the peak; delayed only.
    window : int
        Number of weights; delayed only.
    half_saturation, slope : float
        Hill, the first in multiples of the medium's scale.
    lam : float
        Logistic rate per the same multiple.
    """

    adstock: str
    saturation: str
    alpha: float
    delay: float = 0.0
    window: int = 13
    half_saturation: float = 1.0
    slope: float = 1.0
    lam: float = 1.0

    def carry(self, x: Floats) -> Floats:
        """Adstock along the last axis, (..., time); nothing happened before the first period."""
        periods = x.shape[-1]
        lag = np.arange(periods)[None, :] - np.arange(periods)[:, None]
        # spread[s, t] is the weight at t of what was spent at s
        spread = np.where(lag >= 0, self.weights(periods)[np.maximum(lag, 0)], 0.0)
        return np.asarray(x @ spread, dtype=np.float64)

    def weights(self, periods: int) -> Floats:
        """Weights of lags 0, 1, ..., (periods,)."""
        lag = np.arange(periods, dtype=np.float64)
        if self.adstock == "geometric":
            return np.asarray((1 - self.alpha) * np.power(self.alpha, lag))
        all_lags = np.power(self.alpha, (np.arange(self.window) - self.delay) ** 2)
        return np.asarray(np.where(lag < self.window, np.power(self.alpha, (lag - self.delay) ** 2), 0.0) / all_lags.sum())

    def saturate(self, x: Floats) -> Floats:
        """Saturation of adstocked exposure in multiples of the medium's scale, >= 0; between 0 and 1."""
        if self.saturation == "hill":
            powered = np.power(np.maximum(x, 0.0) / self.half_saturation, self.slope)
            return np.asarray(powered / (1 + powered))
        return np.asarray(np.tanh(self.lam * x / 2))

    def tail(self) -> int:
        """Periods after which no effect is left in double precision terms (a share of 1e-10 of the adstock)."""
        if self.adstock == "delayed":
            return self.window - 1
        return math.ceil(math.log(1e-10) / math.log(self.alpha)) if self.alpha > 0 else 0

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that this curve uses, by name; ``theta`` is the delay as a share of ``window - 1``."""
        used = ["adstock", "saturation", "alpha"]
        used += ["delay", "window"] if self.adstock == "delayed" else []
        used += ["half_saturation", "slope"] if self.saturation == "hill" else ["lam"]
        out = {k: v for k, v in asdict(self).items() if k in used}
        return out | {"theta": self.delay / (self.window - 1)} if self.adstock == "delayed" else out
