from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from mmx.report import format as fmt
from mmx.report.fit_files import write_fit_files
from mmx.report.fit_report import fit_report

from .conftest import Written
from .examples import Example, six
from .reading import LOST, number, tables

PARTS = ("fit",)
FILES = {
    "channels.csv": "channels",
    "contributions.csv": "contributions",
    "baseline.csv": "baseline",
    "response_curves.csv": "curves",
    "parameters.csv": "parameters",
}
FIGURES = ("fit.png", "contributions.png", "response_curves.png")


def test_every_file_is_written(written: Written) -> None:
    folder = written.folder
    for name in (*FILES, *FIGURES, "report.md"):
        assert (folder / name).stat().st_size > 200, name


@pytest.mark.parametrize("file", FILES)
def test_csv_is_read_back_exactly(written: Written, file: str) -> None:
    example, folder = written.example, written.folder
    expected = getattr(example.tables, FILES[file])
    text = [c for c in expected if pd.api.types.is_string_dtype(expected[c])]
    got = pd.read_csv(folder / file, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values="")
    assert list(got) == list(expected)
    for column in expected:
        if column in text:
            assert got[column].tolist() == [fmt.cell_text(v) for v in expected[column]]
        elif column == "date":
            assert got[column].tolist() == expected[column].dt.strftime("%Y-%m-%d").tolist()
        else:
            np.testing.assert_array_equal(got[column].to_numpy(), expected[column].to_numpy())


def test_no_csv_cell_is_a_formula(written: Written) -> None:
    folder = written.folder
    for file in FILES:
        frame = pd.read_csv(folder / file, dtype=str, keep_default_na=False)
        for column in ("channel", "name", "component"):
            if column in frame:
                assert not frame[column].str.match(r"[=+\-@]").any()


def test_report_quotes_the_numbers_of_the_csv(written: Written) -> None:
    example, folder = written.example, written.folder
    rows = {r["Channel"]: r for r in tables((folder / "report.md").read_text(encoding="utf-8"))[0]}
    channels = pd.read_csv(folder / "channels.csv")
    assert list(rows) == [str(c) for c in example.tables.channels["channel"]]
    roas = "KPI per money" if example.target_kind == "index" else "ROAS"
    value = fmt.header("Contribution", "KPI units" if example.target_kind == "index" else example.currency)
    for (name, row), line in zip(rows.items(), channels.to_dict("records"), strict=True):
        assert fmt.cell_text(name) == line["channel"]
        assert number(row[value]) == pytest.approx(line["contribution_mean"], abs=0.501)
        assert row["Share of KPI"] == fmt.percent_interval(*(line[f"contribution_share_{s}"] for s in ("mean", "q05", "q95")))
        if line["kind"] == "paid":
            assert number(row[fmt.header("Spend", example.currency)]) == pytest.approx(line["spend"], abs=0.501)
            assert row[roas] == fmt.interval(*(line[f"roas_{s}"] for s in ("mean", "q05", "q95")))
        else:
            assert row[roas] == ""


def test_report_says_what_was_fitted_and_whether_it_converged(written: Written) -> None:
    example, folder = written.example, written.folder
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert not LOST.search(text.replace("- None: the data", "")), LOST.search(text)
    first, last = (f"{d:%Y-%m-%d}" for d in (example.tables.fitted["date"].min(), example.tables.fitted["date"].max()))
    assert f"{first} to {last}" in text
    assert example.summary["data_sha256"] in text
    assert all(figure in text for figure in FIGURES)
    assert all(fmt.markdown(note) in text for note in example.notes)
    loud = [line for line in text.splitlines() if line.startswith("> **NOT CONVERGED")]
    assert len(loud) == (0 if example.summary["converged"] else 1)
    if loud:
        assert all(reason in loud[0] for reason in example.summary["reasons"])


def _report(example: Example, **changes: object) -> str:
    arguments = {"notes": (), "currency": "EUR", "target_kind": "money", "name": "x", **changes}
    return fit_report(example.tables, example.summary, **arguments)  # type: ignore[arg-type]


def test_a_forecast_is_written_where_there_is_one(tmp_path: Path) -> None:
    example = six()
    planned = pd.DataFrame({"date": pd.to_datetime(["2024-01-01"]), "geo": "national", "kpi": np.nan, "mean": 3.25, "q05": 1.0})
    written = write_fit_files(
        tmp_path, replace(example.tables, forecast=planned), example.summary, notes=(), currency="EUR", name="x"
    )
    assert "forecast.csv" in written and pd.read_csv(tmp_path / "forecast.csv")["mean"].tolist() == [3.25]
    assert "`forecast.csv`" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "forecast.csv" not in _report(example)


def test_a_multiplicative_model_says_what_its_periods_are() -> None:
    example = six()
    assert "Divisia" not in _report(example)
    assert "Divisia" in _report(replace(example, tables=replace(example.tables, decomposition="log-mean Divisia")))


def test_no_empty_brackets_without_a_currency() -> None:
    text = _report(six(), currency="")
    assert "()" not in text
    assert "EUR" not in text
    assert "(EUR)" in _report(six())


def test_no_roas_columns_where_no_channel_has_one() -> None:
    example = six()
    columns = [c for c in example.tables.channels if "roas" in c]
    channels = example.tables.channels.assign(**dict.fromkeys(columns, np.nan))
    header = tables(_report(replace(example, tables=replace(example.tables, channels=channels)), target_kind="index"))[0][0]
    assert list(header) == ["Channel", "Kind", "Spend (EUR)", "Contribution (KPI units)", "Share of KPI"]


def test_bytes_depend_on_the_values_alone(tmp_path: Path, write_once: Callable[[str], Written]) -> None:
    written = write_once("hard_names")
    example, seen = written.example, []
    folder = tmp_path / "new" / "folder"
    with mpl.rc_context({"font.size": 20.0, "axes.facecolor": "red", "figure.dpi": 50.0}):
        names = write_fit_files(
            folder,
            example.tables,
            example.summary,
            notes=example.notes,
            currency=example.currency,
            target_kind=example.target_kind,
            name=example.name,
            progress=seen.append,
        )
    assert seen == names == ["contributions.png", "response_curves.png", "fit.png", *FILES, "report.md"]
    assert {*FIGURES} <= {*names}
    for name in names:
        assert (folder / name).read_bytes() == (written.folder / name).read_bytes(), name
