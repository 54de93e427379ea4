from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mmx.errors import InputError
from mmx.mmm.fit import Fit
from mmx.mmm.store import FORMAT, read, save, to_datatree
from mmx.mmm.store_formats import OLDEST
from mmx.mmm.tables import FitTables

FITS = ["national_fit", "geo_fit"]

OLD = Path(__file__).parent / "old"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, national_fit: Fit, geo_fit: Fit) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fits")
    for name, made in zip(FITS, (national_fit, geo_fit), strict=True):
        save(made, folder / f"{name}.nc")
    return {name: folder / f"{name}.nc" for name in FITS}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_comes_back_with_the_same_numbers(saved: dict[str, Path], name: str, request: pytest.FixtureRequest) -> None:
    made: Fit = request.getfixturevalue(name)
    back = read(saved[name])
    assert (back.spec, back.gate, back.seed, back.decisions) == (made.spec, made.gate, made.seed, made.decisions)
    assert (back.seconds, back.draws.settings, back.draws.sampler) == (made.seconds, made.draws.settings, made.draws.sampler)
    assert back.posterior.structure == made.posterior.structure
    np.testing.assert_array_equal(back.posterior.weights, made.posterior.weights)
    for key, value in made.posterior.params.items():
        np.testing.assert_array_equal(back.posterior.params[key], value)
    for part in ("beta", "gamma", "local"):
        np.testing.assert_array_equal(getattr(back.posterior, part), getattr(made.posterior, part))
    for key, value in made.draws.stats.items():
        np.testing.assert_array_equal(back.draws.stats[key], value)
        assert back.draws.stats[key].dtype == value.dtype, key
    for field in FitTables.__dataclass_fields__:
        one, two = getattr(made.tables, field), getattr(back.tables, field)
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, two, check_exact=True)
        else:
            assert one == two


@pytest.mark.parametrize("name", FITS)
def test_a_saved_fit_can_be_started_from(saved: dict[str, Path], name: str, request: pytest.FixtureRequest) -> None:
    made: Fit = request.getfixturevalue(name)
    np.testing.assert_allclose(read(saved[name]).draws.q, made.draws.q, rtol=2e-5, atol=2e-5)


def test_the_tree_holds_parameters_only(geo_fit: Fit) -> None:
    tree = to_datatree(geo_fit)
    blocks = {b.name for b in geo_fit.posterior.structure.blocks}
    assert set(tree["posterior"].data_vars) == blocks | {"beta", "gamma", "local"}
    assert tree["posterior"]["beta"].dims == ("chain", "draw", "geo", "medium")
    assert list(tree["posterior"]["medium"].values) == ["tv", "radio", "search", "social", "mail"]
    assert {v.dtype for v in tree["posterior"].data_vars.values()} == {np.dtype("float32")}
    assert set(tree["sample_stats"].data_vars) == set(geo_fit.draws.stats)


@pytest.mark.parametrize("content", [b"", b"week,sales\n2024-01-01,5\n", b"\x89HDF\r\n\x1a\n" + b"\x00" * 64])
def test_a_file_that_is_no_fit_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "posterior.nc"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a fit of mmx"):
        read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a fit of mmx"):
        read(tmp_path / "posterior.nc")


def test_another_netcdf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "posterior.nc"
    xr.Dataset({"x": ("t", np.arange(3.0))}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=r"is not a fit of mmx.*expected the posterior\.nc"):
        read(path)


def test_a_fit_of_an_earlier_format_gives_the_numbers_that_it_gave_then() -> None:
    """``old/format_2.nc`` was written by mmx at format 2, and the table beside it computed there."""
    found = read(OLD / "format_2.nc")
    then = pd.read_csv(OLD / "format_2_channels.csv")
    pd.testing.assert_frame_equal(found.tables.channels[list(then.columns)].reset_index(drop=True), then, rtol=1e-9)
    assert found.panel.data.sizes["geo"] == 3 and found.posterior.samples == 100


@pytest.mark.parametrize("found", [FORMAT + 1, OLDEST - 1, "next"])
def test_another_format_is_refused(tmp_path: Path, geo_fit: Fit, found: int | str) -> None:
    tree = to_datatree(geo_fit)
    tree.attrs = {**tree.attrs, "format": found, "spec": "{}"}
    tree.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="format"):
        read(tmp_path / "posterior.nc")
