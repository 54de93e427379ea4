"""Content of ``summary.json`` of a tuning, and the rows of ``front.csv``: plain values, the same numbers as in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mmx.tune.rule_evidence import Difference
from mmx.tune.rule_tuning import RuleTuning
from mmx.tune.shortlist import Listed

FORMAT = 1


def summary_content(made: RuleTuning) -> dict[str, Any]:
    """Return what was searched, found and judged; numbers that JSON cannot hold are null."""
    tuning, evidence = made.tuning, made.evidence
    verdict = evidence.verdict
    content = {
        "format": FORMAT,
        "name": made.name,
        "account": made.account,
        "platform": made.platform,
        "currency": made.currency,
        "study": tuning.study,
        "headline": evidence.headline,
        "basis": list(evidence.basis),
        "verdict": {
            "adopt": verdict.adopt,
            "of": evidence.differences[0].name,
            "unit": verdict.unit,
            "mean": verdict.mean,
            "low": verdict.low,
            "high": verdict.high,
            "mass": verdict.mass,
            "probability": verdict.probability,
            "rests_on_prior": evidence.on_prior,
        },
        "hold_out": {d.name: _difference(d, verdict.mass) for d in evidence.differences},
        "tuning": {
            name: {"unit": made.unit(name), "default": default, "winner": winner}
            for name, (default, winner) in made.scores.items()
        },
        "spend": {"unit": made.unit("revenue"), "default": made.spend[0], "winner": made.spend[1]},
        "luck": _luck(made),
        "replay": None if evidence.replay is None else vars(evidence.replay),
        "models": [vars(note) for note in evidence.models],
        "search": _search(made),
        "days": {
            "first": made.dates[0],
            "last": made.dates[1],
            "origins": list(made.folds.origins),
            "hold_out": made.folds.holdout,
            "days": made.folds.end,
            "horizon": made.horizon,
            "ad_sets": made.adsets,
        },
        "parameters": {c.name: {"default": c.parameter.default, "tuned": c.value} for c in made.changes},
        "listed": [listed_content(made, one) for one in made.listed],
        "notes": list(made.notes),
        **{f"{key}_sha256": value for key, value in made.hashes.items()},
    }
    plain: dict[str, Any] = _finite(content)
    return plain


def _search(made: RuleTuning) -> dict[str, Any]:
    tuning, trials = made.tuning, made.tuning.trials
    goals = tuning.search.goals
    return {
        "engine": made.engine,
        "storage": made.storage,
        "seed": made.seed,
        "trials": len(trials),
        "feasible": int((trials.violation <= 0.0).sum()),
        "objectives": dict(zip(goals.names, goals.weights.tolist(), strict=True)),
        "multi": goals.multi,
        "constraints": list(trials.constraints),
        "screening": tuning.screening.sentence,
        "without_effect": list(tuning.screening.dead),
        "searched": list(tuning.search.names),
        "starts": list(made.starts),
        "importances": tuning.importances,
    }


def _difference(one: Difference, mass: float) -> dict[str, Any]:
    mean, low, high = one.interval(mass)
    return {
        "unit": one.unit,
        "default": one.level,
        "mean": mean,
        "low": low,
        "high": high,
        "probability": float((one.judged > 0.0).mean()),
        "claimed_by_tuning": float(one.claimed.mean()),
    }


def _luck(made: RuleTuning) -> dict[str, Any]:
    luck, deflated = made.tuning.luck, made.tuning.deflated
    return {
        "probability_of_overfitting": None if luck is None else luck.probability,
        "below_default": None if luck is None else luck.below_default,
        "different_trials": None if luck is None else luck.trials,
        "gain": deflated.gain,
        "expected_by_luck": deflated.expected,
        "deflated_gain": deflated.deflated,
        "independent_trials": deflated.independent,
    }


def listed_content(made: RuleTuning, one: Listed) -> dict[str, Any]:
    """One trial as plain values: its number, roles, scores as reported, violations, and parameters that differ."""
    trials = made.tuning.trials
    mean = trials.by_fold[one.row].mean(axis=0)
    return {
        "number": int(trials.number[one.row]),
        "roles": list(one.roles),
        "proposed_by": trials.engine[one.row],
        "objectives": {name: float(made.reported(name, value)) for name, value in zip(trials.objectives, mean, strict=True)},
        "violations": dict(zip(trials.constraints, trials.violations[one.row].tolist(), strict=True)),
        "parameters": made.tuning.search.problem.space.differing(trials.vectors[one.row]),
    }


def front_table(made: RuleTuning) -> pd.DataFrame:
    """The listed trials, one row each: ``number, roles, objective/..., constraint/..., parameter/...`` of searched ones."""
    names, space, trials = made.tuning.search.names, made.tuning.search.problem.space, made.tuning.trials
    rows = []
    for one in made.listed:
        content = listed_content(made, one)
        row = {"number": content["number"], "roles": " ".join(content["roles"]), "proposed_by": content["proposed_by"]}
        row |= {f"objective/{name}": value for name, value in content["objectives"].items()}
        row |= {f"constraint/{name}": value for name, value in content["violations"].items()}
        row |= {f"parameter/{name}": float(trials.vectors[one.row, space.index(name)]) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
