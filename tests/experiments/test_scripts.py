"""The launch scripts run as they stand, at tiny size, on a generated world; importing them does nothing."""

import importlib.util
import json
from pathlib import Path

import pytest

from mmx.worlds import simulate, write

from ..command_line import LENIENT, SMALL

SCRIPTS = Path(__file__).parents[2] / "experiments"


def script(name):
    """A launch script as a module."""
    spec = importlib.util.spec_from_file_location(f"experiments_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a generated table and its configuration."""
    folder = tmp_path_factory.mktemp("experiment")
    write(simulate("clean", seed=2), folder / "clean.csv")
    return folder


@pytest.fixture(scope="module")
def fitted(project):
    """The folder that the fit script wrote, and the fit that it returned."""
    out = project / "fit"
    settings = [*SMALL, *LENIENT, "tracking.uri=null"]
    return out, script("fit_mmm").main([str(project / "clean.yaml"), "--out", str(out), *settings])


def test_the_fit_script_writes_what_it_returns(fitted):
    out, fit = fitted
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["channels"] == fit.tables.channel_stats()
    assert summary["sampler"]["draws"] == 100
    assert (out / "report.md").is_file()


def test_the_fit_script_writes_nothing_without_out(project, fitted, monkeypatch, capsys):
    monkeypatch.chdir(project)
    before = sorted(project.rglob("*"))
    arguments = ["clean.yaml", *SMALL, "--data", "clean.csv", *LENIENT, "tracking.uri=null"]
    again = script("fit_mmm").main(arguments)
    assert sorted(project.rglob("*")) == before
    assert again.tables.channel_stats() == fitted[1].tables.channel_stats()
    shown = capsys.readouterr().out
    for part in ("converged: True", "roas_q05", "400 of 400 draws", "r2", "alpha[tv]"):  # two chains, tuning counted
        assert part in shown


def test_the_recommend_script_answers_for_every_total(fitted, project, capsys):
    out = project / "plan"
    plans = script("recommend").main(
        [str(fitted[0]), "--share", "0.9", "1.1", "--bounds", "0.6", "1.5", "--horizon", "8", "--out", str(out)]
    )
    current = plans[0].current_total
    assert [p.total for p in plans] == pytest.approx([0.9 * current, 1.1 * current], rel=1e-12)
    for plan in plans:
        assert plan.horizon == 8
        assert sum(c.recommended_spend for c in plan.channels.values()) == pytest.approx(plan.total, rel=1e-9)
    written = json.loads((out / "recommendation.json").read_text(encoding="utf-8"))
    assert written["total"] == pytest.approx(plans[0].total, rel=1e-12)
    assert written["gain"]["mean"] == pytest.approx(plans[0].gain.mean, rel=1e-9)
    assert "90% of the current plan" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(p.stem for p in SCRIPTS.glob("*.py")))
def test_a_script_does_nothing_at_import_and_explains_itself(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = script(name)
    assert (*capsys.readouterr(), list(tmp_path.iterdir())) == ("", "", [])
    with pytest.raises(SystemExit) as stopped:
        module.main(["--help"])
    assert stopped.value.code == 0
    assert "usage:" in capsys.readouterr().out
