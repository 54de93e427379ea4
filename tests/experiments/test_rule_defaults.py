"""The search for defaults of the rules at smoke size."""

import json

import numpy as np
import pytest
import yaml

from mmx.rules.engine import Engine

from .test_scripts import SCRIPTS, script


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
    found = study.shares({"shares": {"seed": 30000, "worlds": 1}, "days": 5, "futures": 1}, Engine())
    assert all(0.0 <= share <= 1.0 for share in found.values())
    deciders = [rule.name for rule in Engine().deciders]
    assert sum(found[name] for name in deciders) == pytest.approx(1.0)
    assert len(capsys.readouterr().out.splitlines()) == len(found)
