"""Save a pooled posterior and read it back: one compressed file of arrays with the number of its format."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmx.errors import DataError, Problem
from mmx.infer.gate import Gate
from mmx.rules.pooling.pool import PooledParameters
from mmx.rules.pooling.traits import Encoding

FORMAT = 1
ARRAYS = ("w", "lower", "theta")


def save_pooled(pooled: PooledParameters, path: Path) -> None:
    """Write a pooled posterior."""
    text = {
        "format": FORMAT,
        "parameters": pooled.parameters,
        "customers": pooled.customers,
        "encoding": asdict(pooled.encoding),
        "edge": pooled.edge,
        "gate": asdict(pooled.gate),
    }
    arrays = {name: getattr(pooled, name) for name in ARRAYS}
    with path.open("wb") as file:
        np.savez_compressed(file, text=np.array(json.dumps(text)), **arrays)


def load_pooled(path: Path) -> PooledParameters:
    """Read what ``save_pooled`` wrote.

    Raises
    ------
    DataError
        If the file is of another kind or format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            text = json.loads(str(file["text"]))
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, str(error)) from error
    if text["format"] != FORMAT:
        raise _unreadable(path, f"format {text['format']}")
    code = text["encoding"]
    encoding = Encoding(
        tuple(code["amounts"]),
        tuple(code["centre"]),
        tuple(code["scale"]),
        tuple((name, tuple(values)) for name, values in code["texts"]),
    )
    gate = Gate(**{**text["gate"], "reasons": tuple(text["gate"]["reasons"])})
    return PooledParameters(
        tuple(text["parameters"]), tuple(text["customers"]), encoding, **arrays, edge=text["edge"], gate=gate
    )


def _unreadable(path: Path, came: str) -> DataError:
    problem = Problem(str(path), came, f"a pooled posterior of format {FORMAT}", "Run mmx pool again.")
    return DataError("the pooled parameters cannot be read", [problem])
