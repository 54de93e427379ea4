"""The study of the engine's speed, at smoke size: it runs, stores its parts and resumes."""

import json

import pytest

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("rule_engine/run")
    found = study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: json.loads(text) for name, text in stored.items()} == {f"{name}.json": part for name, part in found.items()}
    engine, oracle = found["whole"]["engine"], found["whole"]["oracle"]
    assert engine["ad_set_days"] == 20 * 3 * 7 * 16
    assert oracle["ad_set_days"] == 2 * 7
    assert 1e-6 < oracle["cpu_each"] < 1.0
    assert found["growth"]["parameter_sets"]["ad_set_days"] == 2 * found["growth"]["base"]["ad_set_days"]
    assert found["growth"]["base"]["revenue"] == pytest.approx(engine["revenue"], rel=1e-6)
    capsys.readouterr()
    study.main(["--smoke", "--out", str(tmp_path)])
    assert "| 20 x 3 x 7 x 16 |" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == stored
