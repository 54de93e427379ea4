"""How good, how sure and how fast the solvers of budgets are, against SciPy's SLSQP from many starts and the peers' optimisers.

Run ``python experiments/decisions/run.py`` (minutes; finished worlds are stored and skipped), with ``--no-peers``, or with
``--smoke``. All solvers see the same draws; the environments of the peers are made by ``scripts/make_peers.sh``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import decision_markets
import decision_peers
import decision_tables
import numpy as np
import numpy.typing as npt
import yaml
from scipy.optimize import LinearConstraint, minimize
from threadpoolctl import threadpool_limits

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


def from_start(problem: Problem, market: decision_markets.Market, start: Floats) -> Floats:
    """Plan of SLSQP from a start, minimum commitments kept."""
    return allowed(problem, market, local(problem, market, start))


def spent(problem: Problem, plan: Floats) -> bool:
    """Whether a plan keeps to the total and the minimum commitments, to a millionth of the largest amount."""
    most = 1e-6 * float(problem.high.max())
    rows = all(row.low - most <= row.weights @ plan <= row.high + most for row in problem.rows)
    some = problem.minimum is None or bool(((plan <= most) | (plan >= problem.minimum - most)).all())
    return rows and some


def posed(case: dict[str, Any], seed: int) -> tuple[Problem, decision_markets.Market]:
    """Problem and market of a seed."""
    made = decision_markets.market(seed, case["channels"], case["draws"], case["periods"], tuple(case["shape"]))
    return decision_markets.question(made, case.get("ramp"), case.get("minimum")), made


def mean_of(problem: Problem, market: decision_markets.Market, plan: Floats, *, within: bool = False) -> float:
    """Mean of a plan; -inf for one that is not allowed. ``within``: the total is a limit that need not be spent."""
    rows = tuple(replace(row, low=-np.inf) for row in problem.rows) if within else problem.rows
    return float(market.value(plan).sum(axis=1).mean()) if spent(replace(problem, rows=rows), plan) else -np.inf


def timed[Found](call: Callable[[], Found], repeats: int) -> tuple[Found, float]:
    """What a call returns, and the seconds of its shortest run, one thread: other work on the machine only adds to them."""
    took = []
    with threadpool_limits(1):
        for _ in range(repeats):
            began = time.perf_counter()
            found = call()
            took.append(time.perf_counter() - began)
    return found, min(took)


def one(case: dict[str, Any], seed: int, repeats: int) -> dict[str, Any]:
    """Our plan, SLSQP's and that of Meridian's step, of one market."""
    problem, market = posed(case, seed)
    ours, seconds = timed(lambda: solve(problem, market, Mean(), seed=seed), repeats)
    rng = np.random.default_rng([seed, 7])
    cells, total = len(problem.cells), float(problem.current.sum())
    random = (np.minimum(rng.dirichlet(np.ones(cells)) * total, problem.high) for _ in range(case["starts"]))
    values, took = [], []
    for start in [problem.current, *random][: case["starts"]]:
        plan, shortest = timed(partial(from_start, problem, market, start), repeats)
        took.append(shortest)
        values.append(mean_of(problem, market, plan))
    return {
        "value": ours.value,
        "allowed": spent(problem, ours.money),
        "certified": ours.certificate.certified,
        "bound": ours.certificate.bound,
        "gap": ours.certificate.relative_gap,
        "seconds": round(seconds, 3),
        "current": mean_of(problem, market, problem.current) if problem.minimum is None else None,
        "slsqp": [None if not np.isfinite(v) else v for v in values],
        "slsqp_seconds": round(sum(took), 3),
        "slsqp_first_seconds": round(took[0], 3) if took else None,
        "meridian": None if case["periods"] > 1 else step_of_meridian(problem, market, repeats),
    }


def step_of_meridian(problem: Problem, market: decision_markets.Market, repeats: int) -> dict[str, Any]:
    """Value, seconds and what is left unspent of Meridian's step, grids included."""
    plan, seconds = timed(lambda: decision_peers.meridian_plan(problem, market), repeats)
    value = mean_of(problem, market, plan, within=True)
    left = 1 - float(plan.sum() / problem.current.sum())
    return {"value": value if np.isfinite(value) else None, "seconds": round(seconds, 3), "unspent": left}


def add_pymc_marketing(case: dict[str, Any], worlds: list[dict[str, Any]], repeats: int, timeout: float) -> bool:
    """Ask PyMC-Marketing about the markets that lack its answer; whether there were any."""
    seeds = [seed for seed, world in enumerate(worlds, 1) if "pymc_marketing" not in world]
    if case["periods"] > 1 or not seeds:
        return False
    made = {seed: posed(case, seed) for seed in seeds}
    markets = {seed: market for seed, (_, market) in made.items()}
    found = decision_peers.pymc_marketing_plans(made[seeds[0]][0], markets, repeats, timeout)
    for seed, (problem, market) in made.items():
        answer = found[seed]
        current = float(market.value(problem.current).sum(axis=1).mean())
        answer["current_differs"] = abs(answer.pop("current") / current - 1)
        if (plan := answer.pop("plan", None)) is not None:
            value = mean_of(problem, market, np.asarray(plan))
            answer["value_differs"] = abs(answer["value"] / value - 1)
            answer["value"] = value if np.isfinite(value) else None
        worlds[seed - 1]["pymc_marketing"] = answer
    return True


def main(arguments: list[str] | None = None) -> None:
    """Solve the missing markets, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny markets, no peers: checks that the study runs")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of finished markets")
    args = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    if args.smoke:
        settings |= settings["smoke"]
    peers = dict.fromkeys(("pymc_marketing", "meridian"), not args.smoke and not args.no_peers)
    for name in [name for name, wanted in peers.items() if wanted and decision_peers.missing(name)]:
        peers[name] = False
        print(f"the environment of {name} is missing (scripts/make_peers.sh makes it); left out", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, case in settings["cases"].items():
        path = args.out / f"{name}.json"
        worlds = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        for seed in range(len(worlds) + 1, case.get("worlds", settings["worlds"]) + 1):
            worlds.append(one(case, seed, settings["repeats"]))
            store(path, worlds)
            print(f"{name} {seed}: gap {worlds[-1]['gap']}, {worlds[-1]['seconds']} s", flush=True)
        if peers["pymc_marketing"] and add_pymc_marketing(case, worlds, settings["repeats"], settings["timeout"]):
            store(path, worlds)
        found[name] = worlds
    check = args.out / "meridian_step.json"
    if peers["meridian"] and not check.is_file():
        cases = {k: c for k, c in settings["cases"].items() if c["periods"] == 1}
        markets = {f"{k}_{seed}": posed(c, seed) for k, c in cases.items() for seed in range(1, len(found[k]) + 1)}
        store(check, decision_peers.check_meridian(settings["meridian"] | {"timeout": settings["timeout"]}, markets))
    print(decision_tables.table_of(found, settings["miss"]).to_string(index=False))
    print(decision_tables.side_by_side(found, settings["miss"]).to_string(index=False))


def store(path: Path, what: Any) -> None:
    """Write a JSON."""
    path.write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
