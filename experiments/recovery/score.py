"""Scores of intervals against known truth, pooled and paired, with bootstrap intervals over clusters.

For one channel with true ROAS ``r``, posterior median ``m`` and the equal-tailed interval ``[l, u]`` of mass 0.9: absolute
relative error ``|m - r| / r``; covered if ``l <= r <= u``; interval score ``(u - l) + 20 (l - r)+ + 20 (r - u)+``, that is
``2 / (1 - mass)`` times what the interval misses by (Gneiting and Raftery 2007, eq. 43), in units of ROAS; and the same over
``r``. All are pooled over channels of all cells with equal weight: the error by its median, the others by their mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

KEYS = ["world", "seed", "channel"]
MEASURES = ("error", "coverage", "interval_score", "relative_score")


def interval_score(low: Any, high: Any, truth: Any, mass: float = 0.9) -> Any:
    """Width of an interval plus ``2 / (1 - mass)`` times the distance by which it misses; arrays of one shape."""
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return high - low + 2 / (1 - mass) * missed


def passed(cell: Mapping[str, Any], gate: Mapping[str, float]) -> bool:
    """Whether a cell meets the gate that is the same for every tool."""
    d = cell.get("diagnostics")
    if d is None or any(d[k] is None for k in ("max_rhat", "min_ess_bulk", "min_ess_tail")):
        return False
    enough = min(d["min_ess_bulk"], d["min_ess_tail"]) >= gate["min_ess"]
    return bool(d["max_rhat"] <= gate["max_rhat"] and enough and d["divergences"] <= gate["max_divergences"])


def rows_of(cells: Iterable[Mapping[str, Any]], mass: float = 0.9) -> pd.DataFrame:
    """One row per tool, cell and channel with its scores; failed cells have none.

    Returns
    -------
    DataFrame
        ``tool, world, seed, inside, channel, truth, median, q05, q95, error, coverage, interval_score, relative_score``;
        ``inside`` says that nothing of the world departs from the default model's family. The relative figures of a channel
        without effect are NaN.
    """
    records = [
        {"tool": c["tool"], "world": c["world"], "seed": c["seed"], "inside": not c["simulation"]["departures"]}
        | {"channel": name, **values}
        for c in cells
        for name, values in c.get("roas", {}).items()
        if all(values[k] is not None for k in ("median", "q05", "q95"))
    ]
    columns = ["tool", "world", "seed", "inside", "channel", "truth", "mean", "median", "q05", "q95"]
    rows = pd.DataFrame(records, columns=columns)
    low, high, truth = (rows[k].astype(float) for k in ("q05", "q95", "truth"))
    score = interval_score(low, high, truth, mass)
    effect = truth.where(truth > 0)
    return rows.assign(
        error=(rows["median"].astype(float) - truth).abs() / effect,
        coverage=((low <= truth) & (truth <= high)).astype(float),
        interval_score=score,
        relative_score=score / effect,
    )


def paired(rows: pd.DataFrame, tools: list[str]) -> pd.DataFrame:
    """Keep the channels with an effect of those cells that all the tools have."""
    wanted = rows[rows["tool"].isin(tools) & (rows["truth"] > 0)]
    have = wanted.groupby(["world", "seed"])["tool"].transform("nunique")
    return wanted[have == len(tools)]


def pool(rows: pd.DataFrame) -> dict[str, float]:
    """Pooled scores of one tool's rows."""
    return {
        "channels": len(rows),
        "error": float(rows["error"].median()),
        **{k: float(rows[k].mean()) for k in MEASURES[1:]},
    }


def bootstrap(rows: pd.DataFrame, tools: list[str], cluster: list[str], draws: int, seed: int) -> dict[str, np.ndarray]:
    """Resample clusters, the same for all tools.

    Parameters
    ----------
    rows : DataFrame
        Of ``paired``.
    tools : list of str
    cluster : list of str
        Columns that name a cluster: ``["world"]`` or ``["world", "seed"]``.
    draws, seed : int

    Returns
    -------
    dict of array, (draw, tool)
        Pooled measures.
    """
    wide = {k: rows.pivot(index=KEYS, columns="tool", values=k)[tools] for k in MEASURES}
    index = next(iter(wide.values())).index.to_frame(index=False)
    groups = list(index.groupby(cluster).indices.values())
    arrays = {k: v.to_numpy() for k, v in wide.items()}
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(groups), size=(draws, len(groups)))
    times = np.stack([np.bincount(c, minlength=len(groups)) for c in chosen])
    size = times @ np.array([len(g) for g in groups])
    out = {k: times @ np.array([v[g].sum(axis=0) for g in groups]) / size[:, None] for k, v in arrays.items()}
    out["error"] = np.array([np.median(arrays["error"][np.concatenate([groups[g] for g in c])], axis=0) for c in chosen])
    return out


def spread(values: np.ndarray) -> list[float]:
    """5 and 95 % quantile of bootstrap draws."""
    return [float(q) for q in np.quantile(values, [0.05, 0.95])]


def convergence(cells: list[Mapping[str, Any]], gate: Mapping[str, float]) -> dict[str, Any]:
    """Share of one tool's cells through the gate, failed ones, and seconds."""
    done = [c for c in cells if "failed" not in c]
    seconds = [c["seconds"]["all_in"] for c in done]
    return {
        "cells": len(cells),
        "failed": len(cells) - len(done),
        "through_gate": float(np.mean([passed(c, gate) for c in cells])),
        "seconds_median": float(np.median(seconds)) if seconds else None,
        "seconds_max": float(np.max(seconds)) if seconds else None,
    }


def zero_channel(rows: pd.DataFrame, cells: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Scores of the channels without effect of one tool, and the share of plans that give them more than today."""
    rows = rows[rows["truth"] == 0]
    if rows.empty:
        return None
    plans = [
        [m > 1 for n, m in c["plan"].items() if c["roas"][n]["truth"] == 0]
        for c in cells
        if c.get("plan") and c["world"] in set(rows["world"])
    ]
    raised = [r for plan in plans for r in plan]
    return {
        "channels": len(rows),
        "median": float(rows["median"].mean()),
        "q95": float(rows["q95"].mean()),
        "interval_score": float(rows["interval_score"].mean()),
        "plans_that_raise_it": float(np.mean(raised)) if raised else None,
    }


def compare(
    rows: pd.DataFrame, cells: list[Mapping[str, Any]], tools: list[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Pooled scores of tools on the cells that all of them have, with bootstrap intervals, and ratios to the first tool.

    Returns
    -------
    dict
        ``cells``, and by tool the measures, ``convergence`` (cells in which another tool failed included), ``interval`` by
        kind of cluster, and for all but the first ``ratio_*`` and ``ratio_*_interval``: of the first tool over this one.
    """
    common = paired(rows, tools)
    places = [{(c["world"], c["seed"]) for c in cells if c["tool"] == t} for t in tools]
    tried = set.intersection(*places) if places else set()
    if common.empty:
        return {"cells": 0, "tools": {}}
    told = settings["bootstrap"]
    clusters = {"world": ["world"], "world_seed": ["world", "seed"]}
    drawn = {name: bootstrap(common, tools, c, told["draws"], told["seed"]) for name, c in clusters.items()}
    found: dict[str, Any] = {}
    for i, tool in enumerate(tools):
        found[tool] = pool(common[common["tool"] == tool])
        found[tool]["convergence"] = convergence(
            [c for c in cells if c["tool"] == tool and (c["world"], c["seed"]) in tried], settings["gate"]
        )
        found[tool]["interval"] = {name: {k: spread(d[k][:, i]) for k in MEASURES} for name, d in drawn.items()}
        for k in ("interval_score", "relative_score") if i else ():
            found[tool][f"ratio_{k}"] = found[tools[0]][k] / found[tool][k]
            found[tool][f"ratio_{k}_interval"] = {n: spread(d[k][:, 0] / d[k][:, i]) for n, d in drawn.items()}
    return {"cells": len(common.groupby(["world", "seed"])), "tools": found}


def summarise_study(cells: list[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the study reports, as plain numbers.

    Returns
    -------
    dict
        ``tools``: convergence, all cells pooled, the channel without effect; ``paired``: cells that all tools have;
        ``paired_inside`` and ``paired_outside``: those inside and outside the default model's family; ``worlds``: pooled
        by world; ``inside``, ``outside``: all cells of each tool.
    """
    rows = rows_of(cells, settings["mass"])
    tools = [t for t in dict.fromkeys(c["tool"] for c in cells) if not rows[rows["tool"] == t].empty]
    effect = rows[rows["truth"] > 0]
    by_tool = {t: [c for c in cells if c["tool"] == t] for t in dict.fromkeys(c["tool"] for c in cells)}

    def pooled(subset: pd.DataFrame) -> dict[str, Any]:
        return {t: pool(subset[subset["tool"] == t]) for t in tools if (subset["tool"] == t).any()}

    inside = [c for c in cells if not c["simulation"]["departures"]]
    outside = [c for c in cells if c["simulation"]["departures"]]
    return {
        "tools": {
            t: {
                **convergence(mine, settings["gate"]),
                "all_cells": compare(effect, mine, [t], settings)["tools"].get(t),
                "zero": zero_channel(rows[rows["tool"] == t], mine),
            }
            for t, mine in by_tool.items()
        },
        "paired": compare(rows, cells, tools, settings),
        "paired_inside": compare(rows[rows["inside"]], inside, tools, settings),
        "paired_outside": compare(rows[~rows["inside"]], outside, tools, settings),
        "worlds": {w: pooled(effect[effect["world"] == w]) for w in dict.fromkeys(effect["world"])},
        "inside": pooled(effect[effect["inside"]]),
        "outside": pooled(effect[~effect["inside"]]),
    }
