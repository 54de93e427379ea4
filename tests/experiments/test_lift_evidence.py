"""The study of lift tests at smoke size: it runs, compares, stores its seeds, and takes them up again."""

import json

import numpy as np
import pytest

from mmx import worlds

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("lift_evidence/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "confounded-1.json").read_text(encoding="utf-8"))
    assert [len(arm["tests"]) for arm in found.values()] == [0, 1]
    for arm in found.values():
        assert all(c["q05"] < c["mean"] < c["q95"] for c in arm["channels"].values())
    width = [np.ptp([arm["channels"]["search"][k] for k in ("q05", "q95")]) for arm in found.values()]
    assert width[1] < width[0]  # A test narrows what it tested.
    assert "seed 1 done" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert "done" not in capsys.readouterr().out


def test_a_test_of_the_whole_window_has_the_worlds_roas():
    study = script("lift_evidence/run")
    mechanism = worlds.simulate("confounded", seed=3, periods=70).scene.mechanism
    rows = np.flatnonzero(mechanism.window)
    medium = list(mechanism.channels).index("search")
    assert study.true_roas(mechanism, medium, slice(rows[0], rows[-1] + 1)) == pytest.approx(mechanism.roas["search"])
