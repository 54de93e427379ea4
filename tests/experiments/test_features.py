"""The study of how large an account may be, at smoke size: it runs, stores its cells and resumes."""

import json

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("features/run")
    study.main(["--smoke", "--out", str(tmp_path), "--work", str(tmp_path)])
    (store,) = tmp_path.iterdir()
    stored = store.read_bytes()
    cell = json.loads(stored)
    assert cell["rows"] == cell["full"]["rows"]["ad"] == 3000
    assert (cell["full"]["computed"], cell["unchanged"]["computed"], cell["one_day_more"]["computed"]) == (3, 0, 1)
    assert cell["incremental_against_full"] == 0
    assert "| 3,000 |" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path), "--work", str(tmp_path)])
    assert store.read_bytes() == stored
