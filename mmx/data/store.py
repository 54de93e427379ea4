"""A panel as an xarray dataset that netCDF can hold, and back, without loss.

Numbers and dates are variables; labels and all that is not an array stand as JSON in the bytes of one more variable, because
HDF5 limits an attribute to 64 kB and netCDF reads text back in several types.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from mmx.data.panel import Panel
from mmx.errors import DataError, Problem

FORMAT = 1
META = "mmx_panel"


def panel_to_dataset(panel: Panel) -> xr.Dataset:
    """Return the panel as a dataset ready for ``to_netcdf``.

    Returns
    -------
    xarray.Dataset
        The variables of ``panel.data``, the window as int8, and ``mmx_panel``, JSON as bytes, with the rest.
    """
    meta = {
        "format": FORMAT,
        "target_kind": panel.target_kind,
        "frequency": panel.frequency,
        "currency": panel.currency,
        "source": panel.source,
        "sha256": panel.sha256,
        "notes": list(panel.notes),
        "has_exposure": list(panel.has_exposure),
        "columns": [list(c) for c in panel.columns],
        "groups": list(panel.groups),
        "labels": {str(d): [str(v) for v in panel.data[d].values] for d in panel.data.dims if d != "time"},
    }
    days = panel.data["time"].values.astype("datetime64[D]").astype(np.int64)
    numbers = panel.data.drop_vars(list(panel.data.coords))
    text = np.frombuffer(json.dumps(meta, ensure_ascii=False).encode(), dtype=np.uint8)
    return numbers.assign({"window": numbers["window"].astype("int8"), "day": ("time", days), META: (f"{META}_byte", text)})


def panel_from_dataset(dataset: xr.Dataset) -> Panel:
    """Return the panel that ``panel_to_dataset`` stored.

    Raises
    ------
    DataError
        Where the dataset holds no panel, or one of a later format.
    """
    if META not in dataset:
        problem = Problem("the dataset", f"it has no variable {META!r}", "a panel stored by mmx", "Fit again.")
        raise DataError("the stored panel cannot be read", [problem])
    loaded = dataset.load()
    meta = json.loads(loaded[META].values.astype(np.uint8).tobytes())
    if meta["format"] != FORMAT:
        problem = Problem(
            "the stored panel", f"its format is {meta['format']}", f"format {FORMAT}", "Read it with the mmx that wrote it."
        )
        raise DataError("the stored panel cannot be read", [problem])
    time = loaded["day"].values.astype(np.int64).astype("datetime64[D]").astype("datetime64[ns]")
    coords = {d: (d, np.array(v, dtype=object)) for d, v in meta["labels"].items()} | {"time": ("time", time)}
    variables = {
        str(k): (tuple(str(d) for d in v.dims), np.array(v.values, dtype=np.float64))
        for k, v in loaded.data_vars.items()
        if k not in {META, "day"}
    }
    data = xr.Dataset(variables, coords)
    return Panel(
        data=data.assign(window=data["window"].astype(bool)),
        target_kind=meta["target_kind"],
        frequency=meta["frequency"],
        currency=meta["currency"],
        source=meta["source"],
        sha256=meta["sha256"],
        notes=tuple(meta["notes"]),
        has_exposure=tuple(bool(v) for v in meta["has_exposure"]),
        columns=tuple((str(name), str(kind)) for name, kind in meta["columns"]),
        groups=tuple(str(v) for v in meta.get("groups", ())),
    )
