"""The search for defaults of the rules at smoke size."""

import json

import numpy as np
import pytest
import yaml

from mmx.rules.engine import Engine

from .test_scripts import SCRIPTS, script


def stored(name):
    """A stored result of the study."""
    return json.loads((SCRIPTS / "rule_defaults" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_two_generations_run_and_are_stored(tmp_path):
    study = script("rule_defaults/run")
    settings = yaml.safe_load((SCRIPTS / "rule_defaults" / "config.yaml").read_text(encoding="utf-8"))
    settings |= {"worlds": 2, "per_generation": 1, "population": 4, "elite": 2, "generations": 2, "days": 7, "futures": 1}
    found = study.search(settings, Engine(), tmp_path / "search.json")
    assert json.loads((tmp_path / "search.json").read_text(encoding="utf-8")) == found
    assert len(found["generations"]) == 2
    assert np.isfinite([row["mean"] for row in found["generations"]]).all()
    assert set(found["parameters"]) == set(Engine().space.names)


def test_shares_of_rules_are_counted(capsys):
    study = script("rule_defaults/run")
    accounts = {"seed": 30000, "worlds": 1, "long": 1, "days": 400}
    found = study.shares({"shares": accounts, "past": 180, "days": 14, "futures": 1}, Engine())
    assert all(0.0 <= share <= 1.0 for share in found.values())
    deciders = [rule.name for rule in Engine().deciders]
    assert sum(found[name] for name in deciders) == pytest.approx(1.0)
    assert len(capsys.readouterr().out.splitlines()) == len(found)
    usual = [name for name, share in stored("shares")["shares"].items() if share > 0.15]
    month = {"catch_up", "slow_down"}  # one of them, as the account's month has it
    assert len(usual) >= 8 and [name for name in usual if found[name] == 0.0 and name not in month] == []
    assert any(found[name] > 0.0 for name in month)


def test_no_rule_has_vanished_at_the_defaults():
    """Every rule of the library matters on one ad-set-day in a thousand, as counted at the defaults of today."""
    found, engine = stored("shares"), Engine()
    same = dict(zip(engine.space.names, engine.space.default.tolist(), strict=True))
    assert found["parameters"] == same, "a default has changed: run experiments/rule_defaults/run.py --shares"
    assert set(found["shares"]) == {rule.name for rule in engine.rules if rule.kind != "evidence"}
    rare = {name: share for name, share in found["shares"].items() if share < 0.001}
    assert not rare, "loosen these defaults, or count on more accounts"


def test_the_defaults_are_compared_with_those_before(capsys):
    study = script("rule_defaults/run")
    settings = yaml.safe_load((SCRIPTS / "rule_defaults" / "config.yaml").read_text(encoding="utf-8"))
    settings |= {"value": {"seed": settings["seed"], "worlds": 1, "futures": 2}, "days": 3}  # sizes of the search above
    found = study.value(settings, Engine())
    assert found["difference"] == pytest.approx(found["now"] - found["before"])
    assert found["standard_error"] is None and capsys.readouterr().out


def test_what_is_left_unspent_is_spent_by_the_other_policy(capsys):
    study = script("rule_defaults/run")
    settings = yaml.safe_load((SCRIPTS / "rule_defaults" / "config.yaml").read_text(encoding="utf-8"))
    settings |= {"value": {"seed": settings["seed"], "worlds": 1, "futures": 2}, "days": 3}
    found = study.unspent(settings, Engine())
    assert found["spend"] < found["spend whole"] < 1.2  # Of a day that may spend up to three quarters more than its budget.
    assert found["less by spending all"] == pytest.approx(found["gain"] - found["gain whole"])
    spent = found["spend whole"] - found["spend"]
    assert found["less by spending all"] == pytest.approx(spent * (1.0 - found["return on it"]))
    assert capsys.readouterr().out
