"""The page of a recommendation for the person who signs it: what ``recommendation.md`` and ``recommendation.html`` say."""

from __future__ import annotations

from mmx.decide.recommendation import Recommendation
from mmx.report import format as fmt
from mmx.report import plan_words as words
from mmx.report.page import Block, Bullets, Heading, Picture, Sentence, Table, sentences
from mmx.report.words import INTERVAL, Units, not_converged

PLAN = "recommendation.png"
MOVES = "recommendation_moves.png"
OPTIMUM = "recommendation_optimum.png"
CURVES = "recommendation_curves.png"
FLIGHTING = "recommendation_flighting.png"
FRONTIER = "recommendation_frontier.png"
SCENARIOS = "recommendation_scenarios.png"


def plan_title(rec: Recommendation) -> str:
    """Return the title of the page."""
    return f"Budget recommendation: {rec.fit_name}"


def plan_page(rec: Recommendation) -> list[Block]:
    """Return the page of a recommendation, block by block."""
    units = words.plan_units(rec)
    blocks: list[Block] = []
    if not rec.converged:
        blocks.append(Sentence(not_converged(rec.gate_reasons), "alarm"))
    blocks += [
        Sentence(words.gain_sentence(rec), "strong"),
        Sentence(words.certificate_sentence(rec)),
        Sentence(words.nothing_sentence(rec)),
        *(Sentence(text) for text in words.turnover_sentences(rec)),
        _facts(rec, units),
        *_channels(rec, units),
        *_reasons(rec, units),
        *_curves(rec),
        *_constraints(rec),
    ]
    if rec.frontier:
        blocks += _frontier(rec, units)
    if rec.scenarios:
        blocks += _scenarios(rec, units)
    if rec.tests:
        blocks += _tests(rec, units)
    unknowns = words.unknown_lines(rec) or [words.NOTHING_RECORDED]
    blocks += [Heading("What the model does not know"), sentences(unknowns)]
    blocks += [Heading("Definitions"), Bullets(words.plan_definitions(rec))]
    blocks += [Heading("Certificate"), Bullets(words.certificate_lines(rec))]
    if rec.notes:
        blocks += [Heading("Notes"), sentences(rec.notes)]
    return blocks


def _facts(rec: Recommendation, units: Units) -> Bullets:
    gain = fmt.full(rec.gain.mean, units.value, sign=True)
    return Bullets(
        [
            ("Horizon", f"{rec.horizon} periods, the first starts on {rec.start}, the last on {rec.end}."),
            ("Money", words.total_sentence(rec)),
            ("Gain", f"{gain} ({INTERVAL} {fmt.full_span(rec.gain.q05, rec.gain.q95)}). {words.gain_definition(units)}"),
            ("Objective", f"{rec.objective}."),
        ]
    )


def _channels(rec: Recommendation, units: Units) -> list[Block]:
    header = ["Channel", fmt.header("Current", units.spend), fmt.header("Recommended", units.spend)]
    header += [
        fmt.header("Change", units.spend),
        "Change, %",
        words.extra_header(units),
        INTERVAL,
        fmt.header("Net", units.value),
    ]
    header.append("Remarks")
    rows = []
    for name, plan in rec.channels.items():
        row = [name, fmt.full(plan.current_spend), fmt.full(plan.recommended_spend), fmt.full(words.change(plan), sign=True)]
        row += [words.change_text(plan), fmt.full(plan.extra.mean, sign=True), fmt.full_span(plan.extra.q05, plan.extra.q95)]
        rows.append([*row, fmt.full(plan.net, sign=True), words.marks(plan)])
    total = ["Total", fmt.full(rec.current_total), fmt.full(rec.total), fmt.full(words.total_change(rec), sign=True)]
    rows.append([*total, *[""] * (len(header) - len(total))])
    blocks: list[Block] = [Heading("Channels"), Table(header, rows, left=(len(header) - 1,), total=True)]
    blocks.append(Picture(PLAN, "Current and recommended spend by channel, and what the change brings"))
    if rec.horizon > 1:
        blocks += [Heading("Over time"), Picture(FLIGHTING, "Spend by period, current and recommended")]
    return blocks


def _reasons(rec: Recommendation, units: Units) -> list[Block]:
    rows = []
    for name, plan in rec.channels.items():
        before, after, best = plan.mroas_current, plan.mroas_recommended, plan.optimum
        row = [name, words.held_by(plan, units.spend)]
        row += [fmt.interval(stats.mean, stats.q05, stats.q95) for stats in (before, after)]
        row += [fmt.full_span(plan.low, plan.high), fmt.full(best.mean), fmt.full_span(best.q05, best.q95)]
        rows.append([*row, *(fmt.percent(share) for share in plan.at_bounds), fmt.times(plan.outside)])
    header = ["Channel", "Held by", f"{units.mroas} before", f"{units.mroas} after", fmt.header("Allowed", units.spend)]
    header += [fmt.header("Best per draw", units.spend), INTERVAL, "Draws at least", "Draws at most", "Of the largest observed"]
    return [
        Heading("What each move brings"),
        Sentence(
            "Net is what a move brings after paying for itself: its extra worth less what the same money earns at the plan's "
            "shadow price."
        ),
        Picture(MOVES, "Net gain of each channel's move, adding up to the gain"),
        Heading("Why each channel stops where it stops"),
        Table(header, rows, left=(1,)),
        sentences(words.held_sentences(rec)),
        Picture(OPTIMUM, "Spend of the best plan of each posterior draw, by channel"),
    ]


def _curves(rec: Recommendation) -> list[Block]:
    if not rec.curves:
        return []
    return [
        Heading("Response curves"),
        Sentence(
            "Where a curve is steep the next money still brings much; where it is flat, little. Beyond the observed spend, "
            "dashed on grey, a curve follows from its assumed form and not from data."
        ),
        Picture(CURVES, "Response of each channel to its spend, with the current and the recommended plan"),
    ]


def _constraints(rec: Recommendation) -> list[Block]:
    blocks: list[Block] = [Heading("Constraints that bind"), sentences(words.binding_lines(rec))]
    if slack := words.slack_lines(rec):
        blocks += [Heading("Constraints that do not bind"), sentences(slack)]
    changes = words.flip_lines(rec) or ["Nothing that was searched changes it."]
    return [*blocks, Heading("What would change the advice"), sentences(changes)]


def _frontier(rec: Recommendation, units: Units) -> list[Block]:
    header = ["Plan that maximises", words.extra_header(units), INTERVAL, "Mean gain of the worst tenth", "P(gain > 0)"]
    rows = [
        [
            words.level_name(point),
            fmt.full(point.gain.mean, sign=True),
            fmt.full_span(point.gain.q05, point.gain.q95),
            fmt.full(point.worst, sign=True),
            fmt.probability(point.probability_better),
        ]
        for point in rec.frontier
    ]
    return [Heading("Gain against risk"), Table(header, rows), Picture(FRONTIER, "Mean gain against that of the worst tenth")]


def _scenarios(rec: Recommendation, units: Units) -> list[Block]:
    header = ["Scenario", "Objective", fmt.header("Total", units.spend), words.extra_header(units), INTERVAL]
    header += [fmt.header("Profit", units.spend), "P(gain > 0)", "Certificate"]
    rows = []
    for one in rec.scenarios:
        row = [one.name, one.objective, fmt.full(one.total), fmt.full(one.gain.mean, sign=True)]
        row += [fmt.full_span(one.gain.q05, one.gain.q95), fmt.full(one.profit.mean, sign=True) if one.profit else fmt.MISSING]
        rows.append([*row, fmt.probability(one.probability_better), words.scenario_certificate(one)])
    spend = [[n, *(fmt.full(s.spend.get(n)) for s in rec.scenarios)] for n in rec.channels]
    return [
        Heading("Scenarios"),
        Sentence(
            "Gains of scenarios are over the current plan as it is, so that they count what more or less money brings; "
            "P(gain > 0) is of the gain at equal totals."
        ),
        Table(header, rows, left=(1, len(header) - 1)),
        Picture(SCENARIOS, "Spend of the scenarios by channel, and their gains"),
        Table([fmt.header("Spend", units.spend), *(s.name for s in rec.scenarios)], spend),
    ]


def _tests(rec: Recommendation, units: Units) -> list[Block]:
    header = ["Channel", "Design", fmt.header("Value", units.value), "Error", fmt.header("Cost", units.value)]
    header += [fmt.header("Spend added", units.spend), f"Error of {units.roas}", "Width", "Power", "Changes the largest move"]
    rows = [
        [
            test.channel,
            test.design,
            fmt.full(test.information),
            fmt.full(test.information_error),
            fmt.full(test.cost),
            fmt.full(test.delta_spend, sign=True),
            fmt.ratio(test.se),
            fmt.ratio(test.width),
            fmt.percent(test.power),
            fmt.percent(test.changes_largest_move),
        ]
        for test in rec.tests
    ]
    first = Sentence(words.worth_sentence(rec.tests[0], rec))
    return [Heading("What to test next"), first, Table(header, rows, left=(1,))]
