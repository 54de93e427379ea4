"""The study of the samplers at smoke size: it runs, stores its fits, and takes them up again."""

import json

from .test_scripts import script


def test_the_study_runs_and_resumes(tmp_path, capsys):
    study = script("sampler_agreement/run")
    study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(stored) == ["national-numpyro.json", "national-nutpie.json"]
    names = [json.loads(text)["names"] for text in stored.values()]
    assert names[0] == names[1]
    assert {"noise", "alpha[tv]", "roas[tv]", "mroas[video]"} <= set(names[0])
    assert "too small to tell" in capsys.readouterr().out
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert "converged" not in capsys.readouterr().out  # no fit was run again
