"""Fit a case with Google Meridian as its documentation recommends; README.md quotes the pages.

.peers/meridian/bin/python experiments/peers/fit_meridian.py FOLDER RESULT.json [--options JSON]
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

PACKAGES = ("google-meridian", "jax", "jaxlib", "tfp-nightly", "numpy")
ADAPT, BURN = 1000, 500


def main() -> None:
    """Read the case, fit, report."""
    case, out = command_line(__doc__)
    options = case.options
    os.environ.setdefault("MERIDIAN_BACKEND", "jax")
    warnings.filterwarnings("ignore")
    began = time.perf_counter()
    from meridian.analysis import analyzer
    from meridian.model import model, spec

    imported = time.perf_counter() - began
    began, processor = time.perf_counter(), cpu_seconds()
    data = input_data(case)
    settings: dict[str, Any] = {"max_lag": options["carryover"]}
    if options["knots"] == "documented":
        settings["enable_aks"] = True
    elif options["knots"] != "default":
        settings["knots"] = int(options["knots"])
    specification = spec.ModelSpec(**settings)
    meridian = model.Meridian(input_data=data, model_spec=specification)
    built = time.perf_counter()
    sampling = {"n_adapt": options["tune"] or ADAPT, "n_burnin": BURN, "n_keep": options["draws"]}
    meridian.sample_posterior(n_chains=options["chains"], seed=options["seed"], **sampling)
    posterior = meridian.inference_data.posterior
    done = time.perf_counter()
    seconds = {"import": imported, "build": built - began, "sample": done - built, "all_in": done - began}
    seconds["cpu"] = cpu_seconds() - processor
    words = {
        "backend": os.environ["MERIDIAN_BACKEND"],
        "model_spec": {**settings, "knots": int(meridian.knot_info.n_knots), "priors": "defaults (ROI LogNormal(0.2, 0.9))"},
        "media_effects_dist": specification.media_effects_dist,
        "hill_before_adstock": bool(specification.hill_before_adstock),
        "unique_sigma_for_each_geo": bool(specification.unique_sigma_for_each_geo),
        "sampling": {"n_chains": options["chains"], **sampling},
        "terms": f"knots, controls {case.controls}, treatments {case.treatments}, organic {list(case.organic)}",
    }
    outcome = Outcome(
        seconds=seconds,
        settings=words,
        parameters=parameters(case, posterior),
        divergences=int(np.asarray(meridian.inference_data.sample_stats["diverging"]).sum()),
        money=incremental_money(case, analyzer.Analyzer(meridian)),
        saved_mb=saved_mb(meridian) if options["save"] else None,
    )
    report(case, "meridian", PACKAGES, outcome, out)


def input_data(case: Case) -> Any:
    """Return the table as Meridian's input data."""
    from meridian.data import data_frame_input_data_builder

    table = case.table.copy()
    table[case.date] = table[case.date].dt.strftime("%Y-%m-%d")
    money = case.unit_value == 1
    names = {"geo": case.geo, "population": case.population}
    builder = data_frame_input_data_builder.DataFrameInputDataBuilder(
        kpi_type="revenue" if money else "non_revenue",
        default_kpi_column=case.kpi,
        default_time_column=case.date,
        default_media_time_column=case.date,
        **{f"default_{k}_column": v for k, v in names.items() if v is not None},
    )
    builder = builder.with_kpi(table)
    if not money:
        table["_worth"] = case.worth
        builder = builder.with_revenue_per_kpi(table, revenue_per_kpi_col="_worth")
    if case.population is not None:
        builder = builder.with_population(table)
    if case.controls:
        builder = builder.with_controls(table, control_cols=case.controls)
    builder = builder.with_media(
        table,
        media_cols=list(case.exposure.values()),
        media_spend_cols=list(case.spend.values()),
        media_channels=case.channels,
    )
    if case.organic:
        builder = builder.with_organic_media(
            table, organic_media_cols=list(case.organic.values()), organic_media_channels=list(case.organic)
        )
    if case.treatments:
        builder = builder.with_non_media_treatments(table, non_media_treatment_cols=case.treatments)
    return builder.build()


def parameters(case: Case, posterior: Any) -> dict[str, np.ndarray]:
    """Carryover, saturation and noise, (chain, draw) each; the slope of Meridian's Hill is fixed at 1."""
    out = {}
    for variable, short in (("alpha_m", "alpha"), ("ec_m", "ec")):
        values = posterior[variable].transpose("chain", "draw", "media_channel").values
        out |= {f"{short}[{name}]": values[..., c] for c, name in enumerate(case.channels)}
    return {**out, "noise": per_draw(posterior["sigma"].transpose("chain", "draw", ...).values)}


def incremental_money(case: Case, analysis: Any) -> Callable[[float], np.ndarray]:
    """Money of all paid channels at a multiplier of their spend, against zero, (chain, draw, channel)."""

    def money(multiplier: float) -> np.ndarray:
        values = analysis.incremental_outcome(
            scaling_factor0=0.0,
            scaling_factor1=multiplier,
            include_non_paid_channels=False,
            use_kpi=False,
        )
        return np.asarray(values, dtype=float)[..., : len(case.channels)]

    return money


def saved_mb(meridian: Any) -> float:
    """Size of the file that the tool saves a fit to, MiB."""
    from meridian.schema.serde import meridian_serde

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.binpb"
        meridian_serde.save_meridian(meridian, str(path))
        return path.stat().st_size / 2**20


if __name__ == "__main__":
    main()
