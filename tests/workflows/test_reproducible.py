"""The same command gives the same numbers: in another process, and with a cold or a warm compile cache."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmx as package
from mmx.jax_setup import cache_folder

from ..command_line import LENIENT, SMALL, UNTRACKED, mmx
from .conftest import Made

TABLES = ("channels.csv", "contributions.csv", "baseline.csv", "response_curves.csv", "parameters.csv")
CACHES = ("MMX_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR", "NUMBA_CACHE_DIR")


def run(*arguments: str | Path, folder: Path, hash_seed: int) -> None:
    """Run the installed command in a process that shares nothing with this one but the files named."""
    environment = {k: v for k, v in os.environ.items() if k not in CACHES}
    environment |= {"MMX_CACHE_DIR": str(folder), "NUMBA_CACHE_DIR": str(folder / "numba"), "PYTHONHASHSEED": str(hash_seed)}
    command = [str(Path(sysconfig.get_path("scripts")) / "mmx"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def draws(folder: Path) -> dict[str, bytes]:
    """Every array of the posterior and of the sampling statistics, as bytes."""
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        groups = {group: tree[group].to_dataset() for group in ("posterior", "sample_stats")}
        return {
            f"{group}/{name}": np.asarray(v).tobytes() for group, data in groups.items() for name, v in data.data_vars.items()
        }


Repeat = Callable[[str], Path]
# Compiling takes minutes, and no process runs what it compiled itself: see ``mmx/machine/code.py``.
REPEATS = [pytest.param("cold", marks=pytest.mark.slow), "warm"]


@pytest.fixture(scope="module")
def repeat(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Repeat:
    """The command of the fit ``fitted`` in another process: with an empty compile cache or with the one of these tests."""
    base = tmp_path_factory.mktemp("repeated")
    seeds = {"cold": 0, "warm": 1, "another": 2}

    @cache
    def repeated(name: str) -> Path:
        folder = base / "cache" if name == "cold" else cache_folder()
        assert any(folder.rglob("*")) == (name != "cold")
        files = [project / "configs" / f"shop.{kind}" for kind in ("yaml", "csv")]
        settings = (*SMALL, *LENIENT, UNTRACKED, "--data", files[1], "--seed", "5")
        run("fit", files[0], *settings, "--out", base / name, folder=folder, hash_seed=seeds[name])
        return base / name

    return repeated


@pytest.mark.parametrize("name", REPEATS)
def test_another_process_gives_the_same_summary(fitted: Made, repeat: Repeat, name: str) -> None:
    assert Made(repeat(name), fitted.answer).repeatable == fitted.repeatable


@pytest.mark.parametrize("name", REPEATS)
def test_another_process_draws_the_same_bytes(fitted: Made, repeat: Repeat, name: str) -> None:
    here, there = draws(fitted.folder), draws(repeat(name))
    assert list(here) == list(there) and len(here) > 8
    assert [key for key in here if here[key] != there[key]] == []


@pytest.mark.parametrize("name", REPEATS)
def test_another_process_writes_the_same_files(fitted: Made, repeat: Repeat, name: str) -> None:
    for file in TABLES:
        assert (repeat(name) / file).read_bytes() == (fitted.folder / file).read_bytes(), file
    for file in ("config.yaml", "report.md", "fit.png", "contributions.png", "response_curves.png"):
        assert (repeat(name) / file).read_bytes() == (repeat("another") / file).read_bytes(), file


@pytest.fixture(scope="module")
def panel_and_spec(project: Path) -> tuple[Any, Any]:
    config = package.read_config(project / "configs" / "shop.yaml", overrides=[*SMALL, *LENIENT])
    return package.load(config), config.spec


def test_chains_do_not_depend_on_the_cores(fitted: Made, panel_and_spec: tuple[Any, Any]) -> None:
    panel, spec = panel_and_spec
    alone = package.fit(panel, spec, seed=5, cores=1)
    with xr.open_datatree(fitted.folder / "posterior.nc", engine="h5netcdf") as tree:
        stored = tree["sample_stats"]["lp"].values
    np.testing.assert_array_equal(alone.draws.stats["lp"], stored)
    assert alone.tables.channel_stats() == fitted.summary["channels"]


def test_another_seed_gives_other_draws(fitted: Made, panel_and_spec: tuple[Any, Any]) -> None:
    panel, spec = panel_and_spec
    other = package.fit(panel, spec, seed=6)
    told = other.tables.channel_stats()
    for name, channel in fitted.summary["channels"].items():
        assert told[name]["contribution"]["mean"] != channel["contribution"]["mean"]
    chains = other.draws.q
    assert not np.isin(chains[0, :, 0], chains[1, :, 0]).any()  # nor do two chains share draws


def test_another_process_simulates_the_same_bytes(tmp_path: Path) -> None:
    assert mmx("simulate", "geo", "--out", tmp_path / "here.csv", "--seed", "7").code == 0
    run("simulate", "geo", "--out", tmp_path / "there" / "here.csv", "--seed", "7", folder=tmp_path, hash_seed=3)
    for name in ("here.csv", "here.truth.json", "here.yaml"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
