"""The command line itself: help, arguments that become settings, exit codes; fits and plans are tested in ``workflows``."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import mmx as package
from mmx.errors import DecisionError, MmxError, NotConvergedError

from .command_line import mmx

COMMANDS = ("check", "fit", "recommend", "simulate", "lift", "features", "demo", "ui", "tune", "pool", "rules")
SHOP = {
    "data": {
        "path": "shop.csv",
        "date": "week",
        "target": "sales",
        "channels": {"tv": {"spend": "tv"}, "web": {"spend": "web", "exposure": "clicks"}},
    }
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with configurations of one customer."""
    files = {"shop.yaml": SHOP, "acme.yaml": {"data": {"currency": "EUR"}, "seed": 3}, "acme/meta.yaml": SHOP}
    for name, content in files.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """Keep what the workflows of fit and check are asked, and stop there."""
    seen: list[tuple[Any, dict[str, Any]]] = []

    def stop(config: Any, **options: Any) -> None:
        seen.append((config, options))
        raise MmxError("stopped by the test")

    monkeypatch.setattr("mmx.workflows.fit.run_fit", stop)
    monkeypatch.setattr("mmx.workflows.check.run_check", stop)
    return seen


def script() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "mmx")


def test_help_lists_every_command() -> None:
    answer = mmx("--help", columns=80)
    assert answer.code == 0 and answer.err == ""
    assert [line.split()[0] for line in answer.out.partition("Commands:")[2].splitlines() if line.strip()] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    answer = mmx(command, "--help", columns=80)
    assert answer.code == 0 and answer.out.startswith(f"Usage: mmx {command}") and "--help" in answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= 80


def test_no_command_shows_help() -> None:
    answer = mmx()
    assert answer.code == 2 and "Usage: mmx" in answer.said and "recommend" in answer.said


def test_help_in_a_process_of_its_own_imports_nothing_heavy() -> None:
    code = "import sys; from mmx.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "xarray", "jax", "pymc", "mlflow", "matplotlib", "nutpie", "numpyro", "optuna", "pydantic"}
    assert "Usage" in done.stdout and not heavy & set(done.stderr.split())


def test_the_console_script_returns_the_exit_code(tmp_path: Path) -> None:
    done = subprocess.run([script(), "check", "nothing"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "there is no configuration file nothing" in done.stderr and "Traceback" not in done.stderr


def test_layers_overrides_and_seed_reach_the_workflow(project: Path, asked: list[Any]) -> None:
    arguments = ("sampler.draws=77", "budget.bounds=[0.9, 1.1]", "model.drift=false")
    assert mmx("fit", "shop", *arguments, "--seed", "9", "--out", "out", "--force").code == 2
    config, options = asked[0]
    assert (config.name, config.seed, config.sampler.draws) == ("shop", 9, 77)
    assert config.budget.bounds == (0.9, 1.1) and config.model.drift is False
    assert options["out"] == Path("out") and options["force"] is True and options["data"] is None


def test_a_seed_on_the_command_line_wins(project: Path, asked: list[Any]) -> None:
    mmx("fit", "shop", "seed=4")
    mmx("fit", "shop", "seed=4", "--seed", "5")
    mmx("fit", "shop")
    assert [config.seed for config, _ in asked] == [4, 5, 1]


@pytest.mark.parametrize("command", ["fit", "check"])
def test_customer_and_platform_name_a_configuration(project: Path, asked: list[Any], command: str) -> None:
    assert mmx(command, "--customer", "acme", "--platform", "meta").code == 2
    assert mmx(command, "--customer", "acme", "--platform", "meta", "seed=8", "sampler.draws=55").code == 2
    (plain, _), (changed, _) = asked
    assert plain.name == "acme_meta" and plain.data.currency == "EUR" and plain.seed == 3
    assert (changed.seed, changed.sampler.draws, changed.data.currency) == (8, 55, "EUR")


REFUSED = {
    "unknown name": (("shopp",), "Did you mean configs/shop.yaml?"),
    "no name": ((), "no configuration was named"),
    "customer alone": (("--customer", "acme"), "--platform"),
    "both ways": (("shop", "--customer", "acme", "--platform", "meta"), "not both"),
    "unknown platform": (("--customer", "acme", "--platform", "tiktok"), "configs/acme/tiktok.yaml"),
    "unknown key": (("shop", "sampler.drawz=5"), "Did you mean 'draws'?"),
    "no value": (("shop", "sampler.draws"), "not of the form key.path=value"),
    "wrong value": (("shop", "sampler.draws=many"), "sampler.draws"),
    "later key": (("shop", "model.hierarchy=[]"), "reserved for a later version"),
    "negative seed": (("shop", "--seed", "-1"), "--seed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_configuration_that_cannot_be_used_is_refused(project: Path, asked: list[Any], case: str) -> None:
    arguments, said = REFUSED[case]
    answer = mmx("fit", *arguments)
    assert answer.code == 2 and said in answer.said and answer.out == "", answer.said
    assert asked == [] and {p.name for p in project.iterdir()} == {"configs"}


def test_all_problems_of_a_configuration_are_listed(project: Path) -> None:
    answer = mmx("check", "shop", "sampler.draws=1", "model.trend=wavy", "budget.horizonn=3")
    assert answer.code == 2 and "3 problems." in answer.err
    for place in ("sampler.draws", "model.trend", "budget.horizonn"):
        assert place in answer.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(MmxError("odd"), 2), (DecisionError("odd"), 2), (NotConvergedError("odd"), 3), (KeyboardInterrupt(), 130)],
    ids=["MmxError", "DecisionError", "NotConvergedError", "KeyboardInterrupt"],
)
def test_errors_become_exit_codes(project: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("mmx.workflows.check.run_check", fail)
    answer = mmx("check", "shop")
    assert answer.code == code and answer.out == ""
    assert ("Interrupted" if code == 130 else "Error: odd") in answer.err


def test_an_error_of_the_program_keeps_its_traceback(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mmx.workflows.check.run_check", fail)
    with pytest.raises(ZeroDivisionError):
        mmx("check", "shop")


def test_simulate_writes_table_truth_and_configuration(tmp_path: Path) -> None:
    answer = mmx("simulate", "zero", "--out", tmp_path / "w" / "zero.csv", "--seed", "4")
    assert answer.code == 0
    assert {p.name for p in (tmp_path / "w").iterdir()} == {"zero.csv", "zero.truth.json", "zero.yaml"}
    assert all(str(p) in answer.out for p in (tmp_path / "w").iterdir())
    truth = json.loads((tmp_path / "w" / "zero.truth.json").read_text(encoding="utf-8"))
    config = package.read_config(tmp_path / "w" / "zero.yaml")
    for quantity in ("roas", "mroas", "contribution", "best_plan"):
        assert set(truth[quantity]) == set(config.data.channels), quantity
    assert truth["seed"] == 4
    assert mmx("check", tmp_path / "w" / "zero.yaml").code == 0

    table = (tmp_path / "w" / "zero.csv").read_bytes()
    refused = mmx("simulate", "zero", "--out", tmp_path / "w" / "zero.csv", "--seed", "5")
    assert refused.code == 2 and "--force" in refused.said and (tmp_path / "w" / "zero.csv").read_bytes() == table
    assert mmx("simulate", "zero", "--out", tmp_path / "w" / "zero.csv", "--seed", "5", "--force").code == 0
    assert (tmp_path / "w" / "zero.csv").read_bytes() != table


@pytest.mark.parametrize("world", ["clean", "geo", "confounded", "zero"])
def test_the_promised_worlds_exist(world: str, tmp_path: Path) -> None:
    assert mmx("simulate", world, "--out", tmp_path / "w.parquet").code == 0
    assert len(pd.read_parquet(tmp_path / "w.parquet")) >= 104


def test_simulate_writes_an_account_of_ads(tmp_path: Path) -> None:
    answer = mmx("simulate", "account", "--out", tmp_path / "account.csv")
    assert answer.code == 0, answer.said
    assert {p.name for p in tmp_path.iterdir()} == {"account.csv", "account.truth.json", "account.yaml"}
    assert {"Day", "Ad set name", "Amount spent (EUR)"} <= set(pd.read_csv(tmp_path / "account.csv").columns)
    refused = mmx("simulate", "account", "--out", tmp_path / "other.csv", "--variant", "inside")
    assert refused.code == 2 and "not for accounts" in " ".join(refused.said.split())
    assert "account_demand" in mmx("simulate", "account_deman", "--out", tmp_path / "other.csv").said


def test_simulate_like_a_configuration_has_its_columns(project: Path) -> None:
    answer = mmx("simulate", "--like", "shop", "--out", "configs/shop.csv", "--force")
    assert answer.code == 0, answer.said
    assert set(pd.read_csv("configs/shop.csv").columns) == {"week", "sales", "tv", "web", "clicks"}
    assert mmx("check", "shop").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mars", "--out", "w.csv"), "clean"),
        (("--out", "w.csv"), "--like CONFIG"),
        (("clean", "--like", "shop", "--out", "w.csv"), "one of the two"),
        (("clean",), "--out FILE"),
        (("clean", "--out", "w.xlsx"), ".csv or .parquet"),
        (("--like", "shopp", "--out", "w.csv"), "Did you mean"),
    ],
    ids=["unknown world", "nothing", "both", "no file", "wrong suffix", "unknown config"],
)
def test_a_world_that_cannot_be_made_is_refused(project: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = mmx("simulate", *arguments)
    assert answer.code == 2 and said in answer.said, answer.said
    assert {p.name for p in project.iterdir()} == {"configs"}


def test_ui_without_a_store_is_refused(project: Path) -> None:
    answer = mmx("ui", "tracking.uri=null")
    assert answer.code == 2 and "tracking.uri" in answer.said
