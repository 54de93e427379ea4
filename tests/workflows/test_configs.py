"""Every committed configuration is fitted: on a generated stand-in, and on the real file where ``MMX_DATA_DIR`` has it.

The end of the test output says which of the two ran.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import mmx as package
from mmx import worlds
from mmx.data.source import locate
from mmx.errors import DataError
from mmx.schema import Config

from ..command_line import LENIENT, UNTRACKED, mmx
from ..conftest import RAN

CONFIGS = sorted(
    p
    for p in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if p.name != "default.yaml" and "\ndata:" in p.read_text()
)
TINY = ("sampler.chains=2", "sampler.tune=100", "sampler.draws=100", "sampler.max_depth=4", *LENIENT, UNTRACKED)
GEOS = 8


def by_name(path: Path) -> str:
    return path.stem


def fit(path: Path, config: Config, table: Path, folder: Path) -> dict:
    """Fit a configuration file on a table and hold what was written against both."""
    answer = mmx("fit", path, *TINY, "--data", table, "--out", folder / "fit")
    assert answer.code == 0, answer.said
    summary = json.loads((folder / "fit" / "summary.json").read_text(encoding="utf-8"))
    assert summary["converged"] and summary["data_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    data = config.data
    assert list(summary["channels"]) == [*data.channels, *data.organic, *data.treatments]
    for channel in summary["channels"].values():
        assert ("roas" in channel) == (channel["kind"] == "paid" and data.target_kind != "index")
        assert math.isfinite(channel["contribution"]["mean"])
    assert (folder / "fit" / "report.md").stat().st_size > 0
    return summary


@pytest.mark.parametrize("path", CONFIGS, ids=by_name)
def test_a_stand_in_is_fitted_and_planned(path: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    config = package.read_config(path)
    table, _, _ = worlds.write(worlds.like(config, seed=1), tmp_path / "standin.csv")
    summary = fit(path, config, table, tmp_path)
    assert summary["window"]["geo"] == (GEOS if config.data.geo else 1)
    answer = mmx("recommend", tmp_path / "fit", "--horizon", "4", "--out", tmp_path / "plan")
    assert answer.code == 0, answer.said
    plan = json.loads((tmp_path / "plan" / "recommendation.json").read_text(encoding="utf-8"))
    assert set(plan["channels"]) == set(config.data.channels)
    assert math.fsum(c["recommended"] for c in plan["cells"]) == pytest.approx(plan["total"], rel=1e-9)
    record_property(RAN, f"{path.stem}: a generated stand-in")


@pytest.mark.parametrize("path", CONFIGS, ids=by_name)
def test_the_real_file_is_fitted(path: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    config = package.read_config(path)
    try:
        table = locate(config)
    except DataError:
        missing = f"MMX_DATA_DIR has no {config.data.path}"
        record_property(RAN, f"{path.stem}: not the real file, {missing}")
        pytest.skip(missing)
    fit(path, config, table, tmp_path)
    record_property(RAN, f"{path.stem}: the real file {table}")
