"""Every rule of the library, and whole decisions, against the plain-Python oracle."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from mmx.rules.library import LIBRARY
from mmx.rules.rule import ACTIVE, Rule

from .compiled import BATCH, ENGINE, NAMES, cases, explained, said
from .histories import Case
from .oracle import Decided, decide, parameters
from .oracle_changes import EDITS, GUARDRAILS, MODIFIERS, MONEY
from .oracle_deciders import DECIDERS
from .oracle_view import PHASES, Seen, look

WHERE = {
    "decider": ("oracle_deciders.py", "DECIDERS", DECIDERS),
    "modifier": ("oracle_changes.py", "MODIFIERS", MODIFIERS),
    "account": ("oracle_changes.py", "MONEY", MONEY),
    "guardrail": ("oracle_changes.py", "GUARDRAILS", GUARDRAILS),
    "edit": ("oracle_changes.py", "EDITS", EDITS),
}
ALONE, WHOLE = 2 * BATCH, 4 * BATCH
ACCOUNT = {
    "account_expected_3d": "expected_3d",
    "account_purchases_3d": "purchases_3d",
    "account_budget": "budget",
    "receivers": "receivers",
    "account_month_spend": "month_spend",
    "account_aov_28d": "aov_28d",
    "account_cpm_trend": "cpm_trend",
    "log_marginal_account": "log_marginal",
    "log_target": "log_target",
    "log_floor": "log_floor",
}
EVIDENCE = [f"{name}_roas_{w}d" for name in ("log", "sd") for w in (7, 14, 28)]
EVIDENCE += ["log_marginal", "sd_marginal", "cpa_expected", "log_campaign"]


@cache
def given() -> tuple[tuple[Case, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Cases, and factors, money and moves that rules are asked about alone."""
    rng = np.random.default_rng(7)
    batch = cases(0) + cases(BATCH)
    shape = (len(batch), len(batch[0].history.adsets))
    factor = np.where(rng.random(shape) < 0.1, 0.0, rng.uniform(0.5, 1.6, shape))
    money = np.array([case.state.before.sum() for case in batch]) * rng.uniform(0.2, 2.0, len(batch))
    return batch, factor, money, np.abs(rng.normal(0.0, 0.15, shape))


@cache
def spoken() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What rules see and say in JAX, over all cases."""
    batch, factor, money, move = given()
    parts = [said(batch[i : i + BATCH], factor[i : i + BATCH], money[i : i + BATCH], move[i : i + BATCH]) for i in (0, BATCH)]
    view = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    return view, {name: _joined([part[1][name] for part in parts]) for name in parts[0][1]}


def _joined(parts: list[Any]) -> Any:
    return tuple(map(np.concatenate, zip(*parts, strict=True))) if isinstance(parts[0], tuple) else np.concatenate(parts)


@cache
def seen() -> tuple[tuple[Seen, dict[str, Any]], ...]:
    """What the oracle sees of the same cases, and their parameters."""
    out = []
    for case, money in zip(given()[0], given()[2], strict=True):
        p = parameters(NAMES, case.vector)
        view = look(case, p["evidence"])
        view.account.money = money
        out.append((view, p))
    return tuple(out)


def oracle_of(rule: Rule) -> Any:
    """The oracle's function of a rule."""
    file, table, functions = WHERE[rule.kind]
    found = [function for function in functions if function.__name__ == rule.name]
    if not found:
        pytest.fail(f"{rule.name} has no oracle: write a function of this name in tests/rules/{file} and list it in {table}")
    return found[0]


def expected(rule: Rule) -> np.ndarray:
    """What the oracle says for a rule alone, (case, ad set), or (case, ad set, 2) of ``when`` and factor, or of bounds."""
    function, (_, factor, money, move) = oracle_of(rule), given()
    out = []
    for n, (view, p) in enumerate(seen()):
        own, ad_sets = p.get(rule.name), view.ad_sets
        factors, moves = factor[n].tolist(), move[n].tolist()
        if rule.kind == "decider":
            says = [function(a, view.account, own, p) for a in ad_sets]
            out.append([(one is not None, 0.0 if one is None else one.factor) for one in says])
        elif rule.kind == "modifier":
            out.append([function(i, factors, view, own) if factors[i] > 0.0 else 0.0 for i in range(len(ad_sets))])
        elif rule.kind == "account":
            out.append([function(view.account, own, money[n])] * len(ad_sets))
        elif rule.kind == "guardrail":
            out.append([function(a, view.account, own) for a in ad_sets])
        else:
            out.append([function(i, moves, view, own) for i in range(len(ad_sets))])
    return np.asarray(out, float)


def test_what_rules_see_is_what_the_oracle_sees() -> None:
    view, _ = spoken()
    for name in EVIDENCE:
        wanted = [[getattr(a, name) for a in case.ad_sets] for case, _ in seen()]
        np.testing.assert_allclose(view[name], wanted, rtol=1e-9, atol=1e-12, err_msg=name)
    for name, own in ACCOUNT.items():
        wanted = [getattr(case.account, own) for case, _ in seen()]
        np.testing.assert_allclose(view[name], wanted, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("rule", [rule for rule in LIBRARY if rule.kind != "evidence"], ids=lambda rule: rule.name)
def test_a_rule_equals_its_oracle_and_speaks_somewhere(rule: Rule) -> None:
    wanted, (view, said_all) = expected(rule), spoken()
    found = said_all[rule.name]
    if rule.kind == "decider":
        when, live = found[0], view["live"] & ((view["budget"] > 0.0) | (view["phase"] != ACTIVE))
        np.testing.assert_array_equal(when & live, wanted[..., 0].astype(bool) & live)
        np.testing.assert_allclose(found[1][when & live], wanted[..., 1][when & live], rtol=1e-9)
        assert (when & live).any(), "no random history makes this rule decide: widen tests/rules/histories.py"
        assert rule.name == "no_evidence" or not when[live].all()
        return
    both = np.stack(found, axis=2) if rule.kind == "guardrail" else found
    np.testing.assert_allclose(both, wanted, rtol=1e-9, atol=1e-12)
    silent = {"modifier": given()[1], "account": given()[2][:, None], "guardrail": np.array([0.0, np.inf]), "edit": 1.0}
    assert (~np.isclose(wanted, silent[rule.kind])).any(), "no random history makes this rule act"


@pytest.mark.parametrize("first", range(0, WHOLE, BATCH))
def test_whole_decisions_equal_the_oracle(first: int) -> None:
    batch = cases(first)
    decision, details = explained(batch)
    for n, case in enumerate(batch):
        wanted = decide(case, NAMES)
        money = max(wanted.money, 1.0)
        names = [None if rule < 0 else ENGINE.deciders[rule].name for rule in decision.rule[n]]
        assert names == wanted.rule, f"case {first + n}"
        np.testing.assert_allclose(decision.factor[n], wanted.factor, rtol=1e-9, err_msg=f"factors of case {first + n}")
        np.testing.assert_allclose(decision.budget[n], wanted.budget, rtol=1e-9, atol=1e-9 * money)
        np.testing.assert_allclose(decision.money[n], wanted.money, rtol=1e-12)
        np.testing.assert_allclose(decision.unallocated[n], wanted.unallocated, atol=1e-9 * money)
        _same_state(decision, n, wanted, money)
        assert _names(ENGINE.of("guardrail"), details.binds[n]) == wanted.held_by, f"case {first + n}"
        assert _names(ENGINE.of("edit"), details.left_out[n]) == wanted.left_out_by, f"case {first + n}"


def _same_state(decision: Any, n: int, wanted: Decided, money: float) -> None:
    state = decision.state
    assert [PHASES[phase] for phase in state.phase[n]] == wanted.phase
    for name in ("days_in_phase", "days_since_change", "failures"):
        assert getattr(state, name)[n].tolist() == getattr(wanted, name), name
    np.testing.assert_allclose(state.before[n], wanted.before, rtol=1e-9)
    np.testing.assert_array_equal(state.budget[n], decision.budget[n])


def _names(rules: tuple[Rule, ...], which: np.ndarray) -> list[set[str]]:
    """Names of the rules that are marked, a set for each ad set, from (rule, ad set)."""
    return [{rule.name for rule, marked in zip(rules, column, strict=True) if marked} for column in which.T]
