"""What a plan does with each channel: money, what the move brings, how far the advice is known, what holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmx.budget_settings import Question
from mmx.data.panel import Floats
from mmx.decide.answer import Answer
from mmx.decide.ask import TIMES_CURRENT
from mmx.decide.intervals import interval
from mmx.decide.optima import Optima
from mmx.decide.reasons import by_channel, price_of
from mmx.decide.recommendation import ChannelPlan, Interval

if TYPE_CHECKING:
    from mmx.mmm.posterior import Posterior

STEP = 0.01  # Of every cell of a channel, for its marginal return.
TOUCHED = 0.005  # Share of a channel's range within which a draw's best plan stands at an end of it.
# What ``held`` says of a cell, after its name.
PLACES = ("at its lower bound", "at its upper bound", "at its minimum commitment", "not used: ")
CENTRE = 0.1  # Share of draws from which on a pattern of dropped channels is a centre of its own.
DROPPED = 0.02  # Of a channel's range: what is no more than this above its least counts as its least.
WIDE = 5.0  # A marginal return whose interval spans more than this factor is hardly known.


def channel_plans(made: Answer, best: Optima, posterior: Posterior) -> dict[str, ChannelPlan]:
    """One entry per channel."""
    asked, money = made.asked, made.solution.money
    names, channel, response = asked.window.channels, asked.channel, asked.response
    plain, total = asked.plain(made.total), made.total

    def sums(values: Floats) -> Floats:
        return np.bincount(channel, weights=values, minlength=len(names))

    now, then = sums(asked.problem.current), sums(money)
    low, high = asked.reach
    extra = by_channel(response, channel, plain, money)
    slopes = response.value_and_slope(money)[1].mean(axis=0)
    price = price_of(asked.problem, slopes, money)
    marginal = [_marginal(made, plan) for plan in (asked.problem.current, money)]
    chosen = best.by_channel()
    observed = posterior.panel.array("spend")[:, posterior.window]
    planned = asked.fit.spread(money)
    plans = {}
    for c, name in enumerate(names):
        beyond, outside = _outside(planned[..., c], observed[:, :, c])
        near = TOUCHED * (high[c] - low[c])
        plans[name] = ChannelPlan(
            current_spend=float(now[c]),
            recommended_spend=float(then[c]),
            multiplier=float(then[c] / now[c]) if now[c] > 0 else 1.0,
            low=float(low[c]),
            high=float(high[c]),
            extra=interval(extra[:, c]),
            net=float(extra[:, c].mean() - price * (then[c] - now[c] * total / now.sum())),
            mroas_current=marginal[0][c],
            mroas_recommended=marginal[1][c],
            optimum=interval(chosen[:, c]),
            at_bounds=(float((chosen[:, c] <= low[c] + near).mean()), float((chosen[:, c] >= high[c] - near).mean())),
            binding=_binding(made, c, name),
            outside_observed=outside,
            outside=beyond,
        )
    return plans


def _marginal(made: Answer, money: Floats) -> list[Interval]:
    """What 1 % more of every cell of a channel brings, over that 1 %."""
    asked = made.asked
    step = by_channel(asked.response, asked.channel, money, money * (1 + STEP))
    spent = STEP * np.bincount(asked.channel, weights=money, minlength=step.shape[1])
    return [interval(step[:, c] / spent[c]) if spent[c] > 0 else Interval(0.0, 0.0, 0.0) for c in range(step.shape[1])]


def _outside(plan: Floats, observed: Floats) -> tuple[float, bool]:
    """Largest planned cell over the largest observed one of its geo, and whether the plan (horizon, geo) leaves the range.

    That is above the largest, or below every active cell; any money is where none was spent.
    """
    planned, most = plan.max(axis=0), observed.max(axis=1)
    ratio = np.divide(planned, most, out=np.zeros_like(planned), where=most > 0)
    least = np.where(observed > 0, observed, np.inf).min(axis=1)
    low = (planned > 0) & (planned < least * (1 - 1e-9))
    return float(ratio.max()), bool(((ratio > 1 + 1e-9) | low).any())


def _binding(made: Answer, c: int, name: str) -> str:
    """What holds a channel at the plan, in the user's words."""
    asked, said = made.asked, made.solution.binding
    cells = np.flatnonzero(asked.channel == c)
    own = {asked.problem.cells[i] for i in cells}
    if not asked.problem.high[cells].sum() > 0:
        return "no spend to scale"
    if (asked.problem.high[cells] <= asked.problem.low[cells]).all():
        return "fixed"
    for row in asked.problem.rows:
        if row.name in said and row.name.endswith(TIMES_CURRENT) and np.array_equal(np.flatnonzero(row.weights), cells):
            spent = float(made.solution.money[cells].sum())
            return "upper bound" if row.high - spent < spent - row.low else "lower bound"
    held = []
    for text in said:
        for cell in own:
            if (place := text.removeprefix(f"{cell} ")) != text and place.startswith(PLACES):
                held.append(place.removeprefix("at its ") if len(own) == 1 else text)
    rows = {row.name: row.weights for row in asked.problem.rows}
    held += [
        t
        for t in said
        if t in rows and asked.problem.total is not None and t != asked.problem.total.name and (rows[t][cells] > 0).any()
    ]
    if len(own) > 1 and len(held) > 2:
        return f"{held[0]} and {len(held) - 1} more"
    return "; ".join(held)


def modes(made: Answer, best: Optima) -> str:
    """Whether the best plans of draws gather around several centres: by which channels they leave at their least."""
    names, (low, high) = made.asked.window.channels, made.asked.reach
    sums = best.by_channel()
    least = (sums <= low + DROPPED * (high - low)) & (high > low)
    patterns, counts = np.unique(least, axis=0, return_counts=True)
    shares = counts / len(sums)
    centres = sorted(((float(s), p) for s, p in zip(shares, patterns, strict=True) if s >= CENTRE), key=lambda c: -c[0])
    if len(centres) < 2:
        return ""
    said = []
    for share, pattern in centres:
        dropped = [name for name, at in zip(names, pattern, strict=True) if at]
        said.append(f"{' and '.join(dropped) or 'no channel'} in {100 * share:.0f} %")
    return f"of the draws it leaves at their least {', '.join(said)}"


def unknowns(channels: dict[str, ChannelPlan], posterior: Posterior, question: Question) -> tuple[str, ...]:
    """What the model cannot know about this plan, one sentence each."""
    outside = [name for name, plan in channels.items() if plan.outside_observed]
    wide = [
        n for n, p in channels.items() if p.mroas_current.q95 > WIDE * max(p.mroas_current.q05, 1e-12) and p.current_spend > 0
    ]
    silent = [n for n, p in channels.items() if p.current_spend <= 0 and p.recommended_spend <= 0]
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
            f"No spend in the reference window: {', '.join(silent)}. Multiples of nothing are nothing, so they stay at zero; "
            "budget.channels can give them money."
        )
    if posterior.structure.multiplicative:
        said.append("Channels multiply in this model: what one brings depends on the others, and the parts follow one path.")
    said.append(
        "Competitors, creative and the baseline are taken to stay as they were"
        + (", prices as planned" if question.reference == "planned" else ", and prices too")
        + "; the gain counts effects of media only."
    )
    if posterior.structure.geos > 1 and "geo" not in question.by:
        said.append("One amount per channel moves all geos alike; by: [channel, geo] shifts money between them.")
    return tuple(said)
