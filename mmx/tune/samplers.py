"""Optuna's samplers under one name each."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mmx.errors import ConfigError, Problem
from mmx.tune_settings import Engine

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

NEEDS = {"gp": "torch", "cmaes": "cmaes"}


def make_sampler(engine: Engine, seed: int, population: int, objectives: int) -> BaseSampler:
    """The sampler of an engine.

    Parameters
    ----------
    engine : {"tpe", "nsga2", "nsga3", "cmaes", "gp", "evolution"}
        ``evolution`` proposes by itself; the study that takes its front is given NSGA-II.
    seed : int
        The same seed proposes the same vectors as long as one worker runs.
    population : int
        Of NSGA-II and NSGA-III.
    objectives : int
        Number of searched values.

    Raises
    ------
    ConfigError
        If the package behind it is not installed, or it takes one objective and there are several.
    """
    from optuna import samplers
    from optuna.exceptions import ExperimentalWarning

    package = NEEDS.get(engine)
    if package is not None and find_spec(package) is None:
        remedy = f"Install it (pip install {package}), or take engine: tpe."
        raise ConfigError(
            "the search cannot start", [Problem("tune.engine", f"{engine} without {package}", f"the package {package}", remedy)]
        )
    if engine == "cmaes" and objectives > 1:
        remedy = "Set tune.multi: false, or take engine: nsga2 or evolution."
        raise ConfigError("the search cannot start", [Problem("tune.engine", "cmaes, several objectives", "one", remedy)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ExperimentalWarning)
        if engine == "tpe":
            return samplers.TPESampler(seed=seed)
        if engine == "nsga3":
            return samplers.NSGAIIISampler(seed=seed, population_size=population)
        if engine == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        if engine == "gp":
            return samplers.GPSampler(seed=seed)
        return samplers.NSGAIISampler(seed=seed, population_size=population)
