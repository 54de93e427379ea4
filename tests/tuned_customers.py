"""Customers whose rules were tuned, as folders that ``mmx tune`` leaves: trials of known bowls on one simulated account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmx import read_config
from mmx.rules.engine import Engine
from mmx.tune.trials import Trials

from .small_account import write_account

SEARCHED = ("step_up.share", "cooldown.days", "maximum_share.share")
FLAT = "maximum_share.share"
# Optima of the customers in logits of the range; the last one did not search the second parameter.
OPTIMA = {"north": (0.8, -1.0), "east": (1.0, -0.8), "south": (1.2, -1.2), "west": (1.0, -1.0)}
QUICK_POOL = ("pool.tune=200", "pool.draws=200", "gate={max_rhat: 1.2, min_ess: 20}")


def write_customers(folder: Path, names: tuple[str, ...] = tuple(OPTIMA)) -> list[Path]:
    """Write tables, configurations and studies; returns the configurations.

    Each study lies in ``FOLDER/mlruns/outputs/NAME-tune-1``.
    """
    account = yaml.safe_load(write_account(folder).read_text(encoding="utf-8"))
    configs = []
    for name in names:
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**account, "name": name, "rules": {"margin": 0.4}}), encoding="utf-8")
        write_study(folder / "mlruns" / "outputs" / f"{name}-tune-1", path, name)
        configs.append(path)
    return configs


def write_study(folder: Path, config: Path, name: str) -> None:
    """Write trials, ``summary.json`` and ``config.yaml`` of one customer."""
    folder.mkdir(parents=True)
    searched = [n for i, n in enumerate(SEARCHED) if not (name == "west" and i == 1)]
    trials = bowl_trials(searched, dict(zip(SEARCHED, OPTIMA[name], strict=False)), sorted(OPTIMA).index(name))
    trials.save(folder / "trials.parquet")
    summary: dict[str, Any] = {
        "name": name,
        "study": f"{name}-study",
        "headline": "Adopt.",
        "data_sha256": "d",
        "config_sha256": "c",
        "search": {"importances": {n: 1.0 / (1 + i) for i, n in enumerate(searched)}},
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = yaml.safe_dump(read_config(config).as_mapping(), sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def bowl_trials(searched: list[str], optimum: dict[str, float], seed: int, folds: int = 4, trials: int = 120) -> Trials:
    """Trials over some parameters, the defaults first, whose profit is a bowl around the optimum in each fold."""
    space, rng = Engine().space, np.random.default_rng(seed)
    places = [space.index(name) for name in searched]
    free = np.tile(space.to_free(space.default), (trials, 1))
    free[1:, places] = rng.uniform(-3, 3, size=(trials - 1, len(places)))
    vectors = np.tile(space.default, (trials, 1))
    vectors[:, places] = space.from_free(free)[:, places]
    vectors[0] = space.default
    profit = np.full((trials, folds), 100.0)
    for name, middle in optimum.items():
        if name in searched:
            centre = middle + 0.3 * rng.normal(size=folds)
            profit -= (free[:, [space.index(name)]] - centre) ** 2
    return Trials(
        parameters=space.names,
        objectives=("profit",),
        constraints=(),
        number=np.arange(trials),
        vectors=vectors,
        by_fold=profit[:, :, None],
        violations=np.zeros((trials, 0)),
        engine=("start", *["tpe"] * (trials - 1)),
    )
