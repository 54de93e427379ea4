from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmx.tune.evolution import Evolution, evolve, first_population
from mmx.tune.hypervolume import hypervolume
from mmx.tune.pareto import front
from mmx.tune.problem import Floats

SETTINGS = Evolution(population=40, crossover=0.9, crossover_eta=15, mutation_eta=20, mutations=1)


def zdt1(unit: Floats) -> tuple[Floats, Floats]:
    """Zitzler, Deb and Thiele 2000, the first; negated. Its front is ``1 - sqrt(f1)`` where all others are 0."""
    spread = 1.0 + 9.0 * unit[:, 1:].mean(axis=1)
    values = -np.stack([unit[:, 0], spread * (1.0 - np.sqrt(unit[:, 0] / spread))], axis=1)
    return values, np.zeros(len(unit))


def test_it_finds_the_front_of_a_known_problem() -> None:
    found = evolve(zdt1, 10, 6000, SETTINGS, rng=np.random.default_rng(1))
    assert len(found.units) == 6000
    values = found.values[front(found.values, found.violation)]
    # Between the reference (1, 1) and the whole front lies an area of 1 - 1/3.
    assert 0.95 * 2 / 3 < hypervolume(values, np.array([-1.0, -1.0])) <= 2 / 3 + 1e-12


def test_it_keeps_constraints() -> None:
    def fitness(unit: Floats) -> tuple[Floats, Floats]:
        return zdt1(unit)[0], np.maximum(0.4 - unit[:, 0], 0.0)

    found = evolve(fitness, 10, 3000, SETTINGS, rng=np.random.default_rng(1))
    last = found.population
    assert (found.violation[last] == 0.0).all()
    assert found.units[last, 0].min() >= 0.4


def test_a_seed_gives_the_same_search_and_another_one_does_not() -> None:
    first, again, other = (evolve(zdt1, 5, 200, SETTINGS, rng=np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.units, again.units)
    assert (first.units != other.units).any()


@given(st.integers(1, 6), st.integers(1, 130), st.integers(0, 1000))
def test_everything_stays_in_the_cube_and_the_budget_is_kept(coordinates: int, evaluations: int, seed: int) -> None:
    told: list[int] = []
    starts = np.full((2, coordinates), 0.25)
    rng = np.random.default_rng(seed)
    ends = [np.round(np.random.default_rng(seed).random((1, coordinates)))]

    def fitness(unit: Floats) -> tuple[Floats, Floats]:
        assert np.isfinite(unit).all() and unit.min() >= 0.0 and unit.max() <= 1.0
        return -((unit - ends[0]) ** 2), np.zeros(len(unit))

    found = evolve(fitness, coordinates, evaluations, SETTINGS, rng=rng, starts=starts, progress=told.append)
    assert len(found.units) == evaluations == told[-1]
    np.testing.assert_array_equal(found.units[: min(2, evaluations)], starts[:evaluations])


def test_the_first_population_is_a_latin_hypercube() -> None:
    units = first_population(3, 50, np.random.default_rng(1))
    for column in units.T:
        assert sorted((column * 50).astype(int)) == list(range(50))


def test_the_children_of_one_parent_mutate_symmetrically_in_its_middle() -> None:
    from mmx.tune.evolution import _mutate

    heavy = Evolution(population=4, crossover=0.0, crossover_eta=15, mutation_eta=20, mutations=50)
    moved = _mutate(np.full((20_000, 50), 0.5), heavy, np.random.default_rng(3)) - 0.5
    assert abs(moved.mean()) < 4 * moved.std() / 1000
    assert 0.02 < moved.std() < 0.1
