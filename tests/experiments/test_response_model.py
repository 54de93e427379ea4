"""The study of the response model's coverage at smoke size: it runs, resumes, and counts as it says."""

import json
from types import SimpleNamespace

import numpy as np
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


def test_priors_are_learned_and_resumed(tmp_path, capsys):
    study = script("response_model/learn_priors")
    found = study.main(["--smoke", "--out", str(tmp_path)])
    assert set(found) == {"impressions", "clicks", "purchases", "curvature"}
    stored = (tmp_path / "priors.jsonl").read_bytes()
    assert len(stored.splitlines()) == 2
    assert study.main(["--smoke", "--out", str(tmp_path)]) == found
    assert (tmp_path / "priors.jsonl").read_bytes() == stored
    assert json.loads(capsys.readouterr().out.rpartition("\n{\n")[2].join(["{", ""]))["accounts"] <= 2


def test_what_accounts_have_in_common_is_found_behind_wide_priors():
    """Posteriors under a prior of mean .2 and sd .4 of accounts of mean -.13 and sd .12, each measured with its own error."""
    study, rng = script("response_model/learn_priors"), np.random.default_rng(5)
    error = rng.uniform(0.05, 0.3, 2000)
    said = rng.normal(-0.13, 0.12, 2000) + error * rng.standard_normal(2000)
    precision = error**-2 + 0.4**-2
    posterior = np.column_stack([(said * error**-2 + 0.2 * 0.4**-2) / precision, precision**-0.5])
    law = study.common_law(posterior, SimpleNamespace(mean=0.2, sd=0.4))
    assert abs(law["mean"] + 0.13) < 4 * law["standard_error"] < 0.03
    assert law["sd"] == pytest.approx(0.12, abs=0.015)
