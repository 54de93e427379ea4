"""All trials of a search as one value, as a table, and as one Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmx.errors import DataError, Problem
from mmx.tune.problem import Floats, total_violation

FORMAT = 1


@dataclass(frozen=True)
class Trials:
    """Evaluated vectors with their scores, in the order of their numbers.

    Attributes
    ----------
    parameters, objectives, constraints : tuple of str
    number : array of int, (trial,)
        In the study; the evaluations of a vectorised search that are not in it count on behind 0.
    vectors : array, (trial, parameter)
    by_fold : array, (trial, fold, objective)
    violations : array, (trial, constraint)
    engine : tuple of str, (trial,)
        What proposed it: an engine, or ``start`` for the defaults and other starting points.
    """

    parameters: tuple[str, ...]
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    number: np.ndarray[Any, np.dtype[np.int64]]
    vectors: Floats
    by_fold: Floats
    violations: Floats
    engine: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def violation(self) -> Floats:
        """Total violation, (trial,)."""
        return total_violation(self.violations)

    def table(self) -> pd.DataFrame:
        """One row per trial: ``number, engine, feasible, parameter/..., objective/..., fold/K/..., constraint/...``."""
        columns: dict[str, Any] = {"number": self.number, "engine": list(self.engine), "feasible": self.violation <= 0.0}
        columns |= {f"parameter/{name}": self.vectors[:, i] for i, name in enumerate(self.parameters)}
        columns |= {f"objective/{name}": self.by_fold[..., i].mean(axis=1) for i, name in enumerate(self.objectives)}
        for i, name in enumerate(self.objectives):
            columns |= {f"fold/{fold}/{name}": self.by_fold[:, fold, i] for fold in range(self.by_fold.shape[1])}
        columns |= {f"constraint/{name}": self.violations[:, i] for i, name in enumerate(self.constraints)}
        return pd.DataFrame(columns)

    def save(self, path: Path) -> None:
        """Write the table as Parquet, with the number of its format."""
        table = self.table()
        table.attrs = {"mmx_trials": FORMAT}
        table.to_parquet(path, index=False)


def read_trials(path: Path) -> Trials:
    """Read what ``Trials.save`` wrote.

    Raises
    ------
    DataError
        If the file is of another kind or format.
    """
    table = pd.read_parquet(path)
    if table.attrs.get("mmx_trials") != FORMAT:
        came = f"format {table.attrs.get('mmx_trials')}"
        raise DataError("the trials cannot be read", [Problem(str(path), came, f"format {FORMAT}", "Run the search anew.")])
    groups = {
        kind: [c.removeprefix(f"{kind}/") for c in table.columns if c.startswith(f"{kind}/")]
        for kind in ("parameter", "objective", "constraint")
    }
    folds = 1 + max(int(c.split("/")[1]) for c in table.columns if c.startswith("fold/"))
    by_fold = [[table[f"fold/{f}/{o}"].to_numpy(float) for o in groups["objective"]] for f in range(folds)]
    return Trials(
        parameters=tuple(groups["parameter"]),
        objectives=tuple(groups["objective"]),
        constraints=tuple(groups["constraint"]),
        number=table["number"].to_numpy(np.int64),
        vectors=table[[f"parameter/{n}" for n in groups["parameter"]]].to_numpy(float),
        by_fold=np.moveaxis(np.array(by_fold), -1, 0),
        violations=table[[f"constraint/{n}" for n in groups["constraint"]]].to_numpy(float).reshape(len(table), -1),
        engine=tuple(table["engine"]),
    )
