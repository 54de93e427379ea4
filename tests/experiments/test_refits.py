"""The study of refits at smoke size: it runs, counts, stores its cells, and takes them up again."""

import json

import pytest

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("refits/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(stored) == ["national-0.json"]
    found = json.loads(stored["national-0.json"])
    assert list(found["refits"]) == ["60"]
    assert [row["rows"] for row in found["refits"]["60"]] == [64, 80]
    assert found["scratch"]["rows"] == 80
    for row in [*found["refits"]["60"], found["scratch"]]:
        assert row["tune_gradients"] > 100
        assert row["draw_gradients"] >= 120
    assert "gradients_ratio" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert "done" not in capsys.readouterr().out  # no fit was run again


def test_ratios_compare_all_refits_with_one_fit():
    study = script("refits/run")
    row = {"tune_gradients": 10, "draw_gradients": 90, "seconds": 2.0, "passed": True, "retried": False, "min_ess": 500.0}
    fold = row | {"tune_gradients": 5, "draw_gradients": 45, "seconds": 1.0}
    rounds = [{"scratch": row | {"seconds": s}, "refits": {"1000": [fold] * 10, "600": [fold] * 10}} for s in (2.0, 8.0, 4.0)]
    table = study.table_of({"a": rounds}, reach=5)
    assert list(table["draws"]) == [1000, 600]
    assert table.loc[0, "gradients_ratio"] == pytest.approx(5.0)
    assert table.loc[0, "seconds_ratio"] == pytest.approx(2.5)
    assert table.loc[0, "smallest"] == pytest.approx(1.25)
    assert table.loc[0, "reached"]
    assert not study.table_of({"a": rounds}, reach=2).loc[0, "reached"]
    failed = [rounds[0] | {"refits": {"600": [fold] * 9 + [fold | {"passed": False}]}}]
    assert not study.table_of({"a": failed}, reach=5).loc[0, "reached"]
