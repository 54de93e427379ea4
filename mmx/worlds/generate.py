"""Simulate a named world: a table as a user would have it, the truth behind it, and the settings that fit it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mmx.config import read_config
from mmx.errors import ConfigError
from mmx.worlds.accounts.table import WORLDS as ACCOUNTS
from mmx.worlds.registry import WORLDS, World
from mmx.worlds.scene import Frame, Scene, build
from mmx.worlds.variants import departures, in_variant

START = np.datetime64("2022-01-03")
FORMAT = 1


@dataclass(frozen=True)
class Simulated:
    """One simulated world.

    Attributes
    ----------
    table : DataFrame
        One row per week, and geo where there are geos.
    truth : dict
        Ready for JSON: ``roas``, ``mroas``, ``contribution``, ``contribution_share``, ``spend``, ``parameters`` and
        ``best_plan`` by channel, ``plan`` with the horizon's figures, and what was drawn. Money in the table's currency.
    settings : dict
        The configuration that fits the table, as far as it differs from the defaults; without ``data.path``.
    scene : Scene
        The arrays and the mechanism, for further questions.
    """

    table: pd.DataFrame
    truth: dict[str, Any]
    settings: dict[str, Any]
    scene: Scene = field(repr=False, compare=False)

    def plan_value(self, multipliers: Mapping[str, float]) -> float:
        """Return the true KPI money of a plan over horizon and carryover tail, carry-in included, paid media only.

        Parameters
        ----------
        multipliers : mapping
            Multiplier by channel on the reference plan; a channel that is not named stays at 1.
        """
        return self.scene.problem.value(multipliers)

    def plan_gain(self, multipliers: Mapping[str, float]) -> float:
        """Return the true KPI money of a plan over the current one."""
        return self.plan_value(multipliers) - self.plan_value({})


def simulate(world: str, *, seed: int, periods: int = 156, variant: str = "named") -> Simulated:
    """Simulate one of ``WORLDS``.

    Parameters
    ----------
    world : str
    seed : int
        The same seed gives the same table and truth; another one other parameters and other data.
    periods : int
        Weeks, at least 30.
    variant : {"named", "inside", "outside"}
        ``named``: the world as it is stated, and settings that name its families of curves. The others have another median
        of true ROAS with each seed, and settings that leave the curves to the model's defaults, as a user would who
        does not know them: ``inside`` draws from the default model's family as far as the world does, ``outside`` draws
        curves, carryover, baseline and noise that it does not have. Their truth names the ``departures`` from it.

    Raises
    ------
    ConfigError
        If there is no such world or variant (the nearest name is offered), or too few periods.
    """
    if world not in WORLDS:
        names = (*WORLDS, *ACCOUNTS)
        near = difflib.get_close_matches(world, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}."
        raise ConfigError(f"there is no world {world!r}. {hint}")
    if periods < 30:
        raise ConfigError(f"a world needs at least 30 weeks, so that every channel is bought; {periods} were asked for")
    chosen = in_variant(WORLDS[world], variant, seed)
    settings = settings_of(world, chosen, families=variant == "named")
    budget = read_config(settings).budget
    dates = START + np.arange(periods) * np.timedelta64(7, "D")
    frame = Frame(dates, np.ones(periods, dtype=bool), "money", 1.0, budget)
    scene = build(chosen, frame, seed=seed)
    truth = truth_of(scene, name=world, seed=seed)
    if variant != "named":
        truth |= {"variant": variant, "departures": list(departures(chosen, scene.mechanism.curves))}
    return Simulated(_table(scene), truth, settings, scene)


def settings_of(name: str, world: World, *, families: bool = True) -> dict[str, Any]:
    """Return the settings that fit a world's table, families of curves included where they are asked for."""
    channels: dict[str, Any] = {}
    for medium in world.media:
        channels[medium.name] = {"spend": f"{medium.name}_spend"}
        if families and medium.adstock != "geometric":
            channels[medium.name]["adstock"] = medium.adstock
        if families and medium.saturation != "hill":
            channels[medium.name]["saturation"] = medium.saturation
    data: dict[str, Any] = {"date": "week", "target": "revenue", "currency": "EUR", "channels": channels}
    if world.geos is not None:
        data |= {"geo": "geo", "population": "population"}
    controls = [v.name for v in world.levers] + ([world.demand.index] if world.demand is not None else [])
    if controls:
        data["controls"] = controls
    return {"name": name, "data": data}


def _table(scene: Scene) -> pd.DataFrame:
    """Return the wide table of a named world."""
    geos, periods = scene.kpi.shape
    columns: dict[str, Any] = {"week": np.tile(scene.frame.dates.astype("datetime64[s]"), geos)}
    if scene.world.geos is not None:
        columns["geo"] = np.repeat(np.array(scene.geos), periods)
        columns["population"] = np.repeat(scene.mechanism.population.astype(np.int64), periods)
    columns["revenue"] = scene.kpi.ravel()
    for c, name in enumerate(scene.mechanism.channels):
        columns[f"{name}_spend"] = scene.mechanism.spend[..., c].ravel()
    for name, values in scene.levers.items():
        columns[name] = values.ravel()
    return pd.DataFrame(columns)


def truth_of(scene: Scene, *, name: str, seed: int) -> dict[str, Any]:
    """Truth of a scene as plain numbers; ROAS and plan only where they mean something."""
    world, problem = scene.mechanism, scene.problem
    total = scene.kpi_money
    best, current = problem.best, problem.current
    inside = scene.frame.dates[scene.frame.window]
    now, then = problem.value({}), problem.value(best)
    money = scene.frame.target_kind != "index"
    contribution = world.contribution | scene.treatments
    return {
        "format": FORMAT,
        "world": name,
        "about": scene.world.about,
        "seed": seed,
        "target_kind": scene.frame.target_kind,
        "unit": "money" if money else "KPI units",
        "periods": len(scene.frame.dates),
        "window": {"start": str(inside[0]), "end": str(inside[-1])},
        "kpi": total,
        "media_share": sum(world.contribution[n] for n in world.channels) / total,
        "spend": world.spent,
        "roas": world.roas if money else {},
        "mroas": world.mroas if money else {},
        "contribution": contribution,
        "contribution_share": {n: v / total for n, v in contribution.items()},
        "best_plan": {
            n: {"multiplier": best[n], "current_spend": current[n], "spend": best[n] * current[n]} for n in world.channels
        },
        "plan": {
            "horizon": problem.budget.horizon,
            "reference": problem.budget.reference,
            "bounds": list(problem.budget.bounds),
            "total": sum(current.values()),
            "current_value": now,
            "best_value": then,
            "gain": then - now,
        },
        "parameters": {
            n: world.curves[m].parameters() | {"scale": float(world.scale[m]), "beta": [float(b) for b in world.beta[:, m]]}
            for m, n in enumerate(world.names)
        },
        "levers": {n: (None if math.isnan(v) else v) for n, v in scene.lever_effects.items()},
        "noise_sd": scene.world.noise.sd * float(scene.mean.mean()),
    }
