"""Tables of finished worlds: honesty of each evaluator, value of the tuned rules, gate and probability of overfitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

Cell = dict[str, Any]
Floats = NDArray[np.float64]
EVALUATORS = ("replay", "next_period", "folds", "ours")
RECALIBRATED = "ours, recalibrated"
KINDS = ("calm", "randomised", "demand")
SMALLEST = 20  # Worlds that a recalibration needs.
MASS = 1.645  # Of a 90 % interval, in standard errors.


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """All tables as nested mappings; uplifts in percent of the margin on the default rules' revenue."""
    kinds = {"all": list(cells)} | {kind: [c for c in cells if c["kind"] == kind] for kind in KINDS}
    gates: dict[str, Callable[[Cell], bool]] = {
        "passed": lambda c: all(c["passed"]),
        "refused": lambda c: not all(c["passed"]),
    }
    groups = kinds | {f"gate {name}": [c for c in cells if test(c)] for name, test in gates.items()}
    groups = {name: group for name, group in groups.items() if len(group) > 1}
    return {
        "worlds": len(cells),
        "honesty": {name: evaluators(group, "holdout") for name, group in groups.items()},
        "honesty afterwards": {name: evaluators(group, "future") for name, group in groups.items()},
        "value": {name: value(group) for name, group in groups.items()},
        "gate": {name: gate(group) for name, group in kinds.items() if group},
        "causes": {name: causes(group) for name, group in groups.items()},
    }


def evaluators(cells: Sequence[Cell], window: str) -> dict[str, dict[str, float]]:
    """Honesty of every evaluator, and of ours once it was recalibrated."""
    found = {name: honesty(cells, name, window) for name in EVALUATORS}
    return found | ({RECALIBRATED: recalibrated(cells, window)} if len(cells) >= SMALLEST else {})


def recalibrated(cells: Sequence[Cell], window: str) -> dict[str, float]:
    """Ours after a line through other worlds, true = a + b claim, with split-conformal intervals.

    Every second world is the one half; each half is judged by what the other one taught: the line, and the quantile of
    the distance from it in standard deviations of the claim.
    """
    claim = np.array([c["ours"]["claim"] for c in cells])
    spread = np.array([max(c["ours"]["high"] - c["ours"]["low"], 1e-9) for c in cells])
    truth = np.array([c[window]["true"]["folds"] for c in cells])
    said, wide = np.empty(len(cells)), np.empty(len(cells))
    for half in (0, 1):
        own = np.arange(len(cells)) % 2 == half
        slope, level = np.polyfit(claim[~own], truth[~own], 1)
        scores = np.sort(np.abs(truth - level - slope * claim)[~own] / spread[~own])
        rank = min(int(np.ceil(0.9 * (len(scores) + 1))), len(scores)) - 1
        said[own], wide[own] = level + slope * claim[own], scores[rank] * spread[own]
    error = said - truth
    return {
        "claim": float(said.mean()),
        "true": float(truth.mean()),
        "error": float(error.mean()),
        "se": standard_error(error),
        "rmse": float(np.sqrt((error**2).mean())),
        "coverage": float((np.abs(error) <= wide).mean()),
        "width": float(2.0 * wide.mean()),
    }


def causes(cells: Sequence[Cell]) -> dict[str, float]:
    """What may explain errors of ours: elasticities, learning phases, candidates that nobody chose, and what luck adds."""
    elasticity = {name: float(np.mean([c["elasticity"][name] for c in cells])) for name in ("true", "folds", "judge")}
    progress = np.array([c["holdout"]["progress"] for c in cells])
    some = [np.array(c["claimed"]["judge"])[1:] - np.array(c["true"])[1:] for c in cells]
    narrow = [_holds(c, "expected") for c in cells]
    return {f"elasticity {name}": number for name, number in elasticity.items()} | {
        "learning lost": float((progress[:, 0] - progress[:, 1]).mean()),
        "error of all candidates": float(np.mean([one.mean() for one in some])),
        "coverage by the judge alone": float(np.mean([_holds(c, "judged") for c in cells])),
        "coverage without luck": float(np.mean(narrow)),
    }


def _holds(cell: Cell, draws: str) -> bool:
    """Whether the central 90 % of some of the judge's draws hold the truth of the hold-out."""
    low, high = np.quantile(cell["ours"][draws], [0.05, 0.95])
    return bool(low <= cell["holdout"]["true"]["folds"] <= high)


def honesty(cells: Sequence[Cell], evaluator: str, window: str) -> dict[str, float]:
    """Claim of an evaluator's winner against its truth.

    ``folds`` is what the models that tuning used claim of their winner, ``ours`` what the judge says of the same winner.
    """
    by = "folds" if evaluator == "ours" else evaluator
    claim = np.array([c["ours"]["claim"] if evaluator == "ours" else c["claim"][by] for c in cells])
    truth = np.array([c[window]["true"][by] for c in cells])
    error = claim - truth
    ranks = "judge" if evaluator == "ours" else by
    found = {
        "claim": float(claim.mean()),
        "true": float(truth.mean()),
        "error": float(error.mean()),
        "se": standard_error(error),
        "rmse": float(np.sqrt((error**2).mean())),
        "rank correlation": float(np.mean([rank_correlation(c["claimed"][ranks], c["true"]) for c in cells])),
        "regret": float(np.mean([regret(c["claimed"][by], c["true"]) for c in cells])),
    }
    if evaluator == "ours":
        low, high = (np.array([c["ours"][end] for c in cells]) for end in ("low", "high"))
        found |= {
            "coverage": float(((truth >= low) & (truth <= high)).mean()),
            "coverage of one future": float(np.mean([c[window]["inside"] for c in cells])),
            "width": float((high - low).mean()),
        }
    return found


def value(cells: Sequence[Cell]) -> dict[str, dict[str, float]]:
    """True profit of rules tuned by ours, less that of other policies, in the days after the history."""
    tuned = np.array([c["future"]["true"]["folds"] for c in cells])
    adopt = np.array([c["ours"]["low"] > 0.0 and c["overfitting"] <= 0.5 for c in cells])
    found = {"tuned - default": paired(tuned), "adopted - default": paired(np.where(adopt, tuned, 0.0))}
    for name in cells[0]["allocations"]:
        other = np.array([c["allocations"][name] for c in cells])
        found |= {f"tuned - {name}": paired(tuned - other), f"default - {name}": paired(-other)}
    found["replay's - default"] = paired(np.array([c["future"]["true"]["replay"] for c in cells]))
    found["next period's - default"] = paired(np.array([c["future"]["true"]["next_period"] for c in cells]))
    return found


def gate(cells: Sequence[Cell]) -> dict[str, float]:
    """How often response models may not be used, verdicts that adopt, and the probability of overfitting."""
    passed = np.array([c["passed"] for c in cells])
    adopt = [c["ours"]["low"] > 0.0 and c["overfitting"] <= 0.5 for c in cells]
    return {
        "worlds": len(cells),
        "worlds with a refused model": float((~passed.all(axis=1)).mean()),
        "models refused": float((~passed).mean()),
        "judges refused": float((~passed[:, -1]).mean()),
        "adopted": float(np.mean(adopt)),
        "probability of overfitting": float(np.mean([c["overfitting"] for c in cells])),
    }


def paired(difference: Floats) -> dict[str, float]:
    """Mean over worlds with a 90 % interval."""
    mean, error = float(difference.mean()), standard_error(difference)
    return {"mean": mean, "low": mean - MASS * error, "high": mean + MASS * error, "better": float((difference > 0.0).mean())}


def standard_error(values: Floats) -> float:
    """Of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def rank_correlation(claimed: Sequence[float], true: Sequence[float]) -> float:
    """Spearman's, over candidates; 0 where the evaluator sees no difference."""
    if np.ptp(claimed) == 0.0 or np.ptp(true) == 0.0:
        return 0.0
    return float(spearmanr(claimed, true).statistic)


def regret(claimed: Sequence[float], true: Sequence[float]) -> float:
    """True uplift of the best candidate less that of the one with the largest claim."""
    return float(np.max(true) - true[int(np.argmax(claimed))])


def tables(found: dict[str, Any]) -> str:
    """The summary as text."""
    parts = [f"{found['worlds']} worlds; uplifts in percent of the margin on the default rules' revenue"]
    for title in ("honesty", "honesty afterwards"):
        for name, rows in found[title].items():
            parts.append(f"\n{title}: {name}\n{pd.DataFrame(rows).T.round(3).to_string()}")
    for name, rows in found["value"].items():
        parts.append(f"\nvalue: {name}\n{pd.DataFrame(rows).T.round(2).to_string()}")
    parts.append(f"\n{pd.DataFrame(found['causes']).T.round(3).to_string()}")
    parts.append(f"\n{pd.DataFrame(found['gate']).T.round(3).to_string()}")
    return "\n".join(parts)
