"""Cells of the study: one tool on one simulated world, stored as one small JSON that knows which data it is of."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import mmx
from experiments.peers.diagnostics import judge
from experiments.peers.run_peer import run_peer, write_case
from mmx.config import Config
from mmx.mmm.fit import Fit
from mmx.mmm.quantities import roas_draws
from mmx.worlds import Simulated, read, simulate

SHAPES = ("alpha", "theta", "stage", "half_saturation", "slope", "lam", "noise")


@dataclass(frozen=True)
class Case:
    """One world with one seed.

    Attributes
    ----------
    world : str
    seed : int
        The cell's seed; the simulation's is the world's number plus this.
    simulated : Simulated
    digest : str
        Of table, truth and settings: a cell that has another one is stale.
    """

    world: str
    seed: int
    simulated: Simulated = field(repr=False)
    digest: str

    @property
    def name(self) -> str:
        """Name of the case in files."""
        return f"{self.world}-{self.seed}"


def make_case(settings: dict[str, Any], world: str, seed: int) -> Case:
    """Simulate the world of a cell."""
    variant = settings["variants"]["odd" if seed % 2 else "even"]
    made = simulate(world, seed=settings["worlds"][world] + seed, periods=settings["periods"], variant=variant)
    text = made.table.to_csv(index=False) + json.dumps([made.truth, made.settings])
    return Case(world, seed, made, hashlib.sha256(text.encode()).hexdigest()[:16])


def stored(path: Path, case: Case) -> dict[str, Any] | None:
    """Return a finished cell, or None where there is none yet.

    Raises
    ------
    SystemExit
        If the cell is of other data than the world has now.
    """
    if not path.is_file():
        return None
    cell: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if cell["digest"] != case.digest:
        raise SystemExit(f"{path} is of another simulation than the world {case.world} now gives: delete it to run it again")
    return cell


def store(path: Path, cell: dict[str, Any]) -> None:
    """Write a cell beside its place and rename it when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(cell, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def run_cell(case: Case, tool: str, settings: dict[str, Any], overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fit one case with one tool.

    Returns
    -------
    dict
        ``tool, world, seed, simulation, digest``, and ``failed`` with a reason or ``roas`` by channel (``truth, mean, median,
        q05, q95``), ``diagnostics``, ``seconds`` and what the tool was told.
    """
    truth = case.simulated.truth
    cell: dict[str, Any] = {
        "tool": tool,
        "world": case.world,
        "seed": case.seed,
        "simulation": {k: truth[k] for k in ("seed", "variant", "departures")},
        "digest": case.digest,
    }
    told = settings["tools"].get(tool, {})
    result = run_peer_tool(case, told, settings["peer_timeout"]) if "peer" in told else run_mmx(case, overrides)
    if "roas" in result:
        stats = ("mean", "median", "q05", "q95")
        channels = {n: {"truth": truth["roas"][n], **{k: result["roas"][n][k] for k in stats}} for n in truth["roas"]}
        result["roas"] = {n: {k: _short(v) for k, v in values.items()} for n, values in channels.items()}
    return cell | result


def run_mmx(case: Case, overrides: tuple[str, ...]) -> dict[str, Any]:
    """Fit with the defaults of mmx as the world's table and settings reach a user, without reports or tracking."""
    config, panel = read(case.simulated, overrides=overrides)
    began = time.perf_counter()
    fit = mmx.fit(panel, config.spec, seed=case.seed)
    seconds = time.perf_counter() - began
    return {
        "roas": {n.removeprefix("roas[").removesuffix("]"): v for n, v in _roas(fit).items()},
        "diagnostics": _diagnostics(fit),
        "gate": {
            "passed": fit.converged,
            "reasons": list(fit.gate.reasons),
            "sampled_twice": any("sampled once more" in d for d in fit.decisions),
        },
        "seconds": {"all_in": round(seconds, 2), **{k: round(v, 2) for k, v in fit.seconds.items()}},
        "plan": _plan(fit, config),
        "settings": {"overrides": list(overrides)},
        "versions": {"mmx": mmx.__version__},
    }


def _roas(fit: Fit) -> dict[str, dict[str, float]]:
    draws = {n: v for n, v in roas_draws(fit.posterior, fit.effects).items() if n.startswith("roas[")}
    out = {}
    for name, values in draws.items():
        q05, median, q95 = (float(q) for q in np.quantile(values, [0.05, 0.5, 0.95]))
        out[name] = {"mean": float(values.mean()), "median": median, "q05": q05, "q95": q95}
    return out


def _diagnostics(fit: Fit) -> dict[str, Any]:
    """Return the diagnostics of the quantities that every tool has: ROAS, carryover, saturation, noise; one judge for all."""
    posterior = fit.posterior
    values = {n: v for n, v in roas_draws(posterior, fit.effects).items() if n.startswith("roas[")}
    for name in SHAPES:
        if name in posterior.params:
            columns = posterior.params[name].reshape(posterior.samples, -1)
            values |= {f"{name}[{i}]": posterior.split_chains(columns[:, i]) for i in range(columns.shape[1])}
    return _kept(judge(values), fit.gate.divergences)


def _kept(diagnostics: dict[str, Any], divergences: int) -> dict[str, Any]:
    kept = ("max_rhat", "min_ess_bulk", "min_ess_tail", "worst_rhat", "worst_ess_bulk", "quantities")
    return {k: _short(diagnostics[k]) for k in kept} | {"divergences": divergences}


def _plan(fit: Fit, config: Config) -> dict[str, float]:
    """Multipliers of the recommended plan by channel."""
    budget = config.budget
    plan = mmx.recommend(fit, horizon=budget.horizon, bounds=budget.bounds, reference=budget.reference, allow_unconverged=True)
    return {name: round(channel.multiplier, 4) for name, channel in plan.channels.items()}


def run_peer_tool(case: Case, told: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Fit with a peer in its own environment; see ``experiments/peers/README.md``."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_case(Path(folder) / "case", case.name, case.simulated.table, case.simulated.settings["data"])
        options = {**told["options"], "seed": case.seed}
        result = run_peer(told["peer"], place, Path(folder) / "result.json", options, timeout)
    if "failed" in result:
        return {"failed": result["failed"], "seconds": {"all_in": None, **result["seconds"]}}
    return {
        "roas": result["roas"],
        "diagnostics": _kept(result["diagnostics"], result["divergences"]),
        "seconds": {k: round(v, 2) for k, v in result["seconds"].items()},
        "plan": None,
        "settings": result["settings"],
        "versions": result["versions"],
    }


def _short(value: Any) -> Any:
    """Five significant digits; what is not finite becomes null."""
    if not isinstance(value, float | np.floating):
        return value
    return float(f"{value:.5g}") if np.isfinite(value) else None
