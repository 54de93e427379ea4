"""The paper's model in mmx: priors carried over exactly where mmx has the family, by importance weights where it has not.

mmx scales exposure by its mean active value ``c`` and sales by their mean ``k``: the paper's half saturation is ``c`` times
mmx's, the paper's beta is ``k`` times the coefficient. Retention, delay, intercept and price take the paper's priors exactly.
Half saturation (Beta), slope (Gamma) and beta (half-normal) take the log-normal with the same 10 % and 90 % quantiles, the
noise a half-normal; draws are then weighted by the paper's prior density over that one (Pareto smoothed: Vehtari et al. 2024).
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from arviz_stats.base import array_stats
from scipy import stats

import mmx
from mmx.data.panel import Panel
from mmx.mmm.posterior import Posterior
from mmx.spec import Spec

Floats = npt.NDArray[np.float64]
PAPER = {"half_saturation": stats.beta(2, 2), "slope": stats.gamma(3), "beta": stats.halfnorm()}
NOISE_VARIANCE = stats.invgamma(0.05, scale=0.05 * 0.01)
INTERCEPT_SD, PRICE_SD = 5.0, 1.0


def lognormal_like(law: Any) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of the log-normal with the 10 % and 90 % quantiles of ``law``."""
    low, high = np.log(law.ppf([0.1, 0.9]))
    return float(low + high) / 2, float((high - low) / (2 * stats.norm.ppf(0.9)))


def prior_effect() -> float:
    """Mean of the effect at full exposure under the paper's priors: what a fit without data would say."""
    shares = (np.arange(500) + 0.5) / 500
    curve = 1 / (1 + PAPER["half_saturation"].ppf(shares)[:, None] ** PAPER["slope"].ppf(shares))
    return float(PAPER["beta"].mean() * curve.mean())


MATCHED = {name: lognormal_like(law) for name, law in PAPER.items()}


def settings_of(table: pd.DataFrame, media: list[str], window: int, sampler: dict[str, Any]) -> dict[str, Any]:
    """Configuration of mmx for one data set: a coefficient's prior depends on the scale of the sales."""
    inside = table[table["sales"].notna()]
    scale, sd = inside["sales"].abs().mean(), inside["sales"].std(ddof=0)

    def lognormal(name: str, unit: float) -> dict[str, Any]:
        mu, sigma = MATCHED[name]
        return {"family": "lognormal", "mu": mu - math.log(unit), "sigma": sigma}

    channels = {
        name: {
            "spend": name,
            "shapes": {"half_saturation": lognormal("half_saturation", inside[name][inside[name] > 0].mean())},
        }
        for name in media
    }
    return {
        "data": {
            "date": "week",
            "target": "sales",
            "channels": channels,
            "controls": ["price"],
            "window": {"start": str(inside["week"].iloc[0].date())},
        },
        "model": {
            "adstock": "delayed",
            "adstock_window": window,
            "saturation": "hill",
            "trend": "none",
            "seasonality": {"yearly": 0},
            "drift": False,
            "priors": {"kind": "coefficient", **lognormal("beta", scale)},
            "shapes": {
                "alpha": {"family": "beta", "a": 3, "b": 3},
                "theta": {"family": "beta", "a": 1, "b": 1},
                "slope": lognormal("slope", 1.0),
            },
            "baseline": {
                "media_share": 1,
                "intercept": INTERCEPT_SD / math.hypot(inside["sales"].mean(), sd),
                "control": PRICE_SD * inside["price"].std(ddof=0) / sd,
            },
        },
        "sampler": sampler,
    }


def read(table: pd.DataFrame, settings: dict[str, Any]) -> tuple[Spec, Panel]:
    """Read a data set through the data contract."""
    config = mmx.read_config(settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jin.csv"
        table.to_csv(path, index=False)
        return config.spec, mmx.load(config, path)


@dataclass(frozen=True)
class Result:
    """Draws in the paper's units.

    Attributes
    ----------
    values : dict of array, (sample, media) or (sample, 1)
        ``alpha, theta, half_saturation, slope, beta``, ``effect`` at full exposure, ``intercept``, ``price``, ``noise``.
    weights : array, (sample,)
        Importance weights that turn the draws into those of the paper's priors; they sum to one.
    pareto_k : float
        Of the weights: above .7 they are not to be trusted.
    """

    values: dict[str, Floats]
    weights: Floats
    pareto_k: float

    @property
    def ess(self) -> float:
        """Number of equal weights with the same variance."""
        return float(1 / (self.weights**2).sum())


def result_of(posterior: Posterior) -> Result:
    """Convert the draws of a fit, and weigh them."""
    constants, draws = posterior.constants, posterior.params
    scale = constants.kpi_scale
    half_saturation = draws["half_saturation"] * np.array(constants.media_scale)
    beta = posterior.beta[:, 0] * scale
    price = posterior.gamma[:, :1] / np.array(constants.column_sd) * scale
    intercept = (constants.kpi_center + posterior.gamma[:, 1:] + posterior.local[:, 0]) * scale
    values = {
        "effect": beta / (1 + half_saturation ** draws["slope"]),
        "alpha": draws["alpha"],
        "theta": draws["theta"] * (posterior.structure.adstock[0][1] - 1),
        "half_saturation": half_saturation,
        "slope": draws["slope"],
        "beta": beta,
        "intercept": intercept - price * np.array(constants.column_mean),
        "price": price,
        "noise": draws["noise"] * scale,
    }
    prior_noise = posterior.spec.model.baseline.noise * constants.kpi_sd * scale
    log_weights, pareto_k = array_stats.psislw(-log_ratio(values, prior_noise))  # It takes the log of the inverse.
    return Result(values, np.exp(log_weights - np.logaddexp.reduce(log_weights)), float(pareto_k))


def log_ratio(values: dict[str, Floats], prior_noise: float) -> Floats:
    """Log of the paper's prior density over that of the fit, (sample,), up to a constant.

    Parameters
    ----------
    values : dict of array
        In the paper's units.
    prior_noise : float
        Scale of the fit's half-normal prior of the noise.
    """
    total = np.zeros(len(values["noise"]))
    for name, law in PAPER.items():
        mu, sigma = MATCHED[name]
        fitted = stats.lognorm(sigma, scale=math.exp(mu))
        total += (law.logpdf(values[name]) - fitted.logpdf(values[name])).sum(axis=1)
    noise = values["noise"][:, 0]
    total += np.log(2 * noise) + NOISE_VARIANCE.logpdf(noise**2) - stats.halfnorm(scale=prior_noise).logpdf(noise)
    return total


def estimates(values: Floats, weights: Floats) -> dict[str, list[float]]:
    """Mean, median and 90 % interval of weighted draws (sample, column), each (column,)."""
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    mass = weights[order]
    places = np.cumsum(mass, axis=0) - mass / 2
    columns = range(values.shape[1])
    out = {"mean": weights @ values}
    for name, share in {"median": 0.5, "q05": 0.05, "q95": 0.95}.items():
        out[name] = np.array([np.interp(share, places[:, c], ordered[:, c]) for c in columns])
    return {name: [round(float(v), 5) for v in found] for name, found in out.items()}


def resampled(posterior: Posterior, weights: Floats, count: int) -> Posterior:
    """Draws of the weighted posterior: evenly spaced over the cumulative weights."""
    kept = np.searchsorted(np.cumsum(weights), (np.arange(count) + 0.5) / count).clip(max=posterior.samples - 1)
    params = {name: value[kept] for name, value in posterior.params.items()}
    draws = {name: getattr(posterior, name)[kept] for name in ("beta", "gamma", "local")}
    return replace(posterior, params=params, chains=1, **draws)
