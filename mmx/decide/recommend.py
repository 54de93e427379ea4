"""Recommend the budget that maximises expected KPI money under a fixed total and bounds per channel.

A plan is one multiplier per channel on the current plan, which is the reference window's spend with its time pattern. Its
value is KPI money over the horizon and the carryover tail, with today's carry-in, per posterior draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmx.data.panel import Floats
from mmx.decide.allocate import allocate
from mmx.decide.recommendation import Cell, ChannelPlan, Interval, Recommendation
from mmx.errors import DecisionError, NotConvergedError

if TYPE_CHECKING:
    from mmx.mmm.fit import Fit
    from mmx.mmm.posterior import Posterior, Reference

GRID = 33  # Multipliers at which the mean response is evaluated; a monotone cubic joins them.
SEARCH_CELLS = 600_000_000  # Draws x cells x grid above which the search uses evenly spaced draws.
STEP = 0.01


def recommend(
    fit: Fit,
    *,
    total: float | None = None,
    horizon: int = 13,
    bounds: tuple[float, float] = (0.5, 2.0),
    reference: str = "last",
    allow_unconverged: bool = False,
    say: Callable[[str], None] | None = None,
) -> Recommendation:
    """Recommend spend per channel for the periods after the fit's last row.

    Parameters
    ----------
    fit : Fit
    total : float, optional
        Money over the horizon; the current plan's by default.
    horizon : int
        Periods.
    bounds : (low, high)
        Bounds on each channel's multiplier on the current plan.
    reference : {"last", "last_year"}
        Which past window is the current plan.
    allow_unconverged : bool
        Go on although the fit failed its gate; every output then says so.
    say : callable, optional
        Called with a sentence per step.

    Returns
    -------
    Recommendation

    Raises
    ------
    NotConvergedError
        If the fit failed its gate and ``allow_unconverged`` is False.
    DecisionError
        If the model is multiplicative, the total cannot be reached within the bounds, or the data are too short.
    """
    if not fit.converged and not allow_unconverged:
        reasons = "; ".join(fit.gate.reasons)
        raise NotConvergedError(
            f"the fit {fit.spec.name} has not converged ({reasons}), so no budget is recommended from it. "
            "Sample longer (sampler.tune, sampler.draws), simplify the model, or pass --allow-unconverged"
        )
    posterior = fit.posterior
    if posterior.structure.multiplicative:
        raise DecisionError(
            f"the fit {fit.spec.name} is multiplicative (likelihood {fit.spec.model.likelihood}): what a channel brings "
            "depends on the other channels' spend, and plans are made for additive models only. Fit model.likelihood: "
            "normal or student_t, or negative_binomial with model.link: identity"
        )
    try:
        window = posterior.reference(horizon, reference)
    except ValueError as error:
        raise DecisionError(f"{error}. Take a shorter horizon") from error
    current = window.spend.sum(axis=(0, 1))
    low, high = _bounds(current, bounds)
    goal = float(current.sum()) if total is None else float(total)
    _feasible(goal, current, low, high, posterior.panel.currency)
    say = say or (lambda _: None)
    notes = []
    say(f"evaluating the response of {len(current)} channels at {GRID} multipliers")
    draws = _search_draws(posterior, horizon)
    if draws is not None:
        notes.append(f"The plan was searched on {len(draws)} evenly spaced draws and is reported on all {posterior.samples}.")
    grid = np.linspace(low.min(), high.max(), GRID)
    mean = np.stack([posterior.response(window.spend * m, draws, reference=window).mean(axis=0) for m in grid])
    say("allocating the budget")
    scaled = np.full(len(current), goal / current.sum())
    multipliers = allocate(grid, mean, current, goal, low, high, starts=[scaled])
    recommended, plain = (posterior.response(window.spend * m, reference=window) for m in (multipliers, scaled))
    if _within(scaled, low, high) and recommended.sum(axis=1).mean() < plain.sum(axis=1).mean():
        multipliers, recommended = scaled, plain
        notes.append("No plan within the bounds has a higher expected value than the current one: it is kept.")
    return _value(fit, posterior, window, multipliers, scaled, (low, high), recommended, plain, goal, tuple(notes))


def _bounds(current: Floats, bounds: tuple[float, float]) -> tuple[Floats, Floats]:
    low, high = np.full(len(current), bounds[0]), np.full(len(current), bounds[1])
    silent = current <= 0
    low[silent], high[silent] = 1.0, 1.0
    return low, high


def _feasible(goal: float, current: Floats, low: Floats, high: Floats, currency: str) -> None:
    if not current.sum() > 0:
        raise DecisionError("no channel spends in the reference window, so there is no current plan to scale")
    least, most = float(low @ current), float(high @ current)
    if not least * (1 - 1e-9) <= goal <= most * (1 + 1e-9):
        unit = f" {currency}" if currency else ""
        raise DecisionError(
            f"a total of {goal:,.2f}{unit} cannot be reached: the bounds allow {least:,.2f} to {most:,.2f}{unit} "
            f"over the horizon. Change the total (--budget) or the bounds (--bounds)"
        )


def _within(multipliers: Floats, low: Floats, high: Floats) -> bool:
    return bool(np.all(multipliers >= low - 1e-9) and np.all(multipliers <= high + 1e-9))


def _search_draws(posterior: Posterior, horizon: int) -> np.ndarray | None:
    cells = (len(posterior.exposure) + horizon + posterior.tail) * posterior.exposure[0].size * GRID
    most = max(SEARCH_CELLS // cells, 200)
    return None if posterior.samples <= most else np.linspace(0, posterior.samples - 1, most).astype(int)


def _interval(values: Floats) -> Interval:
    q05, q95 = np.quantile(values, [0.05, 0.95])
    return Interval(float(values.mean()), float(q05), float(q95))


def _value(
    fit: Fit,
    posterior: Posterior,
    window: Reference,
    multipliers: Floats,
    scaled: Floats,
    limits: tuple[Floats, Floats],
    recommended: Floats,
    plain: Floats,
    goal: float,
    notes: tuple[str, ...],
) -> Recommendation:
    """Put the plan into words and intervals."""
    names = posterior.panel.names("channel")
    current = window.spend.sum(axis=(0, 1))
    steps = []
    for plan in (np.ones_like(multipliers), multipliers):
        at = posterior.response(window.spend * plan, reference=window)
        steps.append(posterior.response(window.spend * plan * (1 + STEP), reference=window) - at)
    observed = posterior.panel.array("spend")[:, posterior.window]
    channels = {}
    for c, name in enumerate(names):
        spend = [float(current[c]), float(current[c] * multipliers[c])]
        marginal = [
            _interval(step[:, c] / (STEP * s)) if s > 0 else Interval(0.0, 0.0, 0.0)
            for step, s in zip(steps, spend, strict=True)
        ]
        channels[name] = ChannelPlan(
            current_spend=spend[0],
            recommended_spend=spend[1],
            multiplier=float(multipliers[c]),
            low=float(limits[0][c]),
            high=float(limits[1][c]),
            extra=_interval(recommended[:, c] - plain[:, c]),
            mroas_current=marginal[0],
            mroas_recommended=marginal[1],
            binding=_binding(current[c], multipliers[c], limits[0][c], limits[1][c]),
            outside_observed=_outside(window.spend[..., c] * multipliers[c], observed[:, :, c]),
        )
    gain = recommended.sum(axis=1) - plain.sum(axis=1)
    cells = _cells(window, names, posterior.panel.names("geo"), multipliers, posterior.panel.frequency)
    return Recommendation(
        objective="mean",
        certificate=None,
        total=float(goal),
        current_total=float(current.sum()),
        horizon=len(window.starts),
        start=window.starts[0],
        end=window.starts[-1],
        reference=window.kind,
        money=_money(posterior),
        converged=fit.converged,
        gate_reasons=fit.gate.reasons,
        gain=_interval(gain),
        probability_better=float((gain > 0).mean()),
        channels=channels,
        cells=cells,
        unknowns=_unknowns(channels, posterior),
        notes=(*posterior.panel.notes, *fit.decisions, *notes),
        fit_name=fit.spec.name,
    )


def _money(posterior: Posterior) -> str:
    """What the gain is counted in."""
    return "KPI units" if posterior.panel.target_kind == "index" else posterior.panel.currency or "money"


def _outside(plan: Floats, observed: Floats) -> bool:
    """Whether the plan (horizon, geo) leaves what was observed (geo, time): above the largest or below every active cell."""
    planned = plan.max(axis=0)
    least = np.where(observed > 0, observed, np.inf).min(axis=1)
    return bool(((planned > observed.max(axis=1) * (1 + 1e-9)) | ((planned > 0) & (planned < least * (1 - 1e-9)))).any())


def _binding(current: float, multiplier: float, low: float, high: float) -> str:
    if current <= 0:
        return "no spend to scale"
    if multiplier <= low * (1 + 1e-6) + 1e-9:
        return "lower bound"
    return "upper bound" if multiplier >= high * (1 - 1e-6) else ""


def _cells(
    window: Reference, channels: Sequence[str], geos: Sequence[str], multipliers: Floats, frequency: str
) -> tuple[Cell, ...]:
    ends = _ends(window.starts, frequency)
    return tuple(
        Cell(name, geo, start, end, float(window.spend[t, g, c]), float(window.spend[t, g, c] * multipliers[c]))
        for c, name in enumerate(channels)
        for g, geo in enumerate(geos)
        for t, (start, end) in enumerate(zip(window.starts, ends, strict=True))
    )


def _ends(starts: Sequence[str], frequency: str) -> list[str]:
    step = {"daily": pd.DateOffset(days=1), "weekly": pd.DateOffset(weeks=1), "monthly": pd.DateOffset(months=1)}[frequency]
    return [str((pd.Timestamp(s) + step - pd.Timedelta(days=1)).date()) for s in starts]


def _unknowns(channels: dict[str, ChannelPlan], posterior: Posterior) -> tuple[str, ...]:
    """What the model cannot know about this plan."""
    outside = [name for name, plan in channels.items() if plan.outside_observed]
    wide = [n for n, p in channels.items() if p.mroas_current.q95 > 5 * max(p.mroas_current.q05, 1e-12) and p.current_spend > 0]
    silent = [n for n, p in channels.items() if p.current_spend <= 0]
    said = []
    if outside:
        said.append(
            f"Outside the observed spend: {', '.join(outside)}. There the curve follows from its assumed form, not from data."
        )
    if wide:
        said.append(
            f"Marginal ROAS is not known within a factor of five for {', '.join(wide)}: "
            "a lift test would say more than this plan."
        )
    if silent:
        said.append(
            f"No spend in the reference window: {', '.join(silent)}. A multiplier cannot start a channel, so they stay at zero."
        )
    said.append(
        "Prices, competitors, creative and the baseline are taken to stay as they were; the gain counts effects of media only."
    )
    if posterior.structure.geos > 1:
        said.append("One multiplier per channel moves all geos alike; shifting money between geos is not part of this plan.")
    return tuple(said)
