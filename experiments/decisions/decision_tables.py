"""Tables of the study: our plans against SLSQP, and all solvers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


def table_of(found: dict[str, list[dict[str, Any]]], miss: float) -> pd.DataFrame:
    """One row per case: gap and seconds of ours, how often SLSQP misses with one start and with all, and by how much."""
    rows = []
    for name, worlds in found.items():
        row: dict[str, Any] = {"case": name, "worlds": len(worlds), "certified": sum(w["certified"] for w in worlds)}
        row["largest gap"] = max(w["gap"] if w["gap"] is not None else np.inf for w in worlds)
        row["seconds"] = float(np.median([w["seconds"] for w in worlds]))
        tried = [[-np.inf if v is None else v for v in w["slsqp"]] for w in worlds]
        if all(tried):
            ours = np.array([w["value"] for w in worlds])
            first, best = np.array([t[0] for t in tried]), np.array([max(t) for t in tried])
            top = np.maximum(ours, best)
            row["we miss"] = int((ours < top * (1 - miss)).sum())
            row["one start misses"] = int((first < top * (1 - miss)).sum())
            row["all starts miss"] = int((best < top * (1 - miss)).sum())
            row["starts that miss"] = float(np.mean([v < t * (1 - miss) for t, w in zip(top, tried, strict=True) for v in w]))
            row["largest loss"] = float((1 - np.where(np.isfinite(best), best, 0.0) / top).max())
            row["SLSQP seconds"] = float(np.median([w["slsqp_seconds"] for w in worlds]))
        rows.append(row)
    return pd.DataFrame(rows)


def side_by_side(found: dict[str, list[dict[str, Any]]], miss: float) -> pd.DataFrame:
    """One row per case and solver: value as a percentage of ours (mean, lowest, highest), misses, seconds, bounds.

    Parameters
    ----------
    found : dict of str to list of dict
        Finished markets of each case.
    miss : float
        A value that is lower than the best one of all solvers by more than this share of it is a miss.
    """
    rows = []
    for name, worlds in found.items():
        ours = np.array([w["value"] for w in worlds])
        solvers = {solver: (values, seconds) for solver, values, seconds in _solvers(worlds)}
        top = np.max([values for values, _ in solvers.values()], axis=0)
        for solver, (values, seconds) in solvers.items():
            known = values[np.isfinite(values)] / ours[np.isfinite(values)] * 100
            rows.append(
                {
                    "case": name,
                    "solver": solver,
                    "mean %": known.mean() if len(known) else np.nan,
                    "lowest %": known.min() if len(known) else np.nan,
                    "highest %": known.max() if len(known) else np.nan,
                    "misses": int((values < top * (1 - miss)).sum()),
                    "no plan": int((~np.isfinite(values)).sum()),
                    "seconds": seconds,
                    "unspent %": 100 * np.mean([w["meridian"]["unspent"] for w in worlds]) if "Meridian" in solver else 0.0,
                    "bounds": sum(w["bound"] is not None for w in worlds) if solver == "mmx" else 0,
                }
            )
    return pd.DataFrame(rows)


def _solvers(worlds: list[dict[str, Any]]) -> Iterator[tuple[str, Floats, float]]:
    """Name, values (world,), -inf without an allowed plan, and median seconds of each solver that was asked in every world."""
    yield "mmx", np.array([w["value"] for w in worlds]), float(np.median([w["seconds"] for w in worlds]))
    if all(w["slsqp"] for w in worlds):
        tried = np.array([[_number(v) for v in w["slsqp"]] for w in worlds])
        for label, values, key in (
            ("SLSQP, one start", tried[:, 0], "slsqp_first_seconds"),
            (f"SLSQP, {tried.shape[1]} starts", tried.max(axis=1), "slsqp_seconds"),
        ):
            yield label, values, float(np.median([w[key] for w in worlds]))
    for label, key in (("PyMC-Marketing", "pymc_marketing"), ("Meridian's step", "meridian")):
        if all(w.get(key) for w in worlds):
            values = np.array([_number(w[key].get("value")) for w in worlds])
            yield label, values, float(np.median([w[key]["seconds"] for w in worlds]))


def _number(value: float | None) -> float:
    return -np.inf if value is None else float(value)
