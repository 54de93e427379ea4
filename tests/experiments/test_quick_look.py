"""The study of the quick looks at smoke size: it runs, stores its fits, and takes them up again."""

import json

import pytest

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("quick_look/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(stored) == ["national-zero-laplace.json", "national-zero-nutpie.json"]
    quick, nuts = (json.loads(stored[f"national-zero-{name}.json"]) for name in ("laplace", "nutpie"))
    assert quick["roas"].keys() == nuts["roas"].keys()
    assert float(quick["pareto_k"]) > -1
    assert nuts["pareto_k"] is None
    assert "national, laplace: k below 0.7 in" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert " s, k " not in capsys.readouterr().out  # no fit was run again


def test_a_quick_look_is_measured_in_units_of_nuts():
    study = script("quick_look/run")
    nuts = {"seconds": 9.0, "converged": True, "roas": {"roas[a]": {"mean": 2.0, "sd": 0.5, "q05": 1.0, "q95": 3.0}}}
    quick = {"seconds": 3.0, "dim": 5, "pareto_k": "inf", "min_ess": 7.0}
    quick["roas"] = {"roas[a]": {"mean": 3.0, "sd": 0.2, "q05": 2.5, "q95": 3.5}}
    row = study.compare("national", "clean", "laplace", quick, nuts, 0.7)
    assert (row["saving"], row["mean_off"], row["width"]) == pytest.approx((3.0, 2.0, 0.5))
    assert not row["trusted"]
    assert study.compare("national", "clean", "laplace", quick | {"pareto_k": 0.69}, nuts, 0.7)["trusted"]
