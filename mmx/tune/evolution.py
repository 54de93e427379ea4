"""Vectorised evolutionary search: NSGA-II on whole populations, one call of the evaluator per generation.

Parents win binary tournaments by rank, then crowding; simulated binary crossover and polynomial mutation work on the unit
cube (Deb and Agrawal 1995; Deb et al. 2002); the best of parents and children, under the domination of ``pareto``, go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmx.tune.pareto import Indices, crowding, ranks
from mmx.tune.problem import Floats

Fitness = Callable[[Floats], tuple[Floats, Floats]]  # unit vectors -> values (n, objective), total violation (n,)


@dataclass(frozen=True)
class Evolution:
    """Settings of the search.

    Attributes
    ----------
    population : int
        Vectors per generation, even.
    crossover : float
        Share of pairs that are crossed.
    crossover_eta, mutation_eta : float
        Distribution indices: the larger, the nearer children stay to their parents.
    mutations : float
        Expected number of coordinates of a child that mutate.
    """

    population: int
    crossover: float
    crossover_eta: float
    mutation_eta: float
    mutations: float


@dataclass(frozen=True)
class Evolved:
    """All that was evaluated, in order, and the last population.

    Attributes
    ----------
    units : array, (n, coordinate)
    values : array, (n, objective)
    violation : array, (n,)
    population : array of int, (population,)
        Their rows.
    """

    units: Floats
    values: Floats
    violation: Floats
    population: Indices


def evolve(
    fitness: Fitness,
    coordinates: int,
    evaluations: int,
    settings: Evolution,
    *,
    rng: np.random.Generator,
    starts: Floats | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evolved:
    """Search the unit cube.

    Parameters
    ----------
    fitness : callable
        Maximised; called once per generation.
    coordinates, evaluations : int
        The last generation is cut to the number of evaluations.
    settings : Evolution
    rng : Generator
    starts : array, (start, coordinate), optional
        Points of the first population; the rest is a Latin hypercube.
    progress : callable, optional
        Called with the number of evaluations after each generation.
    """
    units = first_population(coordinates, min(settings.population, evaluations), rng, starts)
    values, violation = fitness(units)
    blocks = [(units, values, violation)]
    alive: Indices = np.arange(len(units))
    done = len(units)
    rank, crowd = _judge(values, violation)
    while done < evaluations:
        if progress is not None:
            progress(done)
        children = _offspring(units, rank, crowd, settings, rng)[: evaluations - done]
        new_values, new_violation = fitness(children)
        blocks.append((children, new_values, new_violation))
        pool = np.concatenate([alive, np.arange(done, done + len(children))])
        done += len(children)
        units = np.concatenate([units, children])
        values, violation = np.concatenate([values, new_values]), np.concatenate([violation, new_violation])
        rank, crowd = _judge(values, violation)
        kept = np.lexsort((-crowd, rank))[: settings.population]
        units, values, violation, alive = units[kept], values[kept], violation[kept], pool[kept]
        rank, crowd = rank[kept], crowd[kept]
    if progress is not None:
        progress(done)
    all_units, all_values, all_violation = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Evolved(all_units, all_values, all_violation, alive)


def first_population(coordinates: int, size: int, rng: np.random.Generator, starts: Floats | None = None) -> Floats:
    """Starting points, then a Latin hypercube, (size, coordinate), in [0, 1]."""
    given = np.empty((0, coordinates)) if starts is None else starts[:size]
    rest = size - len(given)
    cells = rng.permuted(np.tile(np.arange(rest), (coordinates, 1)), axis=1).T
    return np.concatenate([given, (cells + rng.random((rest, coordinates))) / max(rest, 1)])


def _judge(values: Floats, violation: Floats) -> tuple[Indices, Floats]:
    """Rank, and crowding distance within the rank, (n,) each."""
    rank = ranks(values, violation)
    crowd = np.empty(len(values))
    order = np.argsort(rank, kind="stable")
    for layer in np.split(order, np.flatnonzero(np.diff(rank[order])) + 1):
        crowd[layer] = crowding(values[layer])
    return rank, crowd


def _offspring(units: Floats, rank: Indices, crowd: Floats, settings: Evolution, rng: np.random.Generator) -> Floats:
    """As many children as the population is large, (population, coordinate)."""
    pairs = -(-settings.population // 2)
    rivals = rng.integers(len(units), size=(2, 2 * pairs))
    worse = (rank[rivals[0]] > rank[rivals[1]]) | ((rank[rivals[0]] == rank[rivals[1]]) & (crowd[rivals[0]] < crowd[rivals[1]]))
    parents = units[np.where(worse, rivals[1], rivals[0])]
    children = _cross(parents[:pairs], parents[pairs:], settings, rng)
    return _mutate(children, settings, rng)[: settings.population]


def _cross(one: Floats, other: Floats, settings: Evolution, rng: np.random.Generator) -> Floats:
    """Bounded simulated binary crossover of pairs, (2 pair, coordinate)."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    gap = high - low
    crossed = (rng.random((len(one), 1)) < settings.crossover) & (rng.random(one.shape) < 0.5) & (gap > 1e-14)
    safe, draw, power = np.where(gap > 1e-14, gap, 1.0), rng.random(one.shape), settings.crossover_eta + 1.0
    near = np.clip(0.5 * (low + high - _spread(low, safe, draw, power) * gap), 0.0, 1.0)
    far = np.clip(0.5 * (low + high + _spread(1.0 - high, safe, draw, power) * gap), 0.0, 1.0)
    swap = rng.random(one.shape) < 0.5
    first, second = np.where(swap, far, near), np.where(swap, near, far)
    return np.concatenate([np.where(crossed, first, one), np.where(crossed, second, other)])


def _spread(room: Floats, gap: Floats, draw: Floats, power: float) -> Floats:
    """Spread factor of a child that has ``room`` to its end of the range."""
    alpha = 2.0 - (1.0 + 2.0 * room / gap) ** -power
    inner = draw * alpha
    spread: Floats = np.where(inner <= 1.0, inner, 1.0 / np.maximum(2.0 - inner, 1e-300)) ** (1.0 / power)
    return spread


def _mutate(units: Floats, settings: Evolution, rng: np.random.Generator) -> Floats:
    """Bounded polynomial mutation."""
    moved = np.nonzero(rng.random(units.shape) < settings.mutations / units.shape[1])
    value, draw, power = units[moved], rng.random(len(moved[0])), settings.mutation_eta + 1.0
    down = draw < 0.5
    room = np.where(down, 1.0 - value, value) ** power
    part = np.where(down, 2.0 * draw, 2.0 * (1.0 - draw))
    step = (part + (1.0 - part) * room) ** (1.0 / power)
    changed = units.copy()
    changed[moved] = np.clip(np.where(down, value + step - 1.0, value + 1.0 - step), 0.0, 1.0)
    return changed
