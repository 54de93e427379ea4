"""Every committed configuration of ads gives features: of a generated stand-in, and of the real files where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mmx as package
from mmx.data.ads.read import read_history
from mmx.data.ads.signal import signal
from mmx.data.ads.sources import input_files
from mmx.errors import DataError
from mmx.worlds.ads_standin import ads_like

from ..command_line import mmx
from ..conftest import RAN

CONFIGS = sorted(
    p for p in (Path(__file__).parents[2] / "configs").rglob("*.yaml") if p.name != "default.yaml" and "\nads:" in p.read_text()
)


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", CONFIGS, ids=by_name)
def test_a_stand_in_has_features(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    config = package.read_config(path)
    for name, table in ads_like(config.ads, seed=1).items():
        table.to_csv(tmp_path / name, index=False)
    monkeypatch.setenv("MMX_DATA_DIR", str(tmp_path))
    answer = mmx("features", path, "--out", tmp_path / "features")
    assert answer.code == 0, answer.said
    assert "2 campaigns, 6 ad sets" in answer.said
    assert (tmp_path / "features" / "level=adset" / "2025-02.parquet").is_file()
    history = read_history(config.ads)
    assert history.metrics.shape == (45, 6, 6) and history.metric("revenue").sum() > 0
    again = mmx("features", path, "--out", tmp_path / "features")
    assert "Months computed: none; kept as they were: 2 (2025-01 to 2025-02)" in again.said
    record_property(RAN, f"{path.stem}: features of a generated stand-in")


@pytest.mark.parametrize("path", CONFIGS, ids=by_name)
def test_the_real_files_have_features(path: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    config = package.read_config(path)
    try:
        input_files(config.ads)
    except DataError:
        record_property(RAN, f"{path.stem}: no features of the real files, MMX_DATA_DIR does not have them")
        pytest.skip("MMX_DATA_DIR does not have the files")
    answer = mmx("features", path, "--out", tmp_path / "features")
    assert answer.code == 0, answer.said
    if path.stem == "kasparro":
        for part in (
            "2,105,579.90",
            "1,190,236,513",
            "15,071,264",
            "152 of 152 empty clicks",
            "102 of 113 empty spend",
            "131 of 133 empty revenue",
            "367 spellings of campaign are 10 names",
            "no response curve can be learnt",
        ):
            assert part in answer.said, part
        history = read_history(config.ads)
        assert history.metrics.shape == (90, 50, 6)
        assert signal(history).sentence in answer.said
    record_property(RAN, f"{path.stem}: features of the real files")


@pytest.mark.parametrize("command", ["fit", "check"])
def test_commands_of_models_say_that_there_is_no_table(command: str) -> None:
    answer = mmx(command, CONFIGS[0])
    assert answer.code == 2
    assert "has no table for a marketing-mix model" in answer.said and "1. data came it is missing" in answer.said


def test_every_feature_is_listed(tmp_path: Path) -> None:
    answer = mmx("features", "--list", columns=160)
    assert answer.code == 0
    assert "roas_7d" in answer.out and "revenue over spend, mature days, of 7 days" in answer.out
    assert "123 features" in answer.out


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = package.read_config(CONFIGS[-1])
    for name, table in ads_like(config.ads, seed=1).items():
        table.to_csv(tmp_path / name, index=False)
    monkeypatch.setenv("MMX_DATA_DIR", str(tmp_path))
    other = tmp_path / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    for force in ((), ("--force",)):
        answer = mmx("features", CONFIGS[-1], "--out", other, *force)
        assert (answer.code == 2 and "exists already" in answer.said) or "is not an output of mmx" in answer.said
    assert [p.name for p in other.iterdir()] == ["notes.txt"]
    broken = mmx("features", CONFIGS[-1], "ads.immature_days=-1")
    assert broken.code == 2 and "ads.immature_days" in broken.said
