"""How good, how sure and how fast the solvers of budgets are, against SciPy's SLSQP from many starts on the same draws.

Run ``python experiments/decisions/run.py`` (minutes; finished worlds are stored and skipped) or with ``--smoke``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import decision_markets
import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml
from scipy.optimize import LinearConstraint, minimize

from mmx.decide.objective import Mean
from mmx.decide.problem import Problem
from mmx.decide.solve import solve

HERE = Path(__file__).parent
Floats = npt.NDArray[np.float64]


def local(problem: Problem, market: decision_markets.Market, start: Floats) -> Floats:
    """One run of SLSQP with exact slopes of the mean, within bounds and rows."""
    unit = float(problem.high.max())
    rows = np.array([row.weights for row in problem.rows])
    low, high = (np.array([getattr(row, end) for row in problem.rows]) / unit for end in ("low", "high"))
    scale = float(market.value(problem.current).sum(axis=1).mean())

    def loss(z: Floats) -> tuple[float, Floats]:
        value, slope = market.value_and_slope(z * unit)
        return -float(value.sum(axis=1).mean()) / scale, -slope.mean(axis=0) * unit / scale

    found = minimize(
        loss,
        start / unit,
        jac=True,
        method="SLSQP",
        bounds=list(zip(problem.low / unit, problem.high / unit, strict=True)),
        constraints=[LinearConstraint(rows[k], low[k], high[k]) for k in (low == high, low != high) if k.any()],
        options={"maxiter": 300, "ftol": 1e-10},
    )
    plan: Floats = np.clip(found.x * unit, problem.low, problem.high)
    return plan


def allowed(problem: Problem, market: decision_markets.Market, plan: Floats) -> Floats:
    """A plan of SLSQP with minimum commitments kept: each cell below its minimum to the nearer end, the others once more."""
    if problem.minimum is None:
        return plan
    used = plan >= problem.minimum / 2
    low, high = np.where(used, problem.minimum, 0.0), np.where(used, problem.high, 0.0)
    inside = Problem(problem.cells, problem.current, low, high, problem.rows)
    start = np.clip(plan, low, high)
    return local(inside, market, start)


def spent(problem: Problem, plan: Floats) -> bool:
    """Whether a plan keeps to the total and the minimum commitments, to a millionth of the largest amount."""
    most = 1e-6 * float(problem.high.max())
    rows = all(row.low - most <= row.weights @ plan <= row.high + most for row in problem.rows)
    some = problem.minimum is None or bool(((plan <= most) | (plan >= problem.minimum - most)).all())
    return rows and some


def one(case: dict[str, Any], seed: int) -> dict[str, Any]:
    """Our plan and SLSQP's of one market."""
    shape = tuple(case["shape"])
    market = decision_markets.market(seed, case["channels"], case["draws"], case["periods"], shape)
    problem = decision_markets.question(market, case.get("ramp"), case.get("minimum"))

    def worth(plan: Floats) -> float:
        return float(market.value(plan).sum(axis=1).mean()) if spent(problem, plan) else -np.inf

    began = time.perf_counter()
    ours = solve(problem, market, Mean(), seed=seed)
    seconds = time.perf_counter() - began
    rng = np.random.default_rng([seed, 7])
    cells, total = len(problem.cells), float(problem.current.sum())
    starts = [
        problem.current,
        *(np.minimum(rng.dirichlet(np.ones(cells)) * total, problem.high) for _ in range(case["starts"])),
    ]
    began = time.perf_counter()
    values = [worth(allowed(problem, market, local(problem, market, s))) for s in starts[: case["starts"]]]
    return {
        "value": ours.value,
        "allowed": spent(problem, ours.money),
        "certified": ours.certificate.certified,
        "bound": ours.certificate.bound,
        "gap": ours.certificate.relative_gap,
        "seconds": round(seconds, 3),
        "current": worth(problem.current) if problem.minimum is None else None,
        "slsqp": [None if not np.isfinite(v) else v for v in values],
        "slsqp_seconds": round(time.perf_counter() - began, 3),
    }


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


def main(arguments: list[str] | None = None) -> None:
    """Solve the missing markets, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny markets: checks that the study runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished markets")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    args.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, case in settings["cases"].items():
        path = args.out / f"{name}.json"
        worlds = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        for seed in range(len(worlds) + 1, case.get("worlds", settings["worlds"]) + 1):
            worlds.append(one(case, seed))
            path.write_text(json.dumps(worlds, indent=1) + "\n", encoding="utf-8")
            print(f"{name} {seed}: gap {worlds[-1]['gap']}, {worlds[-1]['seconds']} s", flush=True)
        found[name] = worlds
    print(table_of(found, settings["miss"]).to_string(index=False))


if __name__ == "__main__":
    main()
