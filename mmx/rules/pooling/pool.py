"""Pool customers: fit the hierarchical model to their optima, and say what it means for each of them and for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmx.errors import InputError, Problem
from mmx.infer.gate import Gate, judge, summarise
from mmx.infer.sampling import sample
from mmx.infer.target import Progress, Target, to_sites
from mmx.rules.parameters import Space
from mmx.rules.pooling import density
from mmx.rules.pooling.front_ends import numpyro_model, pymc_model
from mmx.rules.pooling.optimum import Optimum
from mmx.rules.pooling.smoother import Floats
from mmx.rules.pooling.traits import Encoding, Trait, make_encoding
from mmx.spec import GateSettings, SamplerSettings
from mmx.tune_settings import PoolSettings


@dataclass(frozen=True)
class PooledParameters:
    """Posterior of the hierarchical model, in unconstrained coordinates.

    Attributes
    ----------
    parameters : tuple of str, (coordinate,)
        Names in the space of rules.
    customers : tuple of str
    encoding : Encoding
        Of traits as covariates.
    w : array, (draw, covariate, coordinate)
    lower : array, (draw, coordinate, coordinate)
        ``Sigma = lower lower'`` between customers.
    theta : array, (draw, customer, coordinate)
        Parameters of each customer.
    edge : float
        End of the searches.
    gate : Gate
    """

    parameters: tuple[str, ...]
    customers: tuple[str, ...]
    encoding: Encoding
    w: Floats
    lower: Floats
    theta: Floats
    edge: float
    gate: Gate

    @property
    def sigma(self) -> Floats:
        """Covariance between customers, (draw, coordinate, coordinate)."""
        found: Floats = self.lower @ np.swapaxes(self.lower, 1, 2)
        return found


def pool(
    space: Space,
    parameters: Sequence[str],
    optima: Mapping[str, Optimum],
    traits: Mapping[str, Mapping[str, Trait]],
    settings: PoolSettings,
    sampler: SamplerSettings,
    gate: GateSettings,
    *,
    seed: int,
    progress: Progress | None = None,
) -> PooledParameters:
    """Fit the hierarchical model to the optima of several customers.

    Parameters
    ----------
    space : Space
    parameters : sequence of str, (coordinate,)
        Names of the coordinates of the optima: every customer searched the same ones.
    optima : mapping of str to Optimum
        By customer, of ``find_optimum``.
    traits : mapping of str to mapping
        By customer, the same names for all.
    settings : PoolSettings
        The ones that the optima were read off with.
    sampler : SamplerSettings
        What ``settings`` does not say of the sampler.
    gate : GateSettings
        The verdict is kept, not enforced.
    seed : int

    Raises
    ------
    InputError
        With fewer than two customers, or traits that are not known of all.
    """
    customers = tuple(optima)
    if len(customers) < 2 or set(traits) != set(customers):
        came = f"{len(customers)} with a search, {len(traits)} with traits"
        problem = Problem("customers", came, "two or more, each with both", "Tune more customers, or complete their traits.")
        raise InputError("the customers cannot be pooled", [problem])
    encoding = make_encoding([traits[name] for name in customers])
    covariates = np.stack([encoding.encode(traits[name]) for name in customers])
    places = [space.index(name) for name in parameters]
    edge = settings.optimum.edge
    default = np.clip(space.to_free(space.default)[places], -edge, edge)
    inputs = density.make_inputs([optima[name] for name in customers], covariates, default, settings.priors, edge)
    target = make_target(inputs, tuple(parameters), encoding.columns)
    own = {"name": settings.sampler, "tune": settings.tune, "draws": settings.draws, "thin": 1}
    draws = sample(target, sampler.model_copy(update=own), seed=seed, progress=progress)
    values = {name: draws.q[..., i] for i, name in enumerate(target.names)}
    verdict = judge(summarise(values), draws, gate)
    sites = to_sites(target.sites, draws.q.reshape(-1, target.dim))
    lower, theta = _customers(sites, inputs, np.random.default_rng([seed, 3]))
    w = sites["w"].reshape(len(lower), covariates.shape[1], -1)
    return PooledParameters(tuple(parameters), customers, encoding, w, lower, theta, edge, verdict)


def make_target(inputs: dict[str, Floats], coordinates: tuple[str, ...], covariates: tuple[str, ...]) -> Target:
    """The model as samplers see it."""
    shape = density.shape_of(inputs)
    return Target(
        dim=shape.dim,
        log_density=density.log_density,
        inputs=inputs,
        names=density.names_of(shape, coordinates, covariates),
        numpyro_model=numpyro_model,
        pymc_model=lambda: pymc_model(inputs),
        compiled=None,
        sites=shape.sites,
    )


def lower_of(spread: Floats, mix: Floats | None) -> Floats:
    """``density.factor`` of many draws, (draw, coordinate, coordinate)."""
    d = spread.shape[1]
    triangle = np.tile(np.eye(d), (len(spread), 1, 1))
    if mix is not None:
        rows, columns = np.tril_indices(d, -1)
        triangle[:, rows, columns] = mix
    found: Floats = spread[:, :, None] * triangle / np.linalg.norm(triangle, axis=2, keepdims=True)
    return found


def conditional(mean: Floats, lower: Floats, point: Floats, precision: Floats) -> tuple[Floats, Floats, Floats]:
    """Parameters of one customer given one draw of the hierarchy each: ``theta | theta*, W, L``.

    Parameters
    ----------
    mean, point : array, (draw, coordinate)
        ``W' z`` and the optimum.
    lower : array, (draw, coordinate, coordinate)
    precision : array, (coordinate, coordinate)

    Returns
    -------
    array, (draw, coordinate)
        Mean.
    array, (draw, coordinate, coordinate)
        A root ``R`` of the covariance ``R R'``.
    array, (draw,)
        Log density of the optimum with theta integrated out, up to a constant.
    """
    upper = np.swapaxes(lower, 1, 2)
    r = point - mean
    pull = r @ precision
    root = np.linalg.cholesky(np.eye(precision.shape[0]) + upper @ precision @ lower)
    inverse = np.linalg.inv(root)
    v = np.einsum("dij,dj->di", inverse, np.einsum("dij,dj->di", upper, pull))
    spread = lower @ np.swapaxes(inverse, 1, 2)
    log = -0.5 * ((r * pull).sum(axis=1) - np.square(v).sum(axis=1))
    log -= np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return mean + np.einsum("dij,dj->di", spread, v), spread, log


def _customers(sites: dict[str, Floats], inputs: dict[str, Floats], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """``lower`` and exact draws of every customer's parameters, (draw, customer, coordinate)."""
    lower = lower_of(sites["spread"], sites.get("mix"))
    draws, d = sites["spread"].shape
    w = sites["w"].reshape(draws, -1, d)
    point = np.tile(inputs["point"], (draws, 1, 1))
    if "beyond" in sites:
        point[:, inputs["customer"], inputs["coordinate"]] = inputs["side"] * (inputs["edge"] + sites["beyond"])
    theta = np.empty_like(point)
    for c, (z, precision) in enumerate(zip(inputs["z"], inputs["precision"], strict=True)):
        mean, root, _ = conditional(z @ w, lower, point[:, c], precision)
        theta[:, c] = mean + np.einsum("dij,dj->di", root, rng.normal(size=(draws, d)))
    return lower, theta
