"""Recommendations with the shape and size of real ones, made up so that their sums add up: no model is run for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmx.decide.certificate import Certificate
from mmx.decide.recommendation import (
    Cell,
    ChannelPlan,
    Curve,
    CurvePoint,
    Flip,
    Frontier,
    Interval,
    Recommendation,
    Scenario,
    Turnover,
)
from mmx.decide.recommendation import TestValue as Worth

REASONS = ("R-hat of roas[tv] is 1.043 (limit 1.01)", "3 divergences (limit 0)")
CERTIFIED = Certificate(True, 5_012_345.6, 5_013_001.2, 655.6, 1.308e-4, "convex program, bound by the slopes of all draws")
OPEN = Certificate(
    False, 812_345.0, 820_011.0, 7_666.0, 9.44e-3, "best of 30 random starts and 4 others, bound by the concave envelope",
    "the bound is 0.94 % above the plan; at most 0.5 % is called certified",
)  # fmt: skip
UNKNOWN = Certificate(False, 0.91, None, None, None, "best of 30 random starts", "a probability is not concave in the plan")


@dataclass(frozen=True)
class Shape:
    """What a made-up recommendation holds."""

    money: str = "EUR"
    geos: int = 1
    horizon: int = 13
    scale: float = 5e4
    converged: bool = True
    share: float = 1.0
    objective: str = "mean"
    goal: str = "fixed total"
    certificate: Certificate = CERTIFIED
    flighting: bool = False
    frontier: int = 0
    scenarios: tuple[str, ...] = ()
    tests: int = 0
    shadow: float | None = 1.07
    modes: str = ""
    since: bool = False


def make_recommendation(names: tuple[str, ...], shape: Shape | None = None, **changes: Any) -> Recommendation:
    """Return a plan whose cells sum to its channels, its channels to its total, and their extra money to its gain."""
    shape = shape or Shape(**changes)
    rng = np.random.default_rng(3)
    now, plan = _spend(rng, len(names), shape)
    cells, channels = _cells(names, now, plan, shape), {}
    before, after = now.sum(axis=(1, 2)), plan.sum(axis=(1, 2))
    moved = after - before * after.sum() / before.sum()
    shadow = shape.shadow or 1.0
    extra = moved * (shadow + 0.3 * np.sign(moved))
    for i, name in enumerate(names):
        mine = [c for c in cells if c.channel == name]
        spend = (sum(c.current for c in mine), sum(c.recommended for c in mine))
        channels[name] = _channel(i, spend, _binding(i, moved, before), float(extra[i]), float(extra[i] - shadow * moved[i]))
    total = sum(c.recommended for c in cells)
    gain = float(extra.sum())
    ends = _starts(shape.horizon)
    largest = names[int(np.argmax(np.abs(moved)))]
    return Recommendation(
        objective=shape.objective,
        goal=shape.goal,
        certificate=shape.certificate,
        total=total,
        remainder=0.0,
        current_total=sum(c.current for c in cells),
        shadow_price=shape.shadow,
        horizon=shape.horizon,
        start=cells[0].start,
        end=f"{ends[-1]:%Y-%m-%d}",
        reference="last",
        money=shape.money,
        converged=shape.converged,
        gate_reasons=() if shape.converged else REASONS,
        gain=Interval(gain, gain - 0.9 * abs(gain), gain + 1.3 * abs(gain)),
        draws=4000,
        nothing=Interval(1.4 * total, 0.9 * total, 2.1 * total),
        probability_better=0.9375,
        channels=channels,
        cells=cells,
        constraints=(
            f"binds: total budget = {total:,.0f}",
            f"{names[0]} at most 40 % of the plan",
            f"binds: {names[1]} >= 20 %",
        ),
        flips=(Flip(largest, "belief", 0.7321, (0.1, 10.0)), Flip(largest, "budget", None, (0.5, 2.0))),
        modes=shape.modes,
        frontier=_frontier(names, after, gain, shape),
        scenarios=_scenarios(names, after, gain, shape),
        tests=_tests(names, gain, shape),
        unknowns=("Prices and competitors are taken to stay as they were in the reference window.",),
        notes=("missing_spend: zero set 3 missing values of column 'tv_S' to 0.",),
        fit_name="example",
        curves=tuple(_curve(n, p) for n, p in channels.items() if p.current_spend > 0),
        turnover=_turnover(names, after, gain) if shape.since else None,
    )


def _turnover(names: tuple[str, ...], after: Any, gain: float) -> Turnover:
    """Against a plan that gave the first channel 30 % less."""
    kept = after * np.where(np.arange(len(names)) == 0, 0.7, 1.0)
    kept *= after.sum() / kept.sum()
    return Turnover(
        fit_name="example of 2025",
        start="2025-10-06",
        end="2025-12-29",
        moved=float(np.abs(after - kept).sum() / (2 * after.sum())),
        channels=dict(zip(names, (after - kept).tolist(), strict=True)),
        lost=Interval(0.123 * gain, -0.456 * gain, 0.789 * gain),
        lost_share=0.0345,
        probability_better=0.612,
        allowed=False,
    )


def _starts(horizon: int) -> pd.DatetimeIndex:
    return pd.date_range("2026-01-05", periods=horizon, freq="W-MON")


def _spend(rng: np.random.Generator, count: int, shape: Shape) -> tuple[Any, Any]:
    """Current and recommended money, (channel, geo, period); with more than four channels the last one is silent."""
    level = shape.scale * rng.lognormal(0, 0.8, (count, 1, 1)) * rng.lognormal(0, 0.3, (count, shape.geos, 1))
    now = level * rng.lognormal(0, 0.3, (count, shape.geos, shape.horizon))
    if count > 4:
        now[-1] = 0.0
    plan = now * rng.uniform(0.7, 1.45, (count, 1, 1))
    if shape.flighting:
        pulse = 0.2 + rng.lognormal(0, 0.5, (count, 1, shape.horizon)) * (rng.random((count, 1, shape.horizon)) < 0.6)
        plan = plan * pulse / pulse.mean(axis=2, keepdims=True)
    return now, plan * (shape.share * now.sum() / plan.sum())


def _cells(names: tuple[str, ...], now: Any, plan: Any, shape: Shape) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            channel=name,
            geo="national" if shape.geos == 1 else f"geo {g}",
            start=f"{start:%Y-%m-%d}",
            end=f"{start + pd.Timedelta(days=6):%Y-%m-%d}",
            current=float(now[i, g, t]),
            recommended=float(plan[i, g, t]),
        )
        for i, name in enumerate(names)
        for g in range(shape.geos)
        for t, start in enumerate(_starts(shape.horizon))
    )


def _binding(i: int, moved: Any, before: Any) -> str:
    """The largest rise stands at its upper bound, the largest cut at its lower one, the second channel at a group's limit."""
    if before[i] == 0:
        return "no spend to scale"
    if i == int(np.argmax(moved)):
        return "upper bound"
    if i == int(np.argmin(moved)):
        return "lower bound"
    return "digital at most 60 % of the plan" if i == 1 else ""


def _channel(i: int, spend: tuple[float, float], binding: str, extra: float, net: float) -> ChannelPlan:
    before, after = spend
    roas = 1.3 - 0.1 * (i % 7) if before > 0 else 0.0
    fixed = before == 0
    low = after if binding == "lower bound" else 0.5 * before
    high = after if binding == "upper bound" else 2.0 * before
    optimum = [min(max(factor * after, low), high) for factor in (1.02, 0.6, 1.4)]
    return ChannelPlan(
        current_spend=before,
        recommended_spend=after,
        multiplier=after / before if before > 0 else 1.0,
        low=low,
        high=high,
        extra=Interval(extra, extra - 0.6 * abs(extra), extra + 0.7 * abs(extra)),
        net=net,
        mroas_current=Interval(roas, 0.5 * roas, 1.7 * roas),
        mroas_recommended=Interval(0.9 * roas, 0.4 * roas, 1.5 * roas),
        optimum=Interval(*optimum),
        at_bounds=(1.0, 1.0) if fixed else (0.1234 if i % 2 else 0.0, 0.4321 if binding == "upper bound" else 0.05),
        binding=binding,
        outside_observed=binding == "upper bound",
        outside=0.0 if fixed else 1.3127 if binding == "upper bound" else 0.8123,
    )


def _curve(name: str, plan: ChannelPlan) -> Curve:
    """Saturating, to its upper bound; observed as far as ``outside`` says, which may lie on either side of it."""
    observed = plan.recommended_spend / plan.outside
    most = max(plan.high, plan.recommended_spend, min(observed, 2 * plan.high))
    marks = {plan.current_spend, plan.recommended_spend, min(observed, most)}
    spends = sorted({float(s) for s in np.linspace(0.0, most, 25)} | marks)
    roas, half = plan.mroas_current.mean, plan.current_spend

    def point(spend: float) -> CurvePoint:
        value = 4 * roas * half * spend / (half + spend)
        wide = 0.4 * abs(value)
        return CurvePoint(spend, Interval(value, value - wide, value + 1.3 * wide), 4 * roas * (half / (half + spend)) ** 2)

    return Curve(name, plan.current_spend, plan.recommended_spend, observed, tuple(point(s) for s in spends))


def _frontier(names: tuple[str, ...], after: Any, gain: float, shape: Shape) -> tuple[Frontier, ...]:
    levels = (1.0, 0.5, 0.25, 0.1, 0.05)[: shape.frontier]
    return tuple(
        Frontier(
            level=level,
            gain=Interval(gain * (1 - 0.08 * i), gain * (0.1 + 0.06 * i), gain * (2.3 - 0.3 * i)),
            worst=gain * (-0.2 + 0.07 * i),
            probability_better=0.9 + 0.02 * i,
            spend={n: float(v) * (1 + 0.01 * i * (-1) ** j) for j, (n, v) in enumerate(zip(names, after, strict=True))},
        )
        for i, level in enumerate(levels)
    )


def _scenarios(names: tuple[str, ...], after: Any, gain: float, shape: Shape) -> tuple[Scenario, ...]:
    found = []
    for i, name in enumerate(shape.scenarios):
        factor = 1.0 + 0.1 * ((i + 1) // 2) * (-1) ** i
        spend = {n: float(v) * factor for n, v in zip(names, after, strict=True)}
        mean = gain + 0.9 * float(after.sum()) * (factor - 1)
        profit = Interval(0.4 * mean, 0.4 * mean - 0.2 * abs(mean), 0.4 * mean + 0.2 * abs(mean)) if i % 3 != 2 else None
        found.append(
            Scenario(
                name=name,
                objective=shape.objective,
                total=sum(spend.values()),
                gain=Interval(mean, mean - 0.7 * abs(mean), mean + 0.8 * abs(mean)),
                profit=profit,
                probability_better=0.61 + 0.05 * (i % 7),
                certified=i % 2 == 0,
                relative_gap=2.31e-4 if i % 2 == 0 else None if i % 3 == 0 else 0.0213,
                spend=spend,
            )
        )
    return tuple(found)


def _tests(names: tuple[str, ...], gain: float, shape: Shape) -> tuple[Worth, ...]:
    size = max(abs(gain), 1.0)
    return tuple(
        Worth(
            channel=names[i % len(names)],
            design=f"dark in north, south for {4 + i} periods" if i % 2 == 0 else f"+50 % everywhere for {4 + i} periods",
            periods=4 + i,
            geos=("north", "south") if i % 2 == 0 else (),
            change=-1.0 if i % 2 == 0 else 0.5,
            delta_spend=(-0.4 if i % 2 == 0 else 0.3) * size,
            cost=(0.12 if i % 2 == 0 else -0.03) * size,
            information=0.21 * size / (1 + i) ** 2,
            information_error=0.012 * size,
            se=0.37 + 0.1 * i,
            width=0.62 + 0.07 * i,
            power=max(0.03, 0.83 - 0.1 * i),
            changes_largest_move=0.312 / (1 + i),
        )
        for i in range(shape.tests)
    )
