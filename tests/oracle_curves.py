"""Priors, adstock and saturation once more, in plain numpy and scipy: the curves of the oracle."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from mmx.data.panel import Panel
from mmx.spec import Spec

SHAPES = {
    "geometric": ("alpha",),
    "half_life": ("half_life",),
    "two_stage": ("alpha", "stage"),
    "delayed": ("alpha", "theta"),
    "weibull_pdf": ("weibull_shape", "weibull_scale"),
    "weibull_cdf": ("weibull_shape", "weibull_scale"),
    "binomial": ("alpha",),
    "hill": ("half_saturation", "slope"),
    "michaelis_menten": ("half_saturation",),
    "root": ("exponent",),
    "none": (),
} | dict.fromkeys(("logistic", "exponential", "log", "tanh"), ("lam",))


def distribution(prior: Any) -> Any:
    """A prior of the settings as a frozen scipy distribution."""
    z90 = stats.norm.ppf(0.9)
    if prior.family == "beta":
        return stats.beta(prior.a, prior.b)
    if prior.family == "normal":
        given = prior.mean is not None
        return stats.norm(prior.mean, prior.sd) if given else stats.norm(prior.median, (prior.q90 - prior.median) / z90)
    if prior.mu is not None:
        return stats.lognorm(prior.sigma, scale=np.exp(prior.mu))
    return stats.lognorm(np.log(prior.q90 / prior.median) / z90, scale=prior.median)


def lag_weights(adstock: str, count: int, window: int, own: dict[str, float]) -> np.ndarray:
    """Weights of the first ``count`` lags of a family without an end, or of its window."""
    lags = np.arange(count)
    if adstock == "none":
        return (lags == 0).astype(float)
    if adstock == "geometric":
        return (1 - own["alpha"]) * own["alpha"] ** lags
    if adstock == "half_life":
        return (1 - 0.5 ** (1 / own["half_life"])) * 0.5 ** (lags / own["half_life"])
    if adstock == "two_stage":
        second = own["alpha"] * own["stage"]
        return np.convolve((1 - own["alpha"]) * own["alpha"] ** lags, (1 - second) * second**lags)[:count]
    lags = np.arange(window)
    if adstock == "delayed":
        weight = own["alpha"] ** ((lags - own["theta"] * (window - 1)) ** 2)
    elif adstock == "binomial":
        weight = (1 - lags / window) ** (1 / own["alpha"] - 1)
    else:
        weibull = stats.weibull_min(own["weibull_shape"], scale=own["weibull_scale"])
        weight = weibull.pdf(lags + 1) if adstock == "weibull_pdf" else np.cumprod(np.append(1.0, weibull.sf(lags[1:])))
    return weight / weight.sum()


def carried(x: np.ndarray, adstock: str, window: int, **own: float) -> np.ndarray:
    """Adstock of one series, lag by lag."""
    weight = lag_weights(adstock, len(x), window, own)
    return np.array([sum(w * x[t - k] for k, w in enumerate(weight) if k <= t) for t in range(len(x))])


def saturation(u: np.ndarray, family: str, **own: float) -> np.ndarray:
    """Saturation of one series."""
    if family == "hill":
        return u ** own["slope"] / (u ** own["slope"] + own["half_saturation"] ** own["slope"])
    if family == "logistic":
        return (1 - np.exp(-own["lam"] * u)) / (1 + np.exp(-own["lam"] * u))
    return {
        "none": lambda: u,
        "exponential": lambda: 1 - np.exp(-own["lam"] * u),
        "michaelis_menten": lambda: u / (u + own["half_saturation"]),
        "root": lambda: u ** own["exponent"],
        "log": lambda: np.log(1 + own["lam"] * u),
        "tanh": lambda: np.tanh(own["lam"] * u),
    }[family]()


def frequencies(spec: Spec, panel: Panel) -> dict[str, np.ndarray]:
    """Frequency of each channel with reach in multiples of its mean, (time, geo)."""
    scaled = panel.media_frequency / np.array(spec.constants.frequency_scale)
    return {name: scaled[..., i].T for i, name in enumerate(panel.names("frequency"))}


def saturated(
    spec: Spec, values: dict[str, np.ndarray], x: np.ndarray, often: dict[str, np.ndarray] | None = None
) -> np.ndarray:
    """Adstocked and saturated exposure (time, geo, media), medium by medium and geo by geo.

    ``values`` holds each shape parameter of the media that have it, in the order of the media.
    """
    left = {name: list(np.atleast_1d(v)) for name, v in values.items()}
    out, names = np.zeros_like(x), [*spec.channels, *spec.organic]
    for m, medium in enumerate([*spec.channels.values(), *spec.organic.values()]):
        own = {name: left[name].pop(0) for family in (medium.adstock, medium.saturation) for name in SHAPES[family]}
        carry = {name: own.pop(name) for name in SHAPES[medium.adstock]}
        for g in range(x.shape[1]):
            adstock = partial(carried, adstock=medium.adstock, window=medium.adstock_window, **carry)
            bend = partial(saturation, family=medium.saturation, **own)
            if often is not None and names[m] in often:
                out[:, g, m] = adstock(x[:, g, m] * bend(often[names[m]][:, g]))
                continue
            out[:, g, m] = bend(adstock(x[:, g, m])) if medium.adstock_first else adstock(bend(x[:, g, m]))
    return out


def exposure(spec: Spec, panel: Panel) -> np.ndarray:
    """Exposure per head in multiples of its mean, (time, geo, media)."""
    raw = np.concatenate([panel.array("exposure"), panel.array("organic")], axis=2)
    return (raw / np.array(spec.constants.geo_scale)[:, None, None] / np.array(spec.constants.media_scale)).swapaxes(0, 1)


def money(spec: Spec, panel: Panel) -> np.ndarray:
    """KPI money per unit of the scaled KPI, (time, geo)."""
    return panel.array("unit_value").T * np.array(spec.constants.geo_scale) * spec.constants.kpi_scale
