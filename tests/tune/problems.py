"""Search problems with known answers, small settings, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from mmx.config import default_text, merge
from mmx.rules.parameters import Parameter, Space, make_space
from mmx.tune.problem import Floats, Scores, SearchProblem
from mmx.tune_settings import TuneSettings

OPTIMUM = np.array([0.3, 0.7, 0.2, 0.6])


def space(live: int = 4, dead: int = 2) -> Space:
    """Parameters in [0, 2], the last of the live ones on a log scale in [0.01, 1]; the dead change nothing."""
    linear = [Parameter(f"p{i}", "a number", "ratio", 0.0, 2.0, 1.0) for i in range(live - 1)]
    log = Parameter("p_log", "a number", "share", 0.01, 1.0, 0.5, "log")
    none = [Parameter(f"none{i}", "without effect", "days", 0.0, 10.0, 4.0) for i in range(dead)]
    return make_space([("raise", linear[:2]), ("cut", [*linear[2:], log]), ("idle", none)])


@dataclass(frozen=True)
class Bowl:
    """Profit is a bowl in unit coordinates, ctr falls with the first; the second must stay below a limit. Picklable."""

    space: Space
    folds: int = 6
    limit: float = 0.9
    seconds: float = 0.0

    def __call__(self, vectors: Floats) -> Scores:
        time.sleep(self.seconds * len(vectors))
        unit = self.space.to_unit(vectors)[:, : len(OPTIMUM)]
        tilt = np.linspace(-0.05, 0.05, self.folds)
        profit = 10.0 - ((unit[:, None, :] - (OPTIMUM + tilt[:, None])) ** 2 * np.array([4.0, 2.0, 1.0, 0.5])).sum(axis=2)
        ctr = np.repeat(1.0 + unit[:, :1], self.folds, axis=1)
        return Scores(np.stack([profit, ctr], axis=2), (unit[:, 1:2] / self.limit - 1.0))


def bowl(dead: int = 2, **changes: Any) -> SearchProblem:
    own = space(dead=dead)
    return SearchProblem(own, ("profit", "ctr"), ("cap",), Bowl(own, **changes))


def settings(**changes: Any) -> TuneSettings:
    base = yaml.safe_load(default_text())["tune"]
    small = {"trials": 40, "batch": 8, "storage": {"url": "memory"}, "screening": {"method": "off"}}
    base = merge(base, {"evolution": {"population": 20, "top": 5}})
    return TuneSettings.model_validate(merge(merge(base, small), changes))
