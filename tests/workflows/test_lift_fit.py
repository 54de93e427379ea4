"""Fits that know of lift tests: what their folders say of them, and that the folder repeats the fit on its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from mmx.mmm.store import read
from mmx.workflows.journal import read_journal

from ..command_line import LENIENT, SMALL, UNTRACKED, mmx

SHORTER = "data.window.end=2023-09-18"
QUICK = (*SMALL, *LENIENT, UNTRACKED, SHORTER)
TESTS = """test,channel,start,end,metric,low,high,mass,inflation
strong,tv,2022-05-02,2022-05-29,roas,2.4,2.6,0.9,1
late,tv,2023-09-18,2023-10-01,roas,0.1,0.2,0.9,2
"""


@pytest.fixture
def shop(project: Path, tmp_path: Path) -> Path:
    """The project's configuration in a folder of its own, with lift tests beside it, one of them after the KPI window."""
    for name in ("shop.yaml", "shop.csv"):
        shutil.copy(project / "configs" / name, tmp_path / name)
    (tmp_path / "tests.csv").write_text(TESTS, encoding="utf-8")
    return tmp_path / "shop.yaml"


@pytest.mark.parametrize("way", ["likelihood", "prior"])
def test_a_fit_names_its_tests_and_its_folder_repeats_it(shop: Path, tmp_path: Path, way: str) -> None:
    out, named = tmp_path / "out", ("model.lift_tests=tests.csv", f"model.lift_tests_as={way}")
    answer = mmx("fit", shop, *QUICK, *named, "--out", out)
    assert answer.code == 0, answer.said
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    tests = summary["lift_tests"]
    digest = hashlib.sha256((tmp_path / "tests.csv").read_bytes()).hexdigest()
    assert (tests["as"], tests["sha256"], Path(tests["source"]).name) == (way, digest, "tests.csv")
    assert [(t["test"], t["used"]) for t in tests["tests"]] == [("strong", True), ("late", False)]
    assert tests["tests"][0]["se"] == pytest.approx(0.2 / (2 * 1.6448536269514722))
    assert any("'late' of tv ends after the KPI window" in note for note in summary["notes"])
    assert "ends after the KPI window" in (out / "report.md").read_text(encoding="utf-8")
    (load,) = [stage for stage in read_journal(out / "run.jsonl") if stage["stage"] == "load"]
    assert str(tmp_path / "tests.csv") in load["inputs"]
    roas = summary["channels"]["tv"]["roas"]
    if way == "prior":  # A likelihood is of the test's own cells, whose ROAS is not the window's.
        assert 2.0 < roas["mean"] < 3.0, "so sharp a test decides"

    stored = read(out / "posterior.nc")
    assert stored.sha256 == summary["fit_sha256"]
    assert len(stored.spec.lift_tests) == (2 if way == "likelihood" else 0)
    written = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert [row["test"] for row in written["model"]["lift_tests"]] == ["strong", "late"]

    (tmp_path / "tests.csv").unlink()
    again = mmx("fit", out / "config.yaml", "--out", tmp_path / "again")
    assert again.code == 0, again.said
    repeated = json.loads((tmp_path / "again" / "summary.json").read_text(encoding="utf-8"))
    assert repeated["fit_sha256"] == summary["fit_sha256"] and repeated["config_sha256"] == summary["config_sha256"]
    assert repeated["lift_tests"]["tests"] == tests["tests"] and repeated["lift_tests"]["sha256"] is None


def test_a_fit_without_tests_says_so(fitted: object) -> None:
    assert fitted.summary["lift_tests"] is None  # type: ignore[attr-defined]


def test_bad_tests_end_a_fit_before_it_begins(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "tests.csv").write_text(TESTS.replace("strong,tv", "strong,tvv"), encoding="utf-8")
    said = [mmx(command, shop, "model.lift_tests=tests.csv", UNTRACKED) for command in ("check", "fit")]
    for answer in said:
        assert answer.code == 2 and "Did you mean 'tv'?" in answer.said and "row 2, column 'channel'" in answer.said
    assert {p.name for p in tmp_path.iterdir()} == {"shop.yaml", "shop.csv", "tests.csv"}


def test_the_digest_of_the_settings_holds_the_tests(shop: Path) -> None:
    from mmx import load, read_config, with_lift_tests
    from mmx.workflows.provenance import config_sha256

    digests = set()
    for text in (TESTS, TESTS.replace("2.6", "2.7"), TESTS.replace("strong", "other")):
        (shop.parent / "tests.csv").write_text(text, encoding="utf-8")
        config = read_config(shop, overrides=["model.lift_tests=tests.csv", SHORTER])
        digests.add(config_sha256(with_lift_tests(config, load(config))))
    assert len(digests) == 3
