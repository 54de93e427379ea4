"""What a pool says, parameter by parameter, in the parameters' own units: population, customers, and flat directions.

A customer's trials weigh ``1 - Var(theta_c | all) / Var(theta_new)`` in its own value: 0 where the pool alone speaks. A
direction is called flat where the trials leave the optimum wider than half the search, ``P_ii^-1/2 > edge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmx.rules.parameters import Parameter, Space
from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.pool import PooledParameters
from mmx.rules.pooling.smoother import Floats

Told = Literal["inside", "at the lower end", "at the upper end", "flat", "not searched"]
Interval = tuple[float, float, float]  # Median, low, high.


@dataclass(frozen=True)
class PooledCustomer:
    """One parameter of one customer.

    Attributes
    ----------
    name : str
    told : str
        What its own trials say.
    own : float or None
        Optimum of its own trials; None where they say nothing.
    pooled : tuple of float
        Median and interval with all customers' trials.
    weight : float
        Of its own trials, in [0, 1].
    """

    name: str
    told: Told
    own: float | None
    pooled: Interval
    weight: float


@dataclass(frozen=True)
class PooledRow:
    """One parameter.

    Attributes
    ----------
    name : str
    parameter : Parameter
    centre : tuple of float
        Of a customer with average traits: median and interval of the population's mean.
    spread : tuple of float
        Standard deviation between customers, in logits of the range: median and interval.
    range : tuple of float
        Median and interval of a new customer with average traits.
    customers : tuple of PooledCustomer
    """

    name: str
    parameter: Parameter
    centre: Interval
    spread: Interval
    range: Interval
    customers: tuple[PooledCustomer, ...]

    @property
    def flat(self) -> bool:
        """Whether no customer's trials say anything of it."""
        return all(one.own is None for one in self.customers)


def pooled_rows(
    pooled: PooledParameters,
    space: Space,
    optima: Mapping[str, Optimum],
    covariates: Floats,
    searched: Mapping[str, tuple[str, ...]],
    mass: float,
    *,
    seed: int,
) -> tuple[PooledRow, ...]:
    """Rows in the order of the pool's parameters.

    Parameters
    ----------
    pooled : PooledParameters
    space : Space
    optima : mapping of str to Optimum
        By customer, in the pool's coordinates.
    covariates : array, (customer, covariate)
    searched : mapping of str to tuple of str
        Parameters that each customer searched.
    mass : float
        Of the central intervals.
    seed : int
        Of the draws of a new customer.
    """
    centre = covariates.mean(axis=0) @ pooled.w
    noise = np.random.default_rng([seed, 5]).normal(size=centre.shape)
    new = centre + np.einsum("dij,dj->di", pooled.lower, noise)
    deviation = np.sqrt(np.diagonal(pooled.sigma, axis1=1, axis2=2))
    rows = []
    for i, name in enumerate(pooled.parameters):
        parameter = space.parameters[space.index(name)]

        def units(draws: Floats, i: int = i, name: str = name) -> Interval:
            return in_units(space, name, interval(np.clip(draws[:, i], -pooled.edge, pooled.edge), mass))

        customers = []
        for c, customer in enumerate(pooled.customers):
            told = what_is_told(optima[customer], i, name in searched[customer], pooled.edge)
            own = None if told in ("flat", "not searched") else _unit(space, name, float(optima[customer].point[i]))
            weight = 1.0 - float(pooled.theta[:, c, i].var() / new[:, i].var())
            customers.append(PooledCustomer(customer, told, own, units(pooled.theta[:, c]), float(np.clip(weight, 0.0, 1.0))))
        rows.append(PooledRow(name, parameter, units(centre), interval(deviation[:, i], mass), units(new), tuple(customers)))
    return tuple(rows)


def what_is_told(optimum: Optimum, coordinate: int, searched: bool, edge: float) -> Told:
    """What a customer's trials say of one coordinate."""
    if not searched:
        return "not searched"
    side = optimum.side[coordinate]
    if side != 0.0:
        return "at the upper end" if side > 0.0 else "at the lower end"
    return "inside" if optimum.precision[coordinate, coordinate] * edge**2 >= 1.0 else "flat"


def interval(draws: Floats, mass: float) -> Interval:
    """Median and central interval of draws."""
    tail = (1.0 - mass) / 2.0
    median, low, high = np.quantile(draws, [0.5, tail, 1.0 - tail])
    return float(median), float(low), float(high)


def in_units(space: Space, name: str, free: Interval) -> Interval:
    """Unconstrained values of one parameter in its unit."""
    median, low, high = (_unit(space, name, value) for value in free)
    return median, low, high


def _unit(space: Space, name: str, free: float) -> float:
    whole = space.to_free(space.default)
    whole[space.index(name)] = free
    return float(space.from_free(whole)[space.index(name)])
