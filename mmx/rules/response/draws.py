"""From unconstrained draws of the five parts to the parameters of a day, and to ad sets that the history does not know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.rules.response.bases import weekday_contrasts
from mmx.rules.response.data import Prepared
from mmx.rules.response.settings import ResponseSettings
from mmx.rules.response.simulate import LINKS, Carry, Draw
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]
Population = dict[str, dict[str, Floats]]

_PER_MONEY = np.array([1.0, 0.0, 0.0])  # Impressions are modelled per unit of the reference budget.
_INVERSE: dict[str, Any] = {"identity": lambda v: v, "log": np.exp, "logit": lambda v: 1.0 / (1.0 + np.exp(-v))}


def named(structure: Structure, q: Floats) -> dict[str, Floats]:
    """Parameters by name, (draw, size), of unconstrained draws, (draw, dim)."""
    return {site.name: _INVERSE[site.transform](q[:, site.place]) for site in structure.sites}


def population(structure: Structure, inputs: dict[str, Any], q: Floats) -> dict[str, Floats]:
    """What ad sets of a part have in common, draws last.

    Returns
    -------
    dict of array
        ``account ()`` and ``campaign (campaign,)`` levels, ``campaign_sd``, ``adset_sd``, ``slope (slope,)``,
        ``slope_sd (pooled,)``, ``dispersion``, ``dispersion_sd`` and, where there are day effects, their scales.
    """
    p = named(structure, q)
    account = inputs["level_mean"] + inputs["level_sd"] * p["mean"][:, 0]
    found = {"account": account, "campaign": (account[:, None] + p["campaign_sd"] * p["campaign"]).T}
    found |= {name: p[name][:, 0] for name in ("campaign_sd", "adset_sd", "dispersion")}
    found["dispersion_sd"] = p["dispersion_sd"][:, 0] if structure.own_dispersion else np.zeros(len(q))
    if structure.slopes:
        found["slope"] = (inputs["slope_mean"] + inputs["slope_sd"] * p["slope_mean"]).T
        found["slope_sd"] = p["slope_sd"].T
    if structure.daily:
        found |= {name: p[name][:, 0] for name in ("day_sd", "day_correlation", "drift_sd")}
        found["weekday"] = p["weekday"].T
        found["day_now"] = p["day_sd"][:, 0] * _last(p["day_correlation"][:, 0], p["day"])
    return found


def _last(correlation: Floats, innovations: Floats) -> Floats:
    """Last value of stationary processes of unit variance, (draw,), from innovations (draw, day)."""
    days = innovations.shape[1]
    weights = correlation[:, None] ** np.arange(days)[::-1]
    weights[:, 1:] *= np.sqrt(1.0 - correlation[:, None] ** 2)
    return np.asarray((weights * innovations).sum(axis=1))


def own(structure: Structure, inputs: dict[str, Any], q: Floats, adsets: int) -> dict[str, Floats]:
    """What belongs to each real ad set of a part, draws last: ``level``, ``slope (slope,)``, ``drift`` now, ``dispersion``."""
    p, common = named(structure, q), population(structure, inputs, q)
    level = common["campaign"][inputs["campaign_of"]].T + p["adset_sd"] * p["level"]
    found = {"level": level.T[:adsets]}
    if structure.slopes:
        slope = np.repeat(common["slope"][:, None, :], structure.adsets, axis=1)
        deviation = p["slope"].reshape(len(q), structure.adsets, structure.pooled)
        slope[: structure.pooled] += np.einsum("jd,daj->jad", common["slope_sd"], deviation)
        found["slope"] = slope[:, :adsets]
    if structure.knots:
        knots = p["drift"].reshape(len(q), structure.adsets, structure.knots)
        found["drift"] = (p["drift_sd"] * (knots @ inputs["drift_basis"][-1])).T[:adsets]
    spread = common["dispersion"]
    if structure.own_dispersion:
        spread = (spread[:, None] * np.exp(p["dispersion_sd"] * p["dispersion_z"])).T[:adsets]
    found["dispersion"] = spread
    return found


def assemble(
    prepared: Prepared, q: dict[str, Floats], settings: ResponseSettings, adsets: int
) -> tuple[Draw, Carry, Population]:
    """Parameters of all draws and the state after the last day, draws last; and what ad sets have in common, by part.

    Parameters
    ----------
    prepared : Prepared
    q : dict of array, (draw, dim)
        By part, as many draws of each.
    settings : ResponseSettings
    adsets : int
        Real ad sets.
    """
    structures, inputs, constants = prepared.structures, prepared.inputs, prepared.constants
    part = {name: own(structures[name], inputs[name], q[name], adsets) for name in q}
    common = {name: population(structures[name], inputs[name], q[name]) for name in q}
    draws = len(q["delivery"])

    def wide(values: Floats) -> Floats:
        return np.repeat(values[:adsets, None], draws, axis=1)

    contrasts = settings.priors.weekday * weekday_contrasts()
    links = [part[name] for name in LINKS]
    shared = [common[name] for name in LINKS]
    draw = Draw(
        log_budget=wide(constants.log_budget),
        delivery=part["delivery"]["level"],
        delivery_slope=part["delivery"]["slope"][0],
        delivery_sd=part["delivery"]["dispersion"],
        log_cap=np.full(draws, math.log(settings.cap)),
        log_delivered=wide(constants.log_delivered),
        level=np.stack([link["level"] for link in links]) + np.multiply.outer(_PER_MONEY, wide(constants.log_budget)),
        slope=np.stack([link["slope"][0] for link in links]),
        curvature=common["purchases"]["slope"][1],
        delivered=np.stack([link["slope"][-1] for link in shared]),
        fatigue=part["clicks"]["slope"][1],
        exposure_unit=wide(constants.exposure),
        exposure_keep=np.full(draws, 0.5 ** (1.0 / settings.exposure_half_life)),
        reach=wide(constants.reach),
        log_amount=part["amounts"]["level"],
        amount_sd=part["amounts"]["dispersion"],
        impressions_sd=part["impressions"]["dispersion"],
        click_dispersion=part["clicks"]["dispersion"],
        purchase_dispersion=part["purchases"]["dispersion"],
        weekday=np.stack([contrasts @ link["weekday"] for link in shared]),
        day_sd=np.stack([link["day_sd"] for link in shared]),
        day_keep=np.stack([link["day_correlation"] for link in shared]),
        drift_sd=np.stack([link["drift_sd"] for link in shared]),
        drift_keep=np.full(draws, settings.knot_correlation ** (1.0 / settings.knot_days)),
    )
    now = np.stack([link["day_now"] for link in shared]), np.stack([link["drift"] for link in links])
    return draw, Carry(wide(constants.exposure_now), *now), common


def with_new(
    draw: Draw, carry: Carry, common: Population, campaigns: Sequence[int | None], budget: Floats, seed: int
) -> tuple[Draw, Carry]:
    """Add ad sets that the history does not know: drawn from their campaign, or from the account where it is new too.

    Parameters
    ----------
    draw, carry, common
        Of ``assemble``.
    campaigns : sequence of int or None
        Index of each new ad set's campaign.
    budget : array, (new ad set,)
        Currency per day, the reference of each.
    seed : int

    Returns
    -------
    Draw, Carry
        Known ad sets first.
    """
    rng, draws = np.random.default_rng([seed % 2**32, 37]), draw.log_cap.shape[0]
    shape = (len(campaigns), draws)
    log_budget = np.repeat(np.log(np.asarray(budget, dtype=float))[:, None], draws, axis=1)
    part = {name: _unseen(rng, values, campaigns, draws) for name, values in common.items()}
    delivery, amounts, links = part["delivery"], part["amounts"], [part[name] for name in LINKS]
    level = np.stack([link["level"] for link in links]) + np.multiply.outer(_PER_MONEY, log_budget)
    steady = np.exp(level[0]) / (1.0 - draw.exposure_keep)
    known = draw.reach.mean(axis=0) if draw.reach.size else np.zeros(draws)
    more = {
        "log_budget": log_budget,
        "delivery": delivery["level"],
        "delivery_slope": delivery["slope"][0],
        "delivery_sd": delivery["dispersion"],
        "log_delivered": np.minimum(delivery["level"], draw.log_cap),
        "fatigue": part["clicks"]["slope"][1],
        "exposure_unit": steady,
        "reach": np.broadcast_to(known, shape),
        "log_amount": amounts["level"],
    }
    wider = {name: np.concatenate([getattr(draw, name), values]) for name, values in more.items()}
    wider["level"] = np.concatenate([draw.level, level], axis=1)
    wider["slope"] = np.concatenate([draw.slope, np.stack([link["slope"][0] for link in links])], axis=1)
    drift = np.stack([common[name]["drift_sd"] for name in LINKS])[:, None] * rng.standard_normal((len(LINKS), *shape))
    exposure = np.concatenate([carry.exposure, np.zeros(shape)])
    return draw._replace(**wider), Carry(exposure, carry.day, np.concatenate([carry.drift, drift], axis=1))


def _unseen(
    rng: np.random.Generator, common: dict[str, Floats], campaigns: Sequence[int | None], draws: int
) -> dict[str, Floats]:
    """Levels, slopes and dispersion of new ad sets, draws last."""
    shape = (len(campaigns), draws)
    fresh = common["account"] + common["campaign_sd"] * rng.standard_normal(shape)
    centre = np.stack([fresh[i] if c is None else common["campaign"][c] for i, c in enumerate(campaigns)])
    found = {"level": centre + common["adset_sd"] * rng.standard_normal(shape)}
    if "slope" in common:
        slope = np.repeat(common["slope"][:, None, :], len(campaigns), axis=1)
        pooled = len(common["slope_sd"])
        slope[:pooled] += common["slope_sd"][:, None, :] * rng.standard_normal((pooled, *shape))
        found["slope"] = slope
    found["dispersion"] = common["dispersion"] * np.exp(common["dispersion_sd"] * rng.standard_normal(shape))
    return found
