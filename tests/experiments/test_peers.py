"""What the comparison with peers rests on: one judge that agrees with ArviZ, cases and results in their stated form."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base.array import array_stats

from mmx.worlds import simulate

from .test_scripts import SCRIPTS, script

ROOT = Path(__file__).parents[2]
AXES = {"chain_axis": 0, "draw_axis": 1}


@pytest.fixture
def modules(monkeypatch):
    """The modules that the adapters share, by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS / "peers"))
    yield
    for name in ("case", "diagnostics", "run_peer"):
        sys.modules.pop(name, None)


def chains(kind, shape=(4, 501)):
    rng = np.random.default_rng(len(kind))
    noise = rng.standard_normal(shape)
    if kind == "sluggish" or kind == "antithetic":
        rho = 0.97 if kind == "sluggish" else -0.7
        for t in range(1, shape[1]):
            noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    if kind == "apart":
        noise[0] += 1
    if kind == "wide":
        noise[0] *= 5
    if kind == "heavy":
        noise = noise / rng.gamma(0.5, size=shape)
    return np.round(noise) if kind == "tied" else noise


@pytest.mark.parametrize("kind", ["independent", "sluggish", "antithetic", "apart", "wide", "heavy", "tied"])
def test_the_judge_agrees_with_arviz(modules, kind):
    import diagnostics

    draws = chains(kind)
    assert diagnostics.rhat(draws) == pytest.approx(array_stats.rhat(draws, **AXES), rel=1e-9)
    assert diagnostics.ess_bulk(draws) == pytest.approx(array_stats.ess(draws, method="bulk", **AXES), rel=1e-9)
    assert diagnostics.ess_tail(draws) == pytest.approx(
        array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **AXES), rel=1e-9
    )


def test_the_worst_quantity_is_named_and_a_value_that_is_not_finite_is_the_worst(modules):
    import diagnostics

    verdict = diagnostics.judge({"good": chains("independent"), "apart": chains("apart"), "slow": chains("sluggish")})
    assert verdict["worst_ess_bulk"] in ("slow", "apart") and verdict["quantities"] == 3
    assert verdict["max_rhat"] == max(row["rhat"] for row in verdict["table"].values())
    assert verdict["min_ess_bulk"] == min(row["ess_bulk"] for row in verdict["table"].values())
    broken = chains("independent")
    broken[0, 0] = np.inf
    verdict = diagnostics.judge({"good": chains("independent"), "broken": broken})
    assert verdict["worst_rhat"] == verdict["worst_ess_bulk"] == "broken"
    assert np.isnan(verdict["max_rhat"]) and np.isnan(verdict["min_ess_tail"])


def test_a_case_is_read_as_it_was_written(modules, tmp_path):
    import case
    import run_peer

    world = simulate("geo", seed=3, periods=60)
    folder = run_peer.write_case(tmp_path / "case", "geo-3", world.table, world.settings["data"], {"draws": 50})
    read = case.read_case(folder, {"seed": 9})
    assert read.options == {**case.OPTIONS, "draws": 50, "seed": 9}
    assert read.channels == list(world.settings["data"]["channels"]) and read.geo == "geo" and read.population == "population"
    assert read.total_spend == pytest.approx({name: world.table[column].sum() for name, column in read.spend.items()})
    assert read.table.groupby("geo").size().eq(60).all() and (read.worth == 1).all()
    with pytest.raises(SystemExit, match="tunes"):
        case.read_case(folder, {"tunes": 9})


def test_an_exposure_and_a_column_of_unit_values_are_read(modules, tmp_path):
    import case
    import run_peer

    table = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=4), "y": 1.0, "x": 2.0, "cost": 3.0, "price": [1, 2, 3, 4]}
    )
    data = {"date": "day", "target": "y", "channels": {"tv": {"spend": "cost", "exposure": "x"}}, "unit_value": "price"}
    read = case.read_case(run_peer.write_case(tmp_path, "priced", table, data), {})
    assert read.exposure == {"tv": "x"} and read.total_spend == {"tv": 12.0} and read.worth.tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="KPI rows only"):
        run_peer.write_case(tmp_path, "history", table.assign(y=[None, 1, 1, 1]), data)


def test_the_report_is_computed_from_draws_of_money(modules, tmp_path):
    import case
    import run_peer

    world = simulate("clean", seed=3, periods=60)
    folder = run_peer.write_case(tmp_path / "case", "clean-3", world.table, world.settings["data"])
    read = case.read_case(folder, {})
    rng = np.random.default_rng(1)
    level = rng.gamma(9, 1e5, size=(4, 100, 6))
    outcome = case.Outcome(
        seconds={"import": 1.0, "build": 1.0, "sample": 2.0, "all_in": 3.0, "cpu": 4.0},
        settings={"terms": "none"},
        parameters={"noise": rng.gamma(5, size=(4, 100))},
        divergences=0,
        money=lambda multiplier: level * multiplier**0.5,
    )
    case.report(read, "fake", ("numpy",), outcome, tmp_path / "result.json")
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    spend = read.total_spend["tv"]
    assert result["roas"]["tv"]["mean"] == pytest.approx(level[..., 0].mean() / spend)
    assert result["roas"]["tv"]["q95"] == pytest.approx(np.quantile(level[..., 0], 0.95) / spend)
    assert result["mroas"]["tv"]["mean"] == pytest.approx(result["roas"]["tv"]["mean"] * (1.01**0.5 - 1) / 0.01)
    assert result["curves"]["tv"][0] == 0 and result["curves"]["multipliers"][4] == 1
    assert result["curves"]["tv"][4] == pytest.approx(level[..., 0].mean())
    assert set(result["diagnostics"]["table"]) == {*(f"roas[{name}]" for name in read.channels), "noise"}
    assert result["seconds"]["process"] > 0 and result["peak_rss_mb"] > 10


@pytest.fixture
def fake_peer(tmp_path):
    """An environment whose interpreter is a script: it sleeps, fails, or copies its options into a result."""

    def make(body):
        interpreter = tmp_path / "environments" / "meridian" / "bin" / "python"
        interpreter.parent.mkdir(parents=True)
        interpreter.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        interpreter.chmod(0o755)
        return tmp_path / "environments"

    return make


def test_a_peer_that_ends_well_hands_back_its_json(fake_peer, tmp_path):
    run_peer = script("peers/run_peer").run_peer
    environments = fake_peer("""printf '{"format": 1, "told": %s, "cache": "%s"}' "$5" "$NUMBA_CACHE_DIR" > "$3" """)
    out, cache = tmp_path / "r.json", tmp_path / "cache"
    result = run_peer("meridian", tmp_path, out, {"seed": 3}, 30, cache=cache, environments=environments)
    assert result == {"format": 1, "told": {"seed": 3}, "cache": str(cache / "numba")}
    assert not out.with_suffix(".log").exists()


def test_a_peer_that_fails_or_takes_too_long_is_a_value(fake_peer, tmp_path):
    run_peer = script("peers/run_peer").run_peer
    out = tmp_path / "r.json"
    out.write_text('{"format": 1, "old": true}', encoding="utf-8")
    environments = fake_peer('echo "out of memory" >&2; exit 3')
    result = run_peer("meridian", tmp_path, out, timeout=30, environments=environments)
    assert "exit status 3" in result["failed"] and "out of memory" in result["failed"] and not out.exists()
    assert "make_peers" in run_peer("pymc_marketing", tmp_path, out, environments=environments)["failed"]


def test_a_peer_past_its_time_is_killed_with_its_children(fake_peer, tmp_path):
    run_peer = script("peers/run_peer").run_peer
    environments = fake_peer(f"sleep 600 & echo $! > {tmp_path}/child; wait")
    result = run_peer("meridian", tmp_path, tmp_path / "r.json", timeout=3, environments=environments)
    assert result["failed"] == "stopped after 3 s" and 3 <= result["seconds"]["process"] < 60
    stat = Path("/proc") / (tmp_path / "child").read_text(encoding="utf-8").strip() / "stat"
    for _ in range(100):
        if not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"{stat.parent} is still alive")


def test_the_script_of_environments_says_what_it_lacks(tmp_path):
    maker = ROOT / "scripts" / "make_peers.sh"
    unknown = subprocess.run(["sh", maker, tmp_path, "robyn"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2 and "there are pymc_marketing and meridian" in unknown.stderr
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname"):
        (tmp_path / "bin" / tool).symlink_to(f"/usr/bin/{tool}")
    bare = {**os.environ, "PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    missing = subprocess.run(["sh", maker, tmp_path], capture_output=True, text=True, check=False, env=bare)
    assert missing.returncode == 2 and "needs Python 3.13" in missing.stderr and "pyenv install 3.13" in missing.stderr


def test_the_environments_are_pinned_without_addresses():
    for peer in ("pymc_marketing", "meridian"):
        lines = (ROOT / "scripts" / "peers" / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
        assert lines and all("==" in line and "//" not in line and " " not in line for line in lines)
