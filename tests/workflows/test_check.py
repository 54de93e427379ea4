"""``mmx check``: the data contract, the checks before a model, and drift from an earlier fit."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ..command_line import mmx
from .conftest import Made


@pytest.fixture
def table(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "configs" / "shop.csv")


def statuses(out: str) -> dict[str, str]:
    """Name of every check and the word in front of it."""
    found = {}
    for line in out.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("ok", "FAIL", "info") and ":" in rest:
            found[rest.partition(":")[0].strip()] = word
    return found


def test_good_data_pass_every_check() -> None:
    answer = mmx("check", "shop")
    assert answer.code == 0 and answer.err == ""
    found = statuses(answer.out)
    assert {"collinearity", "share of spend", "weeks of spend", "range of spend", "prior contribution"} <= set(found)
    assert "restated history" not in found


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(columns: int) -> None:
    narrow, wide = (mmx("check", "shop", columns=width).out for width in (columns, 400))
    assert max(len(line) for line in narrow.splitlines()) <= columns
    assert "…" not in narrow
    numbers = [Counter(re.findall(r"(?<![\w.])[-+]?\d[\d,.]*\d(?![\w.])", out)) for out in (narrow, wide)]
    assert numbers[0] >= numbers[1] and numbers[1].total() > 50


def test_every_problem_is_listed_at_once(table: pd.DataFrame, project: Path, tmp_path: Path) -> None:
    table.loc[20, "tv_spend"] = -7.5
    table.loc[30, "revenue"] = None
    table.loc[50, "week"] = table.loc[49, "week"]
    table["rival_sales"] = 4.0
    table = table.rename(columns={"mails": "mail"})
    table.to_csv(tmp_path / "bad.csv", index=False)
    before = set(project.rglob("*"))
    answer = mmx("check", "shop", "--data", tmp_path / "bad.csv")
    assert answer.code == 2 and answer.out == ""
    for evidence in ("'tv_spend'", "-7.5", "'revenue'", "'week'", "'rival_sales'", "'mails'", "'mail'"):
        assert evidence in answer.said, evidence
    numbered = [line for line in answer.err.splitlines() if line.partition(".")[0].isdigit()]
    assert len(numbered) >= 5 and f"{len(numbered)} problems." in answer.err
    for label in ("came", "expected", "to do"):
        assert sum(line.strip().startswith(label) for line in answer.err.splitlines()) == len(numbered)
    assert set(project.rglob("*")) == before


def test_a_fit_of_the_same_bad_data_says_the_same(table: pd.DataFrame, tmp_path: Path) -> None:
    table.loc[20, "tv_spend"] = -7.5
    table["rival_sales"] = 4.0
    table.to_csv(tmp_path / "bad.csv", index=False)
    checked = mmx("check", "shop", "--data", tmp_path / "bad.csv")
    fit = mmx("fit", "shop", "--data", tmp_path / "bad.csv", "--out", tmp_path / "out", "tracking.uri=null")
    assert checked.code == fit.code == 2
    assert checked.err in fit.err


def test_the_same_data_have_not_drifted(fitted: Made) -> None:
    answer = mmx("check", "shop", "--against", fitted.folder)
    assert answer.code == 0
    found = statuses(answer.out)
    assert {name: found[name] for name in ("columns", "levels", "ranges")} == dict.fromkeys(
        ("columns", "levels", "ranges"), "ok"
    )
    assert "FAIL" not in found.values() and len(found) > len(statuses(mmx("check", "shop").out))


def test_drift_from_an_earlier_fit_is_shown(fitted: Made, table: pd.DataFrame, tmp_path: Path) -> None:
    table["discount"] = range(len(table))
    table.loc[60, "revenue"] *= 1.5
    table.loc[len(table)] = table.iloc[-1].replace(table.iloc[-1]["week"], "2023-10-02")
    table.loc[len(table) - 1, "tv_spend"] = 10 * table["tv_spend"].max()
    table.to_csv(tmp_path / "new.csv", index=False)
    for source in (str(fitted.folder), fitted.summary["mlflow_run_id"]):
        answer = mmx("check", "shop", "--data", tmp_path / "new.csv", "--against", source)
        assert answer.code == 0, answer.said
        found = statuses(answer.out)
        assert found["columns"] == found["ranges"] == "FAIL" and found["levels"] == "ok"
        assert [name for name, word in found.items() if "restated" in name and word == "FAIL"]
        said = answer.said
        assert "discount appeared" in said and "spend tv reaches" in said
        assert table.loc[60, "week"] in said  # the restated week


def test_drift_from_nowhere_is_refused(tmp_path: Path) -> None:
    answer = mmx("check", "shop", "--against", tmp_path / "nothing")
    assert answer.code == 2 and "there is no folder" in answer.said and answer.out == ""
