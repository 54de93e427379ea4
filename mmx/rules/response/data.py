"""From an account's history to the arrays of the response model; all constants come from the rows that are fitted on.

Arrays are padded to a shape that several histories share: ad sets and campaigns behind, days before the first, all with
weight zero. A cell counts where the ad set had a budget and spent: other days say nothing of what spend brings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.data.ads.history import AccountHistory, weekdays
from mmx.errors import DataError
from mmx.rules.response.bases import bend, drift_basis, weekday_contrasts
from mmx.rules.response.delay import reported_share
from mmx.rules.response.settings import ResponseSettings, Slope
from mmx.rules.response.structure import Structure

Floats = npt.NDArray[np.float64]
Shape = tuple[int, int, int]  # Days, ad sets, campaigns.

STEPS = (14, 4, 4)  # Shapes are padded to multiples of these, so that few are compiled.
LEAST_DAYS = 14


@dataclass(frozen=True)
class Constants:
    """What the arrays are measured from; arrays are (ad set,).

    Attributes
    ----------
    log_budget : array
        Mean of the log budget, log currency per day.
    log_delivered : array
        Mean of the log of spend over budget.
    exposure : array
        Impressions not yet forgotten in a steady state, the unit of ``exposure_now``.
    exposure_now : array
        Impressions not yet forgotten after the last day.
    reach : array
        People reached per impression; 0 where it is not known.
    budget : array
        Last budget above zero, currency per day.
    cells : array of int
        Days that count.
    variation : array
        Standard deviation of the log budget around the ad set's and the day's mean.
    """

    log_budget: Floats
    log_delivered: Floats
    exposure: Floats
    exposure_now: Floats
    reach: Floats
    budget: Floats
    cells: npt.NDArray[np.int64]
    variation: Floats


@dataclass(frozen=True)
class Prepared:
    """Structures and inputs of all parts, by name, and the constants behind them."""

    structures: dict[str, Structure]
    inputs: dict[str, dict[str, Any]]
    constants: Constants


def padded_shape(days: int, adsets: int, campaigns: int) -> Shape:
    """Smallest shape of the grid that holds a history; days count from the last one backwards."""
    sizes = [-(-size // step) * step for size, step in zip((days, adsets, campaigns), STEPS, strict=True)]
    return sizes[0], sizes[1], sizes[2]


def prepare(
    history: AccountHistory, settings: ResponseSettings, shape: Shape | None = None, use: npt.NDArray[np.bool_] | None = None
) -> Prepared:
    """Arrays of all parts.

    Parameters
    ----------
    history : AccountHistory
    settings : ResponseSettings
    shape : tuple of int, optional
        Padded days, ad sets and campaigns; at least the history's.
    use : array of bool, (day, ad set), optional
        Cells that may be fitted on; all by default.

    Returns
    -------
    Prepared

    Raises
    ------
    DataError
        If no ad set has a budget and spend on enough days, or nothing was ever clicked.
    ValueError
        If the shape is smaller than the history.
    """
    shape = shape or padded_shape(len(history.dates), len(history.adsets), len(history.campaigns))
    if any(size < real for size, real in zip(shape, (*history.budget.shape, len(history.campaigns)), strict=True)):
        raise ValueError(f"the shape {shape} does not hold {history.budget.shape} and {len(history.campaigns)} campaigns")
    table = {name: _padded(history.metric(name), shape) for name in ("spend", "impressions", "clicks", "purchases", "revenue")}
    table["reach"], table["budget"] = _padded(history.metric("reach"), shape), _padded(history.budget, shape)
    allowed = _padded(history.live if use is None else history.live & use, shape) > 0.5
    cell = allowed & (table["budget"] > 0) & (table["spend"] > 0)
    _check(history, cell, table)
    first = np.zeros(shape[1], dtype=np.int64)
    first[: len(history.adsets)] = history.first_day + np.where(history.first_day >= 0, shape[0] - len(history.dates), 0)
    constants, regressors = _regressors(table, cell, first, settings)
    share = reported_share(shape[0], history.immature_days, settings.reported)[:, None]
    common = _common(history, shape, settings)
    structures, inputs = {}, {}
    for name, part in _parts(table, cell, share, regressors, constants, settings).items():
        structures[name], inputs[name] = _finish(part, common, shape, settings)
    return Prepared(structures, inputs, constants)


def _padded(values: np.ndarray, shape: Shape) -> Floats:
    out = np.zeros(shape[:2])
    out[shape[0] - values.shape[0] :, : values.shape[1]] = values
    return out


def _check(history: AccountHistory, cell: npt.NDArray[np.bool_], table: dict[str, Floats]) -> None:
    days = int(cell.any(axis=1).sum())
    if days < LEAST_DAYS:
        raise DataError(
            f"account {history.account}: a response model needs budgets and spend on at least {LEAST_DAYS} days and found "
            f"{days}. Use a longer table, or ads.budget: from_spend where it has no budgets"
        )
    if table["clicks"][cell].sum() <= 0 or table["impressions"][cell].sum() <= 0:
        raise DataError(f"account {history.account}: no impressions or clicks on days with spend; check ads.columns")


def _regressors(
    table: dict[str, Floats], cell: npt.NDArray[np.bool_], first: npt.NDArray[np.int64], settings: ResponseSettings
) -> tuple[Constants, dict[str, Floats]]:
    count = cell.sum(axis=0)
    log_budget = np.log(np.where(cell, table["budget"], 1.0))
    log_delivered = np.log(np.where(cell, table["spend"], 1.0)) - log_budget

    def mean(values: Floats) -> Floats:
        overall = float(values[cell].mean())
        return np.where(count > 0, values.sum(axis=0) / np.maximum(count, 1), overall)

    centre, delivered = mean(log_budget), mean(log_delivered)
    keep = 0.5 ** (1.0 / settings.exposure_half_life)
    steady = np.maximum(mean(np.where(cell, table["impressions"], 0.0)), 1.0) / (1.0 - keep)
    before, now = exposures(table["impressions"], np.where(first < 0, steady, 0.0), keep)
    budgeted = cell[::-1].argmax(axis=0)
    last = table["budget"][::-1][budgeted, np.arange(len(count))]
    reached, shown = table["reach"].sum(axis=0), table["impressions"].sum(axis=0)
    x = np.where(cell, log_budget - centre, 0.0)
    constants = Constants(
        log_budget=centre,
        log_delivered=delivered,
        exposure=steady,
        exposure_now=now,
        reach=reached / np.maximum(shown, 1.0),
        budget=np.where(count > 0, last, np.exp(centre)),
        cells=count,
        variation=within_variation(x, cell),
    )
    tired = np.log1p(before / steady) - math.log(2.0)
    return constants, {
        "budget": x,
        "fatigue": np.where(cell, tired, 0.0),
        "delivered": np.where(cell, log_delivered - delivered, 0.0),
    }


def exposures(impressions: Floats, start: Floats, keep: float) -> tuple[Floats, Floats]:
    """Impressions not yet forgotten before each day, (day, ad set), and after the last one, (ad set,)."""
    before, now = np.empty_like(impressions), start
    for day, shown in enumerate(impressions):
        before[day] = now
        now = keep * now + shown
    return before, now


def within_variation(log_budget: Floats, cell: npt.NDArray[np.bool_]) -> Floats:
    """Standard deviation of log budgets around ad-set and day means, (ad set,), by alternating projections."""
    residual, weight = np.where(cell, log_budget, 0.0), cell.astype(float)
    for _ in range(20):
        for axis in (1, 0):
            mean = residual.sum(axis=axis, keepdims=True) / np.maximum(weight.sum(axis=axis, keepdims=True), 1.0)
            residual = (residual - mean) * weight
    found: Floats = np.sqrt((residual**2).sum(axis=0) / np.maximum(weight.sum(axis=0), 1.0))
    return found


@dataclass(frozen=True)
class _Part:
    family: Any
    weight: npt.NDArray[np.bool_]
    value: Floats
    size: Floats
    offset: Floats
    centre: float
    slopes: tuple[tuple[Slope, Floats], ...]
    daily: bool = True
    own_dispersion: bool = False


def _parts(
    table: dict[str, Floats],
    cell: npt.NDArray[np.bool_],
    share: Floats,
    x: dict[str, Floats],
    constants: Constants,
    settings: ResponseSettings,
) -> dict[str, _Part]:
    spend, budget, impressions, clicks, purchases, revenue = (
        table[name] for name in ("spend", "budget", "impressions", "clicks", "purchases", "revenue")
    )
    prior, none = settings.priors, np.zeros_like(spend)
    seen = cell & (impressions > 0)
    counted = seen & (clicks <= impressions)
    clicked = cell & (clicks > 0) & (share > 0)
    bought = cell & (purchases > 0) & (revenue > 0) & (share > 0)
    rate = (clicks[counted].sum() + 0.5) / (impressions[counted].sum() + 1.0)
    conversion = (purchases[clicked].sum() + 0.5) / ((clicks * share)[clicked].sum() + 1.0)
    shown = np.broadcast_to(constants.log_budget, spend.shape)
    elastic = {name: (getattr(prior, name), x["budget"]) for name in ("delivery", "impressions", "clicks", "purchases")}
    rates = (prior.delivered_rates, x["delivered"])
    delivered = _log(spend, cell) - _log(budget, cell)
    cap = math.log(settings.cap)
    return {
        "delivery": _Part(
            "delivery", cell, np.minimum(delivered, cap), (delivered >= cap - 1e-9).astype(float), none,
            float(delivered[cell].mean()), (elastic["delivery"],), daily=False, own_dispersion=True,
        ),
        "impressions": _Part(
            "log_normal", seen, _log(impressions, seen), none + 1.0, shown,
            float((_log(impressions, seen) - shown)[seen].mean()),
            (elastic["impressions"], (prior.delivered_impressions, x["delivered"])),
        ),
        "clicks": _Part(
            "beta_binomial", counted, clicks, impressions, none, math.log(rate / (1.0 - rate)),
            (elastic["clicks"], (prior.fatigue, x["fatigue"]), rates),
        ),
        "purchases": _Part(
            "negative_binomial", clicked, purchases, none + 1.0, _log(clicks * share, clicked), math.log(conversion),
            (elastic["purchases"], (prior.curvature, bend(x["budget"])), rates),
        ),
        "amounts": _Part(
            "amount", bought, _log(revenue, bought) - _log(purchases, bought), np.where(bought, purchases, 1.0), none,
            math.log(revenue[bought].sum() / purchases[bought].sum()) if bought.any() else 0.0, (), daily=False,
        ),
    }  # fmt: skip


def _log(values: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    found: Floats = np.log(np.where(where, values, 1.0))
    return found


def _common(history: AccountHistory, shape: Shape, settings: ResponseSettings) -> dict[str, Any]:
    days = shape[0]
    dates = history.dates[-1] - np.arange(days)[::-1]
    campaign_of = np.zeros(shape[1], dtype=np.int64)
    campaign_of[: len(history.adsets)] = history.campaign_of
    return {
        "campaign_of": campaign_of,
        "weekday_basis": settings.priors.weekday * weekday_contrasts()[weekdays(dates)],
        "drift_basis": drift_basis(days, settings.knot_days, settings.knot_correlation),
    }


def _finish(part: _Part, common: dict[str, Any], shape: Shape, settings: ResponseSettings) -> tuple[Structure, dict[str, Any]]:
    prior = settings.priors
    pooled = [slope for slope, _ in part.slopes if slope.spread > 0.0]
    structure = Structure(
        family=part.family,
        days=shape[0],
        adsets=shape[1],
        campaigns=shape[2],
        pooled=len(pooled),
        slopes=len(part.slopes),
        knots=common["drift_basis"].shape[1] if part.daily else 0,
        daily=part.daily,
        own_dispersion=part.own_dispersion,
    )
    scales = {"campaign_sd": prior.campaign, "adset_sd": prior.adset, "day_sd": prior.day, "drift_sd": prior.drift}
    scales |= {"dispersion": prior.amount if part.family == "amount" else prior.noise, "dispersion_sd": prior.noise}
    x = np.stack([values for _, values in part.slopes], axis=-1) if part.slopes else np.zeros((*shape[:2], 0))
    inputs = common | {
        "weight": part.weight.astype(float),
        "value": np.where(part.weight, part.value, 0.0),
        "size": np.where(part.weight, part.size, 1.0),
        "offset": np.where(part.weight, part.offset, 0.0),
        "x": x,
        "level_mean": np.float64(part.centre),
        "level_sd": np.float64(prior.level),
        "slope_mean": np.array([slope.mean for slope, _ in part.slopes]),
        "slope_sd": np.array([slope.sd for slope, _ in part.slopes]),
        "prior": {name: np.float64(value) for name, value in scales.items()}
        | {"slope_sd": np.array([slope.spread for slope in pooled]), "day_correlation": np.array(prior.day_correlation)},
    }
    return structure, inputs
