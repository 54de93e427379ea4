"""What a family costs: a gradient of each adstock, saturation and likelihood over that of geometric, Hill and normal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from speed_cases import simulate
from speed_growth import microseconds

import mmx
from mmx import worlds
from mmx.config import merge
from mmx.data.panel import Panel
from mmx.mmm.fit import diagnose
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.mmm.target import build
from mmx.response.registry import ADSTOCKS, SATURATIONS

BASE = {"adstock": "geometric", "saturation": "hill"}


def variants(likelihoods: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings of the model of every row, the base first."""
    rows = {"geometric + hill, normal": {}}
    rows |= {f"adstock {name}": {"adstock": name} for name in ADSTOCKS if name != BASE["adstock"]}
    rows |= {f"saturation {name}": {"saturation": name} for name in SATURATIONS if name != BASE["saturation"]}
    return rows | {f"likelihood {name}": model for name, model in likelihoods.items()}


def in_units(panel: Panel, unit: float) -> Panel:
    """The panel with its KPI in whole units worth so much money each."""
    kpi = np.maximum(np.round(panel.array("kpi") / unit), 1.0)
    data = panel.data.assign(kpi=(("geo", "time"), kpi), unit_value=(("geo", "time"), np.full(kpi.shape, unit)))
    return replace(panel, data=data, target_kind="count")


def measure(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Time every row in all cases, and fit the likelihoods in those of ``fits``, each right after the normal one.

    Returns
    -------
    dict
        ``gradient``: by case and row, microseconds and ratio to the base. ``fits``: by case and likelihood, what ``fitted``
        says, the same of the normal likelihood beside it, and the ratio of their times per effective draw.
    """
    rows, out = variants(settings["likelihoods"]), {"gradient": {}, "fits": {}}
    for case, size in settings["cases"].items():
        found: dict[str, dict[str, float]] = {}
        for name, model in rows.items():
            panel, spec = case_of(size, model, seed, settings["unit"])
            resolved = resolve(spec, panel)
            structure, inputs, _ = prepare(resolved, panel, panel.window.astype(float))
            time = microseconds(build(structure, inputs, panel.names("channel")), settings["seconds"])
            found[name] = {"microseconds": round(time, 3), "dim": structure.dim}
        base = next(iter(found.values()))["microseconds"]
        out["gradient"][case] = {name: row | {"ratio": round(row["microseconds"] / base, 2)} for name, row in found.items()}
    for case, size in settings["fits"].items():
        out["fits"][case] = {}
        for name, model in settings["likelihoods"].items():
            normal, row = (fitted(size, m, seed, settings) for m in ({}, model))
            ratio = round(row["per_draw"] / normal["per_draw"], 2)
            out["fits"][case][name] = {**row, "normal": normal, "ratio": ratio}
    return out


def fitted(size: dict[str, Any], model: dict[str, Any], seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of sampling, smallest bulk ESS of the parameters, their ratio, and whether the gate passed, at which try."""
    panel, spec = case_of(size, model, seed, settings["unit"])
    sampler = spec.sampler.model_copy(update=settings["sampling"])
    fit = mmx.fit(panel, spec.model_copy(update={"sampler": sampler}), seed=seed)
    smallest = float(diagnose(fit)["ess_bulk"].min())
    found = {"seconds": round(fit.seconds["sample"], 4), "min_ess": round(smallest, 1), "passed": fit.converged}
    tries = 1 + sum("sampled once more" in d for d in fit.decisions)
    return found | {"tries": tries, "per_draw": fit.seconds["sample"] / smallest}


def case_of(size: dict[str, Any], model: dict[str, Any], seed: int, unit: float) -> tuple[Panel, Any]:
    """Panel and specification of a row; counts are KPI in whole units."""
    simulated = simulate(size, seed)
    _, panel = worlds.read(simulated)
    settings = merge(simulated.settings, {"model": {**BASE, **model}})
    if model.get("likelihood") == "negative_binomial":
        panel = in_units(panel, unit)
        settings = merge(settings, {"data": {"target_kind": "count", "unit_value": unit}})
    return panel, mmx.read_config(settings).spec
