"""Save a fit and read it back: one netCDF file with parameters, sampling statistics, data and specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmx.data.store import panel_from_dataset, panel_to_dataset
from mmx.errors import InputError
from mmx.infer.gate import Gate
from mmx.infer.target import Draws
from mmx.mmm.fit import Fit
from mmx.mmm.inputs import prepare
from mmx.mmm.parameters import free_of
from mmx.mmm.posterior import Posterior
from mmx.mmm.store_formats import OLDEST, upgraded
from mmx.spec import Spec

FORMAT = 3  # 1: without the geos' own trends. 2: of normal likelihoods alone.


def to_datatree(fit: Fit) -> xr.DataTree:
    """Return the ArviZ tree of a fit: ``posterior`` (parameters only), ``sample_stats``, ``observed_data``, ``panel``."""
    posterior = fit.posterior
    variables: dict[str, Any] = {}
    labels = {"medium": list(posterior.media), "geo": list(posterior.panel.names("geo"))}
    for block in posterior.structure.blocks:
        values = posterior.split_chains(posterior.params[block.name])
        if len(block.media) == block.size:
            dim = "medium" if block.size == len(posterior.media) else f"{block.name}_medium"
            labels[dim] = [posterior.media[m] for m in block.media]
        else:
            dim = f"{block.name}_index"
        scalar = block.size == 1 and not block.media
        variables[block.name] = (("chain", "draw"), values[..., 0]) if scalar else (("chain", "draw", dim), values)
    variables["beta"] = (("chain", "draw", "geo", "medium"), posterior.split_chains(posterior.beta))
    variables["gamma"] = (("chain", "draw", "column"), posterior.split_chains(posterior.gamma))
    variables["local"] = (("chain", "draw", "local_column", "geo"), posterior.split_chains(posterior.local))
    labels["local_column"] = ["intercept", "trend"][: posterior.local.shape[1]]
    parameters = xr.Dataset(
        {name: (dims, np.asarray(values, dtype=np.float32)) for name, (dims, values) in variables.items()},
        coords={
            "chain": np.arange(posterior.chains),
            "draw": np.arange(posterior.samples // posterior.chains),
            **labels,
        },
    )
    stats = xr.Dataset({name: (("chain", "draw"), value) for name, value in fit.draws.stats.items()})
    panel = panel_to_dataset(posterior.panel).assign(weights=("time", posterior.weights))
    tree = xr.DataTree.from_dict(
        {
            "posterior": parameters,
            "sample_stats": stats,
            "observed_data": posterior.panel.data[["kpi"]].drop_vars("time"),
            "panel": panel,
        }
    )
    tree.attrs = {
        "format": FORMAT,
        "spec": posterior.spec.model_dump_json(),
        "fit": json.dumps(
            {
                "seed": fit.seed,
                "decisions": list(fit.decisions),
                "seconds": fit.seconds,
                "gate": fit.gate.as_mapping(),
                "sampler": fit.draws.sampler,
                "settings": fit.draws.settings,
                "sampling_seconds": fit.draws.seconds,
                "start_sha256": fit.start_sha256,
            }
        ),
    }
    return tree


def save(fit: Fit, path: Path) -> None:
    """Write a fit to a netCDF file."""
    tree = to_datatree(fit)
    packed = {"zlib": True, "complevel": 1, "shuffle": True}  # Bytes of equal rank side by side: smaller, and faster to pack.
    encoding = {
        f"/{group}": {str(n): packed for n, v in tree[group].data_vars.items() if v.dtype.kind == "f"}
        for group in ("posterior", "sample_stats")
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def read(path: Path) -> Fit:
    """Read a fit back.

    Raises
    ------
    InputError
        If the file is no fit of mmx, of a later format, or of a format whose model is no more.
    """
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
        found, spec_text, meta = int(tree.attrs["format"]), tree.attrs["spec"], json.loads(tree.attrs["fit"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a fit of mmx ({error}); expected the posterior.nc that mmx fit writes") from error
    if found > FORMAT:
        raise InputError(f"{path} has format {found} and this mmx reads format {FORMAT}: install the newer mmx that wrote it")
    if found < OLDEST:
        raise InputError(f"{path} has format {found}, of an earlier mmx with another model; this one reads {FORMAT}: fit again")
    spec = Spec.model_validate(upgraded(json.loads(spec_text), found))
    stored = tree["panel"].to_dataset()
    weights = np.array(stored["weights"].values, dtype=float)
    panel = panel_from_dataset(stored.drop_vars("weights"))
    structure, inputs, _ = prepare(spec, panel, weights)
    dataset = tree["posterior"].to_dataset()

    def flat(name: str) -> np.ndarray:
        value = np.array(dataset[name].values, dtype=np.float64)
        return value.reshape(value.shape[0] * value.shape[1], *value.shape[2:])

    params = {b.name: flat(b.name).reshape(-1, b.size) for b in structure.blocks}
    chains = dataset.sizes["chain"]
    posterior = Posterior(spec, panel, structure, weights, params, flat("beta"), flat("gamma"), flat("local"), chains)
    stats = {str(name): np.array(value.values) for name, value in tree["sample_stats"].to_dataset().data_vars.items()}
    draws = Draws(
        q=posterior.split_chains(free_of(structure, inputs, params)),
        stats=stats,
        seconds=meta["sampling_seconds"],
        sampler=meta["sampler"],
        settings=meta["settings"],
    )
    gate = Gate(**{**meta["gate"], "reasons": tuple(meta["gate"]["reasons"])})
    lineage = meta.get("start_sha256")
    return Fit(posterior, draws, gate, meta["seed"], tuple(meta["decisions"]), meta["seconds"], lineage)
