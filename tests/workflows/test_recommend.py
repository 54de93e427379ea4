"""``mmx recommend`` from a fit's folder or run to the files and the run that it leaves behind."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from mmx.workflows.journal import read_journal

from ..command_line import mmx
from ..report.reading import number, tables
from .conftest import PLAN_FILES, Made

EXCEL = 1e-15  # a workbook keeps 16 significant digits


def plan_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "recommendation.json").read_text(encoding="utf-8"))
    return content


def sheets_of(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(folder / "recommendation.xlsx")
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def listing(*folders: Path) -> set[Path]:
    return {p for folder in folders for p in folder.rglob("*") if "mlruns" not in p.parts}


def test_every_file_of_the_contract_is_there(planned: Made) -> None:
    assert {p.name for p in planned.folder.iterdir()} == PLAN_FILES
    assert (planned.folder / "recommendation.png").read_bytes().startswith(b"\x89PNG")


def test_json_holds_the_contract(planned: Made) -> None:
    plan = planned.plan
    assert plan["format"] == 2 and plan["objective"] == "mean" and plan["goal"] == "fixed total"
    assert plan["certificate"]["certified"] and plan["certificate"]["bound"] >= plan["certificate"]["value"]
    assert isinstance(plan["total"], float) and plan["horizon"] == 8
    assert set(plan["gain"]) == {"mean", "q05", "q95"} and 0 <= plan["probability_better"] <= 1
    assert plan["gain"]["q05"] <= plan["gain"]["q95"]
    assert set(plan["channels"]) == {"tv", "search"}
    assert len(plan["cells"]) == 2 * 8
    for cell in plan["cells"]:
        assert set(cell) == {"channel", "geo", "start", "end", "current", "recommended"}
        assert pd.Timestamp(cell["end"]) - pd.Timestamp(cell["start"]) == pd.Timedelta(days=6)
        assert cell["current"] >= 0 and cell["recommended"] >= 0
    starts = [c["start"] for c in plan["cells"] if c["channel"] == "tv"]
    assert starts == [str(d.date()) for d in pd.date_range("2023-10-02", periods=8, freq="7D")]  # after the KPI window


def test_cells_channels_and_total_are_the_same_money(planned: Made) -> None:
    plan = planned.plan
    sums: dict[tuple[str, str], list[float]] = defaultdict(list)
    for cell in plan["cells"]:
        for which in ("current", "recommended"):
            sums[cell["channel"], which].append(cell[which])
    for name, channel in plan["channels"].items():
        for which in ("current", "recommended"):
            assert math.fsum(sums[name, which]) == pytest.approx(channel[f"{which}_spend"], rel=1e-12)
        assert channel["multiplier"] * channel["current_spend"] == pytest.approx(channel["recommended_spend"], rel=1e-12)
        assert channel["low"] * (1 - 1e-9) <= channel["recommended_spend"] <= channel["high"] * (1 + 1e-9)
        bounds = 0.5 * channel["current_spend"], 2.0 * channel["current_spend"]
        assert (channel["low"], channel["high"]) == pytest.approx(bounds, rel=1e-12)
    channels = plan["channels"].values()
    assert math.fsum(c["recommended_spend"] for c in channels) == pytest.approx(plan["total"], rel=1e-9)
    assert math.fsum(c["current_spend"] for c in channels) == pytest.approx(plan["current_total"], rel=1e-12)
    assert plan["total"] == pytest.approx(plan["current_total"], rel=1e-9)  # no total was asked for
    assert math.fsum(c["extra"]["mean"] for c in channels) == pytest.approx(plan["gain"]["mean"], rel=1e-9)


def test_the_current_plan_is_the_last_spend_of_the_window(planned: Made, project: Path) -> None:
    table = pd.read_csv(project / "configs" / "shop.csv", parse_dates=["week"])
    last = table[table["week"] <= "2023-09-25"].tail(8)
    for name in ("tv", "search"):
        current = [c["current"] for c in planned.plan["cells"] if c["channel"] == name]
        assert current == last[f"{name}_spend"].astype(float).tolist()


def test_csv_holds_the_cells_of_the_json(planned: Made) -> None:
    frame = pd.read_csv(planned.folder / "recommendation.csv")
    assert frame[["channel", "geo", "start", "end", "current", "recommended"]].to_dict("records") == planned.plan["cells"]
    assert frame["converged"].all()
    assert (frame["change"] == frame["recommended"] - frame["current"]).all()


def test_workbook_holds_the_numbers_of_the_json(planned: Made) -> None:
    plan, sheets = planned.plan, sheets_of(planned.folder)
    assert list(sheets) == ["Summary", "Plan", "Weekly flighting", "Curves", "Frontier", "Tests", "Cells", "Assumptions"]
    summary = {row[0].strip(): row[1] for row in sheets["Summary"] if isinstance(row[0], str)}
    told = {
        "Current plan, total": plan["current_total"],
        "Recommended plan, total": plan["total"],
        "Extra KPI money (gain)": plan["gain"]["mean"],
        "5 % quantile": plan["gain"]["q05"],
        "95 % quantile": plan["gain"]["q95"],
        "P(gain > 0), share of draws": plan["probability_better"],
    }
    assert {k: summary[k] for k in told} == {k: pytest.approx(v, rel=EXCEL) for k, v in told.items()}
    head, *rows = sheets["Plan"]
    by_name = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    for name, channel in plan["channels"].items():
        row = by_name[name]
        for column, value in (
            ("Current spend", channel["current_spend"]),
            ("Recommended spend", channel["recommended_spend"]),
            ("Multiplier", channel["multiplier"]),
            ("Extra KPI money, mean", channel["extra"]["mean"]),
            ("Extra KPI money, 5 %", channel["extra"]["q05"]),
            ("Extra KPI money, 95 %", channel["extra"]["q95"]),
            ("mROAS before, mean", channel["mroas_current"]["mean"]),
            ("mROAS after, mean", channel["mroas_recommended"]["mean"]),
        ):
            assert row[column] == pytest.approx(value, rel=EXCEL), column
        assert (row["Binding"] or "") == channel["binding"]
        assert (row["Outside observed range"] == "yes") == channel["outside_observed"]
    assert by_name["Total"]["Recommended spend"] == pytest.approx(plan["total"], rel=EXCEL)
    cells = [row[:6] for row in sheets["Cells"][1:] if row[0]]
    assert [c[:4] for c in cells] == [(c["channel"], c["geo"], c["start"], c["end"]) for c in plan["cells"]]
    for row, cell in zip(cells, plan["cells"], strict=True):
        assert row[4:] == (pytest.approx(cell["current"], rel=EXCEL), pytest.approx(cell["recommended"], rel=EXCEL))


def test_markdown_and_terminal_show_the_numbers_of_the_json(planned: Made) -> None:
    plan, text = planned.plan, (planned.folder / "recommendation.md").read_text(encoding="utf-8")
    rows, held = ({row["Channel"]: row for row in table} for table in tables(text)[:2])
    for name, channel in plan["channels"].items():
        row = rows[name]
        # spend is printed in whole money from 1000 on
        assert number(row["Current (EUR)"]) == pytest.approx(channel["current_spend"], abs=0.5)
        assert number(row["Recommended (EUR)"]) == pytest.approx(channel["recommended_spend"], abs=0.5)
        assert number(row["Extra KPI money (EUR)"]) == pytest.approx(channel["extra"]["mean"], abs=0.5)
        ends = [number(part) for part in row["90 % interval"].split(" to ")]
        assert ends == [pytest.approx(channel["extra"][q], abs=0.5) for q in ("q05", "q95")]
        assert number(held[name]["mROAS before"]) == pytest.approx(channel["mroas_current"]["mean"], abs=0.005)
        assert number(held[name]["mROAS after"]) == pytest.approx(channel["mroas_recommended"]["mean"], abs=0.005)
        assert (channel["binding"] in row["Remarks"]) if channel["binding"] else "bound" not in row["Remarks"]
    assert f"{plan['total']:,.0f} EUR" in text and f"{plan['total']:,.0f} EUR" in planned.answer.out
    assert f"{plan['gain']['mean']:+,.0f} EUR" in text
    gain = re.search(r"Expected extra KPI money: (\S+) \[(\S+), (\S+)\] EUR", planned.answer.said)
    assert gain is not None
    for shown, value in zip(gain.groups(), plan["gain"].values(), strict=True):
        digits = len(re.sub(r"\D", "", shown).lstrip("0"))
        assert number(shown) == pytest.approx(value, abs=10.0 ** (math.ceil(math.log10(abs(value))) - digits) if value else 0)


def test_a_recommendation_is_a_child_run_of_its_fit(planned: Made, fitted: Made, store: Any, tmp_path: Path) -> None:
    fit_run, plan = fitted.summary["mlflow_run_id"], planned.plan
    experiments = [e.experiment_id for e in store.search_experiments()]
    children = store.search_runs(experiments, f"tags.mlflow.parentRunId = '{fit_run}' and attributes.status = 'FINISHED'")
    made = [r for r in children if r.data.metrics.get("gain") == plan["gain"]["mean"]]
    assert len(made) >= 1
    run = made[-1]
    assert run.data.tags["mmx.kind"] == "recommendation"
    assert run.data.metrics["recommended/tv"] == plan["channels"]["tv"]["recommended_spend"]
    assert run.data.metrics["probability_better"] == plan["probability_better"]
    assert {a.path for a in store.list_artifacts(run.info.run_id)} == PLAN_FILES
    copy = Path(store.download_artifacts(run.info.run_id, "recommendation.json", str(tmp_path)))
    assert json.loads(copy.read_text(encoding="utf-8")) == plan


def test_run_jsonl_tells_every_stage(planned: Made) -> None:
    stages = {line["stage"]: line for line in read_journal(planned.folder / "run.jsonl")}
    assert {"read", "recommend", "report", "log"} <= set(stages)
    assert set(stages["report"]["outputs"]) == PLAN_FILES - {"run.jsonl"}
    assert all(line["error"] is None and line["seconds"] >= 0 for line in stages.values())


def test_a_run_id_gives_the_recommendation_of_its_folder(planned: Made, fitted: Made, tmp_path: Path) -> None:
    answer = mmx("recommend", fitted.summary["mlflow_run_id"], "--out", tmp_path / "plan")
    assert answer.code == 0, answer.said
    for name in PLAN_FILES - {"run.jsonl"}:
        assert (tmp_path / "plan" / name).read_bytes() == (planned.folder / name).read_bytes(), name


def test_options_are_obeyed(fitted: Made, planned: Made, tmp_path: Path) -> None:
    total = round(1.1 * sum(c["current"] for c in planned.plan["cells"] if c["start"] >= "2023-10-30"), 2)
    options = ("--budget", str(total), "--horizon", "4", "--bounds", "0.8,1.4")
    answer = mmx("recommend", fitted.folder, *options, "--out", tmp_path / "plan")
    assert answer.code == 0, answer.said
    plan = plan_of(tmp_path / "plan")
    assert plan["total"] == total != plan["current_total"]
    assert plan["horizon"] == 4 and len(plan["cells"]) == 8
    assert math.fsum(c["recommended"] for c in plan["cells"]) == pytest.approx(total, rel=1e-9)
    for channel in plan["channels"].values():
        bounds = 0.8 * channel["current_spend"], 1.4 * channel["current_spend"]
        assert (channel["low"], channel["high"]) == pytest.approx(bounds, rel=1e-12)
        assert 0.8 * (1 - 1e-9) <= channel["multiplier"] <= 1.4 * (1 + 1e-9)
    # the four periods before the horizon, whose pattern the longer plan ends with
    longer = [c["current"] for c in planned.plan["cells"] if c["start"] >= "2023-10-30"]
    assert [c["current"] for c in plan["cells"]] == longer

    answer = mmx("recommend", fitted.folder, "--out", tmp_path / "plan")
    assert answer.code == 2 and "--force" in answer.said and plan_of(tmp_path / "plan") == plan
    answer = mmx("recommend", fitted.folder, "--out", tmp_path / "plan", "--force")
    assert answer.code == 0 and plan_of(tmp_path / "plan") == planned.plan


def test_last_year_takes_the_same_weeks_a_year_earlier(fitted: Made, project: Path, tmp_path: Path) -> None:
    answer = mmx("recommend", fitted.folder, "--reference", "last_year", "--out", tmp_path / "plan")
    assert answer.code == 0, answer.said
    table = pd.read_csv(project / "configs" / "shop.csv", parse_dates=["week"]).set_index("week")
    for cell in plan_of(tmp_path / "plan")["cells"]:
        before = pd.Timestamp(cell["start"]) - pd.Timedelta(weeks=52)
        assert cell["current"] == table.loc[before, f"{cell['channel']}_spend"]


def test_an_unconverged_fit_is_refused(unconverged: Made, project: Path, tmp_path: Path) -> None:
    before = listing(project, tmp_path)
    answer = mmx("recommend", unconverged.folder, "--out", tmp_path / "plan")
    assert answer.code == 3 and "not converged" in answer.said and "--allow-unconverged" in answer.said
    assert listing(project, tmp_path) == before


def test_every_output_of_an_unconverged_fit_says_so(unconverged: Made, tmp_path: Path) -> None:
    answer = mmx("recommend", unconverged.folder, "--out", tmp_path / "plan", "--allow-unconverged")
    assert answer.code == 0 and answer.out.startswith("NOT CONVERGED")
    folder, reasons = tmp_path / "plan", unconverged.summary["reasons"]
    plan = plan_of(folder)
    assert plan["converged"] is False and plan["gate_reasons"] == reasons
    assert not pd.read_csv(folder / "recommendation.csv")["converged"].any()
    assert "NOT CONVERGED" in (folder / "recommendation.md").read_text(encoding="utf-8").partition("## Channels")[0]
    for title, rows in sheets_of(folder).items():
        assert any("NOT CONVERGED" in str(cell) for row in rows[:3] for cell in row), title


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "there is no folder nowhere"),
        ("configs", "lacks posterior.nc, config.yaml, summary.json"),
        ("0" * 32, "there is no run " + "0" * 32),
    ],
    ids=["no folder", "another folder", "no run"],
)
def test_a_wrong_source_is_refused(source: str, said: str, fitted: Made, project: Path, tmp_path: Path) -> None:
    before = listing(project, tmp_path)
    answer = mmx("recommend", source, "--out", tmp_path / "plan")
    assert answer.code == 2 and said in answer.said
    assert ("mmx fit" in answer.said) if source != "0" * 32 else (fitted.summary["mlflow_run_id"] in answer.said)
    assert listing(project, tmp_path) == before


def test_the_run_of_a_recommendation_points_to_its_fit(planned: Made, fitted: Made, store: Any, tmp_path: Path) -> None:
    experiments = [e.experiment_id for e in store.search_experiments()]
    run = store.search_runs(experiments, "tags.`mmx.kind` = 'recommendation' and attributes.status = 'FINISHED'")[0]
    answer = mmx("recommend", run.info.run_id, "--out", tmp_path / "plan")
    assert answer.code == 2 and fitted.summary["mlflow_run_id"] in answer.said
    assert not (tmp_path / "plan").exists()


def test_an_earlier_plan_is_compared(fitted: Made, planned: Made, tmp_path: Path) -> None:
    """By file or by folder; the sentence stands in every text, the file among the run's inputs."""
    earlier = planned.plan
    for cell in earlier["cells"]:
        cell["recommended"] *= 0.6 if cell["channel"] == "tv" else 1.0
    (tmp_path / "recommendation.json").write_text(json.dumps(earlier), encoding="utf-8")
    for since in (tmp_path, tmp_path / "recommendation.json"):
        answer = mmx("recommend", fitted.folder, "--since", since, "--out", tmp_path / "plan", "--force", "tracking.uri=null")
        assert answer.code == 0, answer.said
    found = plan_of(tmp_path / "plan")["turnover"]
    plain = planned.plan
    kept = {name: plain["channels"][name]["recommended_spend"] * (0.6 if name == "tv" else 1.0) for name in ("tv", "search")}
    share = kept["tv"] / sum(kept.values())
    assert found["moved"] == pytest.approx(abs(plain["channels"]["tv"]["recommended_spend"] / plain["total"] - share), rel=1e-6)
    assert plain["turnover"] is None and found["start"] == plain["start"] and found["lost"]["mean"] > 0
    said = f"Since the plan from {plain['start']} (shop) {100 * found['moved']:.1f} % of the money moves"
    page = " ".join((tmp_path / "plan" / "recommendation.md").read_text(encoding="utf-8").split())
    assert said in " ".join(answer.out.split()) and said in page
    assert any(said in str(cell) for row in sheets_of(tmp_path / "plan")["Summary"] for cell in row)
    stages = {line["stage"]: line for line in read_journal(tmp_path / "plan" / "run.jsonl")}
    assert str(tmp_path / "recommendation.json") in json.dumps(stages["read"])


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "cannot be read"), ('{"format": 1}', "its format is 1"), ("[]", "it is a list")],
    ids=["no file", "no JSON", "another format", "a list"],
)
def test_a_wrong_earlier_plan_is_refused(content: str | None, said: str, fitted: Made, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "recommendation.json").write_text(content, encoding="utf-8")
    answer = mmx("recommend", fitted.folder, "--since", tmp_path, "--out", tmp_path / "plan", "tracking.uri=null")
    assert answer.code == 2 and said in answer.said and "recommendation" in answer.said
    assert not (tmp_path / "plan").exists()


IMPOSSIBLE = {
    "--budget 1": "a total of 1.00 EUR cannot be reached: the bounds allow",
    "--budget -5": "budget.total",
    "--horizon 0": "budget.horizon",
    "--horizon 500": "a horizon of 500 periods",
    "--bounds 0.5": "takes LOW,HIGH",
    "--bounds a,b": "takes LOW,HIGH",
    "--bounds 2,0.5": "takes LOW,HIGH",
    "--bounds -1,2": "takes LOW,HIGH",
    "--bounds 0.5,1,2": "takes LOW,HIGH",
    "--bounds 0.5,[2": "takes LOW,HIGH",
    "--reference tomorrow": "reference",
}


@pytest.mark.parametrize("options", IMPOSSIBLE)
def test_an_impossible_question_is_refused(options: str, fitted: Made, project: Path, tmp_path: Path) -> None:
    before = listing(project, tmp_path)
    answer = mmx("recommend", fitted.folder, *options.split(), "--out", tmp_path / "plan")
    assert answer.code == 2 and IMPOSSIBLE[options] in answer.said, answer.said
    assert listing(project, tmp_path) == before
