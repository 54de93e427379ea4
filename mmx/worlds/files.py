"""Write a simulated world: the table, its truth beside it, and a configuration that is ready to fit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mmx.errors import OutputError
from mmx.worlds.accounts.table import SimulatedAccount
from mmx.worlds.generate import Simulated


def write(simulated: Simulated | SimulatedAccount, out: str | Path, *, force: bool = False) -> tuple[Path, Path, Path]:
    """Write ``out``, ``<stem>.truth.json`` and ``<stem>.yaml`` into one folder.

    Parameters
    ----------
    simulated : Simulated or SimulatedAccount
    out : path
        Table to write, ``.csv`` or ``.parquet``; its folder is made where it is missing.
    force : bool
        Replace files that exist.

    Returns
    -------
    tuple of Path
        Table, truth, configuration.

    Raises
    ------
    OutputError
        If the suffix is another one, a file exists and ``force`` is not given, or the folder cannot be written.
    """
    table = Path(out)
    if table.suffix not in (".csv", ".parquet"):
        raise OutputError(f"the table must end in .csv or .parquet; {table.name!r} does not. Change the file's name.")
    paths = (table, table.with_suffix(".truth.json"), table.with_suffix(".yaml"))
    existing = [str(p) for p in paths if p.exists()]
    if existing and not force:
        raise OutputError(f"{', '.join(existing)} exists already. Choose another name, or replace with --force.")
    settings = _with_file(simulated.settings, table.name)
    about = f"# {simulated.truth['about']}\n# Simulated, seed {simulated.truth['seed']}; the truth is in {paths[1].name}.\n"
    beside = [p.with_name(f".{p.name}.{os.getpid()}.part") for p in paths]
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        _write_table(simulated.table, beside[0], table.suffix)
        beside[1].write_text(json.dumps(simulated.truth, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        beside[2].write_text(
            about + yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=120), encoding="utf-8"
        )
        for part, path in zip(beside, paths, strict=True):
            os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{table} cannot be written: {error}. Choose a folder that can be written to.") from error
    finally:
        for part in beside:
            part.unlink(missing_ok=True)
    return paths


def _with_file(settings: dict[str, Any], name: str) -> dict[str, Any]:
    """Settings that name the table's file: a panel's, or a table of ads."""
    if "ads" in settings:
        return settings | {"ads": {"files": [name]} | settings["ads"]}
    return settings | {"data": {"path": name} | settings["data"]}


def _write_table(table: pd.DataFrame, path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
