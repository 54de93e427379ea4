"""The peers' own optimisers on the same markets: PyMC-Marketing in its environment, Meridian's step as a copy held against it.

Both decide one amount per channel: they are not asked for flighting. Neither knows minimum commitments; as with SLSQP, their
plan is moved to the nearer end of each and they are asked once more.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import decision_greedy
import decision_markets
import numpy as np
import numpy.typing as npt

from mmx.decide.problem import Problem
from mmx.worlds import simulate

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "peers"))

import run_peer  # noqa: E402

Floats = npt.NDArray[np.float64]
SMALL = 100  # Rows of a grid of Meridian's that is stored, for the tests.
ONE_THREAD = [f"{name}_NUM_THREADS=1" for name in ("OMP", "OPENBLAS", "NUMBA")]  # Two wait for each other beside other work.
CHANGE = 0.3  # Meridian's default bounds around its plan.
CURRENCY = 1000.0  # Meridian rounds spends to whole units of money: a market's 60 a channel are 60,000 of them.


def meridian_grids(problem: Problem, market: decision_markets.Market) -> tuple[Floats, Floats, dict[str, Any]]:
    """Grids (row, channel) of a market in Meridian's manner, and the question as its ``optimize`` takes it."""
    spend = problem.current * CURRENCY
    budget = float(spend.sum())
    low, high = problem.low / problem.current, problem.high / problem.current
    spends = decision_greedy.grid(*decision_greedy.bounds(spend, low, high, budget), budget)
    question = {"spend": spend.tolist(), "budget": budget, "gtol": decision_greedy.GTOL}
    return spends, _outcomes(market)(spends), question | {"lower": (1 - low).tolist(), "upper": (high - 1).tolist()}


def meridian_plan(problem: Problem, market: decision_markets.Market) -> Floats:
    """Plan of Meridian's step, (channel,), in the market's money."""
    spend, total = problem.current * CURRENCY, float(problem.current.sum()) * CURRENCY
    low, high, outcomes = problem.low * CURRENCY, problem.high * CURRENCY, _outcomes(market)
    plan = decision_greedy.plan(outcomes, spend, low / spend, high / spend, total)
    if problem.minimum is not None:
        least = problem.minimum * CURRENCY
        used = plan >= least / 2
        # Bounds are multiples of a plan, the lower at most 1, the upper at least: unused channels have no part in it.
        spend = _even(used, total)
        shares = [np.divide(end, spend, out=np.ones_like(spend), where=used) for end in (least, high)]
        plan = decision_greedy.plan(outcomes, spend, shares[0], shares[1], total)
    return plan / CURRENCY


def _even(used: npt.NDArray[np.bool_], total: float) -> Floats:
    """Equal spends of the used channels on Meridian's grid, as nearly as the whole total allows."""
    step = 10.0 ** -decision_greedy.digits(total)
    each, more = divmod(round(total / step), max(int(used.sum()), 1))
    return np.where(used, each + (used.cumsum() <= more), 0) * step


def _outcomes(market: decision_markets.Market) -> Any:
    """Mean outcomes on grids of spends (row, channel); NaN where there is no spend."""

    def outcomes(spends: Floats) -> Floats:
        found = np.array([market.value(np.nan_to_num(row) / CURRENCY).mean(axis=0) for row in spends])
        return np.where(np.isnan(spends), np.nan, found)

    return outcomes


def pymc_marketing_plans(
    problem: Problem, markets: dict[int, decision_markets.Market], repeats: int, timeout: float
) -> dict[int, dict[str, Any]]:
    """Answers of PyMC-Marketing by seed: ``plan``, ``value`` and ``current`` by its own count, ``seconds``; or ``failed``.

    Parameters
    ----------
    problem : Problem
        The same for all markets.
    markets : dict of int to Market
    repeats : int
        How often each is solved; the shortest run counts.
    timeout : float
        Seconds for all.
    """
    minimum = None if problem.minimum is None else problem.minimum.tolist()
    asked: dict[str, Any] = {"seeds": list(markets), "total": float(problem.current.sum()), "minimum": minimum}
    asked["repeats"] = repeats
    asked |= {name: getattr(problem, name).tolist() for name in ("current", "low", "high")}
    arrays = {f"{name}_{seed}": getattr(m, name) for seed, m in markets.items() for name in ("top", "half", "shape")}
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "markets.npz", Path(folder) / "plans.json"
        np.savez(source, allow_pickle=False, asked=np.array(json.dumps(asked)), **arrays)
        found = _run("pymc_marketing", "pymc_marketing_plans.py", [str(source), str(out)], out, timeout)
    if "failed" in found:
        raise SystemExit(f"PyMC-Marketing: {found['failed']}")
    common = {name: found[name] for name in ("versions", "import_seconds", "prepare_seconds")}
    return {seed: {**found["plans"][str(seed)], **common} for seed in markets}


def check_meridian(settings: dict[str, Any], worlds: dict[str, tuple[Problem, decision_markets.Market]]) -> dict[str, Any]:
    """Whether our copy of the step is Meridian's: on a fit of its own, and on grids of our markets.

    Parameters
    ----------
    settings : dict
        ``world, seed, periods, options, questions, timeout`` of the fit.
    worlds : dict of str to (Problem, Market)

    Returns
    -------
    dict
        Per question of the fit whether the grid of spends and the plan are equal; how many of the markets' plans are.
    """
    simulated = simulate(settings["world"], seed=settings["seed"], periods=settings["periods"])
    kpi = simulated.table[simulated.table[simulated.settings["data"]["target"]].notna()]
    grids = {name: meridian_grids(problem, market) for name, (problem, market) in worlds.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = run_peer.write_case(folder / "case", settings["world"], kpi, simulated.settings["data"])
        asked = {key: settings[key] for key in ("options", "questions")} | {"curves": {k: g[2] for k, g in grids.items()}}
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        arrays = {f"{k}_spends": g[0] for k, g in grids.items()} | {f"{k}_outcomes": g[1] for k, g in grids.items()}
        np.savez(folder / "grids.npz", allow_pickle=False, **arrays)
        out = folder / "answers.json"
        files = [str(case), str(folder / "asked.json"), str(folder / "grids.npz"), str(out)]
        found = _run("meridian", "meridian_step.py", files, out, settings["timeout"])
    if "failed" in found:
        raise SystemExit(f"Meridian: {found['failed']}")
    same = []
    for name, (spends, outcomes, question) in grids.items():
        ours = decision_greedy.climb(spends, outcomes, question["budget"])
        same.append(bool((ours == np.asarray(found["curves"][name])).all()))
    fits = [_held(answer) for answer in found["fit"]]
    return {"versions": found["versions"], "fit": fits, "markets": len(same), "equal_plans": sum(same)}


def _held(answer: dict[str, Any]) -> dict[str, Any]:
    """Our grid and plan against Meridian's, for one question to its own fit."""
    question = answer["question"]
    historical = np.asarray(answer["historical"])
    budget = float(question.get("budget") or historical.sum())
    spend = budget * (historical / historical.sum())
    gtol = question.get("gtol", decision_greedy.GTOL)
    low, high = (np.asarray(question.get(f"spend_constraint_{end}", CHANGE)) for end in ("lower", "upper"))
    spends = decision_greedy.grid(*decision_greedy.bounds(spend, 1 - low, 1 + high, budget, gtol), budget, gtol)
    theirs, outcomes = (np.array(answer[name], dtype=float) for name in ("spends", "outcomes"))
    places = decision_greedy.digits(budget, gtol)
    total = float(np.round(spend, places).astype(int).sum())
    ours = decision_greedy.climb(spends, outcomes, total)
    plan = np.asarray(answer["plan"])
    small = {"spends": answer["spends"], "outcomes": answer["outcomes"], "total": total, "plan": plan.tolist()}
    return {
        "question": question,
        "channels": len(historical),
        "rows": len(theirs),
        "seconds": answer["seconds"],
        "equal_grid": spends.shape == theirs.shape and bool(np.array_equal(spends, theirs, equal_nan=True)),
        "equal_plan": bool((ours == plan).all()),
        "moved": bool((plan != np.round(spend, places)).any()),
        "grids": small if len(theirs) <= SMALL else None,
    }


def _run(peer: str, script: str, files: list[str], out: Path, timeout: float) -> dict[str, Any]:
    """Run a script of this folder in a peer's environment and return the JSON that it writes, or why it did not."""
    python = run_peer.peer_python(peer)
    command = ["env", *ONE_THREAD, str(python), str(HERE / script), *files]
    found: dict[str, Any] = run_peer.run_process(command, out, peer, timeout, python.parents[1] / "cache")
    return found


def missing(peer: str) -> bool:
    """Whether a peer's environment has not been made."""
    return not run_peer.peer_python(peer).is_file()
