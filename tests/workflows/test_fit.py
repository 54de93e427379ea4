"""``mmx fit`` from the command line to the files and the run that it leaves behind."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import mmx as package
from mmx.mmm.store import read
from mmx.workflows.fit import run_fit
from mmx.workflows.journal import read_journal
from mmx.workflows.provenance import config_sha256

from ..command_line import LENIENT, SMALL, UNTRACKED, mmx
from ..report.reading import tables
from .conftest import FIT_FILES, SHOP, Made

Contents = Callable[[Path], dict[str, bytes]]
STATS = ("mean", "median", "q05", "q95")
MEDIA = ("tv", "search", "newsletter", "promotion")


def shows(text: str, value: float) -> bool:
    """Whether a printed number is ``value`` to its last digit."""
    found = re.fullmatch(r"([+-]?[\d,]+(?:\.(\d+))?)( %)?", text.strip())
    assert found, text
    scale = 100 if found[3] else 1
    step = 10.0 ** -len(found[2] or "")
    return abs(float(found[1].replace(",", "")) - scale * value) <= 0.5 * step * (1 + 1e-9)


def shows_interval(text: str, stats: dict[str, float]) -> bool:
    """Whether ``1.21 [0.82, 1.93]`` or ``12.3 % [8.1, 15.2]`` are mean and 90 % interval."""
    found = re.fullmatch(r"(\S+)( %)? \[(\S+), (\S+)\]", text.strip())
    assert found, text
    unit = found[2] or ""
    return all(shows(found[i] + unit, stats[key]) for i, key in ((1, "mean"), (3, "q05"), (4, "q95")))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def test_every_file_of_the_contract_is_there(fitted: Made) -> None:
    names = {p.name for p in fitted.folder.iterdir()}
    assert names >= FIT_FILES
    assert not [n for n in names if n.startswith(".")]
    for name in ("fit.png", "contributions.png", "response_curves.png"):
        assert (fitted.folder / name).read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in fitted.folder.parent.glob(".*")} == set()


def test_summary_holds_the_contract(fitted: Made) -> None:
    summary = fitted.summary
    assert summary["format"] == 1 and summary["converged"] is True and summary["reasons"] == []
    assert isinstance(summary["gate"], dict) and isinstance(summary["sampler"], dict)
    assert set(summary["seconds"]) == {"compile", "sample", "total"}
    assert all(is_number(v) and v >= 0 for v in summary["seconds"].values())
    assert summary["seconds"]["total"] >= summary["seconds"]["sample"] > 0
    assert is_number(summary["min_ess"]) and is_number(summary["max_rhat"]) and isinstance(summary["divergences"], int)
    assert set(summary["channels"]) == set(MEDIA)
    for name, channel in summary["channels"].items():
        paid = name in ("tv", "search")
        asked = ("roas", "mroas", "contribution", "contribution_share") if paid else ("contribution", "contribution_share")
        assert is_number(channel["spend"]) if paid else "spend" not in channel and "roas" not in channel
        for quantity in asked:
            assert set(channel[quantity]) == set(STATS) and all(is_number(v) for v in channel[quantity].values())
            assert channel[quantity]["q05"] <= channel[quantity]["median"] <= channel[quantity]["q95"]
    assert set(summary["fit"]) == {
        *("r2", "mape", "wape", "crps", "coverage90"),
        *("negative_baseline", "negative_baseline_periods"),
    }
    assert all(is_number(v) for v in summary["fit"].values())
    for key in ("data_sha256", "config_sha256"):
        assert re.fullmatch("[0-9a-f]{64}", summary[key])
    assert summary["seed"] == 5
    assert summary["versions"]["mmx"] == package.__version__ and all(isinstance(v, str) for v in summary["versions"].values())
    assert re.fullmatch("[0-9a-f]{32}", summary["mlflow_run_id"])


def test_channels_csv_holds_the_numbers_of_the_summary(fitted: Made) -> None:
    channels = fitted.summary["channels"]
    frame = pd.read_csv(fitted.folder / "channels.csv").set_index("channel")
    assert list(frame.index) == list(channels) == list(MEDIA)
    compared = 0
    for name, quantities in channels.items():
        for quantity, stats in quantities.items():
            if isinstance(stats, dict):
                for stat, value in stats.items():
                    assert frame.loc[name, f"{quantity}_{stat}"] == value
                    compared += 1
        assert quantities["kind"] == frame.loc[name, "kind"]
        assert quantities.get("spend") == (None if math.isnan(frame.loc[name, "spend"]) else frame.loc[name, "spend"])
    # the table has no number that the summary lacks
    assert compared == int(frame.drop(columns=["kind", "spend"]).notna().to_numpy().sum())


def test_report_shows_the_numbers_of_the_summary(fitted: Made) -> None:
    summary, text = fitted.summary, (fitted.folder / "report.md").read_text(encoding="utf-8")
    rows = {row["Channel"]: row for row in tables(text)[0]}
    assert list(rows) == list(MEDIA)
    for name, channel in summary["channels"].items():
        row = rows[name]
        assert shows(row["Contribution (EUR)"], channel["contribution"]["mean"])
        assert shows_interval(row["Share of KPI"], channel["contribution_share"])
        if channel["kind"] == "paid":
            assert shows(row["Spend (EUR)"], channel["spend"])
            assert shows_interval(row["ROAS"], channel["roas"]) and shows_interval(row["mROAS"], channel["mroas"])
        else:
            assert row["ROAS"] == row["mROAS"] == row["Spend (EUR)"] == ""
    for value in (summary["data_sha256"], summary["config_sha256"]):
        assert value in text
    printed = re.findall(r"[\d.]+ %", text.partition("## Fit")[2])
    for quantity in ("r2", "mape", "wape", "coverage90"):
        assert any(shows(p, summary["fit"][quantity]) for p in printed), quantity


def test_the_terminal_shows_the_numbers_of_the_summary(fitted: Made) -> None:
    summary, out = fitted.summary, fitted.answer.out
    for name in ("tv", "search"):
        line = next(line for line in out.splitlines() if line.startswith(name))
        found = re.findall(r"\S+(?: %)? \[[^\]]+\]", line)
        quantities = ("contribution_share", "roas", "mroas")
        assert all(shows_interval(t, summary["channels"][name][q]) for t, q in zip(found, quantities, strict=True))
    assert "Converged" in out and "NOT CONVERGED" not in out


def test_periods_of_contributions_add_up_to_the_channel(fitted: Made) -> None:
    frame = pd.read_csv(fitted.folder / "contributions.csv", parse_dates=["date"])
    channels = fitted.summary["channels"]
    totals = frame.groupby("channel")["mean"].sum()
    assert set(frame["channel"]) == set(MEDIA)
    for name in MEDIA:
        assert totals[name] == pytest.approx(channels[name]["contribution"]["mean"], rel=1e-9)
    window = fitted.summary["window"]
    assert str(frame["date"].min().date()) == window["window_start"] == SHOP["data"]["window"]["start"]
    assert str(frame["date"].max().date()) == window["window_end"] == SHOP["data"]["window"]["end"]
    assert window["first"] < window["window_start"]  # the world has media history before the window


def test_baseline_media_and_carry_in_add_up_to_the_fitted_mean(fitted: Made) -> None:
    made = read(fitted.folder / "posterior.nc")
    base = pd.read_csv(fitted.folder / "baseline.csv")
    parts = base[base["component"].isin(["baseline", "carry_in"])].groupby("date")["mean"].sum()
    media = pd.read_csv(fitted.folder / "contributions.csv").groupby("date")["mean"].sum()
    single = 20 * np.finfo(np.float32).eps  # the prediction is computed in single precision
    np.testing.assert_allclose((parts + media).to_numpy(), made.tables.fitted["mean"].to_numpy(), rtol=single)


def test_every_number_comes_again_from_the_stored_draws(fitted: Made) -> None:
    made, summary = read(fitted.folder / "posterior.nc"), fitted.summary
    assert made.tables.channel_stats() == summary["channels"]
    assert made.tables.fit == summary["fit"]
    assert made.gate.as_mapping() == summary["gate"]
    assert (made.seed, list(made.decisions), made.seconds) == (summary["seed"], summary["decisions"], summary["seconds"])


def test_roas_is_what_its_definition_says(fitted: Made) -> None:
    """The summary's ROAS, from the draws in the file by the formulas of two-stage adstock and Hill saturation alone."""
    import arviz

    tree = arviz.from_netcdf(fitted.folder / "posterior.nc")
    draws, panel = tree["posterior"], tree["panel"]
    constants = json.loads(tree.attrs["spec"])["constants"]
    window = panel["window"].values.astype(bool)
    stop = int(np.flatnonzero(window)[-1]) + 1

    def of(name: str) -> np.ndarray:
        return draws[name].values.astype(float)

    def kpi(exposure: np.ndarray, m: int) -> np.ndarray:
        first, carried, total = (np.zeros(of("alpha").shape[:2]) for _ in range(3))
        alpha, stage, half, slope = (of(name)[..., m] for name in ("alpha", "stage", "half_saturation", "slope"))
        second = alpha * stage
        for t in range(stop):
            first = alpha * first + (1 - alpha) * exposure[t]
            carried = second * carried + (1 - second) * first
            total += window[t] * carried**slope / (carried**slope + half**slope)
        return total * of("beta")[..., 0, m] * constants["kpi_scale"]

    for m, name in enumerate(("tv", "search")):
        spend = panel["spend"].values[0, :stop, m]
        exposure = panel["exposure"].values[0, :stop, m] / constants["media_scale"][m]
        nothing = np.where(window[:stop], 0.0, exposure)
        roas = (kpi(exposure, m) - kpi(nothing, m)) / spend[window[:stop]].sum()
        told = fitted.summary["channels"][name]["roas"]
        assert roas.mean() == pytest.approx(told["mean"], rel=1e-9)
        np.testing.assert_allclose(np.quantile(roas, [0.05, 0.5, 0.95]), [told[s] for s in ("q05", "median", "q95")], rtol=1e-9)


def test_posterior_is_an_arviz_tree_of_parameters(fitted: Made) -> None:
    import arviz

    tree = arviz.from_netcdf(fitted.folder / "posterior.nc")
    assert {"posterior", "sample_stats"} <= set(tree.children)
    draws, periods = tree["posterior"].to_dataset(), fitted.summary["window"]["time"]
    assert draws.sizes["chain"] == 2 and draws.sizes["draw"] == 100
    assert "time" not in draws.sizes and periods not in [n for d, n in draws.sizes.items() if d not in ("chain", "draw")]
    assert {"alpha", "beta", "noise"} <= set(draws.data_vars)
    assert bool(tree["sample_stats"]["diverging"].sum() == fitted.summary["divergences"])
    summary = arviz.summary(tree, var_names=["alpha"])
    stored = pd.read_csv(fitted.folder / "parameters.csv").set_index("name")
    assert float(stored.loc["alpha[tv]", "mean"]) == pytest.approx(float(draws["alpha"][..., 0].mean()), rel=1e-6)
    assert len(summary) == 3  # tv, search and the newsletter


def test_the_stored_config_fits_the_same_again(fitted: Made, tmp_path: Path) -> None:
    config = package.read_config(fitted.folder / "config.yaml")
    assert config_sha256(config) == fitted.summary["config_sha256"]
    assert yaml.safe_load((fitted.folder / "config.yaml").read_text(encoding="utf-8")) == config.as_mapping()
    again = run_fit(
        config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": None})}), out=tmp_path / "b"
    )
    repeated = Made(tmp_path / "b", fitted.answer)
    assert repeated.repeatable == fitted.repeatable
    assert again.summary == repeated.summary and repeated.summary["mlflow_run_id"] is None
    for name in ("channels.csv", "contributions.csv", "baseline.csv", "response_curves.csv", "parameters.csv"):
        assert (tmp_path / "b" / name).read_bytes() == (fitted.folder / name).read_bytes()


def test_run_jsonl_tells_every_stage(fitted: Made) -> None:
    stages = {line["stage"]: line for line in read_journal(fitted.folder / "run.jsonl")}
    assert {"load", "sample", "report", "track", "log"} <= set(stages)
    for line in stages.values():
        assert {"stage", "inputs", "rows", "outputs", "warnings", "decisions", "seconds"} <= set(line)
        assert is_number(line["seconds"]) and line["seconds"] >= 0 and line["error"] is None
    assert stages["sample"]["seconds"] >= fitted.summary["seconds"]["sample"] - 1e-3
    assert stages["load"]["rows"] == fitted.summary["window"]["time"]
    assert [Path(p).name for p in stages["load"]["inputs"]] == ["shop.csv"]
    assert set(stages["report"]["outputs"]) == {p.name for p in fitted.folder.iterdir()} - {"run.jsonl"}


def test_an_existing_folder_is_refused_and_stays(fitted: Made, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(fitted.folder)
    monkeypatch.setattr("mmx.workflows.fit.load", lambda *_: pytest.fail("the data were read before the folder was refused"))
    answer = mmx("fit", "shop", *SMALL, "--out", fitted.folder)
    assert answer.code == 2 and "exists already" in answer.said and "--force" in answer.said
    assert contents(fitted.folder) == before


def test_force_does_not_delete_what_mmx_did_not_write(tmp_path: Path, contents: Contents) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("years of work")
    answer = mmx("fit", "shop", *SMALL, UNTRACKED, "--out", tmp_path / "own", "--force")
    assert answer.code == 2 and "not an output of mmx" in answer.said
    assert contents(tmp_path) == {"own/thesis.txt": b"years of work"}


@pytest.fixture(scope="module")
def replaced(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A fit over an older output, with a tracking server that nobody started."""
    folder = tmp_path_factory.mktemp("outputs") / "shop"
    folder.mkdir()
    for name in ("run.jsonl", "left_over.txt"):
        (folder / name).write_text("")
    settings = (*SMALL, *LENIENT, "tracking.uri=http://127.0.0.1:9")
    return Made(folder, mmx("fit", "shop", *settings, "--out", folder, "--force", cwd=project))


def test_force_replaces_an_output_as_a_whole(replaced: Made) -> None:
    assert replaced.answer.code == 0, replaced.answer.said
    names = {p.name for p in replaced.folder.iterdir()}
    assert names >= FIT_FILES and "left_over.txt" not in names
    assert [p.name for p in replaced.folder.parent.iterdir()] == [replaced.folder.name]


def test_an_unreachable_server_never_loses_a_fit(replaced: Made) -> None:
    assert replaced.answer.code == 0 and replaced.summary["mlflow_run_id"] is None
    warnings = [w for line in read_journal(replaced.folder / "run.jsonl") for w in line["warnings"]]
    assert len(warnings) == 1 and "127.0.0.1:9" in warnings[0]
    assert warnings[0] in replaced.answer.said


def test_a_failing_fit_leaves_nothing_but_a_failed_run(project: Path, fitted: Made, store: Any, tmp_path: Path) -> None:
    table = pd.read_csv(project / "configs" / "shop.csv")
    table.loc[40, "tv_spend"] = -1.5
    table.to_csv(tmp_path / "bad.csv", index=False)
    answer = mmx("fit", "shop", *SMALL, "--data", tmp_path / "bad.csv", "--out", tmp_path / "out" / "bad")
    assert answer.code == 2 and "tv_spend" in answer.said and "-1.5" in answer.said
    assert not (tmp_path / "out" / "bad").exists() and not list(tmp_path.glob("out/.*"))
    runs = store.search_runs([e.experiment_id for e in store.search_experiments()], "attributes.status = 'FAILED'")
    failed = [r for r in runs if "tv_spend" in r.data.tags.get("error", "")]
    assert len(failed) == 1 and "-1.5" in failed[0].data.tags["error"]
    assert failed[0].info.run_name == "shop" and failed[0].data.tags["mmx.kind"] == "fit"


def test_the_run_in_the_store_holds_the_fit(fitted: Made, store: Any, tmp_path: Path) -> None:
    summary = fitted.summary
    run = store.get_run(summary["mlflow_run_id"])
    assert run.info.status == "FINISHED" and run.info.run_name == "shop"
    for name in ("tv", "search"):
        assert run.data.metrics[f"roas/{name}"] == summary["channels"][name]["roas"]["mean"]
        assert run.data.metrics[f"mroas/{name}"] == summary["channels"][name]["mroas"]["mean"]
    for name in ("min_ess", "max_rhat", "divergences"):
        assert run.data.metrics[name] == summary[name]
    assert run.data.params["sampler.draws"] == "100" and run.data.params["seed"] == "5"
    assert run.data.params["data.channels.search"] == "search_spend, clicks"
    assert run.data.tags["mmx.converged"] == "yes"
    for tag in ("data_sha256", "config_sha256", "lock_sha256"):
        assert run.data.tags[tag] == summary[tag]
    assert [d.dataset.name for d in run.inputs.dataset_inputs] == ["shop.csv"]
    logged = {a.path for a in store.list_artifacts(run.info.run_id)}
    assert logged == {p.name for p in fitted.folder.iterdir()}
    copy = Path(store.download_artifacts(run.info.run_id, "summary.json", str(tmp_path)))
    assert json.loads(copy.read_text(encoding="utf-8")) == summary


def test_a_fit_that_fails_its_gate_says_so_and_is_kept(unconverged: Made) -> None:
    summary, answer = unconverged.summary, unconverged.answer
    assert answer.code == 0 and summary["converged"] is False and summary["reasons"]
    assert summary["gate"]["passed"] is False and summary["gate"]["reasons"] == summary["reasons"]
    assert summary["min_ess"] < 400  # 100 draws cannot hold 400
    assert answer.out.startswith("NOT CONVERGED")
    report = (unconverged.folder / "report.md").read_text(encoding="utf-8")
    assert "NOT CONVERGED" in report
    assert {p.name for p in unconverged.folder.iterdir()} >= FIT_FILES


def test_the_one_retry_is_recorded(unconverged: Made, fitted: Made) -> None:
    summary = unconverged.summary
    retries = [d for d in summary["decisions"] if "sampled once more" in d]
    assert len(retries) == 1 and "0.98" in retries[0]
    assert summary["sampler"]["target_accept"] == 0.98 and summary["sampler"]["tune"] == 100
    stage = next(line for line in read_journal(unconverged.folder / "run.jsonl") if line["stage"] == "sample")
    assert retries[0] in stage["decisions"]
    assert retries[0] in " ".join((unconverged.folder / "report.md").read_text(encoding="utf-8").split())
    assert not [d for d in fitted.summary["decisions"] if "once more" in d]
    assert fitted.summary["sampler"]["target_accept"] == 0.9


def test_the_seed_on_the_command_line_is_the_one_used(fitted: Made, unconverged: Made) -> None:
    for made, seed in ((fitted, 5), (unconverged, 1)):
        assert made.summary["seed"] == made.summary["sampler"]["seed"] == seed
        assert yaml.safe_load((made.folder / "config.yaml").read_text(encoding="utf-8"))["seed"] == seed
