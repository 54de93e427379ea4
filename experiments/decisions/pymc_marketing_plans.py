"""Plans of PyMC-Marketing's ``BudgetOptimizer`` on given draws of Hill curves, in its own environment.

.peers/pymc_marketing/bin/python experiments/decisions/pymc_marketing_plans.py MARKETS.npz RESULT.json

An ``MMM`` without carryover and with ``HillSaturation`` is built on a table that is never fitted; ``MMM.budget_optimizer`` for
a window of one period is made once, and ``set_posterior`` gives it the draws of one market after the other. Everything else is
its default: the mean response as objective, SLSQP from the even plan, which is also the current one.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 10  # Of the table; the last one without spend, so that nothing is carried into the window.


def main(arguments: list[str]) -> None:
    """Read the markets, plan, write."""
    warnings.filterwarnings("ignore")
    source, out = (Path(a) for a in arguments)
    markets = np.load(source)
    began = time.perf_counter()
    import pymc_marketing.mmm  # noqa: F401

    imported = time.perf_counter() - began
    asked = json.loads(str(markets["asked"]))
    seeds = asked["seeds"]
    first = posterior(markets, seeds[0], asked["current"])
    began = time.perf_counter()
    optimizer = made(first, asked["current"])
    answer(optimizer, first, asked | {"repeats": 1})  # The first solve compiles.
    prepared = time.perf_counter() - began
    result = {
        "versions": {name: version(name) for name in ("pymc-marketing", "pymc", "pytensor", "scipy", "numpy")},
        "import_seconds": round(imported, 2),
        "prepare_seconds": round(prepared, 2),
        "plans": {str(seed): answer(optimizer, posterior(markets, seed, asked["current"]), asked) for seed in seeds},
    }
    out.write_text(json.dumps(result) + "\n", encoding="utf-8")


def made(draws: Any, current: list[float]) -> Any:
    """Return the optimiser of a model with these channels, its compiled functions ready."""
    import pandas as pd
    from pymc_extras.prior import Prior
    from pymc_marketing.mmm import MMM, HillSaturation, NoAdstock

    dates = pd.date_range("2024-01-01", periods=ROWS, freq="W-MON")
    spend = np.tile(current, (ROWS, 1))
    spend[-1] = 0.0
    table = pd.DataFrame(spend, columns=names(current)).assign(date=dates)
    target = pd.Series(np.linspace(0.5, 1.0, ROWS), name="y")
    priors = {name: Prior("HalfNormal", sigma=1.5, dims="channel") for name in ("slope", "kappa", "beta")}
    model = MMM(
        date_column="date",
        channel_columns=names(current),
        target_column="y",
        adstock=NoAdstock(l_max=1),
        saturation=HillSaturation(priors=priors),
    )
    model.build_model(table, target)
    model.idata = draws
    week = dates[-1] + pd.Timedelta(weeks=1)
    return model.budget_optimizer(week, week)


def names(current: list[float]) -> list[str]:
    """Names of the channels."""
    return [f"channel_{c}" for c in range(len(current))]


def posterior(markets: Any, seed: int, current: list[float]) -> Any:
    """Draws of a market as the model's posterior: channels are scaled by the table's largest spend, the target by 1."""
    import xarray as xr

    top, half, shape = (markets[f"{name}_{seed}"] for name in ("top", "half", "shape"))
    axes = ("chain", "draw", "channel")
    known = {
        "saturation_beta": (axes, top[None]),
        "saturation_kappa": (axes, half[None] / np.asarray(current)),
        "saturation_slope": (axes, shape[None]),
        "channel_contribution": (("chain", "draw", "date", "channel"), np.ones((1, len(top), 1, len(current)))),
        "intercept_contribution": (axes[:2], np.zeros((1, len(top)))),
        "y_sigma": (axes[:2], np.ones((1, len(top)))),
    }
    labels = {"channel": names(current), "chain": [0], "draw": np.arange(len(top))}
    return xr.DataTree.from_dict({"/posterior": xr.Dataset(known, coords=labels)})


def answer(optimizer: Any, draws: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of one market; where there are minimum commitments, moved to the nearer end and solved once more."""
    import xarray as xr
    from pymc_marketing.mmm.budget_optimizer import MinimizeException

    current, low, high = (np.asarray(asked[name], dtype=float) for name in ("current", "low", "high"))
    channels = {"channel": names(asked["current"])}

    def labelled(plan: np.ndarray) -> Any:
        return xr.DataArray(plan, dims="channel", coords=channels)

    def solved(low: np.ndarray, high: np.ndarray, start: Any = None) -> np.ndarray:
        bounds = dict(zip(channels["channel"], zip(low.tolist(), high.tolist(), strict=True), strict=True))
        found = optimizer.allocate_budget(asked["total"], bounds, x0=start)
        plan: np.ndarray = found.budgets.sel(channels).values
        return np.clip(plan, low, high)

    def plan_within() -> np.ndarray:
        plan = solved(low, high)
        if asked["minimum"] is None:
            return plan
        least = np.asarray(asked["minimum"], dtype=float)
        used = plan >= least / 2
        inside = np.where(used, least, 0.0), np.where(used, high, 0.0)
        return solved(*inside, labelled(np.clip(plan, *inside)))

    optimizer.set_posterior(draws)
    found: dict[str, Any] = {"current": optimizer.evaluate_plan(labelled(current)).utility}
    took = []
    for _ in range(asked["repeats"]):
        began = time.perf_counter()
        try:
            plan = plan_within()
        except MinimizeException as error:
            return found | {"failed": str(error), "seconds": round(time.perf_counter() - began, 3)}
        took.append(time.perf_counter() - began)
    value = optimizer.evaluate_plan(labelled(plan)).utility
    return found | {"plan": plan.tolist(), "value": value, "seconds": round(min(took), 3)}


if __name__ == "__main__":
    main(sys.argv[1:])
