"""The study of speed at smoke size, mmx alone: it runs, stores its runs, takes them up again; its tables say what is stored."""

import json

import pytest

from .test_scripts import SCRIPTS, script


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS / "peers"))
    monkeypatch.syspath_prepend(str(SCRIPTS / "speed"))
    return script("speed/run")


@pytest.fixture
def tables(monkeypatch):
    return script("speed/speed_tables")


def test_the_study_runs_and_resumes(study, tmp_path, capsys):
    arguments = ["--smoke", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    study.main(arguments)
    stored = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert sorted(stored) == ["families.json", "growth.json", "national_default--mmx--warm1.json"]
    run = json.loads(stored["national_default--mmx--warm1.json"])
    assert set(run["diagnostics"]["table"]) == {
        *(f"{name}[{c}]" for name in ("roas", "alpha", "stage", "half_saturation", "slope") for c in ("tv", "search")),
        "noise",
    }
    assert run["seconds"]["process"] > run["seconds"]["all_in"] > run["seconds"]["sample"] > 0
    assert run["peak_rss_mb"] > 50 and run["draws"] == 60 and run["chains"] == 2
    grown = json.loads(stored["growth.json"])
    assert grown["geos"]["dim"][0] < grown["geos"]["dim"][1] and min(grown["weeks"]["microseconds"]) > 0
    fitted = json.loads(stored["families.json"])["fits"]["national"]["lognormal"]
    ours, normal = (row["seconds"] / row["min_ess"] for row in (fitted, fitted["normal"]))
    assert fitted["ratio"] == pytest.approx(ours / normal, rel=0.03)
    said = capsys.readouterr().out
    assert "microseconds per gradient" in said and "fits, national" in said
    study.main(arguments)
    assert stored == {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}


def run_of(tool, all_in, ess, rhat, repeat=1, **more):
    return {
        "case": "one",
        "tool": tool,
        "cache": "warm",
        "repeat": repeat,
        "seconds": {"all_in": all_in, "process": all_in + 1},
        "diagnostics": {"max_rhat": rhat, "min_ess_bulk": ess, "min_ess_tail": ess},
        "divergences": 0,
        "peak_rss_mb": 100.0,
        "saved_mb": None,
        "load_before": 0.1,
        **more,
    }


SETTINGS = {"gate": {"max_rhat": 1.01, "min_ess": 400}, "cases": {"one": {"tools": {"mmx": {}, "fast": {}, "slow": {}}}}}


def test_ratios_pair_the_runs_and_take_the_fastest_peer_that_converges(tables):
    ours = [run_of("mmx", 1.0, 2000, 1.001, 1), run_of("mmx", 2.0, 2000, 1.001, 2), run_of("mmx", 1.0, 3000, 1.001, 3)]
    fast, slow = run_of("fast", 10.0, 900, 1.2), run_of("slow", 50.0, 1000, 1.005)
    said = tables.ratios_of([*ours, fast, slow], SETTINGS)
    assert "one, warm: 50.0x at least, 100.0x median of 3 against 1 of slow" in said and "converge)" not in said
    said = tables.ratios_of([*ours, fast, {**slow, "diagnostics": {**slow["diagnostics"], "max_rhat": 1.02}}], SETTINGS)
    assert "of slow (which does not converge)" in said
    said = tables.ratios_of([*ours, fast, run_of("slow", 1.0, 1.0, 1.0, failed="stopped after 600 s")], SETTINGS)
    assert "of fast (which does not converge)" in said


def test_a_run_that_failed_or_is_not_finite_is_shown_and_does_not_converge(tables):
    failed = {k: v for k, v in run_of("slow", 1.0, 1.0, 1.0).items() if k not in ("seconds", "diagnostics")}
    failed["failed"] = "stopped after 600 s"
    stuck = run_of("fast", 10.0, None, None)
    assert "stopped after 600 s" in tables.table_of([failed, stuck], SETTINGS)
    assert not tables.converged(failed, SETTINGS["gate"]) and not tables.converged(stuck, SETTINGS["gate"])
    assert tables.converged(run_of("mmx", 1.0, 400, 1.01), SETTINGS["gate"])
    for worse in ({"divergences": 1}, {"diagnostics": {"max_rhat": 1.0, "min_ess_bulk": 900, "min_ess_tail": 399}}):
        assert not tables.converged(run_of("mmx", 1.0, 400, 1.01, **worse), SETTINGS["gate"])


def test_the_exponent_of_a_power_law_is_found(study):
    growth = script("speed/speed_growth")
    assert growth.exponent([1, 2, 4, 8], [3 * n**1.5 for n in (1, 2, 4, 8)]) == pytest.approx(1.5)


def test_a_wide_world_has_media_of_its_own_name(study):
    cases = script("speed/speed_cases")
    world = cases.world_of(14, 7)
    assert len({m.name for m in world.media}) == 14 and world.geos.count == 7
    simulated = cases.simulate({"media": 8, "geos": 3, "weeks": 60}, seed=1)
    assert simulated.table.shape == (180, 4 + 8) and set(simulated.settings["data"]["channels"]) == set(simulated.truth["roas"])
