"""Sentences about a recommendation, made from its numbers only; pages, sheets, figures and the terminal take them from here."""

from __future__ import annotations

import math
import re

from mmx.decide.recommendation import ChannelPlan, Curve, CurvePoint, Flip, Frontier, Recommendation, Scenario, TestValue
from mmx.report import format as fmt
from mmx.report.words import INTERVAL, KPI_UNITS, NO_CURRENCY, Units, fit_units

BINDS = "binds: "
BOUNDS = {"lower bound": "its lower bound", "upper bound": "its upper bound"}
FREE = "no limit"
PROFIT = "total with the most profit"  # How a goal begins whose objective counts the spend.
NOTHING_RECORDED = "Nothing was recorded."
REFERENCES = {
    "last": "the last {horizon} periods of spend, with their pattern over time",
    "last_year": "the spend of the same {horizon} periods one year earlier, with their pattern over time",
    "planned": "the spend that is planned for the {horizon} periods",
}
OBJECTIVES = {"mean": "the posterior mean of {value}, carryover after the horizon included"}
NEAR = 1e-3  # Relative distance from a bound at which a plan stands that is called there; a step is farther off.
ROUNDING = 1e-9  # Relative difference of totals that sums over cells may leave.
APART = 1.645  # Standard errors, 95 % one-sided, by which an expected value must lie above 0 to be called told apart from it.


def plan_units(rec: Recommendation) -> Units:
    """Return the units of a recommendation, from what its gain is counted in."""
    if rec.money == KPI_UNITS:
        return fit_units("", "index")
    return fit_units("" if rec.money == NO_CURRENCY else rec.money, "money")


def extra_name(units: Units) -> str:
    """Return what the gain of a plan is called in headers, without its unit."""
    return "Extra KPI units" if units.value == KPI_UNITS else "Extra KPI money"


def extra_header(units: Units) -> str:
    """Return the header of a column of extra KPI money."""
    return extra_name(units) if units.value == KPI_UNITS else fmt.header(extra_name(units), units.value)


def gain_definition(units: Units) -> str:
    """Say what the gain of a plan is, and what it is not."""
    what = "KPI money, not profit" if units.value_name == "KPI money" else "counted in KPI units, not money"
    return (
        f"The gain is {what}: what the recommended plan brings over the current plan scaled to the same total, "
        "with the carryover after the last period of the plan included."
    )


def gain_sentence(rec: Recommendation) -> str:
    """Return gain with interval and probability in one sentence."""
    units = plan_units(rec)
    gain = fmt.short_interval(rec.gain.mean, rec.gain.q05, rec.gain.q95, units.value, sign=True)
    name = "KPI units" if units.value == KPI_UNITS else units.value_name
    gain = gain.removesuffix(f" {KPI_UNITS}")
    if unchanged(rec):
        return f"Expected extra {name}: {gain}. The recommended plan is the current plan."
    return f"Expected extra {name}: {gain} ({INTERVAL}); P(gain > 0) is {fmt.probability(rec.probability_better)}."


def certificate_sentence(rec: Recommendation) -> str:
    """Say in one sentence how good the plan is known to be among all allowed plans."""
    found = rec.certificate
    no_better = _no_better(rec.objective, found.relative_gap)
    if found.certified:
        return f"{no_better} (certified on all {rec.draws:,} posterior draws)."
    unknown = "How far a better plan could be from it is not known"
    reason = f": {found.reason}" if found.reason else ""
    return f"Not certified ({found.method}){reason}. {no_better if found.bound is not None else unknown}."


def _no_better(objective: str, gap: float | None) -> str:
    if gap == 0:
        return "No allowed plan can beat this one"
    if objective.startswith("probability"):
        return f"No allowed plan can have a probability that is higher by more than {fmt.at_most(gap)}"
    return f"No allowed plan can beat this one by more than {fmt.at_most(gap)} of what it brings"


def certificate_lines(rec: Recommendation) -> list[tuple[str, str]]:
    """Return the parts of the certificate, each with its name."""
    found = rec.certificate
    lines = [("objective", rec.objective), ("its value at the plan", fmt.full(found.value))]
    if found.bound is not None:
        lines += [("no allowed plan exceeds", fmt.full(found.bound)), ("gap", fmt.full(found.gap))]
        lines += [("relative gap", fmt.at_most(found.relative_gap))]
    return [*lines, ("how they were found", found.method)]


def total_sentence(rec: Recommendation) -> str:
    """Say what is spent, when, how that total came about, and what one more unit of money would bring."""
    units = plan_units(rec)
    text = f"Total {fmt.full(rec.total, units.spend)} over {rec.horizon} periods from {rec.start} ({rec.goal})"
    if not same_total(rec):
        text += f"; the current plan's is {fmt.full(rec.current_total, units.spend)}"
    text += "."
    if rec.goal.startswith(PROFIT):
        text += f" By the objective it earns {fmt.full(rec.certificate.value, units.spend)} after its spend."
    if rec.objective.startswith("probability"):
        text += f" The {rec.objective} is {fmt.probability(rec.certificate.value)}."
    if rec.remainder:
        text += f" Steps leave {fmt.full(rec.remainder, units.spend)} of the total unspent."
    return text


def shadow_sentence(rec: Recommendation) -> str:
    """Say what one more unit of money would bring; empty where that is not defined."""
    if rec.shadow_price is None:
        return ""
    unit = rec.money if rec.money != NO_CURRENCY else plan_units(rec).value_name
    per = f"one more {rec.money}" if rec.money not in (NO_CURRENCY, KPI_UNITS) else "one more unit of money"
    return f"By the objective {per} would bring {fmt.ratio(rec.shadow_price)} {unit} (the plan's shadow price)."


def nothing_sentence(rec: Recommendation) -> str:
    """Say what doing nothing gives: the current plan as it is, or scaled to the total."""
    units = plan_units(rec)
    worth = fmt.short_interval(rec.nothing.mean, rec.nothing.q05, rec.nothing.q95, units.value)
    name = "" if units.value == KPI_UNITS else f" of {units.value_name}" if units.value else f" {units.value_name}"
    scaled = ", scaled to the same total," if not same_total(rec) else ""
    return f"Doing nothing: the current plan{scaled} brings {worth}{name} ({INTERVAL}) over no spend at all."


def turnover_sentences(rec: Recommendation) -> list[str]:
    """Say what moves since an earlier recommendation and what keeping that would lose; nothing where none was given."""
    found = rec.turnover
    if found is None:
        return []
    units = plan_units(rec)
    lost = fmt.short_interval(found.lost.mean, found.lost.q05, found.lost.q95, units.value, sign=True)
    share = "" if found.lost_share is None else f", {fmt.percent(found.lost_share)} of what this plan brings"
    more = " In the mean it brings more than this plan." if found.lost.mean < 0 else ""
    bent = more if found.allowed else more + " That plan is not within today's constraints."
    most = max(found.channels, key=lambda name: abs(found.channels[name]))
    where = f", most of it {most}'s ({fmt.full(found.channels[most], units.spend, sign=True)})" if found.moved > 0 else ""
    return [
        f"Since the plan from {found.start} ({found.fit_name}) {fmt.percent(found.moved)} of the money moves{where}. Keeping "
        f"that plan at this total would lose {lost} ({INTERVAL}){share}.{bent}"
    ]


def same_total(rec: Recommendation) -> bool:
    """Whether both plans have the same total, but for rounding."""
    return math.isclose(rec.total, rec.current_total, rel_tol=ROUNDING)


def total_change(rec: Recommendation) -> float:
    """Return recommended minus current total, in money; 0 where only rounding is left."""
    return 0.0 if same_total(rec) else rec.total - rec.current_total


def unchanged(rec: Recommendation) -> bool:
    """Whether the recommended plan is the current plan, cell by cell."""
    return all(cell.current == cell.recommended for cell in rec.cells)


def change(plan: ChannelPlan) -> float:
    """Return recommended minus current spend, in money."""
    return plan.recommended_spend - plan.current_spend


def moved(rec: Recommendation, plan: ChannelPlan) -> float:
    """Return recommended spend minus that of the current plan scaled to the same total, in money."""
    scale = rec.total / rec.current_total if rec.current_total > 0 else 1.0
    return plan.recommended_spend - scale * plan.current_spend


def change_share(plan: ChannelPlan) -> float | None:
    """Return the change as a share of current spend; None where nothing is spent today."""
    return change(plan) / plan.current_spend if plan.current_spend > 0 else None


def change_text(plan: ChannelPlan) -> str:
    """Return the change as a percentage, or what to call it where nothing is spent today."""
    share = change_share(plan)
    if share is None:
        return "new" if plan.recommended_spend > 0 else "no spend"
    return fmt.percent(share, sign=True)


def marks(plan: ChannelPlan) -> str:
    """Say what binds a channel and whether its plan leaves the observed range."""
    words = [plan.binding] if plan.binding else []
    if plan.outside_observed:
        words.append("outside observed range")
    return ", ".join(words)


def held_by(plan: ChannelPlan, unit: str) -> str:
    """Say why a channel stops where it stops."""
    if plan.binding in BOUNDS:
        bound = plan.low if plan.binding == "lower bound" else plan.high
        steps = "" if math.isclose(bound, plan.recommended_spend, rel_tol=NEAR) else " (to the next step)"
        return f"{BOUNDS[plan.binding]}, {fmt.full(bound, unit)}{steps}"
    return plan.binding or FREE


def held_sentences(rec: Recommendation) -> list[str]:
    """Say how to read what holds the channels, and whether the best plan per draw has several centres."""
    lines = []
    if any(not p.binding for p in rec.channels.values()):
        rest = f" {shadow_sentence(rec)}" if rec.shadow_price is not None else ""
        lines.append(
            f"A channel that no limit holds stops where its next money would bring more elsewhere, by the objective.{rest}"
        )
    lines.append(
        "The best plan per draw is what would be best if that draw were the truth; where it often stands at a bound, the bound "
        "decides more than the data."
    )
    if rec.modes:
        lines.append(f"The best plan per draw has several centres: {rec.modes}.")
    return lines


def binding_lines(rec: Recommendation) -> list[str]:
    """List the constraints that bind, in the user's words, then the channels that stand at a bound of their own."""
    unit = plan_units(rec).spend
    lines = [text.removeprefix(BINDS) for text in rec.constraints if text.startswith(BINDS)]
    for name, plan in rec.channels.items():
        if plan.binding in BOUNDS:
            lines.append(f"{name} stands at {held_by(plan, unit)}.")
    return lines or ["No constraint binds."]


def slack_lines(rec: Recommendation) -> list[str]:
    """List the constraints that were asked for and do not bind."""
    return [text for text in rec.constraints if not text.startswith(BINDS)]


def largest_move(rec: Recommendation) -> str:
    """Name the plan's largest move against the current plan scaled to the same total; empty where nothing moves."""
    if not rec.channels:
        return ""
    name = rec.flips[0].channel if rec.flips else max(rec.channels, key=lambda n: abs(moved(rec, rec.channels[n])))
    money = moved(rec, rec.channels[name])
    if money == 0:
        return ""
    scaled = " scaled to the same total" if not same_total(rec) else ""
    return f"The largest move is {name}: {fmt.full(money, plan_units(rec).spend, sign=True)} over the current plan{scaled}."


def flip_sentence(flip: Flip, rec: Recommendation) -> str:
    """Say what would turn the largest move around, or that nothing within the range does."""
    low, high = (fmt.ratio(v) for v in flip.searched)
    what = f"what {flip.channel} brings" if flip.kind == "belief" else "the total"
    if flip.factor is None:
        return f"No factor from {low} to {high} on {what} turns the move of {flip.channel} around."
    if flip.kind == "belief":
        return f"If {flip.channel} brought {fmt.times(flip.factor)} what the model says, its move would turn around or go away."
    total = fmt.full(flip.factor * rec.total, plan_units(rec).spend)
    return f"At {fmt.times(flip.factor)} the total, {total}, the move of {flip.channel} would turn around or go away."


def flip_lines(rec: Recommendation) -> list[str]:
    """List what would change the advice."""
    largest = largest_move(rec)
    return [*([largest] if largest else []), *(flip_sentence(f, rec) for f in rec.flips)]


def largest_curves(rec: Recommendation, count: int) -> list[Curve]:
    """Return the response curves of the channels with the most recommended spend, in the order of the recommendation."""
    kept = {c.channel for c in sorted(rec.curves, key=lambda c: -c.recommended)[:count]}
    return [c for c in rec.curves if c.channel in kept]


def curve_plan(curve: Curve, point: CurvePoint) -> str:
    """Name the plans that spend what a point of a curve does; empty for none."""
    plans = (("current", curve.current), ("recommended", curve.recommended))
    return " and ".join(name for name, spend in plans if point.spend == spend)


def level_name(point: Frontier) -> str:
    """Name what a plan of the frontier maximises."""
    return "mean" if point.level >= 1 else f"mean of the worst {100 * point.level:.3g} %"


def scenario_certificate(scenario: Scenario) -> str:
    """Say in few words whether a scenario's plan is certified, with its gap."""
    gap = f", gap {fmt.at_most(scenario.relative_gap)}" if scenario.relative_gap is not None else ""
    return ("certified" if scenario.certified else "not certified") + gap


def worth_sentence(test: TestValue, rec: Recommendation) -> str:
    """Say what an experiment would be worth, what it costs, and how often it would change the advice."""
    unit = "" if rec.money == NO_CURRENCY else rec.money
    worth, error = fmt.short(test.information, unit), fmt.short(test.information_error)
    text = f"{test.channel}: {test.design}. Knowing the result first is worth {worth} per horizon"
    text += f" (Monte-Carlo error {error})"
    text += (
        f"; the test costs {fmt.short(test.cost, unit)}" if test.cost > 0 else f"; the test earns {fmt.short(-test.cost, unit)}"
    )
    text += f" and changes the largest move in {fmt.percent(test.changes_largest_move)} of results."
    if test.cost > test.information:
        text += " It costs more than it is worth to this plan."
    if test.information < APART * test.information_error:
        text += " That worth cannot be told apart from 0."
    return text


def unknown_lines(rec: Recommendation) -> list[str]:
    """List what the model does not know about the plan; every channel outside its observed range has a line."""
    lines = []
    for name, plan in rec.channels.items():
        if plan.outside_observed and not any(_names(line, name) for line in rec.unknowns):
            far = f": up to {fmt.times(plan.outside)} the largest" if plan.outside > 1 else ""
            lines.append(f"{name}: the plan leaves the observed spend{far}; the response there is extrapolated.")
    return [*rec.unknowns, *lines]


def _names(sentence: str, channel: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(channel)}(?!\w)", sentence) is not None


def plan_definitions(rec: Recommendation) -> list[tuple[str, str]]:
    """Return the terms of a recommendation, each with its definition."""
    units = plan_units(rec)
    value = units.value_name
    reference = REFERENCES.get(rec.reference, rec.reference).format(horizon=rec.horizon)
    objective = OBJECTIVES.get(rec.objective, rec.objective).format(value=value)
    terms = [
        ("current plan", f"{reference}."),
        ("recommended plan", "the best allowed plan that was found, by the objective and within the constraints."),
        ("objective", f"{objective}."),
        (
            "certificate",
            "the objective of the plan against a number that no allowed plan exceeds, both on all posterior draws.",
        ),
        ("gain", gain_definition(units).removeprefix("The gain is ")),
        (
            f"extra {value}",
            f"{value} of a channel's recommended spend over its spend in the current plan scaled to the same total, carryover "
            "included; the means add up to the gain.",
        ),
        (
            "net",
            f"the mean of extra {value} less what the moved money earns at the plan's shadow price: what the move itself "
            "brings, after paying for it.",
        ),
        (units.mroas, f"{value} per unit of money for the next 1 % of spend, carryover included."),
        (
            "response curve",
            f"{value} that a channel brings over no spend of its own, its spend scaled with the recommended pattern over geos "
            "and periods, other channels as recommended; beyond the largest observed spend it follows from its assumed form.",
        ),
        ("allowed", "least and largest spend by the channel's own bounds."),
        ("best plan per draw", "spend of the plan that would be best if one posterior draw were the truth."),
        ("intervals", "equal-tailed 90 % posterior intervals; the number before the bracket is the posterior mean."),
    ]
    return terms + (_test_terms(units) if rec.tests else [])


def _test_terms(units: Units) -> list[tuple[str, str]]:
    return [
        (
            "value of a test",
            f"{units.value_name} per horizon that the plan gains in the mean by knowing the test's result first (expected "
            "value of sample information), with its Monte-Carlo standard error.",
        ),
        ("cost of a test", "expected KPI money lost while it runs, less the spend that it saves; negative where it earns."),
        ("power", f"the chance that the test's {INTERVAL} leaves out zero; width is that of its interval over today's."),
    ]
