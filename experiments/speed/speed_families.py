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
    """Time every row nationally and by geo, and fit the likelihoods nationally.

    Returns
    -------
    dict
        ``gradient``: by case and row, microseconds and ratio to the base. ``fits``: by likelihood, seconds of sampling,
        smallest bulk ESS of the sampled parameters, whether the gate passed, and the time per effective draw over the normal's.
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
    for name, model in {"normal": {}, **settings["likelihoods"]}.items():
        panel, spec = case_of(settings["cases"]["national"], model, seed, settings["unit"])
        sampler = spec.sampler.model_copy(update=settings["sampling"])
        fit = mmx.fit(panel, spec.model_copy(update={"sampler": sampler}), seed=seed)
        smallest = float(diagnose(fit)["ess_bulk"].min())
        row = {"seconds": fit.seconds["sample"], "min_ess": smallest, "passed": fit.converged}
        row["per_draw"] = row["seconds"] / smallest
        out["fits"][name] = row | {"ratio": round(row["per_draw"] / out["fits"].get("normal", row)["per_draw"], 2)}
    return out


def case_of(size: dict[str, Any], model: dict[str, Any], seed: int, unit: float) -> tuple[Panel, Any]:
    """Panel and specification of a row; counts are KPI in whole units."""
    simulated = simulate(size, seed)
    _, panel = worlds.read(simulated)
    settings = merge(simulated.settings, {"model": {**BASE, **model}})
    if model.get("likelihood") == "negative_binomial":
        panel = in_units(panel, unit)
        settings = merge(settings, {"data": {"target_kind": "count", "unit_value": unit}})
    return panel, mmx.read_config(settings).spec
