"""Where chains start from an earlier fit: each at a draw of its own.

NumPyro and PyMC number their chains. nutpie asks for a starting point by a seed that it gives each chain, so the seeds of a
run are found beforehand, on a normal density of one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Starts:
    """Starting points of all chains.

    Attributes
    ----------
    points : array, (chain, dim)
    keys : tuple of int, (chain,)
        What the sampler asks with, in the order of the chains.
    """

    points: Floats
    keys: tuple[int, ...]

    def point(self, key: int) -> Floats:
        """Starting point of a chain, (dim,); any of them for a sampler that tries once more with another key."""
        place = self.keys.index(key) if key in self.keys else key % len(self.points)
        point: Floats = self.points[place].copy()
        return point


def distinct(draws: Floats, chains: int, seed: int) -> Floats:
    """Different draws of an earlier fit, (chain, dim).

    Parameters
    ----------
    draws : array, (earlier chain, draw, dim)
    chains : int
    seed : int

    Raises
    ------
    ValueError
        If the earlier fit does not hold as many different draws as there are chains.
    """
    flat = draws.reshape(-1, draws.shape[-1])
    order = np.random.default_rng([seed % 2**32, 7]).permutation(len(flat))
    chosen: list[int] = []
    for place in order:  # A chain that rejects stays where it is: draws at two places may be equal.
        if not any(np.array_equal(flat[place], flat[other]) for other in chosen):
            chosen.append(int(place))
        if len(chosen) == chains:
            return np.asarray(flat[chosen])
    raise ValueError(f"the earlier fit holds {len(chosen)} different draws and {chains} chains are to start from it")


def keys(sampler: str, seed: int, chains: int) -> tuple[int, ...]:
    """What a sampler asks with for the starting points of its chains."""
    return _nutpie_seeds(seed, chains) if sampler == "nutpie" else tuple(seed + 1000 * chain for chain in range(chains))


@cache
def _nutpie_seeds(seed: int, chains: int) -> tuple[int, ...]:
    """Seeds that nutpie gives the chains of a run: they follow from the run's seed and the chain's number alone."""
    from mmx.infer.nutpie_native import engine

    lib, seen = engine(), []

    def start(chain_seed: int) -> Floats:
        seen.append(chain_seed)
        return np.ones(1)

    options = lib.PyNutsSettings.Diag(seed)
    options.update({"num_tune": 1, "num_draws": 1, "num_chains": chains, "maxdepth": 1})
    model = lib.PyModel(
        lambda: lambda q: (-0.5 * float(q @ q), -q),
        lambda *_: lambda q: {"q": q},
        lib.PyVariable.new_variables(["q"], ["float64"], [(1,)], {"coordinate": 1}, {"q": ("coordinate",)}),
        1,
        dim_sizes={"coordinate": 1},
        coords={},
        init_point_func=start,
    )
    one_by_one = 1
    sampler = lib.PySampler.from_pyfunc(options, one_by_one, model, lib.ProgressType.none(), None, 100, lib.PyStorage.arrow())
    sampler.wait(None)
    return tuple(seen)
