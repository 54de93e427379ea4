"""A part of the response model in PyMC's words, in PyTensor throughout."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.rules.response.structure import Structure


def build(structure: Structure, inputs: dict[str, Any]) -> Any:
    """Return the ``pymc.Model`` of a part and its data."""
    import pymc as pm

    with pm.Model() as model:
        params: dict[str, Any] = {}
        for name, size, transform in structure.hyper:
            prior = inputs["prior"][name]
            if transform == "log":
                params[name] = pm.HalfNormal(name, sigma=np.broadcast_to(prior, size), shape=size)
            else:
                params[name] = pm.Beta(name, alpha=prior[0], beta=prior[1], shape=size)
        for name, size, _ in (*structure.shared, *structure.own):
            params[name] = pm.Normal(name, mu=0.0, sigma=1.0, shape=size)
        cells = _law(structure, _predictor(structure, params, inputs), params, inputs)
        pm.Potential("cells", (inputs["weight"] * cells).sum())
    return model


def _predictor(structure: Structure, params: dict[str, Any], inputs: dict[str, Any]) -> Any:
    import pytensor.tensor as pt

    eta = inputs["offset"] + inputs["level_mean"] + inputs["level_sd"] * params["mean"]
    eta = eta + params["campaign_sd"] * params["campaign"][inputs["campaign_of"]] + params["adset_sd"] * params["level"]
    for j in range(structure.slopes):
        slope = inputs["slope_mean"][j] + inputs["slope_sd"][j] * params["slope_mean"][j]
        if j < structure.pooled:
            slope = slope + params["slope_sd"][j] * params["slope"][j :: structure.pooled]
        eta = eta + inputs["x"][:, :, j] * slope
    if structure.daily:
        rho, lag = params["day_correlation"], np.subtract.outer(np.arange(structure.days), np.arange(structure.days))
        covariance = rho ** np.abs(lag)
        day = params["day_sd"] * pt.dot(pt.linalg.cholesky(covariance), params["day"])
        eta = eta + (pt.dot(inputs["weekday_basis"], params["weekday"]) + day)[:, None]
    if structure.knots:
        drift = params["drift"].reshape((structure.adsets, structure.knots))
        eta = eta + params["drift_sd"] * pt.dot(inputs["drift_basis"], drift.T)
    return eta


def _law(structure: Structure, eta: Any, params: dict[str, Any], inputs: dict[str, Any]) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    value, size, spread = inputs["value"], inputs["size"], params["dispersion"]
    if structure.own_dispersion:
        spread = spread * pt.exp(params["dispersion_sd"] * params["dispersion_z"])
    if structure.family == "beta_binomial":
        first = pt.zeros_like(eta) + spread**-2.0
        return pm.logp(pm.BetaBinomial.dist(n=size, alpha=first, beta=first * pt.exp(-eta)), value)
    if structure.family == "negative_binomial":
        return pm.logp(pm.NegativeBinomial.dist(mu=pt.exp(eta), alpha=pt.zeros_like(eta) + spread**-2.0), value)
    if structure.family == "amount":
        variance = pt.log1p(pt.expm1(spread**2) / size)
        return pm.logp(pm.Normal.dist(eta - variance / 2.0, pt.sqrt(variance)), value)
    plain = pm.logp(pm.Normal.dist(eta, pt.zeros_like(eta) + spread), value)
    if structure.family == "delivery":
        return pt.switch(size > 0.5, pm.logcdf(pm.Normal.dist(-eta, pt.zeros_like(eta) + spread), -value), plain)
    return plain
