from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from shop_tables import GEO_SETTINGS, configured, geographic, national, write

import mmx
from mmx.data.panel import Panel
from mmx.data.store import META, panel_from_dataset, panel_to_dataset
from mmx.errors import DataError


def same(a: Panel, b: Panel) -> None:
    assert a.data.identical(b.data)
    for variable in a.data.variables:
        assert a.data[variable].dtype == b.data[variable].dtype, variable
    for field in dataclasses.fields(Panel):
        if field.name != "data":
            assert getattr(a, field.name) == getattr(b, field.name), field.name


@pytest.fixture(params=["national", "geo with gaps and odd names"])
def panel(request: pytest.FixtureRequest, tmp_path: Path) -> Panel:
    if request.param == "national":
        return mmx.load(
            configured(
                write(tmp_path, national()), {"data": {"treatments": [], "controls": [], "events": None, "currency": "EUR"}}
            )
        )
    frame = geographic(("Köln", "São Paulo", "東京"))
    frame.loc[frame["week"] > "2023-03-01", "sales"] = np.nan
    settings = {"data": {"window": {"end": "2023-02-27"}, "events": None, "policies": {"missing_spend": "zero"}}}
    frame.loc[7, "tv_cost"] = np.nan
    return mmx.load(configured(write(tmp_path, frame), settings, base=GEO_SETTINGS))


def test_a_panel_survives_netcdf_without_loss(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "panel.nc"
    panel_to_dataset(panel).to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        same(panel_from_dataset(stored), panel)


def test_a_panel_survives_as_a_group_of_a_tree(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "tree.nc"
    tree = xr.DataTree.from_dict({"/posterior": xr.Dataset({"x": ("draw", [1.0])}), "/panel": panel_to_dataset(panel)})
    tree.to_netcdf(path, engine="h5netcdf")
    with xr.open_datatree(path, engine="h5netcdf") as stored:
        same(panel_from_dataset(stored["panel"].to_dataset()), panel)


def test_storing_needs_no_file(panel: Panel) -> None:
    same(panel_from_dataset(panel_to_dataset(panel)), panel)


def test_what_is_no_panel_is_refused(panel: Panel) -> None:
    stored = panel_to_dataset(panel)
    with pytest.raises(DataError, match="no variable 'mmx_panel'"):
        panel_from_dataset(stored.drop_vars(META))
    later = stored[META].values.tobytes().replace(b'"format": 1', b'"format": 2')
    with pytest.raises(DataError, match="its format is 2"):
        panel_from_dataset(stored.assign({META: (stored[META].dims, np.frombuffer(later, dtype=np.uint8))}))
