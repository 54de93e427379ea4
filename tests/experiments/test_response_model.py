"""The study of the response model's coverage at smoke size: it runs, resumes, and counts as it says."""

import pytest

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("response_model/run")
    (cell,) = study.main(["--smoke", "--out", str(tmp_path)])
    assert set(cell["khat"]) == {"delivery", "impressions", "clicks", "purchases", "amounts"}
    assert all(0 <= rank <= 199 for rank in cell["ranks"].values())
    stored = (tmp_path / "accounts.jsonl").read_bytes()
    assert study.main(["--smoke", "--out", str(tmp_path)]) == [cell]
    assert (tmp_path / "accounts.jsonl").read_bytes() == stored
    assert "1 accounts" in capsys.readouterr().out


def test_coverage_is_counted():
    study = script("response_model/run")
    cells = [{"ranks": {"x": rank}, "refused": {}, "cpu": 1.0} for rank in (0, 60, 100, 120, 199)]
    line = next(line for line in study.table(cells, 199).splitlines() if line.startswith("| x"))
    assert [float(part) for part in line.split("|")[2:4]] == pytest.approx([0.6, 0.6])
