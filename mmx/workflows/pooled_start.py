"""Where the search of a new customer begins: what a pool of other customers expects of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmx.errors import InputError
from mmx.rules.pooling.predict import predict, starting_points
from mmx.rules.pooling.store import load_pooled
from mmx.rules.pooling.traits import history_traits
from mmx.tune.customers import narrowed
from mmx.tune.problem import Floats

if TYPE_CHECKING:
    from mmx.data.ads.history import AccountHistory
    from mmx.rules.parameters import Space
    from mmx.schema import Config

POOLED = "pooled.npz"


@dataclass(frozen=True)
class Beginning:
    """Where a search begins.

    Attributes
    ----------
    space : Space
        What is searched.
    starts : mapping of str to array
        Vectors to try first, by where they come from.
    notes : tuple of str
        What a reader should know of it.
    """

    space: Space
    starts: Mapping[str, Floats]
    notes: tuple[str, ...] = ()


def pooled_beginning(config: Config, space: Space, history: AccountHistory) -> Beginning:
    """The beginning that ``pool.source`` gives; without one, the whole space and no starts.

    The first start is the mean of what the pool expects of a customer with these traits, the others are draws that lie far from
    each other. Ranges are cut to the central ``pool.width`` of all draws, and hold the defaults.

    Parameters
    ----------
    config : Config
    space : Space
        Of the account's rules.
    history : AccountHistory
        Of the days that tuning may use: its traits are those of the last of them.

    Raises
    ------
    InputError, DataError
        If there is no pool in the folder, it is of other rules, or the account's traits are unknown to it.
    """
    if config.pool.source is None:
        return Beginning(space, {})
    folder = Path(config.pool.source)
    if not (folder / POOLED).is_file():
        raise InputError(f"{folder} holds no {POOLED}; pool.source and --pooled expect an output folder of mmx pool")
    pooled, settings = load_pooled(folder / POOLED), config.pool
    unknown = [name for name in pooled.parameters if name not in space.names]
    if unknown:
        raise InputError(
            f"the pool in {folder} is of parameters that these rules lack: {', '.join(unknown[:5])}. Take them out of "
            "rules.without, or pool customers with the same rules"
        )
    draws = predict(pooled, history_traits(history), np.random.default_rng([config.seed, 11]))
    tail = (1.0 - settings.width) / 2.0
    ends = np.clip(np.quantile(draws, [tail, 1.0 - tail], axis=0), -pooled.edge, pooled.edge)
    searched = narrowed(space, pooled.parameters, ends[0], ends[1])
    vectors = np.clip(starting_points(pooled, space, draws, settings.starts), searched.low, searched.high)
    starts = {f"pool {folder.name}, {i + 1}": vector for i, vector in enumerate(vectors)}
    note = (
        f"The search begins with {settings.starts} points of the pool in {folder} ({len(pooled.customers)} customers), "
        f"and keeps {len(pooled.parameters)} parameters to the central {100 * settings.width:g} % of what it expects of it."
    )
    alarm = (f"NOT CONVERGED: the pool failed its gate ({'; '.join(pooled.gate.reasons)}).",) * (not pooled.gate.passed)
    return Beginning(searched, starts, (*alarm, note))
