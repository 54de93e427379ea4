"""Fit a case with PyMC-Marketing as its documentation recommends; README.md quotes the pages.

.peers/pymc_marketing/bin/python experiments/peers/fit_pymc_marketing.py FOLDER RESULT.json [--options JSON]
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from case import Case, Outcome, command_line, cpu_seconds, per_draw, report

PACKAGES = ("pymc-marketing", "pymc", "pytensor", "nutpie", "numpyro", "jax", "numba", "numpy")
TREND = "trend"
SHAPES = {"logistic": ("lam",), "hill": ("slope", "kappa")}


def main() -> None:
    """Read the case, fit, report."""
    case, out = command_line(__doc__)
    options = case.options
    if options["sampler"] == "numpyro":  # NumPyro runs chains side by side on as many devices as there are chains.
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={options['chains']}"
    warnings.filterwarnings("ignore")
    began = time.perf_counter()
    import pymc_marketing.mmm  # noqa: F401

    imported = time.perf_counter() - began
    table = case.table.copy()
    began, processor = time.perf_counter(), cpu_seconds()
    periods = table[case.date].rank(method="dense") - 1
    table[TREND] = periods / periods.max()
    model, settings = build(case, table)
    inputs, target = table.drop(columns=[case.kpi]), table[case.kpi]
    model.build_model(inputs, target)
    built = time.perf_counter()
    tune = options["tune"] or 1000
    sampling = {
        "draws": options["draws"],
        "tune": tune,
        "chains": options["chains"],
        "cores": options["cores"],
        "target_accept": 0.9,
        "nuts_sampler": options["sampler"],
        "random_seed": options["seed"],
        "progressbar": False,
    }
    model.fit(inputs, target, **sampling)
    done = time.perf_counter()
    seconds = {"import": imported, "build": built - began, "sample": done - built, "all_in": done - began}
    seconds["cpu"] = cpu_seconds() - processor
    posterior = model.idata["posterior"]
    saved = saved_mb(model) if options["save"] else None
    money = incremental_money(case, model)
    check(posterior, money, case, model)
    outcome = Outcome(
        seconds=seconds,
        settings={**settings, "sampling": sampling},
        parameters=parameters(case, posterior),
        divergences=int(model.idata["sample_stats"]["diverging"].sum()),
        money=money,
        saved_mb=saved,
    )
    report(case, "pymc_marketing", PACKAGES, outcome, out)


def build(case: Case, table: Any) -> tuple[Any, dict[str, Any]]:
    """Model and its settings in words."""
    from pymc_extras.prior import Prior
    from pymc_marketing.mmm import MMM, GeometricAdstock, HillSaturation, LogisticSaturation
    from pymc_marketing.special_priors import LogNormalPrior

    media = [*case.exposure.values(), *case.organic.values()]
    controls = [*case.controls, *case.treatments, TREND]
    share = np.array([table[column].sum() for column in case.spend.values()])
    sigma = np.array([*(len(share) * share / share.sum()), *[1.0] * len(case.organic)])
    if case.geo is None:
        beta = Prior("HalfNormal", sigma=sigma if case.options["prior_sd"] == "spend_share" else 2, dims="channel")
        config = {
            "intercept": Prior("Normal", mu=0.5, sigma=0.2),
            "gamma_fourier": Prior("Laplace", mu=0, b=0.2, dims="fourier_mode"),
        }
        shape_dims: dict[str, Any] = {}
    else:
        beta = LogNormalPrior(
            mean=Prior("Gamma", mu=1.0, sigma=1.0, dims="channel"),
            std=Prior("HalfNormal", sigma=1.0, dims="channel"),
            dims=("channel", case.geo),
            centered=False,
        )
        config = {
            "intercept": Prior("Normal", mu=0.5, sigma=0.5, dims=case.geo),
            "gamma_control": Prior("Normal", mu=0, sigma=0.5, dims="control"),
            "gamma_fourier": Prior("Laplace", mu=0, b=Prior("HalfNormal", sigma=0.2), dims=(case.geo, "fourier_mode")),
        }
        shape_dims = {"dims": "channel"}
    family = {"logistic": LogisticSaturation, "hill": HillSaturation}[case.options["saturation"]]
    shapes = {
        "lam": Prior("Gamma", alpha=3, beta=1, **shape_dims),
        "slope": Prior("HalfNormal", sigma=1.5, **shape_dims),
        "kappa": Prior("HalfNormal", sigma=1.5, **shape_dims),
    }
    saturation = family(priors={"beta": beta, **{name: shapes[name] for name in SHAPES[case.options["saturation"]]}})
    alpha = Prior("Beta", alpha=1, beta=3, **shape_dims)
    model = MMM(
        date_column=case.date,
        channel_columns=media,
        target_column=case.kpi,
        control_columns=controls,
        adstock=GeometricAdstock(l_max=case.options["carryover"], priors={"alpha": alpha}),
        saturation=saturation,
        yearly_seasonality=2,
        dims=(case.geo,) if case.geo else None,
        model_config=config,
    )
    words = {
        "adstock": f"geometric, l_max {case.options['carryover']}, normalised, alpha {alpha}",
        "saturation": {name: described(prior) for name, prior in model.saturation.function_priors.items()},
        "saturation_family": case.options["saturation"],
        "model_config": {name: described(prior) for name, prior in model.model_config.items()},
        "terms": f"controls {controls}, trend from 0 to 1, yearly seasonality 2, no HSGP",
        "scaling": "maximum of each channel and of the KPI, per geo where there are geos (the class's default)",
        "beta_sigma": sigma.tolist() if case.options["prior_sd"] == "spend_share" and case.geo is None else None,
    }
    return model, words


def described(prior: Any) -> str:
    """Return a prior in words; special priors have no text of their own."""
    if not hasattr(prior, "parameters"):
        return str(prior)
    stated = ", ".join(f"{name}={described(value)}" for name, value in prior.parameters.items())
    return f"{getattr(prior, 'distribution', type(prior).__name__)}({stated}; dims={prior.dims})"


def parameters(case: Case, posterior: Any) -> dict[str, np.ndarray]:
    """Carryover, saturation and noise, (chain, draw) each."""
    out = {}
    for variable in ("adstock_alpha", *(f"saturation_{name}" for name in SHAPES[case.options["saturation"]])):
        short = variable.partition("_")[2]
        for name, column in case.exposure.items():
            out[f"{short}[{name}]"] = per_draw(posterior[variable].sel(channel=column).transpose("chain", "draw", ...).values)
    return {**out, "noise": per_draw(posterior["y_sigma"].transpose("chain", "draw", ...).values)}


def incremental_money(case: Case, model: Any) -> Callable[[float], np.ndarray]:
    """Money of all paid channels at a multiplier of their spend, against zero, (chain, draw, channel)."""
    posterior = model.idata["posterior"]
    geos = case.table[case.geo].unique() if case.geo else [None]
    periods = len(case.table) // len(geos)
    worth = case.worth.reshape(len(geos), periods)
    lags = np.arange(case.options["carryover"])

    def scale(name: str, **where: Any) -> float:
        values = model.scalers[name]
        return float(values.sel({k: v for k, v in where.items() if k in values.dims}))

    def money(multiplier: float) -> np.ndarray:
        total = []
        for column in case.exposure.values():
            one = 0.0
            for g, geo in enumerate(geos):
                where = {"channel": column, **({case.geo: geo} if case.geo else {})}
                take = {k: draws_of(posterior, k, where) for k in posterior if k.startswith(("adstock_", "saturation_"))}
                x = case.table[column].to_numpy(dtype=float).reshape(len(geos), periods)[g]
                x = multiplier * x / scale("_channel", **where)
                lagged = np.stack([np.concatenate([np.zeros(lag), x[: periods - lag]]) for lag in lags])
                weights = take["adstock_alpha"][..., None] ** lags
                effect = saturate(case.options["saturation"], weights / weights.sum(-1, keepdims=True) @ lagged, take)
                value = effect @ worth[g] * scale("_target", **{k: v for k, v in where.items() if k != "channel"})
                one = one + take["saturation_beta"] * value
            total.append(one)
        return np.stack(total, axis=-1)

    return money


def draws_of(posterior: Any, variable: str, where: dict[str, Any]) -> np.ndarray:
    """Draws of a variable at some coordinates, (chain, draw)."""
    values = posterior[variable]
    values = values.sel({k: v for k, v in where.items() if k in values.dims})
    return values.transpose("chain", "draw", ...).values


def saturate(family: str, x: np.ndarray, take: dict[str, np.ndarray]) -> np.ndarray:
    """Saturation of scaled, carried media, (chain, draw, time)."""
    if family == "logistic":
        grown = np.exp(-take["saturation_lam"][..., None] * x)
        return (1 - grown) / (1 + grown)
    slope, kappa = take["saturation_slope"][..., None], take["saturation_kappa"][..., None]
    with np.errstate(divide="ignore"):
        power = np.exp(slope * (np.log(x) - np.log(kappa)))
    return 1 - 1 / (1 + power)


def check(posterior: Any, money: Callable[[float], np.ndarray], case: Case, model: Any) -> None:
    """Hold our contributions against those that the tool itself computes, for one draw."""
    if "channel_contribution" not in posterior:
        return
    theirs = posterior["channel_contribution"].isel(chain=0, draw=0) * model.scalers["_target"]
    rows = theirs.transpose(*([case.geo] if case.geo else []), "date", "channel").values.reshape(len(case.table), -1)
    index = {name: i for i, name in enumerate(theirs["channel"].values.tolist())}
    ours = money(1.0)[0, 0]
    for c, column in enumerate(case.exposure.values()):
        expected = float(rows[:, index[column]] @ case.worth)
        if abs(ours[c] - expected) > 1e-6 * abs(expected) + 1e-9:
            raise SystemExit(f"{column}: {ours[c]} computed here, {expected} by the tool")


def saved_mb(model: Any) -> float:
    """Size of the file that the tool saves a fit to, MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.nc"
        model.save(str(path))
        return path.stat().st_size / 2**20


if __name__ == "__main__":
    main()
