"""Every rule and parameter of the library, for being in it: described, in range, alive, and missed when left out."""

from __future__ import annotations

import string
from functools import cache
from typing import Any

import numpy as np
import pytest

from mmx.errors import ConfigError
from mmx.rules.advice import Shown
from mmx.rules.engine import Engine
from mmx.rules.library import LIBRARY
from mmx.rules.rule import Rule

from .compiled import BATCH, ENGINE, NAMES, arguments, cases, explained_arguments

UNITS = {
    *("share", "ratio", "days", "probability", "log ratio"),
    *("purchases", "clicks", "impressions"),
}
BATCHES = 16
LOOSE = {
    **{"edits_per_day.share": 1.0, "smallest_edit.size": 0.001, "cooldown.days": 0.5, "step_up.share": 0.9},
    **{"step_down.share": 0.8, "spend_anchor.times": 3.5, "not_in_decline.of_target": 0.4, "cost_anchor.purchases": 1.5},
}
ASKED = [rule for rule in LIBRARY if rule.kind != "evidence"]


@cache
def laid_out(batch: int) -> tuple[tuple[Any, ...], np.ndarray]:
    """Arguments of a batch of cases, and parameters from anywhere, (case, parameter); every other case moves freely."""
    own = cases(batch * BATCH)
    vectors = ENGINE.space.from_unit(np.random.default_rng(batch).uniform(0.0, 1.0, (BATCH, len(NAMES))))
    for name, value in LOOSE.items():
        vectors[::2, NAMES.index(name)] = value
    return arguments(own), vectors


@cache
def decided(batch: int) -> Any:
    """Decisions and details of a batch with its own parameters."""
    return explained_arguments(*laid_out(batch))


def fields(rule: Rule) -> list[str]:
    """Names in the braces of a rule's reason."""
    return [name for _, name, _, _ in string.Formatter().parse(rule.reason) if name]


def test_the_library_is_large_enough_without_counting_twins() -> None:
    """Rules whose functions are the same code with other constants are one rule."""
    codes = {(rule.function.__code__.co_code, rule.function.__code__.co_names) for rule in ASKED}
    assert len(codes) >= 42
    assert len(codes) == len(ASKED)
    assert len(ENGINE.space) >= 60


def test_names_are_unique() -> None:
    assert len({rule.name for rule in LIBRARY}) == len(LIBRARY)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", LIBRARY, ids=lambda rule: rule.name)
def test_a_rule_is_described(rule: Rule) -> None:
    assert rule.purpose[0].isupper() and rule.purpose.endswith(".") and len(rule.purpose.split()) >= 5
    assert rule.name.isidentifier() and rule.group
    assert rule.reason or rule.kind in ("modifier", "evidence")
    own = {parameter.name for parameter in rule.parameters}
    assert len(own) == len(rule.parameters)
    for name in fields(rule):
        assert name in decided(0)[1].view, f"{rule.name}: the reason speaks of {name}, which the view does not hold"


@pytest.mark.parametrize("rule", [rule for rule in ASKED if rule.kind == "decider"], ids=lambda rule: rule.name)
def test_the_reason_of_a_decision_has_its_numbers(rule: Rule) -> None:
    """Wherever a rule decides, its sentence can be written, without NaN in it."""
    at, said = ENGINE.deciders.index(rule), 0
    for batch in range(BATCHES):
        decision, details = decided(batch)
        for case, i in zip(*np.nonzero(decision.rule == at), strict=True):
            values = {name: Shown(_one(details.view[name], case, i)) for name in fields(rule)}
            sentence = rule.reason.format(**values)
            assert "nan" not in sentence and any(letter.isdigit() for letter in sentence), sentence
            said += 1
    assert said, "no random history makes this rule decide"


def test_logarithms_are_shown_as_numbers() -> None:
    at = Shown(np.log(2.5))
    assert f"{at:exp} {at:change} {at:.3f} {Shown(-0.1):change}" == "2.50 +150% 0.916 -10%"


def _one(values: np.ndarray, case: int, i: int) -> float:
    return float(values[case, i] if values.ndim == 2 else values[case])


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_a_parameter_is_in_range_and_alive(index: int) -> None:
    """Moving it from one end to the other, all else equal, moves a budget of the day."""
    parameter = ENGINE.space.parameters[index]
    assert parameter.low < parameter.default < parameter.high
    assert parameter.unit in UNITS and parameter.meaning
    assert parameter.unit != "probability" or (parameter.low > 0.0 and parameter.high < 1.0)
    for batch in range(BATCHES):
        given, vectors = laid_out(batch)
        ends = []
        for value in (parameter.low, parameter.high):
            moved = vectors.copy()
            moved[:, index] = value
            ends.append(explained_arguments(given, moved)[0].budget)
        if not np.allclose(*ends, rtol=1e-6):
            return
    pytest.fail(f"{NAMES[index]} moves nothing: remove it, or widen tests/rules/histories.py")


@pytest.mark.parametrize("rule", ASKED, ids=lambda rule: rule.name)
def test_a_rule_is_missed(rule: Rule) -> None:
    """Budgets of the day change somewhere when it is not asked; ``no_evidence`` is a name for what happens anyway."""
    if rule.name == "no_evidence":
        decision = explained_arguments(*laid_out(0), [rule.name])[0]
        np.testing.assert_array_equal(decision.budget, decided(0)[0].budget)
        assert (decision.rule == -1).sum() > (decided(0)[0].rule == -1).sum()
        return
    for batch in range(BATCHES):
        if not np.allclose(explained_arguments(*laid_out(batch), [rule.name])[0].budget, decided(batch)[0].budget, rtol=1e-6):
            return
    pytest.fail(f"no budget changes without {rule.name}")


def test_an_engine_without_a_rule_does_not_ask_it() -> None:
    engine = ENGINE.without("high").without("step_up")
    assert len(engine.deciders) == len(ENGINE.deciders) - 1
    assert "step_up" not in {rule.name for rule in engine.of("guardrail")}
    assert engine.space.names == ENGINE.space.names
    assert hash(engine) != hash(ENGINE) and engine == Engine(off=frozenset({"high", "step_up"}))
    for name in ("hihg", "evidence"):
        with pytest.raises(ConfigError, match=f"'{name}' cannot be left out; the nearest"):
            ENGINE.without(name)
