"""The study of refreshing at smoke size: it runs, compares, stores its cells, and takes them up again."""

import json

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("refresh/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "national-1.json").read_text(encoding="utf-8"))
    assert found["quantities"] > 20 and found["largest"] >= found["root_mean_square"] > 0
    assert set(found["seconds"]) == {"scratch", "refreshed"} and all(v > 0 for v in found["seconds"].values())
    capsys.readouterr()
    study.main(["--smoke", "--out", str(tmp_path)])
    assert "apart at most" not in capsys.readouterr().out
    assert json.loads((tmp_path / "national-1.json").read_text(encoding="utf-8")) == found


def test_the_table_takes_medians_and_counts():
    study = script("refresh/run")
    cell = {"quantities": 3, "above_4": 1, "root_mean_square": 1.0, "largest": 4.5, "passed": {"refreshed": True}}
    cells = [cell | {"seconds": {"scratch": s, "refreshed": 1.0}} for s in (2.0, 3.0, 7.0)]
    row = study.table_of({"national": cells}).iloc[0]
    assert (row["times_faster"], row["least"], row["passed"], row["above_4"]) == (3.0, 2.0, 3, 3)
