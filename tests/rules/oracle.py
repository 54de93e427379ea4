"""The rules once more, one ad set after the other in plain Python: the oracle of the engine.

It shares with ``mmx.rules`` names of parameters and rules, the order of rules, and none of its arithmetic: windows are summed
over rows, money is shared out over sorted breakpoints, and every rule is written from its own words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from mmx.rules.library import LIBRARY

from .histories import Case
from .oracle_changes import EDITS, GUARDRAILS, MODIFIERS, MONEY, limited
from .oracle_deciders import DECIDERS, Says
from .oracle_view import PHASES, Seen, look

INF = math.inf
ORDER = {rule.name: n for n, rule in enumerate(LIBRARY)}


def in_order(rules: tuple[Any, ...]) -> list[Any]:
    """The oracle's rules in the order of the library."""
    return sorted(rules, key=lambda rule: ORDER[rule.__name__])


@dataclass(frozen=True)
class Decided:
    """What the oracle decides: the numbers of ``Decision``, names instead of positions, and what held each budget."""

    budget: list[float]
    rule: list[str | None]
    factor: list[float]
    money: float
    unallocated: float
    phase: list[str]
    days_in_phase: list[float]
    days_since_change: list[float]
    before: list[float]
    failures: list[float]
    held_by: list[set[str]]
    left_out_by: list[set[str]]


def parameters(names: tuple[str, ...], vector: Any) -> dict[str, Any]:
    """Parameters of rules by name, from names ``rule.parameter`` and a vector."""
    out: dict[str, Any] = {}
    for name, value in zip(names, vector, strict=True):
        rule, parameter = name.split(".")
        setattr(out.setdefault(rule, SimpleNamespace()), parameter, float(value))
    return out


def share_out(want: list[float], lower: list[float], upper: list[float], money: float) -> tuple[list[float], float]:
    """Budgets ``clip(s want, lower, upper)`` that sum to the money, and s, found between the points at which a bound is met."""
    if sum(lower) > money:
        return [least * money / sum(lower) for least in lower], 1.0

    def at(scale: float) -> list[float]:
        return [limited(scale * w, least, most) for w, least, most in zip(want, lower, upper, strict=True)]

    bounds = [(w, bound) for w, least, most in zip(want, lower, upper, strict=True) for bound in (least, most) if w > 0.0]
    points = sorted({0.0, *(bound / w for w, bound in bounds if bound < INF)})
    first = max(n for n, point in enumerate(points) if sum(at(point)) <= money)
    start = points[first]
    middle = 0.5 * (start + points[first + 1]) if first + 1 < len(points) else 2.0 * start + 1.0
    slope = sum(w for w, least, most in zip(want, lower, upper, strict=True) if least <= middle * w < most)
    if slope > 0.0:
        middle = start + (money - sum(at(start))) / slope
    elif first + 1 == len(points) and sum(at(middle)) < money * (1.0 - 1e-12):
        return at(middle), INF
    return at(middle), middle


def decide_one(i: int, seen: Seen, p: dict[str, Any]) -> tuple[str, Says]:
    """The first decider that applies."""
    for rule in in_order(DECIDERS):
        says = rule(seen.ad_sets[i], seen.account, p.get(rule.__name__), p)
        if says is not None:
            return rule.__name__, says
    raise AssertionError("no_evidence decides for all that live")


def modified(says: list[Says | None], seen: Seen, p: dict[str, Any]) -> list[float]:
    """Factors after modifiers: those of holds, freezes and phases that begin stay; others end within 0.2 and 3."""
    factors = [1.0 if one is None else one.factor for one in says]
    stays = [one is not None and (one.held or one.phase is not None or one.factor == 0.0) for one in says]
    for rule in in_order(MODIFIERS):
        own = p[rule.__name__]
        after = [rule(i, factors, seen, own) if factors[i] > 0.0 else factors[i] for i in range(len(factors))]
        factors = [old if stay else new for old, new, stay in zip(factors, after, stays, strict=True)]
    return [factor if stay else limited(factor, 0.2, 3.0) for factor, stay in zip(factors, stays, strict=True)]


def decide(case: Case, names: tuple[str, ...]) -> Decided:
    """The whole decision of one case."""
    p = parameters(names, case.vector)
    seen = look(case, p["evidence"])
    ad_sets, n = seen.ad_sets, len(seen.ad_sets)
    runs = [a.live and (a.start > 0.0 or a.phase != "active") for a in ad_sets]
    decided = [decide_one(i, seen, p) if runs[i] else None for i in range(n)]
    says = [None if one is None else one[1] for one in decided]
    factors = modified(says, seen, p)
    money = float(case.day.money)
    for rule in in_order(MONEY):
        money = rule(seen.account, p[rule.__name__], money)
    seen.account.money = money

    want = [a.start * factor if run else 0.0 for a, factor, run in zip(ad_sets, factors, runs, strict=True)]
    forced = [_forced(one, a, factor) for one, a, factor in zip(says, ad_sets, factors, strict=True)]
    held = [one is not None and one.held and not force for one, force in zip(says, forced, strict=True)]
    bounds = [{rule.__name__: rule(a, seen.account, p[rule.__name__]) for rule in GUARDRAILS} for a in ad_sets]
    lower, upper = [], []
    for i, a in enumerate(ad_sets):
        most = min(own[1] for own in bounds[i].values())
        least = min(max(own[0] for own in bounds[i].values()), most)
        exact = want[i] if forced[i] else a.start
        lower.append(exact if forced[i] or held[i] else least)
        upper.append(exact if forced[i] or held[i] else most)

    first, _ = share_out(want, lower, upper, money)
    today = [float(budget) for budget in case.state.budget]
    moves = [abs(math.log(max(new, 1e-9) / max(old, 1e-9))) for new, old in zip(first, today, strict=True)]
    made = [{rule.__name__: rule(i, moves, seen, p[rule.__name__]) for rule in EDITS} for i in range(n)]
    kept = [not forced[i] and not all(made[i].values()) for i in range(n)]
    lower = [old if keep else least for old, keep, least in zip(today, kept, lower, strict=True)]
    upper = [old if keep else most for old, keep, most in zip(today, kept, upper, strict=True)]
    budget, scale = share_out(want, lower, upper, money)
    short = sum(lower) > money or money <= 0.0
    free = [not (forced[i] or held[i] or (kept[i] and moves[i] > 0.0) or short) for i in range(n)]
    return Decided(
        budget=budget,
        rule=[None if one is None else one[0] for one in decided],
        factor=factors,
        money=money,
        unallocated=money - math.fsum(budget),
        **_next(case, ad_sets, says, budget),
        held_by=[_holding(bounds[i], budget[i], scale * want[i]) if free[i] else set() for i in range(n)],
        left_out_by=[
            {name for name, fine in made[i].items() if not fine and not forced[i] and moves[i] > 0.0} for i in range(n)
        ],
    )


def _forced(says: Says | None, a: Any, factor: float) -> bool:
    """Whether a budget is exactly what was decided: nothing, a probe, the end of one, or an ad set that does not run."""
    if says is None or factor == 0.0:
        return True
    return says.phase == "probing" or (says.phase == "active" and a.phase == "probing")


def _holding(bounds: dict[str, tuple[float, float]], budget: float, asked: float) -> set[str]:
    """Guardrails at which a budget stands while more, or less, was asked for."""
    above = {name for name, (_, most) in bounds.items() if asked > most and budget >= most}
    return above | {name for name, (least, _) in bounds.items() if asked < least and budget <= least}


def _next(case: Case, ad_sets: list[Any], says: list[Says | None], budget: list[float]) -> dict[str, list[Any]]:
    """State of the next day."""
    out: dict[str, list[Any]] = {name: [] for name in ("phase", "days_in_phase", "days_since_change", "before", "failures")}
    for i, (a, one) in enumerate(zip(ad_sets, says, strict=True)):
        old = float(case.state.budget[i])
        phase, waited, failures = a.phase, a.days_in_phase + 1.0, a.failures
        if one is not None and one.phase is not None and one.phase != a.phase:
            phase, waited = one.phase, 0.0
            if phase == "frozen" and a.phase == "probing":
                failures += 1.0
            if phase == "active":
                failures = 0.0
        if phase == "probing" and budget[i] <= 0.0:
            phase = "frozen"
        assert phase in PHASES
        out["phase"].append(phase)
        out["days_in_phase"].append(waited)
        out["failures"].append(failures)
        out["before"].append(a.start if a.phase == "active" else a.before)
        out["days_since_change"].append(0.0 if abs(budget[i] - old) > 0.01 * old else a.days_since_change + 1.0)
    return out
