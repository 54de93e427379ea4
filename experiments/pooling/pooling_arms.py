"""What each arm gives a customer: its own optimum, the others' prediction for it, and both together."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml
from pooling_accounts import Floats

from mmx.config import default_text, merge
from mmx.rules.parameters import Space
from mmx.rules.pooling.optimum import Optimum, find_optimum
from mmx.rules.pooling.pool import pool
from mmx.rules.pooling.predict import predict, update
from mmx.spec import GateSettings, SamplerSettings
from mmx.tune_settings import PoolSettings

DEFAULTS: dict[str, Any] = yaml.safe_load(default_text())


def settings_of(settings: dict[str, Any]) -> PoolSettings:
    """Settings of optima and pool: the library's, with the study's end of the search and lengths of chains."""
    own = {"optimum": {"edge": settings["edge"], "block": 1}, **settings["pool"]}
    return PoolSettings.model_validate(merge(DEFAULTS["pool"], own))


def optimum_of(free: Floats, scores: Floats, settings: dict[str, Any]) -> Optimum:
    """Optimum of scores by posterior draw, (vector, draw), with the uncertainty of a single draw.

    ``find_optimum`` takes the error of a mean over folds. A draw of the posterior is a customer as it may be, so that the
    optimum is as uncertain as that of one draw: deviations from the mean are widened by the root of their number.
    """
    mean = scores.mean(axis=1, keepdims=True)
    spread = mean + np.sqrt(scores.shape[1]) * (scores - mean)
    if spread.shape[1] < 3:  # Luck under which only the mean is asked for.
        spread = np.repeat(mean, 4, axis=1)
    return find_optimum(free, spread, settings_of(settings).optimum, settings["seed"])


def told_point(space: Space, optimum: Optimum, settings: dict[str, Any]) -> Floats:
    """The surrogate's optimum where the customer's trials say something, the defaults elsewhere."""
    known = (np.diag(optimum.precision) * settings["edge"] ** 2 >= 1.0) | (optimum.side != 0.0)
    default = space.to_free(space.default)[[space.index(name) for name in settings["parameters"]]]
    told: Floats = np.where(known, optimum.point, default)
    return told


def read_optimum(content: dict[str, Any]) -> Optimum:
    """An optimum as it was stored."""
    return Optimum(**{key: np.array(value) if isinstance(value, list) else value for key, value in content.items()})


def arms_of(space: Space, cells: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Unconstrained coordinates of every arm by customer, and the verdicts of the gate of every pool.

    Each group of ``left_out`` customers is served by a pool of all the others, whose optima come from ``others`` weeks.
    """
    known, arms, gates = settings_of(settings), {}, []
    sampler, gate = SamplerSettings.model_validate(DEFAULTS["sampler"]), GateSettings.model_validate(DEFAULTS["gate"])
    for begin in range(0, len(cells), settings["left_out"]):
        outside = cells[begin : begin + settings["left_out"]]
        inside = [cell for cell in cells if cell not in outside]
        names = [str(cell["customer"]) for cell in inside]
        optima = [read_optimum(cell["own"][str(settings["others"])]["optimum"]) for cell in inside]
        pooled = pool(
            space,
            settings["parameters"],
            dict(zip(names, optima, strict=True)),
            dict(zip(names, (cell["traits"] for cell in inside), strict=True)),
            known,
            sampler,
            gate,
            seed=settings["seed"] + begin,
        )
        gates.append({"passed": pooled.gate.passed, "reasons": list(pooled.gate.reasons)})
        print(f"pool without {', '.join(str(cell['customer']) for cell in outside)}: {gates[-1]}", flush=True)
        for cell in outside:
            rng = np.random.default_rng([settings["seed"], cell["customer"]])
            found = {"others": predict(pooled, cell["traits"], rng).mean(axis=0)}
            for weeks in settings["weeks"]:
                own = cell["own"][str(weeks)]
                optimum = read_optimum(own["optimum"])
                found[f"surrogate {weeks}"] = told_point(space, optimum, settings)
                found[f"both {weeks}"] = update(pooled, cell["traits"], optimum, rng).mean(axis=0)
            clipped = {name: np.clip(point, -settings["edge"], settings["edge"]).tolist() for name, point in found.items()}
            arms[str(cell["customer"])] = clipped
    return {"gates": gates, "arms": arms}
