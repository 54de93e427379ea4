"""The study of rules that hear from a marketing-mix model at smoke size: it runs, stores its worlds, and its truth is true."""

import json
import sys

import numpy as np
import pytest
import yaml

from .test_scripts import SCRIPTS, script


@pytest.fixture(scope="module")
def study():
    """The study's script; the module beside it is found as when it is launched."""
    folder = str(SCRIPTS / "rules_from_mmm")
    sys.path.insert(0, folder)
    try:
        yield script("rules_from_mmm/run")
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def settings():
    content = yaml.safe_load((SCRIPTS / "rules_from_mmm" / "config.yaml").read_text(encoding="utf-8"))
    return content | content["smoke"]


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    table = study.main(["--smoke", "--out", str(tmp_path)])
    stored = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(stored) == ["moved-1-one_test.json", "moved-1-rules.json"]
    told, made = (json.loads(stored[f"moved-1-{name}.json"]) for name in ("one_test", "rules"))
    assert 0.0 < told["low"] < told["median"] < told["high"]
    assert table["holds"].item() == (told["low"] <= told["truth"] <= told["high"])
    assert made["day"]["one test"]["ad_sets"] == 4
    assert {"keep", "alone"} < set(made["roll"])
    study.main(["--smoke", "--out", str(tmp_path)])
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert capsys.readouterr().out.count("done") == 2


def test_the_shops_channel_is_the_account(study, settings):
    """Its spend is the sum of the ad sets', its revenue theirs times a share, and the rest does not know of the account."""
    joint = study.make_joint(3, settings, swings=0.4)
    past, table = joint.account.past.day, joint.shop.table
    assert len(table) == settings["weeks"] and table["week"].dt.day_of_week.eq(0).all()
    assert joint.account.truth.calendar.dates[joint.day] == table["week"].iloc[-1] + np.timedelta64(7, "D")
    week = slice(joint.rows.start + 35, joint.rows.start + 42)
    assert table["search_spend"].iloc[5] == pytest.approx(past.spend[week].sum(), abs=0.006)
    brought = past.revenue[joint.rows].sum(axis=1).reshape(-1, 7).sum(axis=1)
    rest = table["revenue"].to_numpy() - settings["share"] * brought
    np.testing.assert_allclose(rest, joint.shop.scene.kpi[0], atol=0.01)
    whole = past.revenue[joint.rows].sum() / past.spend[joint.rows].sum()
    assert joint.roas(0, len(table)) == pytest.approx(settings["share"] * whole)
    assert 1.0 <= joint.true_incrementality / settings["share"] < 1.1  # a few purchases are never tracked
