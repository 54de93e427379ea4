"""From a world and a seed to arrays: spend, controls, the KPI and the mechanism behind it.

The KPI's level follows from the media: true ROAS times spend is what paid media bring, and that is ``media_share`` of the
noiseless KPI. ``beta`` is solved from these contributions, so that the drawn ROAS is the true one by definition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmx.budget_settings import BudgetSettings
from mmx.data.panel import NATIONAL
from mmx.spec import TargetKind
from mmx.worlds import draws
from mmx.worlds.baselines import baseline, noise_correlation
from mmx.worlds.curves import Curve, Floats
from mmx.worlds.plan import PlanProblem
from mmx.worlds.registry import Geos, Medium, World
from mmx.worlds.truth import Mechanism
from mmx.worlds.variants import foreign_curve

Dates = npt.NDArray[np.datetime64]
INDEX_LEVEL = 5000.0


@dataclass(frozen=True)
class Frame:
    """What a world is laid over: the calendar and the meaning of the KPI.

    Attributes
    ----------
    dates : array of datetime64[D], (time,)
        First day of each week.
    window : array of bool, (time,)
        KPI window.
    target_kind : {"money", "count", "index"}
        For an index, spend lies between 0 and 1.
    unit_value : float or None
        Money per KPI unit; None lets it vary around 50 by period, for a count with a column.
    budget : BudgetSettings
    """

    dates: Dates
    window: npt.NDArray[np.bool_]
    target_kind: TargetKind
    unit_value: float | None
    budget: BudgetSettings


@dataclass(frozen=True, eq=False)
class Scene:
    """Arrays of one simulated world.

    Attributes
    ----------
    world : World
    frame : Frame
    geos : tuple of str
    levers : dict of array, (geo, time)
        Controls, treatments and events by name; the demand index under its column's name.
    lever_effects : dict of float
        KPI units per unit of each lever, nationally per period; NaN for the demand index.
    kpi, mean : array, (geo, time)
        KPI with and without noise, in its units.
    problem : PlanProblem
    """

    world: World
    frame: Frame
    geos: tuple[str, ...]
    levers: dict[str, Floats]
    lever_effects: dict[str, float]
    kpi: Floats
    mean: Floats
    problem: PlanProblem

    @property
    def mechanism(self) -> Mechanism:
        """How media act."""
        return self.problem.mechanism

    @property
    def treatments(self) -> dict[str, float]:
        """KPI money that each treatment brings in the window, measured from its smallest value there."""
        heads = self.mechanism.population
        out = {}
        for lever in self.world.levers:
            if lever.kind == "treatment":
                depth = self.levers[lever.name][:, self.frame.window]
                units = self.lever_effects[lever.name] * (heads / heads.sum())[:, None] * (depth - depth.min())
                out[lever.name] = float((units * self.mechanism.worth[:, self.frame.window]).sum())
        return out

    @property
    def kpi_money(self) -> float:
        """Noiseless KPI in the window, in money (KPI units for an index)."""
        return float((self.mean * self.mechanism.worth)[:, self.frame.window].sum())


def build(world: World, frame: Frame, *, seed: int) -> Scene:
    """Draw one realisation of a world; paid media must precede organic ones."""
    periods = len(frame.dates)
    demand = draws.autoregressive(draws.stream(seed, "demand"), periods, 0.85)
    names, population = _geos(world, seed)
    spend, exposure = _media(world, frame, seed, demand, population)
    levers = {v.name: draws.lever(draws.stream(seed, f"lever/{v.name}"), v, len(names), periods) for v in world.levers}
    silent = _silent(world, frame, seed, spend, exposure, population)
    organic_share = [
        draws.stream(seed, f"share/{m.name}").uniform(*world.organic_share) if m.active else 0.0
        for m in world.media
        if not m.paid
    ]
    share = float(draws.stream(seed, "share").uniform(*world.media_share))
    targets, total = _targets(world, frame, seed, silent, share, organic_share)
    mechanism = _solved(silent, targets)

    relative = _relative(world, seed, frame.dates, demand, population, levers)
    left = (1 - share - sum(organic_share)) * total
    level = left / float((relative * mechanism.worth)[:, frame.window].sum())
    media = sum((mechanism.effect(m) for m in range(len(mechanism.names))), np.zeros_like(relative))
    mean = level * relative + media
    kpi = mean + mean.mean(axis=1, keepdims=True) * _noise(world, seed, mean.shape)
    kpi = np.maximum(kpi, 0.02 * mean)
    effects = {v.name: level * float(population.sum()) * _effect(seed, v.name, v.effect) for v in world.levers}
    if world.demand is not None:
        error = world.demand.index_noise * draws.stream(seed, "index").standard_normal(periods)
        levers[world.demand.index] = np.broadcast_to(np.round(demand + error, 4), mean.shape).copy()
        effects[world.demand.index] = float("nan")
    kpi = np.round(kpi, 0 if frame.target_kind == "count" else 2)
    return Scene(world, frame, names, levers, effects, kpi, mean, PlanProblem(mechanism, frame.budget))


def _geos(world: World, seed: int) -> tuple[tuple[str, ...], Floats]:
    if world.geos is None:
        return (NATIONAL,), np.ones(1)
    rng = draws.stream(seed, "geos")
    heads = [round(draws.lognormal(rng, world.geos.population)) for _ in range(world.geos.count)]
    return tuple(f"geo_{i + 1:02d}" for i in range(world.geos.count)), np.array(heads, dtype=np.float64)


def _weeks(dates: Dates) -> Floats:
    """Week of the year of each period, 0 to 52, (time,)."""
    return np.asarray((dates - dates.astype("datetime64[Y]")).astype(np.float64) / 7)


def _media(world: World, frame: Frame, seed: int, demand: Floats, population: Floats) -> tuple[Floats, Floats]:
    """Spend (geo, time, channel) and exposure (geo, time, media), rounded as a table would have them."""
    national = draws.buying(world, seed, _weeks(frame.dates), demand)
    cells = population[:, None, None] / population.sum() * national
    if world.geos is not None:
        cells = cells * _local(world.geos, seed, cells.shape)
    paid = sum(m.paid for m in world.media)
    index = frame.target_kind == "index"
    if index:
        cells = cells / cells.max(axis=(0, 1))
    rounded = np.round(cells, 6 if index else 2)
    exposure = rounded.copy()
    for i, medium in enumerate(world.media):
        if medium.unit_cost is not None:
            rng = draws.stream(seed, f"cost/{medium.name}")
            units = rounded[..., i] / medium.unit_cost * np.exp(0.15 * rng.standard_normal(cells.shape[:2]))
            exposure[..., i] = np.where(rounded[..., i] > 0, np.maximum(np.round(units, 0), 1), 0)
        elif not medium.paid and not index:
            exposure[..., i] = np.round(cells[..., i], 0)
    return rounded[..., :paid], exposure


def _local(geos: Geos, seed: int, shape: tuple[int, ...]) -> Floats:
    rng = draws.stream(seed, "local")
    tilt = geos.spend * rng.standard_normal((shape[0], 1, shape[2]))
    return np.asarray(np.exp(tilt + geos.spend * rng.standard_normal(shape)))


def _silent(world: World, frame: Frame, seed: int, spend: Floats, exposure: Floats, population: Floats) -> Mechanism:
    """Return the mechanism with effects of 1 per head, up to the geos' deviations, before betas are solved."""
    heads = exposure / population[:, None, None]
    scale = np.array([x[x > 0].mean() for x in np.moveaxis(heads, -1, 0)])
    curves = tuple(_curve(world, m, seed) for m in world.media)
    deviation = np.zeros((len(population), len(world.media)))
    if world.geos is not None:
        deviation = world.geos.effect * draws.stream(seed, "effects").standard_normal(deviation.shape)
    worth = np.full(exposure.shape[:2], frame.unit_value if frame.unit_value is not None else 1.0)
    if frame.unit_value is None:
        rng = draws.stream(seed, "worth")
        worth = np.round(50 * np.exp(0.01 * rng.standard_normal(worth.shape)), 4)
    names = tuple(m.name for m in world.media)
    return Mechanism(names, spend, exposure, population, scale, curves, np.exp(deviation), worth, frame.window)


def _curve(world: World, medium: Medium, seed: int) -> Curve:
    rng = draws.stream(seed, f"curve/{medium.name}")
    return foreign_curve(rng, medium) if world.foreign_curves else draws.curve(rng, medium, world)


def _targets(
    world: World, frame: Frame, seed: int, silent: Mechanism, share: float, organic_share: list[float]
) -> tuple[Floats, float]:
    """Contribution of every medium, (media,), and the KPI that follows, in money (KPI units for an index)."""
    drawn = np.array([draws.lognormal(draws.stream(seed, f"roas/{n}"), world.roas) * silent.spent[n] for n in silent.channels])
    active = np.array([m.active for m in world.media if m.paid])
    if frame.target_kind == "index":
        # spend of an index has no unit; the factor puts the KPI at a level that reads well
        drawn = drawn * INDEX_LEVEL * int(frame.window.sum()) * len(silent.population) * share / (drawn * active).sum()
    paid = np.where(active, drawn, 0.0)
    total = float(paid.sum() or drawn.sum()) / share
    return np.concatenate([paid, total * np.array(organic_share)]), total


def _solved(silent: Mechanism, targets: Floats) -> Mechanism:
    unit = np.array([silent.contribution[n] for n in silent.names])
    return replace(silent, beta=silent.beta * (targets / unit))


def _years(dates: Dates) -> Floats:
    """Time in years from the first period, (time,)."""
    return np.asarray((dates - dates[0]).astype(np.float64) / 365.25)


def _relative(world: World, seed: int, dates: Dates, demand: Floats, population: Floats, levers: dict[str, Floats]) -> Floats:
    """KPI without media in units of its level, (geo, time); a head of an average geo has about 1."""
    rows = baseline(seed, world.baseline, _years(dates), _weeks(dates), len(population))
    if world.demand is not None:
        rows = rows + world.demand.kpi * demand
    if world.geos is not None:
        deviation = world.geos.level * draws.stream(seed, "levels").standard_normal(len(population))
        rows = rows + (np.exp(deviation) - 1)[:, None]
    for settings in world.levers:
        rows = rows + _effect(seed, settings.name, settings.effect) * levers[settings.name]
    return np.asarray(population[:, None] * np.maximum(rows, 0.1))


def _effect(seed: int, name: str, between: tuple[float, float]) -> float:
    return float(draws.stream(seed, f"effect/{name}").uniform(*between))


def _noise(world: World, seed: int, shape: tuple[int, ...]) -> Floats:
    rng = draws.stream(seed, "noise")
    noise = rng.standard_normal(shape) if world.noise.dof is None else rng.standard_t(world.noise.dof, shape)
    rho = noise_correlation(seed, world.baseline)
    for t in range(1, shape[1] if rho > 0 else 0):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return np.asarray(world.noise.sd * noise)
