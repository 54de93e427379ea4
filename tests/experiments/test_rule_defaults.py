"""The search for defaults of the rules at smoke size."""

import json

import numpy as np
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
